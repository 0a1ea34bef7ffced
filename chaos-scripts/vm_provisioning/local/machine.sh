# shellcheck shell=bash
# One qemu process: its arguments, its start and end, its monitor, and ssh into its guest.
# Sourced by local-vm. A machine is a directory; this file knows nothing of the cache around it.

# What makes a machine, the same for the frozen template and what is resumed from it. A change makes new templates.
machine_args() { # ACCEL MEM CPUS
  local machine='pc,accel=kvm,memory-backend=ram' cpu=host
  local kernel='root=/dev/vda console=ttyS0 quiet panic=10 psi=1'
  if [[ $1 == tcg ]]; then
    machine='pc,accel=tcg,memory-backend=ram' cpu=max,la57=off
    kernel+=' mitigations=off no_timer_check tsc=reliable clocksource=tsc'
  fi
  printf '%s\n' -nodefaults -no-user-config -display none -machine "$machine" -cpu "$cpu" -m "$2" -smp "$3" \
    -kernel "$IMAGE/vmlinuz" -initrd "$IMAGE/initrd" -append "$kernel" \
    -device virtio-blk-pci,drive=root -device virtio-blk-pci,drive=data \
    -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci
}

# A directory in a -drive or -netdev option: a comma is written twice.
in_option() { printf '%s' "${1//,/,,}"; }

launch() { # DIR ACCEL MEM CPUS PORT RAM_FILE SHARE [QEMU_ARG...]: in the background, its pid in DIR
  local dir=$1 accel=$2 mem=$3 cpus=$4 port=$5 ram=$6 share=$7 forward='' pair
  local -a args
  shift 7
  mapfile -t args < <(machine_args "$accel" "$mem" "$cpus")
  for pair in "$port-:22" "$((port + 1))-:80" "$((port + 2))-:9100"; do forward+=",hostfwd=tcp:127.0.0.1:$pair"; done
  # Only the monitor's name is relative, since a socket's path must be short. Locks are not for qemu to keep.
  (cd "$dir" && rm -f qmp.sock pid && exec qemu-system-x86_64 "${args[@]}" -name "${dir##*/}" \
    -object "memory-backend-file,id=ram,size=${mem}M,mem-path=$(in_option "$ram"),share=$share" \
    -drive "id=root,if=none,format=qcow2,cache=unsafe,discard=unmap,file=$(in_option "$dir")/root.qcow2" \
    -drive "id=data,if=none,format=qcow2,cache=unsafe,discard=unmap,file=$(in_option "$dir")/data.qcow2" \
    -netdev "user,id=net,restrict=on$forward" -serial "file:$dir/console.log" \
    -qmp unix:qmp.sock,server=on,wait=off -pidfile "$dir/pid" -daemonize "$@" 2>qemu.log 7>&- 8>&-) ||
    die "qemu did not start: $(tail -n 3 "$dir/qemu.log")"
}

# Whether the process in DIR/pid runs and is DIR's own: a stale pid may be someone else's by now.
# The file goes away when qemu ends, at any time; and a $(<FILE) that fails would end the script wherever it stands.
alive() { # DIR
  local pid=''
  { read -r pid <"$1/pid"; } 2>/dev/null
  [[ -n $pid ]] && grep -qaF -- "$1/pid" "/proc/$pid/cmdline" 2>/dev/null
}

# By pid: qemu closes its disks and exits; the guest sees nothing of it.
end_qemu() { # DIR
  local pid i
  alive "$1" || return 0
  { read -r pid <"$1/pid"; } 2>/dev/null || return 0
  kill "$pid" || return 0
  for ((i = 0; i < 100; i++)); do
    alive "$1" || return 0
    sleep 0.05
  done
  kill -9 "$pid" || return 0
}

