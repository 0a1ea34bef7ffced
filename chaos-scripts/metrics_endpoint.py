#!/usr/bin/env python3
"""A small metrics endpoint for a Linux host: /metrics (Prometheus text) and /metrics.json. Standard library only.

    metrics_endpoint.py [--host 127.0.0.1] [--port 9101]    serves until it is ended
    metrics_endpoint.py once [--json]                       prints the metrics and ends
    metrics_endpoint.py install [--host H] [--port P]       as root: a systemd unit that serves it now and at boot
    metrics_endpoint.py uninstall                           as root: takes that back

It reads /proc and nothing else, as any user. Names and labels are node_exporter's, so that whatever reads that one
reads this. It has no authentication: it answers on the loopback, unless --host says otherwise.
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

PORT = 9101
AT_ONCE = 8  # requests; further ones are refused
TIMEOUT = 5.0  # seconds for a request to arrive and for an answer to be taken
UNIT = "metrics-endpoint.service"
UNIT_FILE = pathlib.Path("/etc/systemd/system") / UNIT
PROGRAM = pathlib.Path("/usr/local/lib/metrics-endpoint/metrics_endpoint.py")
SECTOR = 512  # bytes, whatever the disk's own sectors are: Documentation/block/stat.rst
MAX_FILESYSTEMS = 64

# Filesystems that hold nothing of a disk's.
PSEUDO = frozenset(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs "
    "overlay proc procfs pstore rpc_pipefs securityfs selinuxfs squashfs sysfs tracefs fuse.lxcfs ramfs".split()
)
# A stat of one of these can hang for as long as its server is away.
REMOTE = re.compile(r"^(nfs|cifs|smb|ceph|glusterfs|afs|9p|lustre|fuse\.)")
# Partitions and what is no disk.
NOT_A_DISK = re.compile(r"^(ram|loop|fd|zram|sr|(h|s|v|xv)d[a-z]+\d|nvme\d+n\d+p\d|mmcblk\d+p\d)")


def read(path):
    """The lines of a file of the kernel's, or none when this host lacks it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4 << 20).splitlines()
    except OSError:
        return []


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


class Metrics:
    """What one reading gave: families in the order in which they came."""

    def __init__(self):
        self.families = {}

    def add(self, name, kind, value, **labels):
        if value is not None:
            self.families.setdefault(name, (kind, []))[1].append((labels, value))

    def text(self):
        lines = []
        for name, (kind, samples) in self.families.items():
            lines.append(f"# TYPE {name} {kind}")
            for labels, value in samples:
                inner = ",".join(f'{key}="{escape(text)}"' for key, text in labels.items())
                lines.append(f"{name}{{{inner}}} {value:.17g}" if inner else f"{name} {value:.17g}")
        return "\n".join(lines) + "\n"

    def json(self):
        flat = [
            {"name": name, "unit": unit(name), "attributes": labels, "value": value, "type": kind}
            for name, (kind, samples) in self.families.items()
            for labels, value in samples
        ]
        return json.dumps({"metrics": flat}) + "\n"


def escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def unit(name):
    """Of a metric by its name, as UCUM has it."""
    base = name[: -len("_total")] if name.endswith("_total") else name
    return {"bytes": "By", "seconds": "s"}.get(base.rsplit("_", 1)[-1], "")


# --- what is read ---------------------------------------------------------------------------------


def collect():
    metrics = Metrics()
    for part in (cpu, memory, load, filesystems, network, disks, vmstat, pressure, sockets):
        try:
            part(metrics)
        except (ValueError, IndexError, OSError):
            continue  # a part that this kernel words otherwise is missing, and the others are there
    return metrics


def cpu(metrics):
    ticks = os.sysconf("SC_CLK_TCK")
    modes = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    single = {
        "ctxt": ("node_context_switches_total", "counter"),
        "intr": ("node_intr_total", "counter"),
        "processes": ("node_forks_total", "counter"),
        "btime": ("node_boot_time_seconds", "gauge"),
        "procs_running": ("node_procs_running", "gauge"),
        "procs_blocked": ("node_procs_blocked", "gauge"),
    }
    for line in read("/proc/stat"):
        words = line.split()
        if not words:
            continue
        if re.fullmatch(r"cpu\d+", words[0]):
            for mode, value in zip(modes, words[1:]):
                metrics.add("node_cpu_seconds_total", "counter", int(value) / ticks, cpu=words[0][3:], mode=mode)
        elif words[0] in single and len(words) > 1:
            name, kind = single[words[0]]
            metrics.add(name, kind, number(words[1]))


