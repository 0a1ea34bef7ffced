# shellcheck shell=bash
# Faults of services, on a disposable Debian 12 VM with nginx and python3, as root. Sent over ssh as text with one call behind
# it. Of each case: CASE_prepare (the healthy workload), CASE_inject mild|hard (the fault), CASE_revert (all back as before).
# What is installed lies in /opt/NAME and /etc/systemd/system/NAME.service. Lines quoted are from the VM's journal.

# Those who use a service: a GET every PERIOD seconds, failures to the journal at err.
_storefront() { # URL,URL... PERIOD LINE...
  local url=$1 period=$2
  shift 2
  _program storefront <<'PY'
"""The shop's pages: asks the service behind them for each one."""
import sys
import time
import urllib.request

urls, period = sys.argv[1].split(","), float(sys.argv[2])
time.sleep(3)
answered = 0
while True:
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=4) as answer:
                answer.read()
            answered += 1
            if answered % 10 == 0:
                print(f"<6>{answered} pages rendered")
        except OSError as error:
            print(f"<3>page not rendered: GET {url}: {error}")
    time.sleep(period)
PY
  _unit storefront 'Shop pages' "$url $period" User=www-data "$@"
}

# A small HTTP service on 127.0.0.1:8081.
_inventory_program() {
  _program inventory <<'PY'
"""Stock levels over HTTP."""
import http.server
import json

stock = {"bolts": 312, "nuts": 77, "washers": 1204}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(stock).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 8081), Handler)
print("<6>inventory 4.1.0 listening on 127.0.0.1:8081")
server.serve_forever()
PY
}

# --- crash_loop ---------------------------------------------------------------------------------------------
# A bad release of a service, which its Restart=on-failure starts again and again. Fault crash_loop.
# Culprit: unit inventory.service (path /opt/inventory/inventory.py). Within 2 s (hard), 8 s (mild).
# mild: it listens, and dies 4 s later by a ZeroDivisionError, for ever: the counter rises by one each 6 s, every other page fails.
#   inventory.service: Main process exited, code=exited, status=1/FAILURE
#   inventory.service: Scheduled restart job, restart counter is at 2.
# hard: it ends at once with status 3; after 7 starts the unit stays failed, and nothing listens on 8081.
#   ERROR inventory 4.2.0 could not start          (with a traceback: KeyError: 'region')
#   inventory.service: Start request repeated too quickly.
# The client: page not rendered: GET http://127.0.0.1:8081/stock: <urlopen error [Errno 111] Connection refused>
crash_loop_prepare() {
  _inventory_program
  _unit inventory 'Inventory API' '' User=www-data Restart=on-failure RestartSec=1
  _storefront http://127.0.0.1:8081/stock 1
  _start inventory storefront
}

crash_loop_inject() {
  if [[ $1 == hard ]]; then
    _program inventory <<'PY'
"""Stock levels over HTTP."""
import json
import logging
import sys

logging.basicConfig(format="%(levelname)s %(message)s")
release = json.loads('{"version": "4.2.0"}')
try:
    region = release["region"]
except KeyError:
    logging.exception("inventory %s could not start", release["version"])
    sys.exit(3)
PY
  else
    _inventory_program
    sed -i -e 's/4\.1\.0/4.2.0/' -e 's/^import json/import json\nimport sys\nimport threading\nimport time/' /opt/inventory/inventory.py
    sed -i '/^server.serve/d' /opt/inventory/inventory.py
    cat >>/opt/inventory/inventory.py <<'PY'
threading.Thread(target=server.serve_forever, daemon=True).start()
time.sleep(4)
total = sum(stock.values()) / len([amount for amount in stock.values() if amount > 5000])
sys.exit(0)
PY
  fi
  systemctl restart inventory
}

crash_loop_revert() { _remove storefront inventory; }

