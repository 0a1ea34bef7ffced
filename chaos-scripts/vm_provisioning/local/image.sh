# shellcheck shell=bash
# The guest's disk image: what it is made of, when it is stale, and how it is built once and kept.
# Sourced by local-vm; it knows no running machine but the one that it freezes (through machine.sh).
#
#   base-HASH.tar         Debian with the packages, nothing of ours; depends on PACKAGES
#   image-HASH/           root.img data.img vmlinuz initrd host_keys; depends on the base, guest/ and the key
#   image-HASH/booted-…/  the image after one full boot, frozen: ram state root.qcow2 data.qcow2
#
# Everything is made in $CACHE/building and renamed into place when whole. What lies in building when we hold
# the lock is what an interrupted build left.

SUITE=bookworm
PACKAGES=(
  systemd systemd-sysv libpam-systemd dbus udev kmod busybox-static
  openssh-server openssh-sftp-server sudo cron logrotate ca-certificates
  procps psmisc util-linux iproute2 iputils-ping netbase less lsof strace curl e2fsprogs nftables
  stress-ng python3 sqlite3 nginx-light postgresql prometheus-node-exporter
  linux-image-cloud-amd64
)
CHILD=''
# Set while we hold the lock, for local-vm to tidy up.
# shellcheck disable=SC2034
BUILDING=''

base_file() { printf '%s/base-%s.tar' "$CACHE" "$(echo "$SUITE ${PACKAGES[*]}" | short_hash)"; }

image_dir() {
  printf '%s/image-%s' "$CACHE" "$({
    base_file
    cat "$CACHE/key.pub" "$LOCAL/build-image"
    (cd "$LOCAL/guest" && find . -type f -printf '%p %m\n' | sort && find . -type f -print0 | sort -z | xargs -0 cat)
  } | short_hash)"
}

template_dir() { # ACCEL MEM CPUS
  printf '%s/booted-%s' "$IMAGE" "$({ machine_args "$@" && qemu-system-x86_64 --version; } | short_hash)"
}

# Bash waits for a foreground child before it looks at a signal; from here a build of minutes ends at once.
# In a process group of its own (-m), since mmdebstrap goes on until its children are told as well.
in_background() {
  local status=0
  set -m
  "$@" </dev/null &
  CHILD=$!
  set +m
  wait "$CHILD" || status=$?
  CHILD=''
  return "$status"
}

stop_building() {
  [[ -d $CACHE/building ]] || return 0
  end_qemu "$CACHE/building/template"
  # Never into a mount that a killed mmdebstrap may have left.
  rm -rf --one-file-system "$CACHE/building"
}

# Without root, the build is root in a user namespace of its own, with the ids that /etc/subuid lends.
as_root() {
  if ((EUID == 0)); then "$@"; else unshare --map-root-user --map-auto -- "$@"; fi
}

# The host's own Debian sources for our suite, since they may be a mirror near by. None on other systems:
# mmdebstrap then takes Debian's own.
host_sources() {
  apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)|\$(CODENAME)" \
    'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
    awk -F'|' -v suite="$SUITE" '$2 == suite || index($2, suite "-") == 1 { print $1 }' | sort -u
}

