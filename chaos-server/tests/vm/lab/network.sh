# shellcheck shell=bash
# Faults of the network, on a disposable Debian 12 VM with python3, tc and nft, as root; sent over ssh as text with one call behind it.
# CASE_prepare is the healthy workload, CASE_inject mild|hard the fault, CASE_revert puts all back. Most work on eth1, a second
# interface (10.99.0.1), whose other end is a host of its own (network namespace "store", 10.99.0.2), so that ssh on ens4 goes on.
# TCP's counters are per namespace: what is sent from here shows here. Lines quoted are from the VM's journal.

# The other host's server, on port 8070: takes uploads, answers to GET.
_archive() {
  _program archive <<'PY'
"""Keeps photos."""
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        left = int(self.headers.get("Content-Length", 0))
        while left:
            got = len(self.rfile.read(min(left, 65536)))
            if not got:  # the client has given up
                self.close_connection = True
                return
            left -= got
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


Server(("", 8070), Handler).serve_forever()
PY
  _unit archive 'Photo archive' '' User=www-data NetworkNamespacePath=/run/netns/store
}

# Uploads from here, SIZE kB each PERIOD seconds; says what fails or takes more than a second.
_photo_sync() { # URL SIZE PERIOD LINE...
  local url=$1 size=$2 period=$3
  shift 3
  _program photo-sync <<'PY'
"""Sends photos to the archive."""
import sys
import time
import urllib.request

url, size, period = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
photo = bytes(size * 1000)
time.sleep(2)
number = sent = 0
while True:
    number += 1
    started = time.monotonic()
    try:
        with urllib.request.urlopen(url, data=photo, timeout=4) as answer:
            answer.read()
        took = time.monotonic() - started
        if took > 1:
            print(f"<4>photo {number} was slow: {took:.1f} s")
        sent += 1
        if sent % 20 == 0:
            print(f"<6>{sent} photos sent")
    except OSError as error:
        print(f"<3>photo {number} not sent to {url}: {error}")
    time.sleep(period)
PY
  _unit photo-sync 'Photo sync' "$url $size $period" User=www-data "$@"
}

_photos_prepare() { # SIZE PERIOD
  _link store eth1 10.99.0
  _archive
  _photo_sync http://10.99.0.2:8070/photos "$1" "$2"
  _start archive photo-sync
}

_photos_revert() {
  _remove photo-sync archive
  _unlink store eth1
}

# --- packet_loss --------------------------------------------------------------------------------------------
# 8 % (mild) or 20 % (hard) of what leaves by eth1 is lost, while photos of 300 kB are sent. TcpRetransSegs rises by some 40 a second
# (before: none), TcpExtTCPTimeouts by 1 to 3; tc -s qdisc shows "netem ... loss 8%" and what it dropped.
#   photo 10 was slow: 2.4 s
#   photo 15 was slow: 1.5 s                                         (at warning; at 20 % most of them, at 8 % one in three)
# Fault packet_loss. Culprit: interface eth1. Within 10 s (hard), 15 s (mild).
packet_loss_prepare() { _photos_prepare 300 0.3; }

packet_loss_inject() {
  local loss=8%
  [[ $1 != hard ]] || loss=20%
  tc qdisc add dev eth1 root netem loss "$loss"
}

packet_loss_revert() { _photos_revert; }

# --- firewall_drop ------------------------------------------------------------------------------------------
# A rule of nft in the host's own input chain drops what goes to port 8070 on loopback. hard: all of it, silently. mild: a rate limit
# that is too tight, 6 new connections a minute, and logs; some get through on their second or third try.
#   photo 7 not sent to http://127.0.0.1:8070/photos: <urlopen error timed out>
#   filter: IN=lo OUT= MAC=[...] SRC=127.0.0.1 DST=127.0.0.1 [...] PROTO=TCP SPT=54144 DPT=8070 [...] SYN URGP=0      (kernel; mild)
# Fault firewall_drop. Culprit: port 8070, table inet filter chain input (nft list ruleset: a counter that rises). Client in SYN-SENT.
# Within 6 s (hard: 4.5 s for each photo), 12 s (mild).
firewall_drop_prepare() {
  _archive
  sed -i '/^NetworkNamespacePath/d' /etc/systemd/system/archive.service
  _photo_sync http://127.0.0.1:8070/photos 10 0.5
  _start archive photo-sync
}

