# shellcheck shell=bash
# Real faults of disks, file systems and the database for a throwaway VM (Debian 12, root, PostgreSQL 15).
# Each case has three functions: CASE_prepare, CASE_inject mild|hard, CASE_revert.
# Sent over ssh as text, after common.sh, with one call behind it.

# Makes a file system of MB megabytes on a device-mapper device NAME and mounts it on /srv/NAME. More words are options for mkfs.
sto_fs_up() {
  local name=$1 mb=$2 loop
  shift 2
  truncate -s "${mb}M" "/var/lib/$name.img"
  loop=$(losetup -f --show "/var/lib/$name.img")
  dmsetup create "$name" --table "0 $((mb * 2048)) linear $loop 0"
  mkfs.ext4 -q "$@" "/dev/mapper/$name" </dev/null
  mkdir -p "/srv/$name"
  mount -o errors=remount-ro "/dev/mapper/$name" "/srv/$name"
}
sto_fs_down() {
  local name=$1 loop
  umount "/srv/$name" 2>/dev/null || umount -l "/srv/$name" 2>/dev/null
  dmsetup info "$name" >/dev/null 2>&1 && dmsetup remove --force --retry "$name"
  for loop in $(losetup -n -O NAME -j "/var/lib/$name.img"); do losetup -d "$loop"; done
  rm -f "/var/lib/$name.img"
  rmdir "/srv/$name" 2>/dev/null
  return 0
}

# A statement as the database's superuser. The database, then options and statements for psql.
sto_sql() { (cd / && PGOPTIONS='-c client_min_messages=warning' runuser -u postgres -- /usr/lib/postgresql/15/bin/psql -XqAt -d "$@" </dev/null); }

# ---------------------------------------------------------------------------------------------------------------------
# disk_deleted_open: a log on /srv/data is removed while the service that writes it has it open; its space stays taken.
# Healthy: a few lines a second. The log's level is then debug, 20 MB a second.
# hard: until the file system is full (182 MB), mild: 150 MB.
# Fault: disk_deleted_open (disk_space as its effect). Culprit: process python3 (descriptor 3), unit audit-shipper.service, mountpoint /srv/data. Shows after 5 s; full after 10 s.
# Numbers: /srv/data 1 % -> 100 % while du finds nothing; lsof +L1: python3 … 175869952 0 /srv/data/audit/audit.log (deleted).
#   python3[3149]: cannot write audit.log: [Errno 28] No space left on device
#   python3[348]: receipt of order 194 not written: [Errno 28] No space left on device   (the order service; hard only)
disk_deleted_open_prepare() {
  mkdir -p /opt/audit-shipper
  install -d -o daemon /srv/data/audit
  cat >/opt/audit-shipper/ship.py <<'PY'
import sys, time

log = open("/srv/data/audit/audit.log", "ab", buffering=0)
line = b"2026-11-24T19:52:10Z audit user=1042 action=read object=/orders/77120 result=allowed\n"
print("audit shipper writes /srv/data/audit/audit.log", flush=True)
written, told = 0, 0.0
while True:
    limit = 0
    try:
        with open("/opt/audit-shipper/debug") as debug:
            limit = int(debug.read())
    except (FileNotFoundError, ValueError):
        pass
    block = line * (24000 if written < limit << 20 else 3)
    try:
        written += log.write(block)
    except OSError as error:
        print(f"cannot write audit.log: {error}", file=sys.stderr, flush=True)
        time.sleep(2)
    if time.time() - told > 5:
        print(f"{written // len(line)} events written", flush=True)
        told = time.time()
    time.sleep(0.1)
PY
  _begin audit-shipper -p User=daemon /usr/bin/python3 /opt/audit-shipper/ship.py
}
disk_deleted_open_inject() {
  local limit=100000
  [ "$1" = mild ] && limit=150
  rm -f /srv/data/audit/audit.log
  echo $limit >/opt/audit-shipper/debug
}
disk_deleted_open_revert() {
  _end audit-shipper
  rm -rf /opt/audit-shipper /srv/data/audit
}

