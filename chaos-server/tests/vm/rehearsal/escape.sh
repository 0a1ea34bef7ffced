# shellcheck shell=bash disable=SC2015,SC2114
# Tries to get out of the sandbox, or to change something through it, in every way we know. Each line that says REACHED is
# one that got somewhere it should not; what the host itself shows afterwards is compared besides.
H=/srv/canary
pid=$1
reached() { echo "REACHED $*"; }

# Files, on every file system.
echo escape >/etc/escape; echo escape >/srv/data/escape; echo escape >/tmp/escape; echo escape >/run/escape
echo escape >>/etc/passwd; rm -f "$H/file"; rm -rf /usr/lib/x86_64-linux-gnu/perl* /boot; chmod 777 /etc/shadow
cp /usr/bin/false "$H/program"; setfattr -n trusted.overlay.opaque -v y /srv 2>/dev/null
ln -s /proc/1/root /tmp/escape-link; echo escape >/tmp/escape-link/escape 2>/dev/null

# Processes.
enable kill 2>/dev/null
kill -9 "$pid" 2>/dev/null && reached 'a process by its id'
/bin/kill -9 "$pid"; pkill -f 'sleep 3600'
[ ! -e "/proc/$pid/environ" ] || reached 'a process in proc'
renice -n 19 -p "$pid"
(setsid sleep 4000 & ) 2>/dev/null

# The way back to the host's root.
grep -qs untouched /proc/1/root/srv/canary/file && [ ! -e "$H/file" ] && reached 'the root of another process'
nsenter -t 1 -m -p true 2>/dev/null && [ "$$" != 1 ] && [ "$(nsenter -t 1 -p cat /proc/1/comm 2>/dev/null)" = systemd ] && reached 'the host by nsenter'
mkdir -p /tmp/escape-root
chroot /tmp/escape-root true 2>/dev/null && reached chroot
for d in /run/.old* /old_root /.old* /run/chaos-rehearsal*; do
  [ -z "$(ls -A "$d" 2>/dev/null)" ] || reached "what was left at $d"
done

# Devices, the kernel, and what its files do.
mknod /tmp/escape-disk b 254 0 2>/dev/null && reached mknod
for d in /dev/vda /dev/vda1 /dev/mem /dev/kmsg /dev/sda; do [ ! -e "$d" ] || reached "$d"; done
chmod 600 /dev/null; chown nobody /dev/zero; rm -f /dev/full
for f in /proc/sys/kernel/hostname /proc/sys/vm/overcommit_memory /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/1/oom_score_adj; do
  echo 1 2>/dev/null >"$f" && reached "$f"
done
/run/.rehearsal/own/umount -l /proc 2>/dev/null && reached umount
hostname escape 2>/dev/null; date -s '2001-01-01' >/dev/null 2>&1 && reached 'the clock'
ls /sys/kernel /sys/fs/cgroup /sys/class >/dev/null 2>&1 && reached sysfs
chattr +i /etc/hostname 2>/dev/null
unshare -U -r -m sh -c 'mount -t proc proc /proc && echo 1 >/proc/sys/vm/overcommit_memory' 2>/dev/null && reached 'proc by a user namespace'
unshare -U -r -m sh -c '/run/.rehearsal/own/umount -l /proc || /run/.rehearsal/own/umount -l /etc/hosts' 2>/dev/null && reached 'what is below a mount'
unshare -U -r -m sh -c 'mount -t cgroup2 none /mnt && ls /mnt/system.slice' >/dev/null 2>&1 && reached 'control groups by a user namespace'

# Sockets and pipes.
echo escape >"$H/fifo" &
sleep 0.2
python3 - <<'PY'
import ctypes
import os
import socket

for family, address in [
    (socket.AF_UNIX, "/srv/canary/socket"),
    (socket.AF_UNIX, "\0canary"),
    (socket.AF_INET, ("127.0.0.1", 7171)),
    (socket.AF_INET, ("127.0.0.1", 22)),
    (socket.AF_UNIX, "/run/dbus/system_bus_socket"),
    (socket.AF_UNIX, "/run/systemd/private"),
    (socket.AF_UNIX, "/var/run/dbus/system_bus_socket"),
]:
    s = socket.socket(family)
    s.settimeout(2)
    try:
        s.connect(address)
        print("REACHED", address)
    except OSError:
        pass

libc = ctypes.CDLL(None, use_errno=True)
MNT = 0x20
if libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, b"") == 0:
    print("REACHED mount")
if libc.mount(b"none", b"/proc", None, MNT, b"") == 0:
    print("REACHED a remount of proc")
if libc.umount2(b"/proc", 2) == 0:
    print("REACHED umount")
if libc.sethostname(b"escape", 6) == 0:
    print("REACHED sethostname")
if libc.reboot(0x89ABCDEF) == 0:
    print("REACHED reboot")
if libc.swapon(b"/etc/hostname", 0) == 0:
    print("REACHED swapon")
if libc.klogctl(5, None, 0) == 0:
    print("REACHED the kernel's log")
if libc.unshare(0x00020000) == 0:
    print("REACHED a mount namespace")
# By handle: the inode of the host's root, whatever is mounted over it.
handle = ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0", 24)
root = os.open("/", os.O_RDONLY)
if libc.open_by_handle_at(root, handle, os.O_RDONLY) >= 0:
    print("REACHED a file by its handle")
for call, name in [(175, "init_module"), (313, "finit_module"), (246, "kexec_load"), (321, "bpf")]:
    if libc.syscall(call, 0, 0, 0, 0) >= 0:
        print("REACHED", name)
for line in open("/proc/self/status"):
    if line.startswith("CapEff"):
        held = int(line.split()[1], 16)
        # chown dac_override fowner fsetid kill setgid setuid net_bind_service
        if held & ~0x4FB:
            print("REACHED capabilities", hex(held))
    if line.startswith("NoNewPrivs") and line.split()[1] != "1":
        print("REACHED new privileges")
for key in range(0, 40):
    libc.shmctl(key, 0, None)
PY
ipcs -m | grep -q 4096 && reached 'shared memory'
python3 -c 'import ctypes; ctypes.string_at(0)' 2>/dev/null

# What the next steps would be entered with, if they were not entered already.
for p in /bin/sh /usr/bin/sh /usr/bin/setpriv /usr/bin/umount /run/.rehearsal/own/umount /usr/bin/unshare /sbin/pivot_root /bin/bash; do
  printf '#!%s/program\n' "$H" >/tmp/fake && chmod 755 /tmp/fake && cat /tmp/fake >"$p" 2>/dev/null
done
echo /srv/canary/program >/etc/ld.so.preload
exit 0