firewall_drop_inject() {
  local rule='tcp dport 8070 counter drop'
  [[ $1 == hard ]] || rule='tcp dport 8070 tcp flags & (syn | ack) == syn limit rate over 6/minute counter log prefix "filter: " drop'
  nft "add table inet filter; add chain inet filter input { type filter hook input priority 0; policy accept; };
    add rule inet filter input $rule"
}

firewall_drop_revert() {
  nft delete table inet filter 2>/dev/null
  _photos_revert
}

# --- dns_failure --------------------------------------------------------------------------------------------
# /etc/resolv.conf names a server that does not answer (mild, 192.0.2.53: lookups fail after 4 s) or one on loopback where nothing
# listens (hard, 127.0.0.53: at once). The right one, 127.0.0.1, goes on running.
#   photo 6 not sent to http://archive.shop.internal:8070/photos: <urlopen error [Errno -3] Temporary failure in name resolution>
#   photo 7 not sent to http://archive.shop.internal:8070/photos: <urlopen error [Errno -3] Temporary failure in name resolution>
# Fault dns_failure. Culprit: file /etc/resolv.conf (nameserver 192.0.2.53 or 127.0.0.53). Within 6 s (mild), 2 s (hard).
_names_prepare() {
  _link store eth1 10.99.0
  _archive
  _program dns-cache <<'PY'
"""Answers for the names of our own zone."""
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5
    name = query[12:end - 5].lower()
    if name == b"\x07archive\x04shop\x08internal" and query[end - 3] == 1:
        counts, answer = b"\x00\x01\x00\x01", b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + bytes([10, 99, 0, 2])
        flags = b"\x85\x80"
    else:
        counts, answer = b"\x00\x01\x00\x00", b""
        flags = b"\x85\x80" if name.endswith(b"\x04shop\x08internal") else b"\x85\x83"
    server.sendto(query[:2] + flags + counts + b"\x00\x00\x00\x00" + query[12:end] + answer, client)
PY
  _unit dns-cache 'DNS for shop.internal' ''
  printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:2' >/etc/resolv.conf
  cp -a /etc/hosts /etc/.hosts.previous
  _photo_sync http://archive.shop.internal:8070/photos 10 0.5
  _start dns-cache archive photo-sync
}

_names_revert() {
  _remove photo-sync archive dns-cache
  _unlink store eth1
  rm -f /etc/resolv.conf
  [[ ! -e /etc/.hosts.previous ]] || mv /etc/.hosts.previous /etc/hosts
}

dns_failure_prepare() { _names_prepare; }

dns_failure_inject() {
  local server=192.0.2.53
  [[ $1 != hard ]] || server=127.0.0.53
  printf '%s\n' "nameserver $server" 'options timeout:2' >/etc/resolv.conf
}

dns_failure_revert() { _names_revert; }

# --- wrong_hosts_entry --------------------------------------------------------------------------------------
# A line in /etc/hosts sends archive.shop.internal (10.99.0.2 by DNS) to 127.0.0.1, where nothing listens (mild), or to
# 10.99.0.77, which there is not (hard: a failure each 3.5 s; its neighbour entry stays INCOMPLETE or FAILED).
#   photo 3 not sent to http://archive.shop.internal:8070/photos: <urlopen error [Errno 111] Connection refused>       (mild)
#   photo 4 not sent to http://archive.shop.internal:8070/photos: <urlopen error [Errno 113] No route to host>         (hard)
# Fault wrong_hosts_entry. Culprit: file /etc/hosts, name archive.shop.internal. Within 2 s (mild), 5 s (hard).
wrong_hosts_entry_prepare() { _names_prepare; }

wrong_hosts_entry_inject() {
  local address=127.0.0.1
  [[ $1 != hard ]] || address=10.99.0.77
  printf '%s archive.shop.internal\n' "$address" >>/etc/hosts
}

wrong_hosts_entry_revert() { _names_revert; }

# --- interface_down -----------------------------------------------------------------------------------------
# mild: eth1 loses its carrier (the other end is down); hard: eth1 is switched off, and its route goes with it, so that the photos
# are sent by the default route, where here the emulator refuses them ("Connection refused", each half second).
#   eth1: Lost carrier                                                                          (systemd-networkd; hard: Link DOWN too)
#   photo 6 not sent to http://10.99.0.2:8070/photos: <urlopen error [Errno 113] No route to host>                      (mild)
# Fault interface_down. Culprit: interface eth1 (ip link: NO-CARRIER, or no UP). Traffic of eth1 falls to 0. Within 6 s (mild), 2 s.
interface_down_prepare() { _photos_prepare 100 0.5; }

