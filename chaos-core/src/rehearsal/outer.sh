#!/bin/sh
# Rehearses commands in a sandbox of namespaces. This part stays outside of it: it looks whether the host can have one,
# bounds it by a control group, and takes everything away again. Arguments: the steps as calls of `step`, the seconds
# for all, then the texts of build.sh, enter.sh, changes.sh and shim.sh. Prints records that end with NUL; their fields
# are parted by tabs.
set -u
steps=$1 seconds=$2 build=$3 enter=$4 changes=$5 shim=$6
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
unset ENV BASH_ENV LD_PRELOAD LD_LIBRARY_PATH TMPDIR

unable() {
  printf 'unable\t%s\0' "$1"
  exit 0
}

[ "$(id -u)" = 0 ] || unable 'it needs root on the target'
for program in unshare mount umount pivot_root setpriv prlimit mknod mkfifo find stat cmp tar tee seq timeout; do
  command -v "$program" >/dev/null || unable "$program is not installed on the target"
done

# Memory for all that happens inside, what is written there included.
free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
[ "${free:-0}" -ge 131072 ] || unable 'less than 128 MiB of memory are free on the target'
kib=$((free / 4))
[ "$kib" -le 262144 ] || kib=262144

place=/run/chaos-rehearsal.$$
# There while the module for the layers is loaded for rehearsals alone.
mark=/run/chaos-rehearsal-overlay
groups=
tidy() {
  status=$?
  trap - EXIT
  trap '' TERM HUP INT PIPE
  for group in $groups; do
    [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
    for try in 1 2 3 4 5 6 7 8 9 10; do
      rmdir "$group" 2>/dev/null && break
      [ -d "$group" ] || break
      xargs -r kill -9 <"$group/cgroup.procs" 2>/dev/null
      sleep "0.$try"
    done
  done
  rmdir "$place" 2>/dev/null
  # The last one to leave unloads it; each takes its own place away before it looks.
  if [ -d "$mark" ]; then
    for other in /run/chaos-rehearsal.*; do
      [ ! -d "$other" ] || [ ! -d "/proc/${other##*.}" ] || exit "$status"
    done
    modprobe -r overlay 2>/dev/null && rmdir "$mark" 2>/dev/null
  fi
  exit "$status"
}
trap tidy EXIT
trap 'exit 143' TERM HUP INT PIPE

# What one that was killed has left.
for left in /run/chaos-rehearsal.* /sys/fs/cgroup/chaos-rehearsal.* /sys/fs/cgroup/memory/chaos-rehearsal.* \
  /sys/fs/cgroup/pids/chaos-rehearsal.*; do
  [ ! -d "$left" ] || [ -d "/proc/${left##*.}" ] || rmdir "$left" 2>/dev/null
done

limit() { # GROUP FILE VALUE
  { echo "$3" >"$1/$2"; } 2>/dev/null || unable "the kernel does not take a limit for the sandbox ($2)"
}
group() { # DIRECTORY
  mkdir "$1" 2>/dev/null || unable 'no control group can be made on the target'
  groups="$groups $1"
}
most=$((96 + 4 * $(printf '%s\n' "$steps" | grep -c '^step ')))
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  group "/sys/fs/cgroup/chaos-rehearsal.$$"
  limit "/sys/fs/cgroup/chaos-rehearsal.$$" memory.max "${kib}K"
  limit "/sys/fs/cgroup/chaos-rehearsal.$$" pids.max "$most"
  { echo 0 >"/sys/fs/cgroup/chaos-rehearsal.$$/memory.swap.max"; } 2>/dev/null
else
  group "/sys/fs/cgroup/memory/chaos-rehearsal.$$"
  limit "/sys/fs/cgroup/memory/chaos-rehearsal.$$" memory.limit_in_bytes "${kib}K"
  group "/sys/fs/cgroup/pids/chaos-rehearsal.$$"
  limit "/sys/fs/cgroup/pids/chaos-rehearsal.$$" pids.max "$most"
fi

grep -qw overlay /proc/filesystems || mkdir "$mark" 2>/dev/null
mkdir "$place" || unable 'nothing can be written to /run on the target'

# Behind our back, for a shell that waits for what it runs in front hears no signal: who ends us gives us two seconds to
# tidy up, and what is inside is in a process group of its own.
# shellcheck disable=SC2016 # for the shell inside
timeout -s KILL "$seconds" sh -c '
  for group in $1; do echo $$ >"$group/cgroup.procs" || exit 98; done
  shift
  exec unshare -m --propagation private sh -c "$@"' sh \
  "$groups" "$build" sh "$place" "$kib" "$steps" "$enter" "$changes" "$shim" </dev/null 2>/dev/null &
wait "$!"
status=$?
for group in $groups; do
  for said in memory.events:oom_kill:memory pids.events:max:processes; do
    file=${said%%:*} rest=${said#*:}
    count=$(sed -n "s/^${rest%%:*} //p" "$group/$file" 2>/dev/null)
    [ "${count:-0}" = 0 ] || printf 'limit\t%s\0' "${rest#*:}"
  done
done
case $status in
  0) printf 'done\0' ;;
  98) unable 'nothing can be put into a control group on the target' ;;
  124 | 137) unable "it did not end within $seconds s" ;;
  *) unable "the sandbox could not be made ($status)" ;;
esac
