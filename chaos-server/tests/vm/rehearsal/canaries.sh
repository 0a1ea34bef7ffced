# shellcheck shell=bash
# On a disposable VM, as root: what an escape from the sandbox would touch. `place` sets it up, `state` prints all that
# must be the same afterwards, `remove` takes it away.
H=/srv/canary

place() {
  mkdir -p "$H"
  echo untouched >"$H/file"
  cp /usr/bin/true "$H/program"
  mkfifo "$H/fifo"
  systemd-run -q --unit=canary-sleep sleep 3600
  systemd-run -q --unit=canary-fifo bash -c "exec 3<>$H/fifo; read -r said <&3; echo \"fifo \$said\" >>$H/touched"
  cat >"$H/listen.py" <<'PY'
"""Whoever reaches one of these sockets is written down."""
import selectors
import socket

found = selectors.DefaultSelector()
for family, address in [
    (socket.AF_UNIX, "/srv/canary/socket"),
    (socket.AF_UNIX, "\0canary"),
    (socket.AF_INET, ("127.0.0.1", 7171)),
]:
    s = socket.socket(family)
    s.bind(address)
    s.listen()
    found.register(s, selectors.EVENT_READ, address)
while True:
    for key, _ in found.select():
        key.fileobj.accept()
        with open("/srv/canary/touched", "a") as out:
            print("socket", repr(key.data), file=out)
PY
  systemd-run -q --unit=canary-socket python3 "$H/listen.py"
  printf '#!/bin/sh\necho core >>%s/touched\n' "$H" >"$H/core"
  chmod 755 "$H/core"
  sysctl -q -w "kernel.core_pattern=|$H/core"
  ipcmk -M 4096 >/dev/null
  until ss -Hxl | grep -q "$H/socket"; do sleep 0.3; done
}

state() {
  cat "$H/touched" 2>/dev/null
  systemctl show -p MainPID,ActiveState,NRestarts canary-sleep canary-fifo canary-socket nginx ssh cron systemd-journald
  cat /proc/mounts
  hostname
  sysctl -a 2>/dev/null | grep -E '^(vm\.(overcommit|swappiness|drop)|kernel\.(core|sysrq|hostname|panic|modprobe|domainname)|net\.ipv4\.(ip_forward|tcp_syn)|user\.max)'
  ip -o addr show | sed 's/ *valid_lft.*//'
  ip route
  tc qdisc show
  nft list ruleset 2>/dev/null
  ipcs -m | tail -n +4 | awk '{print $1, $2}'
  stat -c '%n %a %U %t:%T %i' /dev/null /dev/zero /dev/vda* /dev/kmsg
  find /etc /srv /usr/bin /usr/lib/x86_64-linux-gnu /opt /root /boot -xdev -type f -printf '%p %s %m %u %T@ %C@\n' | sort | sha256sum
  find /tmp /var/tmp /run -xdev -maxdepth 2 -name '*escape*' -o -xdev -maxdepth 2 -name 'chaos-rehearsal*'
  find /sys/fs/cgroup -maxdepth 1 -name 'chaos*' -o -maxdepth 2 -name '*escape*'
  lsmod | awk '{print $1}' | sort
  pgrep -af 'escape|rehears' | grep -v -e pgrep -e 'bash -s'
  cat /proc/sys/kernel/random/boot_id
  cat /sys/power/state 2>/dev/null
  return 0
}

remove() {
  sysctl -q -w kernel.core_pattern=core
  ipcs -m | awk '$6 == 0 && $5 == 4096 {print $2}' | xargs -r -n 1 ipcrm -m
  systemctl stop canary-sleep canary-fifo canary-socket 2>/dev/null
  rm -rf "$H"
}