interface_down_inject() {
  if [[ $1 == hard ]]; then
    ip link set eth1 down
  else
    ip -n store link set eth0 down
  fi
}

interface_down_revert() { _photos_revert; }

# --- ephemeral_ports ----------------------------------------------------------------------------------------
# The range of local ports is narrow, mild 400, hard 150, and a program opens some 40 connections a second to one port and closes
# them itself: TIME_WAIT holds all ports (ss -s: timewait 405; before: some 60 of 28232). Everything to 10.99.0.2:8070 fails.
#   price not fetched from 10.99.0.2:8070: [Errno 99] Cannot assign requested address                  (every tenth is said)
#   photo 24 not sent to http://10.99.0.2:8070/photos: <urlopen error [Errno 99] Cannot assign requested address>
# Fault ephemeral_ports. Culprit: process command python3 of unit price-poller.service, port 8070. Within 4 s (hard), 12 s (mild).
ephemeral_ports_prepare() {
  _link store eth1 10.99.0
  _archive
  _photo_sync http://10.99.0.2:8070/photos 1 0.5
  _program price-poller <<'PY'
"""Asks for prices, with a new connection each time."""
import socket
import time

asked = failed = 0
time.sleep(3)
while True:
    with open("/opt/price-poller/period") as source:
        period = float(source.read())
    try:
        with socket.create_connection(("10.99.0.2", 8070), timeout=3) as connection:
            connection.sendall(b"GET /prices HTTP/1.1\r\nHost: archive\r\n\r\n")
            answer = b""
            while not answer.endswith(b"ok"):
                answer += connection.recv(4096)
        asked += 1
        if asked % 200 == 0:
            print(f"<6>{asked} prices fetched")
    except OSError as error:
        failed += 1
        if failed % 10 == 1:
            print(f"<3>price not fetched from 10.99.0.2:8070: {error}")
        time.sleep(0.1)
    time.sleep(period)
PY
  echo 0.5 >/opt/price-poller/period
  _unit price-poller 'Price poller' '' User=www-data
  _start archive photo-sync price-poller
}

ephemeral_ports_inject() {
  local ports='40000 40399'
  [[ $1 != hard ]] || ports='40000 40149'
  sysctl -q -w "net.ipv4.ip_local_port_range=$ports"
  echo 0.005 >/opt/price-poller/period.new
  mv /opt/price-poller/period.new /opt/price-poller/period
}

ephemeral_ports_revert() {
  systemctl stop price-poller 2>/dev/null
  sysctl -q -w net.ipv4.ip_local_port_range='32768 60999'
  _remove price-poller
  _photos_revert
}

# --- listen_queue_overflow ----------------------------------------------------------------------------------
# A server with a backlog of 8 that takes five customers a second; then 22 (mild) or 50 (hard) ask at once, before 1.
# ss -ltn: Recv-Q 8 or 9 of Send-Q 8 on 127.0.0.1:8082. TcpExtListenOverflows rises by 2 (mild) to 20 a second.
#   no session for a customer: http://127.0.0.1:8082: <urlopen error timed out>
#   TCP: request_sock_TCP: Possible SYN flooding on port 8082. Sending cookies.  Check SNMP counters.     (kernel; hard; once
#   for each start of the server)
# Fault listen_queue_overflow. Culprit: port 8082, unit sessions.service. Within 5 s (hard), 8 s (mild).
listen_queue_overflow_prepare() {
  _program sessions <<'PY'
"""Sessions of customers; a tenth of a second for each, one after the other."""
import socket
import time

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", 8082))
server.listen(8)
while True:
    connection, _ = server.accept()
    try:
        connection.settimeout(1)
        connection.recv(1024)
        time.sleep(0.2)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except OSError:
        pass
    connection.close()
PY
  _program storefront <<'PY'
"""The shop's pages: asks for the session of each customer."""
import sys
import threading
import time
import urllib.request


def customers(number):
    asked = 0
    time.sleep(2)
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:8082/session", timeout=3) as answer:
                answer.read()
            asked += 1
            if asked % 10 == 0 and number == 0:
                print("<6>10 sessions found")
        except OSError as error:
            sys.stdout.write(f"<3>no session for a customer: http://127.0.0.1:8082: {error}\n")
        time.sleep(1)


running = 0
while True:
    with open("/opt/storefront/customers") as source:
        wanted = int(source.read())
    while running < wanted:
        threading.Thread(target=customers, args=(running,), daemon=True).start()
        running += 1
    time.sleep(0.5)
PY
  echo 1 >/opt/storefront/customers
  _unit sessions 'Customer sessions' '' User=www-data
  _unit storefront 'Shop pages' '' User=www-data
  _start sessions storefront
}

