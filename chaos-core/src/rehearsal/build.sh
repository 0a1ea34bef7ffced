#!/bin/sh
# Inside a mount namespace of our own: lays an empty layer over each file system, starts every step in namespaces of its
# own, lets them go one after the other, and then tells what lies in the layers. Nothing is executed here from what
# the steps may have changed: all of them are prepared before the first one goes. Arguments: an empty directory, KiB of
# memory, the steps, and the texts of enter.sh, changes.sh and shim.sh.
set -u
place=$1 kib=$2 steps=$3 enter=$4 changes=$5 shim=$6
root=$place/root

unable() {
  printf 'unable\t%s\0' "$1"
  exit 0
}
note() { printf 'note\t%s\0' "$1"; }

mount --make-rprivate / || unable 'mounts can not be kept apart'
mount -t tmpfs -o "mode=0700,size=$((kib / 2))k,nr_inodes=20000" none "$place" || unable 'no tmpfs can be mounted'
mkdir "$place/upper" "$place/work" "$place/out" "$root"
mount -t tmpfs -o "mode=0700,size=2m" none "$place/out" || unable 'no tmpfs can be mounted'
: >"$place/empty"
: >"$place/layers"

# --- a layer over each file system --------------------------------------------------------------------------
count=0
lay() { # MOUNTPOINT OPTIONS
  mkdir "$place/upper/$count" "$place/work/$count"
  # Who may enter it, as it is.
  chown --reference="$1" "$place/upper/$count" && chmod --reference="$1" "$place/upper/$count"
  mount -t overlay -o "nodev,nosuid,$2,lowerdir=$1,upperdir=$place/upper/$count,workdir=$place/work/$count" \
    overlay "$root${1%/}" || return 1
  printf '%s\n' "$1" >>"$place/layers"
  count=$((count + 1))
}
access() { # OPTIONS OPTIONS: of the mount and of its file system
  case ",$1,$2," in *,ro,*) echo ro ;; *) echo rw ;; esac
}