# --- service_killed -----------------------------------------------------------------------------------------
# mild: the master of nginx ends by SIGKILL; Debian's unit has no Restart=. Port 80 is closed, the client fails each second.
#   nginx.service: Main process exited, code=killed, status=9/KILL
#   nginx.service: Failed with result 'signal'.
# hard: a service without Restart= ends by SIGSEGV, from a null pointer in foreign code that one of its jobs leads to. No client.
#   python3[1199]: segfault at 8 ip 00007f0969eaaae2 sp 00007ffde6d036b8 error 4 in libc.so.6[...]   (kernel)
#   thumbnailer.service: Main process exited, code=killed, status=11/SEGV
# Fault service_killed. Culprit: unit nginx.service (mild), thumbnailer.service (hard). Within 2 s, hard within 3 s.
service_killed_prepare() {
  mkdir -p /var/lib/thumbs/incoming
  _program thumbnailer <<'PY'
"""Makes thumbnails of what comes in."""
import ctypes
import os
import time

INCOMING = "/var/lib/thumbs/incoming"
while True:
    names = sorted(os.listdir(INCOMING))
    for name in names:
        path = os.path.join(INCOMING, name)
        with open(path, "rb") as image:
            header = image.read(8)
        if header.startswith(b"\x89PNG"):
            pixels = int.from_bytes(header[4:8], "little")
            ctypes.string_at(pixels, 16)
        os.remove(path)
    print(f"<6>{len(names)} images scaled")
    time.sleep(2)
PY
  _unit thumbnailer 'Thumbnails of uploads' ''
  _storefront http://127.0.0.1/ 1
  _start thumbnailer storefront
}

service_killed_inject() {
  if [[ $1 == hard ]]; then
    printf '\211PNG\010\0\0\0' >/var/lib/thumbs/incoming/IMG_20418.png
  else
    kill -KILL "$(cat /run/nginx.pid)"
  fi
}

service_killed_revert() {
  _remove storefront thumbnailer
  rm -rf /var/lib/thumbs
  systemctl reset-failed nginx 2>/dev/null
  systemctl is-active -q nginx || systemctl restart nginx
}

# --- permission_missing -------------------------------------------------------------------------------------
# mild: the spool of a running service belongs to root of a sudden, so none of its writes succeeds; once each 2 s:
#   invoice 4 not written: [Errno 13] Permission denied: '/var/spool/invoices/INV-00004.txt.new'
# hard: its configuration is readable by root only, and it was started again: a loop, one start each 3.5 s:
#   PermissionError: [Errno 13] Permission denied: '/etc/invoices/invoices.ini'
#   invoices.service: Main process exited, code=exited, status=1/FAILURE
# Fault permission_missing. Culprit: unit invoices.service, path /var/spool/invoices (mild), /etc/invoices/invoices.ini (hard).
_invoices() {
  mkdir -p /var/spool/invoices /etc/invoices
  chown www-data:www-data /var/spool/invoices
  printf '[invoices]\nprefix = INV\nperiod = 2\n' >/etc/invoices/invoices.ini
  chmod 644 /etc/invoices/invoices.ini
  _program invoices <<'PY'
"""Writes invoices into the spool of the mailer."""
import configparser
import os
import sys
import time

settings = configparser.ConfigParser()
with open("/etc/invoices/invoices.ini") as source:
    settings.read_file(source)
prefix = settings["invoices"]["prefix"]
period = settings["invoices"].getfloat("period")
number = 0
print("<6>invoices ready")
while True:
    number += 1
    path = f"/var/spool/invoices/{prefix}-{number % 50:05}.txt"
    try:
        with open(path + ".new", "w") as out:
            out.write(f"invoice {number}\n")
        os.replace(path + ".new", path)
        print(f"<6>invoice {number} written")
    except OSError as error:
        print(f"<3>invoice {number} not written: {error}", file=sys.stderr)
    time.sleep(period)
PY
  _unit invoices 'Invoices' '' User=www-data Restart=on-failure RestartSec=3
}

permission_missing_prepare() {
  _invoices
  _start invoices
}

permission_missing_inject() {
  if [[ $1 == hard ]]; then
    chmod 600 /etc/invoices/invoices.ini
    systemctl restart invoices
  else
    chown -R root:root /var/spool/invoices
  fi
}