listen_queue_overflow_inject() {
  local customers=22
  [[ $1 != hard ]] || customers=50
  echo "$customers" >/opt/storefront/customers.new
  mv /opt/storefront/customers.new /opt/storefront/customers
}

listen_queue_overflow_revert() { _remove storefront sessions; }

# --- bandwidth_saturated ------------------------------------------------------------------------------------
# eth1 carries no more than 2 Mbit/s (mild) or 500 kbit/s (hard) of some 6 Mbit/s that are to be sent: tc -s qdisc: tbf with a
# backlog and overlimits that rise; the rate of eth1 is flat at the limit.
#   photo 8 was slow: 1.3 s                                          (mild; each, at warning)
#   photo 7 was slow: 5.0 s                                          (hard; each)
# Fault bandwidth_saturated. Culprit: interface eth1. Within 3 s (mild), 10 s (hard).
bandwidth_saturated_prepare() { _photos_prepare 300 0.3; }

bandwidth_saturated_inject() {
  local rate=2mbit
  [[ $1 != hard ]] || rate=500kbit
  tc qdisc add dev eth1 root tbf rate "$rate" burst 32kbit latency 400ms
}

bandwidth_saturated_revert() { _photos_revert; }

# --- conntrack_full -----------------------------------------------------------------------------------------
# Connections are followed (but for ssh, which is not); the table holds 500 (mild) or 250 (hard), and a gateway opens 492 or 400,
# which stay. hard: nothing new gets through. mild: the rest is for all others, a second each, and some of them fail.
#   nf_conntrack: nf_conntrack: table full, dropping packet                                              (kernel)
#   device 246 not connected to 10.99.0.2:1883: timed out                                                (hard)
# nf_conntrack_count is nf_conntrack_max; "drop" of /proc/net/stat/nf_conntrack rises.
# Fault conntrack_full. Culprit: process command python3 of unit device-gateway.service. Within 8 s.
conntrack_full_prepare() {
  _link store eth1 10.99.0
  _program broker <<'PY'
"""Holds the devices' connections."""
import socket

server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", 1883))
server.listen(128)
held = []
while True:
    held.append(server.accept()[0])
PY
  _program device-gateway <<'PY'
"""One connection to the broker for each device."""
import socket
import time

held = []
while True:
    with open("/opt/device-gateway/devices") as source:
        wanted = int(source.read())
    if len(held) >= wanted:
        time.sleep(0.5)
        continue
    try:
        held.append(socket.create_connection(("10.99.0.2", 1883), timeout=2))
        if len(held) % 100 == 0:
            print(f"<6>{len(held)} devices connected")
    except OSError as error:
        print(f"<3>device {len(held)} not connected to 10.99.0.2:1883: {error}")
    time.sleep(0.005)
PY
  _archive
  sed -i '/^NetworkNamespacePath/d' /etc/systemd/system/archive.service
  _photo_sync http://127.0.0.1:8070/photos 10 1
  echo 20 >/opt/device-gateway/devices
  _unit broker 'Device broker' '' User=www-data LimitNOFILE=8192 NetworkNamespacePath=/run/netns/store
  _unit device-gateway 'Device gateway' '' User=www-data LimitNOFILE=8192
  # Connections are followed, but for ssh.
  nft 'add table inet filter; add chain inet filter raw { type filter hook prerouting priority raw; };
    add chain inet filter rawout { type filter hook output priority raw; };
    add chain inet filter input { type filter hook input priority 0; policy accept; };
    add rule inet filter raw tcp dport 22 notrack; add rule inet filter rawout tcp sport 22 notrack;
    add rule inet filter input ct state invalid counter'
  sysctl -n net.netfilter.nf_conntrack_max >/run/conntrack-max
  _start broker archive device-gateway photo-sync
}

conntrack_full_inject() {
  local most=500 devices=492
  [[ $1 != hard ]] || most=250 devices=400
  sysctl -q -w "net.netfilter.nf_conntrack_max=$most"
  echo "$devices" >/opt/device-gateway/devices.new
  mv /opt/device-gateway/devices.new /opt/device-gateway/devices
}