# ---------------------------------------------------------------------------------------------------------------------
# runaway_log: a service that can't reach its peer tries again without a pause and writes each failure with a trace.
# hard: 6 MB a second, mild: 1 MB a second. The disk does not get full: the service ends after ten minutes at the latest.
# Fault: runaway_log. Culprit: path /var/log/billing-sync/sync.log, unit billing-sync.service (process python3). Shows after 5 s.
# Numbers: the file and /proc/PID/io write_bytes grow by 5 MB a second (hard; 0.8 MB with mild). The journal shows nothing; the log itself (by its program; not looked at in the VM):
#   ERROR run 7: Traceback (most recent call last): … ConnectionRefusedError: [Errno 111] Connection refused
runaway_log_prepare() {
  mkdir -p /opt/billing-sync /var/log/billing-sync
  cat >/opt/billing-sync/sync.py <<'PY'
import socket, time, traceback

log = open("/var/log/billing-sync/sync.log", "a")
print("billing sync ready, log in /var/log/billing-sync/sync.log", flush=True)
peer = socket.create_server(("127.0.0.1", 7711))
runs = 0
while True:
    try:
        with open("/opt/billing-sync/peer") as conf:
            port, repeat = map(int, conf.read().split())
    except FileNotFoundError:
        port, repeat = 7711, 0
    runs += 1
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        peer.accept()[0].close()
        log.write(f"{time.ctime()} run {runs}: 14 invoices sent\n")
        log.flush()
        time.sleep(1)
    except OSError:
        log.write(f"{time.ctime()} ERROR run {runs}: {traceback.format_exc()}" * repeat)
        time.sleep(0.1)
PY
  _begin billing-sync -p RuntimeMaxSec=600 /usr/bin/python3 /opt/billing-sync/sync.py
}
runaway_log_inject() {
  local repeat=1200
  [ "$1" = mild ] && repeat=200
  echo "7712 $repeat" >/opt/billing-sync/peer.new
  mv /opt/billing-sync/peer.new /opt/billing-sync/peer
}
runaway_log_revert() {
  _end billing-sync
  rm -rf /opt/billing-sync /var/log/billing-sync
}

# ---------------------------------------------------------------------------------------------------------------------
# disk_inodes: sessions that nobody removes use up the inodes of /srv/data (51200).
# Healthy: 30000 sessions, of which some are written now and then. hard: to the last inode, mild: to 47000.
# Fault: disk_inodes. Culprit: mountpoint /srv/data, path /srv/data/sessions, unit session-store.service. Shows at once, full after 8 s (hard).
# Numbers: df -i /srv/data 59 % -> 100 % (94 % with mild) while df says 1 %.
#   python3[8717]: session not saved: [Errno 28] No space left on device: '/srv/data/sessions/35/sess_0000c5f5'
#   python3[348]: receipt of order 448 not written: [Errno 28] No space left on device: '/srv/data/app/448.json.new'   (the order service)
disk_inodes_prepare() {
  mkdir -p /opt/session-store
  install -d -o www-data /srv/data/sessions
  cat >/opt/session-store/sessions.py <<'PY'
import os, sys, time

where = "/srv/data/sessions"
full, number, told = 30000, 0, 0.0
kept = full
if not os.path.exists(f"{where}/00"):
    for slot in range(64):
        os.mkdir(f"{where}/{slot:02x}")
    for slot in range(full):
        os.close(os.open(f"{where}/{slot % 64:02x}/sess_{slot:08x}", os.O_CREAT | os.O_WRONLY, 0o600))
    sys.exit(0)
number = 29000
print("session store ready", flush=True)
while True:
    if kept == full and os.path.exists("/opt/session-store/keep"):
        with open("/opt/session-store/keep") as keep:
            kept = int(keep.read())
    burst = 400 if kept > full and number < kept else 5
    try:
        for _ in range(burst):
            slot = number % kept
            os.close(os.open(f"{where}/{slot % 64:02x}/sess_{slot:08x}", os.O_CREAT | os.O_WRONLY, 0o600))
            number += 1
    except OSError as error:
        print(f"session not saved: {error}", file=sys.stderr, flush=True)
        time.sleep(1)
    if time.time() - told > 5:
        print(f"{number} sessions saved", flush=True)
        told = time.time()
    time.sleep(0.02 if burst > 5 else 0.5)
PY
  runuser -u www-data -- /usr/bin/python3 /opt/session-store/sessions.py </dev/null
  _begin session-store -p User=www-data /usr/bin/python3 /opt/session-store/sessions.py
}
disk_inodes_inject() {
  local kept=1000000
  [ "$1" = mild ] && kept=47000
  echo $kept >/opt/session-store/keep.new
  mv /opt/session-store/keep.new /opt/session-store/keep
}
disk_inodes_revert() {
  _end session-store
  rm -rf /opt/session-store /srv/data/sessions
}

