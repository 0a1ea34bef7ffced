# shellcheck shell=bash
# What the cases of all areas use. Sent over ssh as text before the area's file, on a disposable Debian 12 VM, as root.

_program() { # NAME: its program, from stdin
  mkdir -p "/opt/$1"
  cat >"/opt/$1/$1.py"
}

_unit() { # NAME DESCRIPTION ARGUMENTS LINE...: a service for /opt/NAME/NAME.py; lines go to [Service], those of [Unit] begin with "U:"
  local name=$1 description=$2 arguments=$3 line
  shift 3
  {
    printf '[Unit]\nDescription=%s\n' "$description"
    for line in "$@"; do [[ $line != U:* ]] || printf '%s\n' "${line#U:}"; done
    printf '\n[Service]\nExecStart=/usr/bin/python3 -u /opt/%s/%s.py %s\n' "$name" "$name" "$arguments"
    for line in "$@"; do [[ $line == U:* ]] || printf '%s\n' "$line"; done
  } >"/etc/systemd/system/$name.service"
}

_start() {
  systemctl daemon-reload
  systemctl restart "$@"
}

_remove() { # NAME...
  local name
  systemctl stop "$@" 2>/dev/null
  for name in "$@"; do
    rm -rf "/opt/$name" "/etc/systemd/system/$name.service" "/etc/systemd/system/$name.service.d"
  done
  systemctl daemon-reload
  systemctl reset-failed "$@" 2>/dev/null
  return 0
}

# Starts a transient service and leaves standard input alone. The unit's name, options and the command as for systemd-run.
_begin() {
  local unit=$1
  shift
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run -q --unit="$unit" -p TimeoutStopSec=5 "$@" </dev/null
}

# Ends services, whatever state they are in, and forgets them.
_end() {
  local unit
  for unit; do
    systemctl stop "$unit" 2>/dev/null
    systemctl reset-failed "$unit" 2>/dev/null
  done
  return 0
}

# A second interface, whose other end (eth0, PREFIX.2) is a host of its own: a network namespace.
_link() { # NAMESPACE INTERFACE PREFIX
  # networkd would give the host's own address to any new link.
  mkdir -p /run/systemd/network
  printf '[Match]\nName=%s\n[Link]\nUnmanaged=yes\n' "$2" >"/run/systemd/network/05-$2.network"
  networkctl reload
  ip netns add "$1"
  ip link add "$2" type veth peer name eth0 netns "$1"
  ip addr add "$3.1/24" dev "$2"
  ip link set "$2" up
  ip -n "$1" addr add "$3.2/24" dev eth0
  ip -n "$1" link set lo up
  ip -n "$1" link set eth0 up
}

_unlink() { # NAMESPACE INTERFACE
  ip netns del "$1" 2>/dev/null
  ip link del "$2" 2>/dev/null
  [[ -n $(ls -A /run/netns 2>/dev/null) ]] || { umount /run/netns && rmdir /run/netns; } 2>/dev/null
  rm -f "/run/systemd/network/05-$2.network"
  rmdir /run/systemd/network 2>/dev/null
  networkctl reload
}
