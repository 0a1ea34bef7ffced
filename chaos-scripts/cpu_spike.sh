#!/usr/bin/env bash
# Keeps a number of CPU cores busy.

SCENARIO=cpu_spike
SUMMARY="Keeps CPU cores busy with computing."
ARGS=(duration load)
ARGS_HELP="  duration         seconds until it ends by itself (default 120)
  load             cores to keep busy (default: as many as there are)"

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# Workers look at the clock themselves, so that they end even when their parent was killed.
PYTHON_WORKERS='
import os, sys, time
seconds, workers = map(int, sys.argv[1:])
end = time.monotonic() + seconds
def compute():
    while time.monotonic() < end:
        sum(n * n for n in range(10000))
for _ in range(workers):
    if os.fork() == 0:
        compute()
        os._exit(0)
for _ in range(workers):
    os.wait()
'

settle() {
  : "${ARG[load]:=$(nproc)}"
}

compute_until() { # UPTIME
  local n
  while read_uptime && ((NOW < $1)); do
    for ((n = 0; n < 20000; n++)); do :; done
  done
}

inject() {
  local seconds=${ARG[duration]} workers=${ARG[load]} i end
  if have stress-ng; then
    # It wants a directory that it may write to, and ours is /.
    exec stress-ng --cpu "$workers" --timeout "${seconds}s" --temp-path /tmp
  elif python3 -I -c '' 2>/dev/null; then
    exec python3 -I -c "$PYTHON_WORKERS" "$seconds" "$workers"
  fi
  read_uptime
  end=$((NOW + seconds * 100))
  for ((i = 0; i < workers; i++)); do compute_until "$end" & done
  wait
}

main "$@"