# Runs a monitor command and prints what it says; fails when that is an error.
monitor() { # DIR COMMAND
  local dir=$1 command=$2 line='' to from
  command=${command//\"/\\\"}
  coproc MON { cd "$dir" && exec socat -t 600 - UNIX-CONNECT:qmp.sock 2>/dev/null; }
  to=${MON[1]} from=${MON[0]}
  printf '%s\n' '{"execute":"qmp_capabilities"}' \
    "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$command\"},\"id\":\"hmp\"}" >&"$to"
  while read -r -u "$from" line; do
    [[ $line != *'"id": "hmp"'* ]] || break
    line=''
  done
  kill "$MON_PID" 2>/dev/null || true
  wait "$MON_PID" 2>/dev/null || true
  [[ $line == *'"return": "'* && $line != *'"return": "Error'* ]] ||
    die "qemu's monitor: $2: ${line:-no answer; is the machine still running?}"
  line=${line#*\"return\": \"}
  printf '%b' "${line%\", \"id\"*}"
}

await_migration() { # DIR: until the state is written, or read
  local info
  while info=$(monitor "$1" 'info migrate'); do
    [[ $info != *'status: completed'* ]] || return 0
    [[ $info != *'status: failed'* ]] || break
    sleep 0.05
  done
  die "the machine's state could not be moved: $info"
}

new_disks() { # DIR ROOT DATA FORMAT: layers that keep what they lie on as it is
  qemu-img create -q -f qcow2 -b "$2" -F "$4" "$1/root.qcow2"
  qemu-img create -q -f qcow2 -b "$3" -F "$4" "$1/data.qcow2"
}

# Three ports in a row that nobody listens on and none of our machines has; PREFERRED if it is free.
free_port() { # [PREFERRED]
  local port taken candidate
  taken=" $(awk '$4 == "0A" { n = split($2, at, ":"); print at[n] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    while read -r port; do echo "$((16#$port))"; done | tr '\n' ' ')"
  taken+="$(sed -n 's/^port=//p' "$CACHE"/vm/*/settings 2>/dev/null | tr '\n' ' ')"
  for candidate in ${1:+"$1"} {22200..23200..10}; do
    [[ $taken == *" $candidate "* || $taken == *" $((candidate + 1)) "* || $taken == *" $((candidate + 2)) "* ]] ||
      { echo "$candidate" && return; }
  done
  die "no free ports between 22200 and 23200"
}

# --- ssh ----------------------------------------------------------------------------------------------------

write_ssh_files() { # DIR NAME PORT
  local dir=$1 name=$2 port=$3
  sed "s/^/[127.0.0.1]:$port /" "$IMAGE/host_keys" >"$dir/known_hosts"
  cat >"$dir/ssh_config" <<SSH
Host $name
  HostName 127.0.0.1
  Port $port
  User root
  IdentityFile "$CACHE/key"
  IdentitiesOnly yes
  UserKnownHostsFile "$dir/known_hosts"
  StrictHostKeyChecking yes
  LogLevel ERROR
SSH
}

guest() { # DIR NAME COMMAND
  ssh -n -F "$1/ssh_config" -o BatchMode=yes -o ConnectTimeout=20 "$2" "$3"
}

wait_ssh() { # DIR NAME SECONDS
  local deadline=$((SECONDS + $3))
  until in_background guest "$1" "$2" true 2>"$1/ssh.log"; do
    ((SECONDS < deadline)) && alive "$1" ||
      die "'$2' did not answer within $3 s: $(cat "$1/ssh.log"); the end of its console: $(tail -n 5 "$1/console.log")"
    sleep 0.3
  done
}

# A resumed guest's clock stands where it was frozen, and its random pool is that of every other. One login
# mends both and shows that ssh works, since under emulation each login costs seconds.
wake() { # DIR NAME
  local dir=$1 name=$2 deadline=$((SECONDS + 90)) ready to
  while ((SECONDS < deadline)); do
    ready=''
    coproc CLOCK { exec ssh -F "$dir/ssh_config" -o BatchMode=yes -o ConnectTimeout=20 "$name" \
      'echo ready; read -r now seed; date -u -s "@$now" >/dev/null; echo "$seed" >/dev/urandom' 2>"$dir/ssh.log"; }
    to=${CLOCK[1]}
    read -r -u "${CLOCK[0]}" ready || true
    [[ $ready != ready ]] || echo "$EPOCHREALTIME $(head -c 32 /dev/urandom | base64 -w0)" >&"$to"
    wait "$CLOCK_PID" && return
    sleep 0.2
  done
  die "'$name' did not answer within 90 s: $(cat "$dir/ssh.log"); its console: $dir/console.log"
}

# --- KVM ----------------------------------------------------------------------------------------------------

# /dev/kvm may be there and not work, as in nested machines: so a kernel is started, and must say so.
kvm_works() {
  local log=$CACHE/building/kvm.log
  [[ -r /dev/kvm && -w /dev/kvm ]] || return 1
  in_background timeout 30 qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
    -machine pc,accel=kvm -cpu host -m 256 -kernel "$IMAGE/vmlinuz" -initrd "$IMAGE/initrd" \
    -append 'console=ttyS0 quiet panic=-1 accel_check' -serial "file:$log" >/dev/null 2>&1
  grep -qs accel_check_passed "$log"
}

# Sets ACCELERATOR; found out once per boot of this host.
choose_accelerator() {
  local boot known='' accelerator=''
  boot=$(</proc/sys/kernel/random/boot_id)
  read -r known accelerator 2>/dev/null <"$CACHE/accelerator" || true
  if [[ $known != "$boot" || -z $accelerator ]]; then
    accelerator=tcg
    ! kvm_works || accelerator=kvm
    say "$([[ $accelerator == kvm ]] && echo 'KVM works' || echo 'KVM does not work here: emulating (TCG)')"
    echo "$boot $accelerator" >"$CACHE/accelerator"
  fi
  # shellcheck disable=SC2034 # for image.sh and local-vm
  ACCELERATOR=$accelerator
}