permission_missing_revert() {
  _remove invoices
  rm -rf /var/spool/invoices /etc/invoices
}

# --- config_invalid -----------------------------------------------------------------------------------------
# mild: the configuration of a service of our own has a line that it does not understand; it was started again, and loops.
#   configparser.ParsingError: Source contains parsing errors: '/etc/invoices/invoices.ini'
#   invoices.service: Scheduled restart job, restart counter is at 1.
# hard: a file of nginx's has a misspelled directive, and nginx was started again. It is down, the client fails each second.
#   [emerg] 1766#1766: unknown directive "client_max_body_sise" in /etc/nginx/conf.d/uploads.conf:1
#   nginx.service: Control process exited, code=exited, status=1/FAILURE
# Fault config_invalid. Culprit: unit invoices.service, path /etc/invoices/invoices.ini (mild); unit nginx.service, path
# /etc/nginx/conf.d/uploads.conf (hard). Within 2 s.
config_invalid_prepare() {
  _invoices
  _storefront http://127.0.0.1/ 1
  _start invoices storefront
}

config_invalid_inject() {
  if [[ $1 == hard ]]; then
    mkdir -p /etc/nginx/conf.d
    printf 'client_max_body_sise 20m;\n' >/etc/nginx/conf.d/uploads.conf
    systemctl restart nginx 2>/dev/null
  else
    sed -i 's/^period = 2/period: 2s\nretries/' /etc/invoices/invoices.ini
    systemctl restart invoices
  fi
  return 0
}

config_invalid_revert() {
  _remove storefront invoices
  rm -rf /var/spool/invoices /etc/invoices
  rm -f /etc/nginx/conf.d/uploads.conf
  systemctl reset-failed nginx 2>/dev/null
  systemctl is-active -q nginx || systemctl restart nginx
}

# --- dependency_missing -------------------------------------------------------------------------------------
# mild: a module that the service imports is gone after a clean-up, and it was started again: a loop, one start each 4 s.
#   ModuleNotFoundError: No module named 'pricing'
#   inventory.service: Main process exited, code=exited, status=1/FAILURE
# hard: the program itself is gone.
#   inventory.service: Failed at step EXEC spawning /opt/inventory/bin/inventory: No such file or directory
#   inventory.service: Main process exited, code=exited, status=203/EXEC
# Fault dependency_missing. Culprit: unit inventory.service; module pricing (mild), path /opt/inventory/bin/inventory (hard).
# Within 2 s; the client is refused on 127.0.0.1:8081 each second.
dependency_missing_prepare() {
  _inventory_program
  mkdir -p /opt/inventory/bin
  printf '"""Prices by article."""\nprices = {"bolts": 0.12, "nuts": 0.07, "washers": 0.01}\n' >/opt/inventory/pricing.py
  sed -i 's/^import json/import json\n\nimport pricing/; s/json.dumps(stock)/json.dumps([stock, pricing.prices])/' /opt/inventory/inventory.py
  printf '#!/bin/sh\nexec /usr/bin/python3 -u /opt/inventory/inventory.py\n' >/opt/inventory/bin/inventory
  chmod 755 /opt/inventory/bin/inventory
  _unit inventory 'Inventory API' '' User=www-data Restart=on-failure RestartSec=3
  sed -i 's|^ExecStart=.*|ExecStart=/opt/inventory/bin/inventory|' /etc/systemd/system/inventory.service
  _storefront http://127.0.0.1:8081/stock 1
  _start inventory storefront
}

dependency_missing_inject() {
  if [[ $1 == hard ]]; then
    rm -r /opt/inventory/bin
  else
    rm -rf /opt/inventory/pricing.py /opt/inventory/__pycache__
  fi
  systemctl restart inventory
  return 0
}

dependency_missing_revert() { _remove storefront inventory; }