conntrack_full_revert() {
  [[ ! -e /run/conntrack-max ]] || sysctl -q -w "net.netfilter.nf_conntrack_max=$(cat /run/conntrack-max)"
  rm -f /run/conntrack-max
  nft delete table inet filter 2>/dev/null
  _remove device-gateway broker
  _photos_revert
  # So that nf_conntrack does not stay; another user of it may keep it.
  modprobe -rq nft_ct nf_conntrack 2>/dev/null
  return 0
}

# --- route_missing ------------------------------------------------------------------------------------------
# 10.77.0.2 is reached through 10.99.0.2. mild: the route has a wrong gateway, 10.99.0.254, which there is not (its neighbour entry
# stays INCOMPLETE or FAILED). hard: the route and the default route are gone; ssh goes on, as it comes from the own network.
#   photo 4 not sent to http://10.77.0.2:8070/photos: <urlopen error [Errno 113] No route to host>       (mild, each 3.5 s)
#   photo 6 not sent to http://10.77.0.2:8070/photos: <urlopen error [Errno 101] Network is unreachable> (hard, each half second)
# Fault route_missing. Culprit: route 10.77.0.0/24 (interface eth1, gateway 10.99.0.254), hard: default too. Within 5 s (mild), 2 s.
route_missing_prepare() {
  _link store eth1 10.99.0
  ip -n store addr add 10.77.0.2/32 dev lo
  ip route add 10.77.0.0/24 via 10.99.0.2 dev eth1
  _archive
  _photo_sync http://10.77.0.2:8070/photos 10 0.5
  _start archive photo-sync
}

route_missing_inject() {
  if [[ $1 == hard ]]; then
    ip -4 route show default | head -n 1 >/run/default-route
    ip route del 10.77.0.0/24
    ip route del default
  else
    ip route replace 10.77.0.0/24 via 10.99.0.254 dev eth1
  fi
}

route_missing_revert() {
  # shellcheck disable=SC2046 # words of a route
  [[ ! -s /run/default-route ]] || ip route replace $(cat /run/default-route)
  rm -f /run/default-route
  _photos_revert
}

# --- mtu_mismatch -------------------------------------------------------------------------------------------
# The other host is behind a router ("store"), 10.77.0.2 in the namespace "vault". The router's link there has an MTU of 1400 (mild)
# or 1280 (hard; both show alike), and it keeps quiet about it: photos hang, small requests pass. TcpExtTCPTimeouts and TcpRetransSegs
# rise by 2 a second; ss -tin: mss 1448, backoff, retrans, all of it lost, Send-Q 46336.
#   photo 4 not sent to http://10.77.0.2:8070/photos: <urlopen error timed out>
#   photo 5 not sent to http://10.77.0.2:8070/photos: <urlopen error timed out>
# Fault mtu_mismatch. Culprit: path to 10.77.0.2, interface eth1 here (MTU 1500). Within 6 s, one each 4.5 s.
mtu_mismatch_prepare() {
  _link store eth1 10.99.0
  ip netns add vault
  ip -n store link add eth1 type veth peer name eth0 netns vault
  ip -n store addr add 10.77.0.1/24 dev eth1
  ip -n store link set eth1 up
  ip -n vault addr add 10.77.0.2/24 dev eth0
  ip -n vault link set eth0 up
  ip -n vault route add default via 10.77.0.1
  ip netns exec store sysctl -q -w net.ipv4.ip_forward=1
  ip route add 10.77.0.0/24 via 10.99.0.2 dev eth1
  _archive
  sed -i 's|netns/store|netns/vault|' /etc/systemd/system/archive.service
  _photo_sync http://10.77.0.2:8070/photos 50 0.5
  _start archive photo-sync
}

mtu_mismatch_inject() {
  local mtu=1400
  [[ $1 != hard ]] || mtu=1280
  ip netns exec store nft 'add table inet gate; add chain inet gate out { type filter hook output priority 0; };
    add rule inet gate out icmp type destination-unreachable drop'
  ip -n store link set eth1 mtu "$mtu"
}

mtu_mismatch_revert() {
  _remove photo-sync archive
  sysctl -q -w net.ipv4.tcp_mtu_probing=0
  ip netns del vault 2>/dev/null
  _unlink store eth1
}
