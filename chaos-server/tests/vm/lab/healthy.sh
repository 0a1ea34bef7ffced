# shellcheck shell=bash
# Situations that are busy, loud or new, and healthy: nothing is to be blamed. On a disposable Debian 12 VM, as root; sent over ssh
# as text with one call behind it. CASE_inject is the harmless event. Lines quoted are from the VM's journal.

# Customers: GETs of the order service behind nginx, RATE a second; /opt/storefront/rate can be changed while it runs.
_storefront() { # RATE
  _program storefront <<'PY'
"""The shop's pages: asks the service behind them for each one."""
import http.client
import os
import time

answered = 0
while True:
    with open("/opt/storefront/rate") as source:
        rate = float(source.read())
    started = time.monotonic()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
        connection.request("GET", "/app")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        answered += 1
        if answered % 50 == 0:
            print(f"<6>{answered} pages rendered")
    except OSError as error:
        print(f"<3>page not rendered: GET /app: {error}")
    time.sleep(max(0.0, 1 / rate - (time.monotonic() - started)))
PY
  echo "$1" >/opt/storefront/rate
  _unit storefront 'Shop pages' '' User=www-data
}

# --- idle ---------------------------------------------------------------------------------------------------
# Nothing but what the machine does anyway: an order each 4 s, cron each minute.
idle_prepare() { :; }
idle_inject() { :; }
idle_revert() { :; }

# --- load_peak ----------------------------------------------------------------------------------------------
# mild: customers ask 5 times as often as usual, hard: 8 times; every request is answered with 200. CPU (hard) some 40 % busy,
# PSI cpu some avg10 20.
load_peak_prepare() {
  _storefront 3
  _start storefront
}

load_peak_inject() {
  local rate=15
  [[ $1 != hard ]] || rate=24
  echo "$rate" >/opt/storefront/rate.new
  mv /opt/storefront/rate.new /opt/storefront/rate
}

load_peak_revert() { _remove storefront; }

# --- scary_logs ---------------------------------------------------------------------------------------------
# A partner's address that has been wrong for weeks logs an ERROR each 3 s, before and after. The event is an import whose lines at
# info are full of words such as error, failed and panic, and say that all is well. mild: one import each 10 s, hard: one each 2 s.
scary_logs_prepare() {
  _program partner-feed <<'PY'
"""Sends changed articles to the partners."""
import time

batch = 0
while True:
    batch += 1
    print(f"<6>batch {batch} sent to 11 of 12 partners")
    print(f"<3>ERROR batch {batch} not sent to partner 7: no address configured")
    time.sleep(3)
PY
  _program stock-import <<'PY'
"""Reads the suppliers' lists."""
import os
import time

batch = 0
while True:
    if not os.path.exists("/opt/stock-import/period"):
        time.sleep(1)
        continue
    with open("/opt/stock-import/period") as source:
        period = float(source.read())
    batch += 1
    print(f"<6>import {batch} started: panic mode disabled, abort on first error: no")
    print(f"<6>import {batch}: supplier 3, retry after failure succeeded")
    time.sleep(0.3)
    print(f"<6>import {batch}: 412 rows, 0 errors, 0 failed, 0 rejected")
    print(f"<6>import {batch} finished: status=ok error_count=0 fatal=false crashed_workers=0 killed=0")
    time.sleep(period)
PY
  _unit partner-feed 'Partner feed' '' User=www-data
  _unit stock-import 'Stock import' '' User=www-data
  _start partner-feed stock-import
}

scary_logs_inject() {
  local period=10
  [[ $1 != hard ]] || period=2
  echo "$period" >/opt/stock-import/period.new
  mv /opt/stock-import/period.new /opt/stock-import/period
}

scary_logs_revert() { _remove partner-feed stock-import; }

# --- clean_deploy -------------------------------------------------------------------------------------------
# mild: nginx is reloaded with a new start page. hard: the new page, nginx started again, and the order service behind it too.
# Customers come once a second; a request that falls into the
# restart fails: hard showed two, "page not rendered: GET /app: status 502" and, a second later, 503.
clean_deploy_prepare() {
  cp -a /var/www/html/index.html /var/www/index.html.previous
  _storefront 1
  _start storefront
}

clean_deploy_inject() {
  printf '<!doctype html>\n<title>Shop</title>\n<p>Welcome to our shop, release 2026.11</p>\n' >/var/www/html/index.html.new
  mv /var/www/html/index.html.new /var/www/html/index.html
  if [[ $1 == hard ]]; then
    systemctl restart app nginx
  else
    systemctl reload nginx
  fi
}

clean_deploy_revert() {
  _remove storefront
  [[ ! -e /var/www/index.html.previous ]] || mv /var/www/index.html.previous /var/www/html/index.html
}

# --- backup -------------------------------------------------------------------------------------------------
# The nightly backup: /usr/lib is packed with the lowest priority for CPU and disk. mild: 67 MB in 3 s, hard: 337 MB in 9 s.
backup_prepare() {
  mkdir -p /var/backups/nightly
  _storefront 3
  _start storefront
}

backup_inject() {
  local what='/usr/lib/postgresql /usr/lib/python3.11'
  [[ $1 != hard ]] || what="$what /usr/lib/x86_64-linux-gnu"
  systemd-run -q --collect --unit=nightly-backup --description='Nightly backup' -p Nice=19 -p IOSchedulingClass=idle \
    sh -c "echo backup started; tar -cf /var/backups/nightly/system.tar $what 2>/dev/null; echo backup finished: \$(du -sm /var/backups/nightly | cut -f1) MB, 0 errors"
}

backup_revert() {
  systemctl stop nightly-backup 2>/dev/null
  _remove storefront
  rm -rf /var/backups/nightly
}

# --- failed_logins ------------------------------------------------------------------------------------------
# Somebody tries accounts that there are not: mild 8 logins, hard 23, one each 3 to 4 s, by keys only (no password is asked for).
#   Invalid user oracle from 127.0.0.1 port 55644
#   Connection closed by invalid user oracle 127.0.0.1 port 55644 [preauth]
failed_logins_prepare() { :; }

failed_logins_inject() {
  local names='admin oracle ubuntu deploy jenkins ftpuser hadoop pi'
  [[ $1 != hard ]] || names="$names backup1 nagios git svn tomcat minecraft steam odoo zabbix ansible vagrant user1 guest weblogic dspace"
  # Not ${...}: systemd would put it in for itself.
  systemd-run -q --collect --unit=account-audit --description='Audit of accounts' sh -c "
    for name in $names; do
      ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=QUIET \"\$name@127.0.0.1\" true </dev/null
      sleep 1
    done"
}

failed_logins_revert() {
  systemctl stop account-audit 2>/dev/null
  return 0
}