# --- port_taken ---------------------------------------------------------------------------------------------
# Something else listens where a service wants to, when it was started again. mild: a service of our own, which loops, one start
# each 4 s. hard: nginx, which gives up after five tries, 3 s. The client gets 404s from the one that listens.
#   OSError: [Errno 98] Address already in use                                       (mild, in a traceback)
#   nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)          (hard)
# Fault port_taken. Culprit: port 8081 (mild), 80 (hard), held by process command perl of unit preview.service. Within 4 s.
port_taken_prepare() {
  _inventory_program
  _unit inventory 'Inventory API' '' User=www-data Restart=on-failure RestartSec=3
  _storefront http://127.0.0.1:8081/stock,http://127.0.0.1/ 1
  _start inventory storefront
}

port_taken_inject() {
  local port=8081 service=inventory
  [[ $1 != hard ]] || port=80 service=nginx
  systemctl stop "$service"
  mkdir -p /srv/preview
  systemd-run -q --unit=preview --description='Preview of pages' -p WorkingDirectory=/srv/preview \
    /usr/bin/perl -MIO::Socket::INET -e "
      my \$server = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $port, Listen => 16, ReuseAddr => 1) or die;
      while (my \$client = \$server->accept) { sysread(\$client, my \$request, 4096);
        print \$client qq(HTTP/1.0 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n); close \$client; }"
  sleep 0.7
  systemctl start --no-block "$service"
}

port_taken_revert() {
  systemctl stop preview 2>/dev/null
  systemctl reset-failed preview 2>/dev/null
  rm -rf /srv/preview
  _remove storefront inventory
  systemctl reset-failed nginx 2>/dev/null
  systemctl is-active -q nginx || systemctl restart nginx
}

# --- dependency_down ----------------------------------------------------------------------------------------
# nginx passes /prices on to another host, 10.44.0.2:8090 (a network namespace of its own here, whose processes are seen from here
# all the same). mild: that host is gone, nothing answers: 504 after 2 s. hard: it refuses every connection, as when its server has
# ended: 502 at once, each second. nginx logs to the journal:
#   *77 upstream timed out (110: Connection timed out) while connecting to upstream, [...] upstream: "http://10.44.0.2:8090/prices"
#   *91 connect() failed (111: Connection refused) while connecting to upstream, [...] upstream: "http://10.44.0.2:8090/prices"
# The client: page not rendered: GET http://127.0.0.1:8088/prices: HTTP Error 504: Gateway Time-out (hard: 502: Bad Gateway)
# Fault dependency_down. Culprit: peer 10.44.0.2, port 8090. Within 4 s. unit pricing.service goes on running.
_pricing_program() {
  _program pricing <<'PY'
"""Prices over HTTP."""
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"12.90")

    def log_message(self, format, *args):
        pass


http.server.ThreadingHTTPServer(("", 8090), Handler).serve_forever()
PY
}

dependency_down_prepare() {
  _link pricing pricing0 10.44.0
  _pricing_program
  _unit pricing 'Pricing' '' User=www-data NetworkNamespacePath=/run/netns/pricing
  _storefront http://127.0.0.1:8088/prices 1
  mkdir -p /etc/nginx/conf.d
  printf '%s\n' 'server {' '    listen 127.0.0.1:8088;' '    error_log syslog:server=unix:/dev/log,nohostname error;' \
    '    location /prices {' '        proxy_pass http://10.44.0.2:8090;' '        proxy_connect_timeout 2s;' '    }' '}' \
    >/etc/nginx/conf.d/shop.conf
  _start pricing storefront
  systemctl reload nginx
}

dependency_down_inject() {
  if [[ $1 == hard ]]; then
    ip netns exec pricing nft 'add table inet gate; add chain inet gate in { type filter hook input priority 0; };
      add rule inet gate in tcp dport 8090 reject with tcp reset'
  else
    ip -n pricing addr flush dev eth0
  fi
}

dependency_down_revert() {
  _remove storefront pricing
  rm -f /etc/nginx/conf.d/shop.conf
  systemctl reload nginx
  _unlink pricing pricing0
}