build_base() {
  local base mode=unshare sources log=$CACHE/mmdebstrap.log
  local -a from=()
  base=$(base_file)
  [[ -f $base ]] && return
  if ((EUID == 0)); then
    mode=root
    # Where we tidy up. Without root, mmdebstrap is another user, who could not get there.
    local -x TMPDIR=$CACHE/building
  fi
  say "fetching Debian $SUITE and ${#PACKAGES[@]} packages (minutes, once)"
  sources=$(host_sources)
  if [[ -n $sources ]]; then
    from=("$CACHE/building/sources.list")
    echo "$sources" >"${from[0]}"
  fi
  apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|Check)[^ ]* "[^"]+"' >"$CACHE/building/apt.conf" || true
  # INITRD=No: the kernel package must not spend a minute on an initramfs that we do not boot.
  if ! INITRD=No in_background mmdebstrap --mode="$mode" --variant=minbase --format=tar \
    --include="$(IFS=, && echo "${PACKAGES[*]}")" --aptopt="$CACHE/building/apt.conf" \
    --dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$SUITE" "$CACHE/building/base.tar" "${from[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "mmdebstrap could not build Debian $SUITE; its whole log is $log"
  fi
  mv "$CACHE/building/base.tar" "$base"
}

build_image() {
  local out=$CACHE/building/image
  [[ -d $IMAGE ]] && return
  say "building the disk image"
  mkdir "$out"
  in_background as_root bash "$LOCAL/build-image" "$(base_file)" "$CACHE/key.pub" "$LOCAL/guest" "$out" ||
    die "the disk image could not be built; the reason is above"
  mv "$out" "$IMAGE"
}

# One full boot, then memory (a file), devices and disks are frozen. Without KVM a boot takes most of a minute;
# resuming takes seconds.
build_template() { # ACCEL MEM CPUS
  local template work=$CACHE/building/template port ready
  template=$(template_dir "$@")
  [[ -d $template ]] && return
  say "booting once in full, to keep the booted state (a minute or two without KVM)"
  mkdir "$work"
  new_disks "$work" "$IMAGE/root.img" "$IMAGE/data.img" raw
  port=$(free_port)
  write_ssh_files "$work" template "$port"
  launch "$work" "$1" "$2" "$3" "$port" "$work/ram" on
  wait_ssh "$work" template 600
  # shellcheck disable=SC2016 # for the guest's shell
  ready='systemctl is-system-running --wait
    for i in $(seq 60); do curl -sf -o /dev/null http://127.0.0.1/app && sync && exit; sleep 1; done; exit 1'
  guest "$work" template "$ready" >/dev/null ||
    die "a unit of the guest failed: $(guest "$work" template 'systemctl --failed --plain --no-legend' 2>&1)"
  monitor "$work" stop
  monitor "$work" 'migrate_set_capability x-ignore-shared on'
  monitor "$work" "migrate -d \"exec:cat >'$work/state'\""
  await_migration "$work"
  end_qemu "$work"
  rm -f "$work"/{pid,qmp.sock,ssh_config,known_hosts,ssh.log}
  # The layers name the image by its whole path, so they may move.
  mv "$work" "$template"
}

# Images that are neither under a machine's disk nor were used for a day: two checkouts may share the cache.
remove_old() {
  local path used
  used=$(cat "$CACHE"/vm/*/settings 2>/dev/null || true)
  touch -c "$(base_file)" "$IMAGE"
  for path in "$CACHE"/base-* "$CACHE"/image-*; do
    [[ -n $(find "$path" -maxdepth 0 -mmin +1440 2>/dev/null) && $used != *"image=$path"* ]] || continue
    say "removing the old ${path##*/}"
    rm -rf "$path"
  done
}

# Leaves the image in IMAGE, and how to run it in ACCELERATOR.
build() { # ACCEL MEM CPUS
  local started=$SECONDS
  ACCELERATOR=$1
  mkdir -p "$CACHE/vm"
  chmod 700 "$CACHE"
  exec 8>"$CACHE/lock"
  if ! flock -n 8; then
    say "waiting for another build"
    flock 8
  fi
  [[ -f $CACHE/key ]] || ssh-keygen -q -t ed25519 -N '' -C chaos-handler-vm -f "$CACHE/key"
  BUILDING=1
  stop_building
  IMAGE=$(image_dir)
  mkdir "$CACHE/building"
  [[ -d $IMAGE ]] || build_base
  build_image
  [[ $ACCELERATOR != auto ]] || choose_accelerator
  [[ $ACCELERATOR != tcg ]] || build_template tcg "$2" "$3"
  remove_old
  stop_building
  # shellcheck disable=SC2034 # for local-vm, as above
  BUILDING=''
  ((SECONDS - started < 5)) || say "built in $((SECONDS - started)) s"
  exec 8>&-
}
