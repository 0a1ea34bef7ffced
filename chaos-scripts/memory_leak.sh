#!/usr/bin/env bash
# A process whose resident memory grows steadily, holds, and is freed.

SCENARIO=memory_leak
SUMMARY="Grows a process's memory to a target, holds it, and frees it."
ARGS=(target_mb duration)
ARGS_HELP="  target_mb        MiB to grow to, over half the duration but at most 45 s
                   (default 25 % of what is available, from 128 to 4096; --force allows over 80 %)
  duration         seconds until it ends by itself (default 120)"

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# Both write to each page of each block, or the kernel would not back them with memory.
PYTHON_GROW='
import sys, time
target, seconds = map(int, sys.argv[1:])
begin, ramp = time.monotonic(), min(seconds / 2, 45)
held = []
try:
    while len(held) < target:
        due = int(target * min(1, (time.monotonic() - begin) / ramp))
        while len(held) < due:
            block = bytearray(1 << 20)
            block[::4096] = b"\1" * 256
            held.append(block)
        time.sleep(0.1)
except MemoryError:
    print("no more memory to be had, holding", len(held), "MiB", flush=True)
time.sleep(max(0, begin + seconds - time.monotonic()))
'
# shellcheck disable=SC2016 # Perl, not shell
PERL_GROW='
use strict;
my ($target, $seconds) = @ARGV;
sub now { open my $f, "<", "/proc/uptime" or die; return (split " ", <$f>)[0] }
my $begin = now();
my $ramp = $seconds / 2 < 45 ? $seconds / 2 : 45;
my @held;
while ((my $past = now() - $begin) < $seconds) {
    my $due = $past < $ramp ? int($target * $past / $ramp) : $target;
    push @held, "\1" x (1 << 20) while @held < $due;
    select undef, undef, undef, @held < $target ? 0.1 : 0.5;
}
'

settle() {
  local mb
  python3 -I -c '' 2>/dev/null || have perl || die "$MISSING" "python3: not found, nor is perl; install one of them"
  read_available
  mb=$((AVAILABLE / 4))
  ((mb = mb < 128 ? 128 : mb > 4096 ? 4096 : mb))
  : "${ARG[target_mb]:=$mb}"
  mb=$((AVAILABLE * 80 / 100))
  ((FORCE || ARG[target_mb] <= mb)) ||
    die "$BAD_ARGUMENTS" "target_mb: ${ARG[target_mb]} is over $mb, 80 % of what is available; lower it or use --force"
}

inject() {
  if python3 -I -c '' 2>/dev/null; then
    exec python3 -I -c "$PYTHON_GROW" "${ARG[target_mb]}" "${ARG[duration]}"
  fi
  exec perl -e "$PERL_GROW" "${ARG[target_mb]}" "${ARG[duration]}"
}

main "$@"