# ---------------------------------------------------------------------------------------------------------------------
# filesystem_read_only: /srv/archive turns read-only.
# hard: a part of the inode table on the device is overwritten; ext4 sees it with the next old document it looks at, and
# errors=remount-ro makes it read-only. mild: somebody mounted it read-only again (the kernel says only "re-mounted").
# Fault: filesystem_read_only. Culprit: mountpoint /srv/archive (device /dev/mapper/archive = dm-0). mild shows after 1 s, hard after some 3 s.
# With mild, /proc/mounts says ro; with hard it goes on saying rw (seen with this kernel, 6.1.192): writes fail all the same.
#   hard: kernel: EXT4-fs error (device dm-0): ext4_lookup:1860: inode #158: comm python3: iget: bad extra_isize 51734 (inode size 256)
#   hard: kernel: EXT4-fs (dm-0): Remounting filesystem read-only
#   mild: kernel: EXT4-fs (dm-0): re-mounted. Quota mode: none.
#   both: python3[3797]: document not archived: [Errno 30] Read-only file system: '/srv/archive/current/006.doc'   (each second)
filesystem_read_only_prepare() {
  sto_fs_up archive 120
  mkdir -p /opt/archiver /srv/archive/2025 /srv/archive/current
  (cd /srv/archive/2025 && seq -f 'invoice-%04g' 400 | xargs touch)
  umount /srv/archive
  mount -o errors=remount-ro /dev/mapper/archive /srv/archive
  cat >/opt/archiver/archive.py <<'PY'
import os, random, sys, time

stored = 0
print("archiver ready", flush=True)
while True:
    try:
        name = f"/srv/archive/current/{stored % 200:03d}.doc"
        with open(name, "w") as document:
            document.write("x" * 20000)
            document.flush()
            os.fsync(document.fileno())
        stored += 1
        if stored % 5 == 0:
            print(f"{stored} documents archived", flush=True)
    except OSError as error:
        print(f"document not archived: {error}", file=sys.stderr, flush=True)
    old = f"/srv/archive/2025/invoice-{random.randint(1, 400):04d}"
    try:
        os.stat(old)
    except OSError as error:
        print(f"retention check failed: {error}", file=sys.stderr, flush=True)
    time.sleep(1)
PY
  _begin archiver /usr/bin/python3 /opt/archiver/archive.py
}
filesystem_read_only_inject() {
  local device=/dev/mapper/archive place block offset
  if [ "$1" = mild ]; then
    mount -o remount,ro /srv/archive
    return
  fi
  place=$(debugfs -R 'imap /2025/invoice-0100' $device 2>/dev/null)
  block=$(sed -n 's/.*located at block \([0-9]*\), offset.*/\1/p' <<<"$place")
  offset=$(($(sed -n 's/.*offset \(0x[0-9a-f]*\).*/\1/p' <<<"$place")))
  dd if=/dev/urandom of=$device bs=256 count=260 seek=$(((block * $(stat -f -c %S /srv/archive) + offset) / 256)) conv=notrunc status=none
}
filesystem_read_only_revert() {
  _end archiver
  sto_fs_down archive
  rm -rf /opt/archiver
}