# Read whole at once: the list grows while we mount.
mounts=$(cat /proc/self/mountinfo)
rest=$(printf '%s\n' "$mounts" | sed -n 's/^[0-9]* [0-9]* [^ ]* [^ ]* \/ \([^ ]*\) .* - [^ ]* [^ ]* \([^ ]*\)$/\1 \2/p' | tail -n 1)
lay / "$(access "${rest%% *}" "${rest##* }")" || unable 'the root file system takes no layer (overlayfs)'
printf '%s\n' "$mounts" >"$place/mounts"
seen=' / '
while read -r _ _ _ _ where options more; do
  more=${more#*- }
  type=${more%% *} own=${more##* }
  where=$(printf '%b' "$where")
  case $where in
    / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/*) continue ;;
    /var/lib/docker/* | /var/lib/containers/* | /var/lib/containerd/* | /var/lib/kubelet/* | /snap/* | /var/snap/*) continue ;;
    "$place"*) continue ;;
  esac
  case $seen in *" $where "*) continue ;; esac
  seen="$seen$where "
  case $type in
    ext2 | ext3 | ext4 | xfs | btrfs | f2fs | jfs | reiserfs | zfs | vfat | exfat | ntfs3 | tmpfs | ramfs | overlay | squashfs | erofs | iso9660) ;;
    nfs | nfs4 | cifs | smb3 | ceph | 9p | fuse | fuse.* | fuseblk | glusterfs | lustre | ocfs2 | gfs2)
      note "$where ($type) is empty in the sandbox"
      continue
      ;;
    *) continue ;;
  esac
  if [ "$count" -ge 40 ]; then
    note "$where is left out: there are too many file systems"
  elif [ ! -d "$where" ] || [ ! -d "$root$where" ]; then
    note "$where is left out: it is no directory"
  else
    case $where in
      *[:,\\]*) note "$where is left out: its name can not be given to mount" ;;
      *) lay "$where" "$(access "$options" "$own")" || note "$where ($type) takes no layer: it is empty in the sandbox" ;;
    esac
  fi
done <"$place/mounts"

# --- what is not files --------------------------------------------------------------------------------------
# A socket in the file system leads to its server from any namespace: each one that somebody listens on is covered.
sockets() {
  find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/net' -printf '%l %h\n' 2>/dev/null | sort -u -k 1,1 |
    while read -r _ of; do cat "${of%/ns}/net/unix" 2>/dev/null; done |
    sed -n 's/^[^:]*: [^ ]* [^ ]* [^ ]* [^ ]* [^ ]* *[0-9]* \(\/.*\)$/\1/p' | sort -u
}
sockets >"$place/sockets"
while IFS= read -r socket; do
  case $socket in /run/* | /var/run/* | /dev/* | /proc/* | /sys/*) continue ;; esac
  [ -S "$root$socket" ] || continue
  mount --bind "$place/empty" "$root$socket" || unable "a socket could not be covered: $socket"
done <"$place/sockets"

for directory in run sys proc dev; do
  [ -d "$root/$directory" ] || unable "the target has no /$directory"
done
mount -t tmpfs -o "mode=0755,size=4m,nosuid,nodev" none "$root/run" || unable 'no tmpfs can be mounted'
mount -t tmpfs -o "ro,mode=0555,size=4k" none "$root/sys" || unable 'no tmpfs can be mounted'
mount -t tmpfs -o "mode=0755,size=4m,nosuid,noexec" none "$root/dev" || unable 'no tmpfs can be mounted'
umask 022
# Directories and process ids, which programs look for there; no sockets.
(cd /run && find . -xdev -mindepth 1 -maxdepth 3 \( -type d ! -path './chaos-rehearsal*' -o -type f -name '*pid' -size -2 \) \
  -print0 | tar --null --no-recursion -T - -cf - 2>/dev/null) | tar -C "$root/run" -xpf - 2>/dev/null
for device in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9'; do
  # shellcheck disable=SC2086 # name, major, minor
  set -- $device
  mknod -m 666 "$root/dev/$1" c "$2" "$3" || unable 'no device nodes can be made'
done
mkdir -m 1777 "$root/dev/shm"
# Programs write to these by name.
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

# --- recording stand-ins for programs that act on more than files -------------------------------------------
acting='systemctl service loginctl hostnamectl timedatectl localectl systemd-run systemd-tmpfiles
kill pkill killall skill reboot shutdown halt poweroff telinit init kexec
mount umount swapon swapoff losetup mkfs fsck tune2fs resize2fs xfs_repair lvextend lvresize cryptsetup dmsetup mdadm
iptables iptables-restore ip6tables ip6tables-restore nft ufw firewall-cmd ipset conntrack
ip ifconfig route tc ethtool ifup ifdown ifdown nmcli networkctl resolvectl dhclient brctl
sysctl modprobe rmmod insmod hwclock chronyc ntpdate prlimit renice ionice chrt taskset
docker podman ctr crictl nerdctl kubectl helm virsh
psql pg_ctl pg_ctlcluster mysql mysqladmin mariadb mariadb-admin redis-cli mongosh mongo rabbitmqctl
curl wget ssh scp sftp rsync nc ncat socat telnet ping mail sendmail logger wall'
mkdir -p "$root/run/.rehearsal/bin" "$root/run/.rehearsal/own"
# The real one, for the way in: with the stand-in the host's files would stay in reach.
cp -L "$(command -v umount)" "$root/run/.rehearsal/own/umount" || unable 'umount could not be copied'
: >"$root/run/.rehearsal/acts"
chmod 666 "$root/run/.rehearsal/acts"
echo 'enable -n kill 2>/dev/null' >"$root/run/.rehearsal/bash_env"
mount -t tmpfs -o "mode=0755,size=1m,nosuid,nodev" none "$root/run/.rehearsal/bin" || unable 'no tmpfs can be mounted'
cd "$root/run/.rehearsal/bin" || exit 1
# shellcheck disable=SC2086 # names, to be split
printf '%s' "$shim" | tee $acting >/dev/null
# As root already, nothing is to be gained by it.
# shellcheck disable=SC2016 # for the stand-in
printf '#!/bin/sh\nwhile :; do case ${1-} in -n|-E|-H|-k|-S) shift ;; -u) shift 2 ;; --) shift; break ;; *) break ;; esac; done\nexec "$@"\n' >sudo
chmod 755 ./*
cd /
# The programs themselves are covered too, for who calls them by their path.
programs=
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  for name in $acting; do
    [ ! -x "$directory/$name" ] || programs="$programs $directory/$name"
  done
done
covered=' '
# shellcheck disable=SC2086 # paths without blanks, to be split
readlink -f $programs >"$place/programs"
# shellcheck disable=SC2086 # paths without blanks, to be split
set -- $programs
while IFS= read -r real; do
  name=${1##*/}
  shift
  case $real in
    # Not over one that stands for programs of other kinds too; those are found first by PATH.
    */busybox* | */toybox* | */coreutils* | /run/* | /sys/* | /dev/* | *[!A-Za-z0-9_./+-]*) continue ;;
  esac
  case $covered in *" $real "*) continue ;; esac
  covered="$covered$real "
  printf '%s %s none bind 0 0\n' "$root/run/.rehearsal/bin/$name" "$root$real" >>"$place/fstab"
done <"$place/programs"
mount -a -T "$place/fstab" || unable 'the programs that act on more than files could not be covered'
mount -o remount,ro "$root/run/.rehearsal/bin" || unable 'the stand-ins could not be protected'

# --- the steps ----------------------------------------------------------------------------------------------
fifos=$place/ack
for number in $(seq "$(printf '%s\n' "$steps" | grep -c '^step ')"); do
  fifos="$fifos $place/go.$number"
  mkdir "$root/run/.old.$number"
done
# shellcheck disable=SC2086 # paths without blanks, to be split
mkfifo $fifos
exec 3<>"$place/ack"
number=0
# shellcheck disable=SC2317 # called by what is evaluated below
step() { # SECONDS WORD...
  number=$((number + 1))
  within=$1
  shift
  # The limit of a core file is one byte: with that, and only that, no program of the host is told of a crash.
  prlimit --core=1:1 unshare -m -p -n -i -u --fork --kill-child --propagation private sh -c "$enter" sh "$root" "$number" "$@" \
    <>"$place/go.$number" >"$place/out/$number" 2>&1 &
  echo "$! $within" >>"$place/started"
}
eval "$steps"
waited=0
while [ "$waited" -lt "$number" ]; do
  read -r said <&3
  [ "$said" = ready ] || unable "the sandbox could not be entered: $(cat "$place"/out/* | tr -d '\0' | head -c 300)"
  waited=$((waited + 1))
done
exec 3>&-
number=0
while read -r pid within; do
  number=$((number + 1))
  (
    sleep "$within"
    : >"$place/late.$number"
    kill -KILL "$pid"
  ) >/dev/null 2>&1 &
  watch=$!
  echo go >"$place/go.$number"
  wait "$pid"
  status=$?
  kill "$watch" 2>/dev/null
  [ ! -e "$place/late.$number" ] || status=late
  printf 'step\t%s\t%s\t' "$number" "$status"
  head -c 4000 "$place/out/$number" | tr -d '\0'
  printf '\0'
done <"$place/started"

# --- what came of it ----------------------------------------------------------------------------------------
printf 'acts\t'
head -c 65536 "$root/run/.rehearsal/acts" | tr '\0' '\036'
printf '\0'
left=$(df -Pk "$place" | awk 'NR == 2 { print $4 }')
[ "${left:-0}" -gt 64 ] || printf 'limit\tspace\0'
count=0
while IFS= read -r where; do
  cd "$place/upper/$count" || exit 1
  total=$(find . -mindepth 1 | head -n 3001 | wc -l)
  printf 'total\t%s\t%s\0' "$total" "$where"
  [ "$total" -gt 3000 ] || find . -mindepth 1 -exec sh -c "$changes" sh "${where%/}" "$root${where%/}" {} +
  count=$((count + 1))
done <"$place/layers"
exit 0