# --- service_hang -------------------------------------------------------------------------------------------
# Two threads of a service wait for each other's lock. mild: requests for stock are taken and never answered, /health is; a thread
# more each 4 s. hard: the thread that takes connections hangs in futex_wait_queue, so connections pile up unaccepted (Recv-Q of
# 127.0.0.1:8081 grows by one each 4 s, up to 128) and in CLOSE-WAIT. The service logs nothing; the client does, each 4 s:
#   page not rendered: GET http://127.0.0.1:8081/stock: timed out
# Fault service_hang. Culprit: unit inventory.service, process command python3 (/opt/inventory/inventory.py), port 8081. Within 6 s.
service_hang_prepare() {
  _program inventory <<'PY'
"""Stock levels over HTTP."""
import http.server
import json
import threading
import time

stock = {"bolts": 312, "nuts": 77, "washers": 1204}
stock_lock = threading.Lock()
audit_lock = threading.Lock()
audit_in_accept = False


def recount():
    with audit_lock:
        time.sleep(0.5)
        with stock_lock:
            stock["bolts"] += 1


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global audit_in_accept
        if self.path.startswith("/recount"):
            audit_in_accept = self.path.endswith("all")
            threading.Thread(target=recount, daemon=True).start()
            time.sleep(0.1)
            with stock_lock:
                with audit_lock:
                    stock["nuts"] += 1
        if self.path == "/health":
            body = b"ok"
        else:
            with stock_lock:
                body = json.dumps(stock).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def process_request(self, request, client_address):
        if audit_in_accept:
            with stock_lock:
                pass
        super().process_request(request, client_address)


server = Server(("127.0.0.1", 8081), Handler)
print("<6>inventory 4.1.0 listening on 127.0.0.1:8081")
server.serve_forever()
PY
  _unit inventory 'Inventory API' '' User=www-data Restart=on-failure TimeoutStopSec=2
  _storefront http://127.0.0.1:8081/stock 0.3
  _start inventory storefront
}

service_hang_inject() {
  local what=/recount
  [[ $1 != hard ]] || what=/recount-all
  curl -s -m 1 "http://127.0.0.1:8081$what" >/dev/null
  return 0
}

service_hang_revert() { _remove storefront inventory; }

# --- clock_jump ---------------------------------------------------------------------------------------------
# The clock is set forward, mild by 10 minutes, hard by an hour; that of the host where tokens are made stays right. Nothing but the
# service says so: no line of the kernel, systemd or journald when it goes forward; btime of /proc/stat moves by the step, and
# hwclock -r differs by it. The service, twice a second:
#   token rejected: Signature has expired (exp 1795552298, now 1795552598)
# Fault clock_jump. Culprit: the host's clock (path none; offset +600 or +3600 s). Within 2 s.
# The revert leaves records of the future in the journal ("Time jumped backwards, rotating."), which journalctl --since shows
# from then on: reset the VM after this case, or run it last.
_set_clock() { # SECONDS: forward, or back
  python3 -c 'import sys, time; time.clock_settime(time.CLOCK_REALTIME, time.time() + float(sys.argv[1]))' "$1"
}

clock_jump_prepare() {
  _program token-gate <<'PY'
"""Checks the tokens that customers bring from the login service."""
import time


# The login service is another host: its clock goes on whatever ours does.
login_clock = time.time() - time.monotonic()
accepted = 0
while True:
    expires = login_clock + time.monotonic() + 300
    left = expires - time.time()
    if left > 0:
        accepted += 1
        if accepted % 10 == 0:
            print(f"<6>{accepted} tokens accepted")
    else:
        print(f"<4>token rejected: Signature has expired (exp {expires:.0f}, now {time.time():.0f})")
    time.sleep(0.5)
PY
  _unit token-gate 'Token check' '' User=www-data
  _start token-gate
}

clock_jump_inject() {
  local seconds=600
  [[ $1 != hard ]] || seconds=3600
  echo "$seconds" >/run/clock-step
  _set_clock "$seconds"
}

clock_jump_revert() {
  [[ ! -e /run/clock-step ]] || _set_clock "-$(cat /run/clock-step)"
  rm -f /run/clock-step
  _remove token-gate
}