# ---------------------------------------------------------------------------------------------------------------------
# disk_errors: the device below /srv/archive answers with errors (device-mapper's error target).
# hard: all of it, mild: the part behind the first 40 MB.
# Fault: disk_errors (filesystem_read_only as its effect). Culprit: device dm-0 (/dev/mapper/archive), mountpoint /srv/archive. Shows after 2 s.
# /proc/mounts goes on saying rw: seen with this kernel, 6.1.192. With mild only the part behind 40 MB fails (some of the file, the journal); other reads of the file work.
#   kernel: Buffer I/O error on dev dm-0, logical block 1, lost sync page write
#   kernel: EXT4-fs error (device dm-0): ext4_journal_check_start:83: comm python3: Detected aborted journal
#   kernel: EXT4-fs (dm-0): Remounting filesystem read-only
#   python3[3968]: /srv/archive/volume.tar at 74448896: [Errno 5] Input/output error
disk_errors_prepare() {
  sto_fs_up archive 120
  mkdir -p /opt/archiver
  dd if=/dev/urandom of=/srv/archive/volume.tar bs=1M count=80 conv=fsync status=none
  cat >/opt/archiver/verify.py <<'PY'
import os, sys, time

good, place = 0, 0
print("archive verification started", flush=True)
while True:
    try:
        with open("/srv/archive/volume.tar", "rb") as volume:
            os.posix_fadvise(volume.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            volume.seek(place)
            good += len(volume.read(1 << 20))
    except OSError as error:
        print(f"/srv/archive/volume.tar at {place}: {error}", file=sys.stderr, flush=True)
    place = (place + (7 << 20)) % (80 << 20)
    try:
        with open("/srv/archive/verify.state", "w") as state:
            state.write(str(place))
            state.flush()
            os.fsync(state.fileno())
    except OSError as error:
        print(f"state not saved: {error}", file=sys.stderr, flush=True)
    if place % 5 == 0:
        print(f"{good >> 20} MB verified", flush=True)
    time.sleep(1)
PY
  _begin archiver /usr/bin/python3 /opt/archiver/verify.py
}
disk_errors_inject() {
  local table sectors loop
  table=$(dmsetup table archive)
  read -r _ sectors _ loop _ <<<"$table"
  dmsetup suspend --noflush --nolockfs archive
  if [ "$1" = mild ]; then
    printf '0 81920 linear %s 0\n81920 %s error\n' "$loop" $((sectors - 81920)) | dmsetup load archive
  else
    echo "0 $sectors error" | dmsetup load archive
  fi
  dmsetup resume archive
}
disk_errors_revert() {
  _end archiver
  sto_fs_down archive
  rm -rf /opt/archiver
}

# ---------------------------------------------------------------------------------------------------------------------
# disk_io_saturation: a service writes past the page cache to a slow disk, /srv/tiles, as fast as that takes it.
# The disk is a device-mapper delay of 12 ms a request, for an emulated machine's own disk is faster than its CPU.
# Healthy: a tile of 256 KB in a second, and another service that saves its state there.
# hard: eight writers without a pause, mild: two with a short pause.
# Fault: disk_io_saturation. Culprit: unit tile-builder.service (processes dd), device dm-0 (mountpoint /srv/tiles). Shows after 5 s.
# Numbers (hard): PSI io some avg10 84, full 44; eight dd in state D; dm-0 is busy all the time (its io ticks grow by 1000 ms a second); iowait 30 %.
# The kernel logs nothing. The other service there: tile-server: "state saved in … ms".
disk_io_saturation_prepare() {
  local sectors loop
  sto_fs_up tiles 300
  read -r _ sectors _ loop _ <<<"$(dmsetup table tiles)"
  dmsetup load tiles --table "0 $sectors delay $loop 0 12"
  dmsetup suspend tiles
  dmsetup resume tiles
  mkdir -p /opt/tile-builder
  cat >/opt/tile-builder/build.sh <<'SH'
#!/bin/sh
echo "tile builder ready"
zoom() {
  n=0
  while :; do
    if [ -e /opt/tile-builder/world ]; then
      read -r writers pause </opt/tile-builder/world
      [ "$1" -gt "$writers" ] && sleep 5 && continue
      dd if=/dev/zero of="/srv/tiles/world.$1" bs=64k count=300 oflag=direct conv=notrunc status=none
      sleep "$pause"
    else
      [ "$1" != 1 ] && sleep 1 && continue
      dd if=/dev/zero of=/srv/tiles/region bs=64k count=4 oflag=direct conv=notrunc status=none
      sleep 1
    fi
    n=$((n + 1))
    [ $((n % 10)) = 0 ] && echo "layer $1: $n tiles built"
  done
}
for layer in 1 2 3 4 5 6 7 8; do zoom $layer & done
wait
SH
  cat >/opt/tile-builder/state.py <<'PY'
import os, time

print("tile server ready", flush=True)
last = 0.0
while True:
    began = time.time()
    with open("/srv/tiles/served.state", "w") as state:
        state.write(str(began))
        state.flush()
        os.fsync(state.fileno())
    took = time.time() - began
    if began - last > 5:
        print(f"state saved in {took * 1000:.0f} ms", flush=True)
        last = began
    time.sleep(1)
PY
  chmod +x /opt/tile-builder/build.sh
  _begin tile-builder /opt/tile-builder/build.sh
  _begin tile-server /usr/bin/python3 /opt/tile-builder/state.py
}
disk_io_saturation_inject() {
  local world='8 0'
  [ "$1" = mild ] && world='2 0.5'
  echo "$world" >/opt/tile-builder/world.new
  mv /opt/tile-builder/world.new /opt/tile-builder/world
}
disk_io_saturation_revert() {
  _end tile-builder tile-server
  sto_fs_down tiles
  rm -rf /opt/tile-builder
}

# ---------------------------------------------------------------------------------------------------------------------
# cron_storm: many jobs of cron begin in the same minute, and each one takes longer than a minute.
# Healthy: one short job a minute. hard: 20 jobs, mild: 8. Begins with the next full minute, so within 60 s.
# Fault: cron_storm. Culprit: path /etc/cron.d/region-reports (command region-report, unit cron.service). Slow: begins at the next full minute, shows 10 s later; the jobs overlap.
# Numbers: load 12 after 15 s; 20 processes region-report with a child awk; PSI cpu some avg10 96.
#   CRON[5367]: (root) CMD (/usr/local/bin/region-report area17)   (20 of them in the same second)
cron_storm_prepare() {
  cat >/usr/local/bin/region-report <<'SH'
#!/bin/sh
# The figures of one region. The number of passes is in /etc/default/region-report.
. /etc/default/region-report
n=0
while [ "$n" -lt "$PASSES" ]; do
  awk 'BEGIN { for (i = 0; i < 100000; i++) s += sin(i); exit }'
  n=$((n + 1))
done
SH
  chmod +x /usr/local/bin/region-report
  echo 'PASSES=2' >/etc/default/region-report
  echo '* * * * * root /usr/local/bin/region-report north' >/etc/cron.d/region-reports
}
cron_storm_inject() {
  local jobs=20
  [ "$1" = mild ] && jobs=8
  echo 'PASSES=60' >/etc/default/region-report
  seq -f '* * * * * root /usr/local/bin/region-report area%02g' "$jobs" >/etc/cron.d/region-reports
}
cron_storm_revert() {
  rm -f /etc/cron.d/region-reports
  pkill -f '^/bin/sh /usr/local/bin/region-report '
  rm -f /usr/local/bin/region-report /etc/default/region-report
}

# ---------------------------------------------------------------------------------------------------------------------
# db_lock_pileup: a session of PostgreSQL holds a lock in an open transaction and does nothing; others wait for it.
# log_lock_waits is on, as many have it. hard: the table of the order service is locked, which waits too; mild: one row of a table of its own.
# Fault: db_lock_pileup. Culprit: unit year-end-close.service, its session "idle in transaction" (process postgres: 15/main: app app [local] idle in transaction).
# Shows after 2 s in PostgreSQL's log, after 20 s in the journal. hard: orders wait too, and their clients leave sessions behind, one in 20 s: after some 100 s the connections are used up as well.
#   postgresql-15-main.log: LOG:  process 5862 still waiting for AccessShareLock on relation 16387 of database 16385 after 1000.781 ms
#   postgresql-15-main.log: DETAIL:  Process holding the lock: 5847. Wait queue: 5852, 5862.
#   stock-update[5818]: ERROR:  canceling statement due to lock timeout
db_lock_pileup_prepare() {
  sto_sql postgres -c 'alter system set log_lock_waits = on'
  sto_sql app -c 'set role app' -c 'create table stock (item int primary key, pieces int)' \
    -c 'insert into stock select i, 100 from generate_series(1, 50) i'
  sto_sql postgres -c 'select pg_reload_conf()' >/dev/null
  cat >/usr/local/bin/stock-update <<'SH'
#!/bin/sh
# Takes one piece of an item out of stock, again and again.
export PGAPPNAME=stock-update PGPASSWORD=orders
while :; do
  /usr/lib/postgresql/15/bin/psql -Xq -h 127.0.0.1 -U app -d app -c "set lock_timeout = '20s'" -c "$(cat /etc/default/stock-update)"
  sleep 2
done
SH
  chmod +x /usr/local/bin/stock-update
  echo 'update stock set pieces = pieces - 1 where item = 7' >/etc/default/stock-update
  _begin stock-update-1 /usr/local/bin/stock-update
  _begin stock-update-2 /usr/local/bin/stock-update
}
db_lock_pileup_inject() {
  local lock='lock table orders in access exclusive mode'
  [ "$1" = mild ] && lock='update stock set pieces = 90 where item = 7'
  [ "$1" = mild ] || echo 'select count(*) from orders where id > 10' >/etc/default/stock-update
  _begin year-end-close -p User=app -E PGAPPNAME=year-end-close \
    sh -c "(echo \"begin; $lock;\"; exec sleep 3600) | /usr/lib/postgresql/15/bin/psql -Xq -d app"
  _begin stock-update-3 /usr/local/bin/stock-update
}
db_lock_pileup_revert() {
  _end year-end-close stock-update-1 stock-update-2 stock-update-3
  sto_sql app -c 'drop table if exists stock'
  sto_sql postgres -c 'alter system reset log_lock_waits'
  sto_sql postgres -c 'select pg_reload_conf()' >/dev/null
  rm -f /usr/local/bin/stock-update /etc/default/stock-update
}

# ---------------------------------------------------------------------------------------------------------------------
# db_auth_refused: PostgreSQL refuses a client.
# mild: the password of the role was changed and the client billing-sync still has the old one.
# hard: a line in pg_hba.conf rejects the order service as well.
# Fault: db_auth_refused. Culprit: hard: path /etc/postgresql/15/main/pg_hba.conf (changed just now); mild: unit billing-sync.service (role billing). Shows after 3 s.
#   postgresql-15-main.log: app@app FATAL:  pg_hba.conf rejects connection for host "[local]", user "app", database "app", no encryption
#   sh[6388]: psql: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  pg_hba.conf rejects connection for host "127.0.0.1", user "billing", …
#   mild: FATAL:  password authentication failed for user "billing"
db_auth_refused_prepare() {
  cp -a /etc/postgresql/15/main/pg_hba.conf /var/lib/postgresql/pg_hba.before
  sto_sql postgres -c "create role billing login password 'b-2024-11'"
  # shellcheck disable=SC2016
  _begin billing-sync -E PGPASSWORD=b-2024-11 sh -c 'while :; do
    /usr/lib/postgresql/15/bin/psql -XqAt -h 127.0.0.1 -U billing -d postgres -c "select 1" >/dev/null && n=$((n + 1)) && [ $((n % 5)) = 0 ] && echo "$n runs"
    sleep 1.5
  done'
}
db_auth_refused_inject() {
  if [ "$1" = mild ]; then
    sto_sql postgres -c "alter role billing password 'b-2025-02'"
  else
    printf 'local all postgres peer\nlocal all all reject\nhost all all all reject\n' |
      cat - /var/lib/postgresql/pg_hba.before >/etc/postgresql/15/main/pg_hba.conf
    systemctl reload postgresql@15-main
  fi
}
db_auth_refused_revert() {
  _end billing-sync
  if [ -e /var/lib/postgresql/pg_hba.before ]; then
    cp -a /var/lib/postgresql/pg_hba.before /etc/postgresql/15/main/pg_hba.conf
    rm -f /var/lib/postgresql/pg_hba.before
    systemctl reload postgresql@15-main
  fi
  sto_sql postgres -c 'drop role if exists billing'
}

# ---------------------------------------------------------------------------------------------------------------------
# backup_at_peak: the backup runs in the middle of the day: tar and gzip over /usr and /var, again and again.
# hard: three passes side by side, mild: one, niced.
# Fault: backup_at_peak. Culprit: unit nightly-backup.service (processes tar and gzip). Shows after 5 s.
# Numbers (hard): PSI cpu some avg10 90, io only 2: the emulated disk is faster than the CPU, so it is gzip's CPU time that is felt.
#   sh[6880]: tar: var/lib/postgresql/15/main/pg_wal/000000010000000000000001: file changed as we read it   (now and then)
backup_at_peak_prepare() {
  # shellcheck disable=SC2016
  _begin shop-client sh -c 'while :; do curl -m 10 -fsS -o /dev/null http://127.0.0.1/app && n=$((n+1)) && [ $((n % 20)) = 0 ] && echo "$n pages read"; sleep 0.3; done'
}
backup_at_peak_inject() {
  if [ "$1" = mild ]; then
    _begin nightly-backup -p Nice=10 sh -c 'while :; do tar -C / --one-file-system -cf - usr var | gzip -1 | cat >/dev/null; done'
  else
    # shellcheck disable=SC2016
    _begin nightly-backup sh -c 'for part in usr var usr/lib; do
      (while :; do tar -C / --one-file-system -cf - $part | gzip -1 >/var/backups/nightly-$(basename $part).tar.gz; done) & done; wait'
  fi
}
backup_at_peak_revert() {
  _end nightly-backup shop-client
  rm -f /var/backups/nightly-*.tar.gz
}

# ---------------------------------------------------------------------------------------------------------------------
# runaway_log_journal: a service floods the journal.
# Healthy: a line in two seconds. hard: some 1500 lines a second, so that journald drops most of them; mild: 250 a second, all kept.
# Fault: runaway_log. Culprit: unit device-gateway.service. Shows after 3 s; journald's own line 15 to 25 s later, when it has dropped 10000 lines in 30 s (hard only).
# Numbers: 1500 lines a second; /var/log/journal 37 MB after 45 s (its limit is 64 MB, older entries go).
#   python3[7077]: trace frame 54881 from meter 1127: checksum ok, 18 registers
#   systemd-journald[129]: Suppressed 12304 messages from device-gateway.service
runaway_log_journal_prepare() {
  mkdir -p /opt/device-gateway
  cat >/opt/device-gateway/gateway.py <<'PY'
import os, time

frames = 0
print("device gateway listening", flush=True)
while True:
    lines = 0
    if os.path.exists("/opt/device-gateway/trace"):
        with open("/opt/device-gateway/trace") as trace:
            lines = int(trace.read() or 0)
    if lines:
        print("\n".join(f"trace frame {frames + i} from meter {i * 7 % 4096}: checksum ok, 18 registers" for i in range(lines)), flush=True)
        frames += lines
        time.sleep(0.2)
    else:
        frames += 40
        print(f"{frames} frames handled", flush=True)
        time.sleep(2)
PY
  _begin device-gateway /usr/bin/python3 /opt/device-gateway/gateway.py
}
runaway_log_journal_inject() {
  local lines=300
  [ "$1" = mild ] && lines=50
  echo $lines >/opt/device-gateway/trace
}
runaway_log_journal_revert() {
  _end device-gateway
  rm -rf /opt/device-gateway
}

# ---------------------------------------------------------------------------------------------------------------------
# db_disk_bound: queries read a table that is in no cache from a slow disk, a tablespace on /srv/warehouse (a device-mapper delay
# of 25 ms a read). prepare takes some 45 s: it fills the table. Healthy: five lookups a second.
# A table larger than memory would take too long to fill: what was read of this one is dropped from the page cache each second.
# hard: six clients without a pause, mild: two.
# Fault: db_disk_bound. Culprit: unit meter-report.service, the processes postgres it keeps busy (app app [local] SELECT), device dm-0 (mountpoint /srv/warehouse). Shows after 5 s.
# Numbers (hard): PSI io some avg10 91, iowait 37 %; six backends in state D; dm-0 busy, some 350 reads a second of 8 KB. PostgreSQL's log has nothing.
#   pgbench[9334]: progress: 5.0 s, 4.6 tps, lat 23.571 ms stddev 14.580, 0 failed   (meter-lookup before; the latency grows)
db_disk_bound_prepare() {
  local sectors loop
  sto_fs_up warehouse 450
  read -r _ sectors _ loop _ <<<"$(dmsetup table warehouse)"
  install -d -o postgres -m 700 /srv/warehouse/pg
  sto_sql postgres -c "create tablespace warehouse location '/srv/warehouse/pg'" -c 'grant create on tablespace warehouse to app'
  sto_sql app -c 'create unlogged table readings (id int, payload text) with (autovacuum_enabled = off) tablespace warehouse' -c 'alter table readings owner to app' \
    -c 'alter table readings alter payload set storage plain' \
    -c "insert into readings select i, repeat('x', 7900) from generate_series(1, 44000) i" \
    -c 'create index readings_id on readings (id)' -c 'vacuum (freeze, analyze) readings' -c checkpoint
  sync -f /srv/warehouse
  dmsetup load warehouse --table "0 $sectors delay $loop 0 25"
  dmsetup suspend warehouse
  dmsetup resume warehouse
  mkdir -p /opt/meter
  # shellcheck disable=SC2016
  _begin meter-uncached -p User=postgres /bin/sh -c \
    'while sleep 1; do for f in /srv/warehouse/pg/*/*/*; do dd if="$f" iflag=nocache count=0 status=none; done; done'
  # shellcheck disable=SC2016
  printf '%s\n' '\set id random(1, 44000)' 'select length(payload) from readings where id = :id;' >/opt/meter/lookup.sql
  _begin meter-lookup -p User=app -E PGAPPNAME=meter-lookup \
    /usr/lib/postgresql/15/bin/pgbench -n -M prepared -R 5 -P 5 -T 3600 -f /opt/meter/lookup.sql app
}
db_disk_bound_inject() {
  local clients=6
  [ "$1" = mild ] && clients=2
  _begin meter-report -p User=app -E PGAPPNAME=meter-report \
    /usr/lib/postgresql/15/bin/pgbench -n -M prepared -c $clients -P 5 -T 3600 -f /opt/meter/lookup.sql app
}
db_disk_bound_revert() {
  _end meter-report meter-lookup meter-uncached
  sto_sql app -c 'drop table if exists readings' -c checkpoint
  sto_sql postgres -c 'drop tablespace if exists warehouse'
  sto_fs_down warehouse
  rm -rf /opt/meter
}