def memory(metrics):
    for line in read("/proc/meminfo"):
        key, _, rest = line.partition(":")
        words = rest.split()
        if not words:
            continue
        name = "node_memory_" + re.sub(r"\W", "_", key).strip("_")
        if len(words) > 1 and words[1] == "kB":
            metrics.add(f"{name}_bytes", "gauge", float(words[0]) * 1024)
        else:
            metrics.add(name, "gauge", number(words[0]))


def load(metrics):
    for line in read("/proc/loadavg")[:1]:
        for name, value in zip(("node_load1", "node_load5", "node_load15"), line.split()):
            metrics.add(name, "gauge", number(value))


def filesystems(metrics):
    seen = set()
    for line in read("/proc/self/mounts"):
        words = line.split()
        if len(words) < 4 or words[2] in PSEUDO or REMOTE.match(words[2]) or len(seen) >= MAX_FILESYSTEMS:
            continue
        # The kernel writes a space as \040.
        device, mount = (re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), word) for word in words[:2])
        if mount.startswith(("/proc/", "/sys/", "/dev/", "/run/credentials/", "/run/user/")):
            continue
        try:
            stat, mounted = os.statvfs(mount), os.stat(mount).st_dev
        except OSError:
            continue
        # What a unit's sandbox mounts is mounted elsewhere too.
        if stat.f_blocks == 0 or mounted in seen:
            continue
        seen.add(mounted)
        labels = {"device": device, "fstype": words[2], "mountpoint": mount}
        metrics.add("node_filesystem_size_bytes", "gauge", stat.f_blocks * stat.f_frsize, **labels)
        metrics.add("node_filesystem_free_bytes", "gauge", stat.f_bfree * stat.f_frsize, **labels)
        metrics.add("node_filesystem_avail_bytes", "gauge", stat.f_bavail * stat.f_frsize, **labels)
        metrics.add("node_filesystem_files", "gauge", stat.f_files, **labels)
        metrics.add("node_filesystem_files_free", "gauge", stat.f_ffree, **labels)


def network(metrics):
    columns = ("bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast")
    for line in read("/proc/net/dev")[2:]:
        device, _, rest = line.rpartition(":")
        words = rest.split()
        if len(words) < 16:
            continue
        for i, column in enumerate(columns[:4]):
            metrics.add(f"node_network_receive_{column}_total", "counter", number(words[i]), device=device.strip())
            metrics.add(f"node_network_transmit_{column}_total", "counter", number(words[i + 8]), device=device.strip())


def disks(metrics):
    # Documentation/admin-guide/iostats.rst; times are in milliseconds.
    fields = (
        (3, "reads_completed_total", 1),
        (5, "read_bytes_total", SECTOR),
        (6, "read_time_seconds_total", 0.001),
        (7, "writes_completed_total", 1),
        (9, "written_bytes_total", SECTOR),
        (10, "write_time_seconds_total", 0.001),
        (12, "io_time_seconds_total", 0.001),
        (13, "io_time_weighted_seconds_total", 0.001),
    )
    for line in read("/proc/diskstats"):
        words = line.split()
        if len(words) < 14 or NOT_A_DISK.match(words[2]):
            continue
        metrics.add("node_disk_io_now", "gauge", number(words[11]), device=words[2])
        for i, name, factor in fields:
            metrics.add(f"node_disk_{name}", "counter", int(words[i]) * factor, device=words[2])


def vmstat(metrics):
    wanted = {"pgfault", "pgmajfault", "pgpgin", "pgpgout", "pswpin", "pswpout", "oom_kill"}
    for line in read("/proc/vmstat"):
        key, _, value = line.partition(" ")
        if key in wanted:
            # node_exporter gives these no type, and then nothing tells that they only rise.
            metrics.add(f"node_vmstat_{key}", "counter", number(value))


def pressure(metrics):
    names = {"cpu": "cpu_waiting", "memory": "memory_waiting", "io": "io_waiting"}
    for resource, name in names.items():
        for line in read(f"/proc/pressure/{resource}"):
            match = re.match(r"(some|full) .*total=(\d+)", line)
            if match and match[1] == "some":
                metrics.add(f"node_pressure_{name}_seconds_total", "counter", int(match[2]) / 1e6)
            elif match and resource != "cpu":
                stalled = name.replace("waiting", "stalled")
                metrics.add(f"node_pressure_{stalled}_seconds_total", "counter", int(match[2]) / 1e6)