# --- certificate_expired, certificate_mismatch --------------------------------------------------------------
# nginx with TLS on 127.0.0.1:8443 for the name localhost; the client trusts our own authority, /etc/ssl/shop/ca.crt.
_certificate() { # NAME HOST FIRST-DAY LAST-DAY: NAME.crt and NAME.key by our authority; days are offsets such as '-30 days'
  local dir=/etc/ssl/shop format=+%Y%m%d%H%M%SZ
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
  : >"$dir/index"
  printf '%s\n' '[ca]' 'default_ca = shop' '[shop]' "database = $dir/index" "new_certs_dir = $dir" 'policy = any' 'rand_serial = yes' \
    '[any]' 'commonName = supplied' >"$dir/ca.cnf"
  printf 'subjectAltName = DNS:%s\n' "$2" >"$dir/names"
  openssl ca -batch -notext -in "$dir/$1.csr" -out "$dir/$1.crt" -cert "$dir/ca.crt" -keyfile "$dir/ca.key" \
    -startdate "$(date -u -d "$3" $format)" -enddate "$(date -u -d "$4" $format)" -md sha256 -extfile "$dir/names" \
    -config "$dir/ca.cnf" 2>/dev/null
}

# A certificate is put in that has expired, mild an hour ago, hard 20 days ago; both show alike. nginx logs TLS to the journal.
#   *115 SSL_do_handshake() failed (SSL: error:0A000415:SSL routines::sslv3 alert certificate expired:SSL alert number 45) [...]  (info)
#   page not rendered: [...] <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:992)>
# Fault certificate_expired. Culprit: file /etc/ssl/shop/shop.crt, port 8443. Within 2 s, each second.
certificate_expired_prepare() {
  mkdir -p /etc/ssl/shop /etc/nginx/conf.d
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=Shop authority' -days 365 \
    -keyout /etc/ssl/shop/ca.key -out /etc/ssl/shop/ca.crt 2>/dev/null
  _certificate shop localhost '-80 days' '+10 days'
  printf '%s\n' 'server {' '    listen 127.0.0.1:8443 ssl;' '    server_name localhost;' '    ssl_certificate /etc/ssl/shop/shop.crt;' \
    '    ssl_certificate_key /etc/ssl/shop/shop.key;' '    error_log syslog:server=unix:/dev/log,nohostname info;' \
    '    root /var/www/html;' '}' >/etc/nginx/conf.d/shop-tls.conf
  _storefront https://localhost:8443/ 1 Environment=SSL_CERT_FILE=/etc/ssl/shop/ca.crt
  _start storefront
  systemctl reload nginx
}

certificate_expired_inject() {
  local end='-1 hour'
  [[ $1 != hard ]] || end='-20 days'
  _certificate shop localhost '-90 days' "$end"
  systemctl reload nginx
}

certificate_expired_revert() {
  _remove storefront
  rm -rf /etc/ssl/shop /etc/nginx/conf.d/shop-tls.conf
  systemctl reset-failed nginx 2>/dev/null
  if systemctl is-active -q nginx; then systemctl reload nginx; else systemctl restart nginx; fi
}

# mild: the certificate that was put in is for another name. hard: the key that was put in does not belong to it, and nginx was
# started again; it is down.
#   certificate verify failed: Hostname mismatch, certificate is not valid for 'localhost'. (_ssl.c:992)                      (mild)
#   [emerg] [...] SSL_CTX_use_PrivateKey("/etc/ssl/shop/shop.key") failed ([...] key values mismatch)                          (hard)
# Fault certificate_mismatch. Culprit: file /etc/ssl/shop/shop.crt (mild), /etc/ssl/shop/shop.key and unit nginx.service (hard),
# port 8443. Within 2 s.
certificate_mismatch_prepare() { certificate_expired_prepare; }

certificate_mismatch_inject() {
  if [[ $1 == hard ]]; then
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /etc/ssl/shop/shop.key 2>/dev/null
    systemctl restart nginx 2>/dev/null
  else
    _certificate shop www.shop.example '-1 hour' '+90 days'
    systemctl reload nginx
  fi
  return 0
}

certificate_mismatch_revert() { certificate_expired_revert; }
