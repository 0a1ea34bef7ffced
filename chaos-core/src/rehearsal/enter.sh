#!/bin/sh
# One step, in namespaces of its own: makes the layers its whole file system, lets go of the host's, drops what could
# act on the kernel, says so on descriptor 3, waits for its turn, and becomes the command. Arguments: the new root, the
# step's number, and the command.
set -eu
trap 'echo failed >&3' EXIT
root=$1 old=.old.$2
shift 2
mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
cd "$root"
pivot_root . "run/$old"
cd /
/run/.rehearsal/own/umount -l "/run/$old"
for left in "/run/$old"/* "/run/$old"/.[!.]*; do
  [ ! -e "$left" ] || exit 1
done
# Nothing is mounted but what was made for the sandbox.
while read -r line; do
  case ${line#* - } in
    overlay\ * | tmpfs\ * | proc\ *) ;;
    *) exit 1 ;;
  esac
  case $line in *" /run/.old"*) exit 1 ;; esac
done </proc/self/mountinfo
# Nothing that was open outside may come along.
for open in /proc/self/fd/*; do
  case ${open##*/} in
    0 | 1 | 2 | 3) ;;
    *) [ ! -d "$open" ] && [ ! -b "$open" ] || exit 1 ;;
  esac
done
PATH=/run/.rehearsal/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
BASH_ENV=/run/.rehearsal/bash_env
HOME=/root
export PATH BASH_ENV HOME
# shellcheck disable=SC2016 # for the shell that waits
exec setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all \
  --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+setgid,+setuid,+kill,+net_bind_service \
  sh -c 'echo ready >&3; exec 3>&-; read -r _; exec "$@" </dev/null' sh "$@"