def sockets(metrics):
    for line in read("/proc/net/sockstat"):
        protocol, _, rest = line.partition(":")
        words = rest.split()
        for key, value in zip(words[::2], words[1::2]):
            if (protocol, key) in {("TCP", "inuse"), ("TCP", "orphan"), ("TCP", "tw"), ("TCP", "alloc"), ("UDP", "inuse")}:
                metrics.add(f"node_sockstat_{protocol}_{key}", "gauge", number(value))
    lines = [line.split() for line in read("/proc/net/snmp") if line.startswith("Tcp:")]
    if len(lines) == 2:
        values = dict(zip(lines[0], lines[1]))
        for key, kind in (("RetransSegs", "counter"), ("CurrEstab", "gauge"), ("OutRsts", "counter")):
            metrics.add(f"node_netstat_Tcp_{key}", kind, number(values.get(key, "")))


# --- serving --------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # one request a connection
    server_version, sys_version = "metrics-endpoint", ""
    timeout = TIMEOUT

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.answer(200, "text/plain; version=0.0.4; charset=utf-8", collect().text())
        elif path == "/metrics.json":
            self.answer(200, "application/json", collect().json())
        else:
            self.answer(404, "text/plain; charset=utf-8", "see /metrics and /metrics.json\n")

    def answer(self, status, kind, text):
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass  # a line each five seconds would bury what the journal is there for


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host, port):
        self.slots = threading.BoundedSemaphore(AT_ONCE)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        super().__init__(address, Handler)

    def server_bind(self):
        # Without HTTPServer's look-up of our own name, which may wait for a name server.
        http.server.socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request, client_address):
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        # The handler's own timeout begins anew with each byte; this one ends who sends them slowly.
        timer = threading.Timer(2 * TIMEOUT, cut, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads to be had
            self.slots.release()
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request, client_address):
        pass  # a client that went away or sent nonsense


def cut(request):
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed already


def serve(host, port):
    try:
        server = Server(host, port)
    except OSError as error:
        sys.exit(f"{host}:{port}: can't listen: {error.strerror or error}; choose another --port")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


# --- installing -----------------------------------------------------------------------------------


def systemctl(*args):
    if subprocess.run(["systemctl", *args], check=False).returncode:
        sys.exit(f"systemctl {' '.join(args)}: failed")


def write(path, text, mode):
    path.parent.mkdir(mode=0o755, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    new.replace(path)


def install(host, port):
    require_systemd()
    here = pathlib.Path(__file__).resolve()
    unit_text = (here.parent / UNIT).read_text(encoding="utf-8")
    if not re.fullmatch(r"[0-9A-Za-z.:_-]+", host):
        sys.exit(f"--host: {host!r} can't be a host's name or address")
    unit_text = re.sub(r"--host \S+ --port \S+", f"--host {host} --port {port}", unit_text)
    os.umask(0o022)
    # A copy of its own: the scripts may be replaced or removed while it serves.
    write(PROGRAM, here.read_text(encoding="utf-8"), 0o755)
    write(UNIT_FILE, unit_text, 0o644)
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", UNIT)
    systemctl("restart", UNIT)
    print(f"{UNIT}: serves http://{host}:{port}/metrics and /metrics.json")


def uninstall():
    require_systemd()
    if UNIT_FILE.exists():
        systemctl("disable", "--quiet", "--now", UNIT)
        UNIT_FILE.unlink()
        systemctl("daemon-reload")
    for path in (PROGRAM, UNIT_FILE.with_name(UNIT_FILE.name + ".new"), PROGRAM.with_name(PROGRAM.name + ".new")):
        path.unlink(missing_ok=True)
    if PROGRAM.parent.is_dir() and not any(PROGRAM.parent.iterdir()):
        PROGRAM.parent.rmdir()
    print(f"{UNIT}: removed")


def require_systemd():
    if os.geteuid() != 0:
        sys.exit("needs root; run it with sudo")
    if not os.path.isdir("/run/systemd/system"):
        sys.exit("there is no systemd here; run metrics_endpoint.py itself instead")


def port_number(text):
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", default="serve", choices=("serve", "once", "install", "uninstall"))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: the loopback)")
    parser.add_argument("--port", default=PORT, type=port_number, help=f"TCP port (default: {PORT})")
    parser.add_argument("--json", action="store_true", help="with once: as JSON")
    args = parser.parse_args()
    if args.command == "serve":
        serve(args.host, args.port)
    elif args.command == "once":
        sys.stdout.write(collect().json() if args.json else collect().text())
    elif args.command == "install":
        install(args.host, args.port)
    else:
        uninstall()


if __name__ == "__main__":
    main()
