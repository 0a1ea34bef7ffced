# shellcheck shell=bash
# Real faults of CPU, memory, tasks and open files for a throwaway VM (Debian 12, root).
# Each case has three functions: CASE_prepare, CASE_inject mild|hard, CASE_revert.
# Sent over ssh as text, after common.sh, with one call behind it.

# ---------------------------------------------------------------------------------------------------------------------
# cgroup_oom: a worker with MemoryMax meets a job that is too large for it, is killed, starts again and takes the same job.
# Healthy: it renders a small report each second.
# mild: it grows slowly, one kill in some 20 s. hard: one kill in some 5 s.
# Fault: cgroup_oom. Culprit: unit report-worker.service (process python3; its pid changes). Shows after some 5 s (hard), 20 s (mild).
# Numbers: process.memory grows to 80 MB and starts again; free memory is ample; memory.events is reset with each start.
#   kernel: Memory cgroup out of memory: Killed process 2023 (python3) total-vm:93380kB, anon-rss:81620kB, … oom_score_adj:0
#   systemd[1]: report-worker.service: A process of this unit has been killed by the OOM killer.
#   systemd[1]: report-worker.service: Failed with result 'oom-kill'.
cgroup_oom_prepare() {
  mkdir -p /opt/report-worker /var/spool/reports
  cat >/opt/report-worker/worker.py <<'PY'
import glob, json, time

def render(job):
    rows = []
    while len(rows) < job["rows"]:
        rows.extend(f"{job['name']};{len(rows) + i};{i * 3.14:<80.2f}" for i in range(4000))
        time.sleep(job.get("pause", 0))
    return sum(map(len, rows))

print("report worker ready", flush=True)
while True:
    for path in sorted(glob.glob("/var/spool/reports/*.json")):
        with open(path) as job_file:
            job = json.load(job_file)
        print(f"rendering {job['name']}", flush=True)
        print(f"{job['name']}: {render(job)} bytes", flush=True)
    render({"name": "summary", "rows": 8000})
    time.sleep(1)
PY
  _begin report-worker -p MemoryMax=80M -p MemorySwapMax=0 -p Restart=always -p RestartSec=2 -p StartLimitIntervalSec=0 \
    /usr/bin/python3 /opt/report-worker/worker.py
}
cgroup_oom_inject() {
  local pause=0
  [ "$1" = mild ] && pause=0.1
  echo "{\"name\": \"yearly-2025\", \"rows\": 90000000, \"pause\": $pause}" >/var/spool/reports/.new
  mv /var/spool/reports/.new /var/spool/reports/yearly-2025.json
}
cgroup_oom_revert() {
  _end report-worker
  rm -rf /opt/report-worker /var/spool/reports
}

# ---------------------------------------------------------------------------------------------------------------------
# fd_exhaustion: an importer keeps each file open that it could not read, and tries again, until it may open no more.
# Healthy: it opens some files each second and closes them.
# hard: 100 a second. mild: 40 a second. Limit 1024.
# Fault: fd_exhaustion. Culprit: unit price-import.service (process python3 with 1024 of 1024 open files). The growth shows at once, the error after some 12 s (hard), 30 s (mild).
# Numbers: entries of /proc/PID/fd grow to 1024.
#   python3[2148]: import failed: [Errno 24] Too many open files: '/var/spool/prices'   (each second)
fd_exhaustion_prepare() {
  mkdir -p /opt/price-import /var/spool/prices
  seq 50 >/var/spool/prices/base.csv
  cat >/opt/price-import/import.py <<'PY'
import os, sys, time

rejected = []
lines = 0

def read(path):
    global lines
    prices = open(path)
    first = prices.readline()
    if not first.strip().isdigit():
        rejected.append((path, prices))
        return float(first.split("=")[1])
    lines += 1 + sum(1 for _ in prices)
    prices.close()
    return 0.5

print("price import ready", flush=True)
told = 0
while True:
    pause = 0.5
    try:
        for name in sorted(os.listdir("/var/spool/prices")):
            pause = min(pause, read("/var/spool/prices/" + name))
    except OSError as error:
        print(f"import failed: {error}", file=sys.stderr, flush=True)
        pause = 1
    if time.time() - told > 4:
        told = time.time()
        print(f"{lines} prices read", flush=True)
    time.sleep(pause)
PY
  _begin price-import -p LimitNOFILE=1024 /usr/bin/python3 /opt/price-import/import.py
}
fd_exhaustion_inject() {
  local pause=0.008
  [ "$1" = mild ] && pause=0.023
  echo "retry=$pause" >/var/spool/.partner
  mv /var/spool/.partner /var/spool/prices/partner.csv
}
fd_exhaustion_revert() {
  _end price-import
  rm -rf /opt/price-import /var/spool/prices
}

# ---------------------------------------------------------------------------------------------------------------------
# task_limit: a fetcher forks a child for each feed; one feed never answers, its children stay, until the unit's TasksMax.
# hard: 10 children a second, mild: 4 a second; TasksMax=80.
# Fault: task_limit. Culprit: unit feed-fetcher.service (80 processes perl; pids.current = pids.max = 80, pids.events max grows).
# Shows after some 9 s (hard), 20 s (mild); the kernel says it once per control group.
#   kernel: cgroup: fork rejected by pids controller in /system.slice/feed-fetcher.service
#   perl[893]: cannot start a fetch: fork: Resource temporarily unavailable   (each second)
task_limit_prepare() {
  mkdir -p /opt/feed-fetcher /var/spool/feeds
  cat >/opt/feed-fetcher/fetch.pl <<'PL'
use POSIX ":sys_wait_h";
$| = 1;
print "feed fetcher ready\n";
my ($done, $told) = (0, time);
while (1) {
    my $rate = 2;
    if (open my $feed, "<", "/var/spool/feeds/partner.conf") { $rate = <$feed> + 0 }
    my $slow = $rate > 2;
    my $child = fork;
    if (!defined $child) { warn "cannot start a fetch: fork: $!\n"; sleep 1 }
    elsif (!$child) { $slow ? sleep 3600 : select undef, undef, undef, 0.2; exit }
    while (waitpid(-1, WNOHANG) > 0) { $done++ }
    if (time - $told > 4) { print "$done feeds fetched\n"; $told = time }
    select undef, undef, undef, 1 / $rate;
}
PL
  _begin feed-fetcher -p TasksMax=80 /usr/bin/perl /opt/feed-fetcher/fetch.pl
}
task_limit_inject() {
  local rate=10
  [ "$1" = mild ] && rate=4
  echo "$rate" >/var/spool/feeds/partner.conf
}
task_limit_revert() {
  _end feed-fetcher
  rm -rf /opt/feed-fetcher /var/spool/feeds
}

# ---------------------------------------------------------------------------------------------------------------------
# zombies: a job runner no longer waits for its children.
# hard: 15 a second up to 450, mild: 4 a second up to 150.
# Fault: zombies. Culprit: process perl /opt/job-runner/runner.pl, unit job-runner.service (parent of all <defunct>).
# Shows after 5 s by the number of processes in state Z (297 after 20 s, hard). Nothing in the journal but the service's own:
#   perl[1143]: 60 jobs started
zombies_prepare() {
  mkdir -p /opt/job-runner
  cat >/opt/job-runner/runner.pl <<'PL'
$| = 1;
print "job runner ready\n";
my ($started, $left, $rate) = (0, 0, 2);
while (1) {
    if (-e "/opt/job-runner/detach" && !$left) {
        open my $conf, "<", "/opt/job-runner/detach"; ($rate, $left) = split " ", <$conf>; $left += $started;
    }
    if (!$left || $started < $left) {
        my $child = fork;
        if (defined $child && !$child) { exit 0 }
        waitpid $child, 0 unless $left;
        $started++;
        print "$started jobs started\n" if $started % 20 == 0;
    }
    select undef, undef, undef, 1 / $rate;
}
PL
  _begin job-runner -p TasksMax=1000 /usr/bin/perl /opt/job-runner/runner.pl
}
zombies_inject() {
  local detach='15 450'
  [ "$1" = mild ] && detach='4 150'
  echo "$detach" >/opt/job-runner/detach.new
  mv /opt/job-runner/detach.new /opt/job-runner/detach
}
zombies_revert() {
  _end job-runner
  rm -rf /opt/job-runner
}

# ---------------------------------------------------------------------------------------------------------------------
# process_frozen: nginx is stopped with SIGSTOP while clients ask it.
# hard: all of its processes, mild: its worker only.
# Fault: process_frozen. Culprit: process nginx, unit nginx.service (state T in ps). Shows after 3 s.
# Numbers: listen queue of port 80 fills (ss -ltn: Recv-Q 6 after 20 s). systemd still says active (running).
#   sh[1651]: curl: (28) Operation timed out after 3001 milliseconds with 0 bytes received
process_frozen_prepare() {
  # shellcheck disable=SC2016
  _begin shop-client sh -c 'while :; do curl -m 3 -fsS -o /dev/null http://127.0.0.1/ && n=$((n+1)) && [ $((n % 20)) = 0 ] && echo "$n pages read"; sleep 0.3; done'
}
process_frozen_inject() {
  if [ "$1" = mild ]; then pkill -STOP -u www-data -x nginx; else pkill -STOP -x nginx; fi
}
process_frozen_revert() {
  pkill -CONT -x nginx
  _end shop-client
}

# ---------------------------------------------------------------------------------------------------------------------
# process_frozen_app: the web service behind nginx is stopped with SIGSTOP while a client asks through nginx.
# One intensity.
# Fault: process_frozen. Culprit: process python3 -u /opt/app/app.py, unit app.service (state T). Slow: shows after 16 s, in one line each 15 s;
# what is missing shows sooner (no "order … stored" each 4 s).
#   /var/log/nginx/error.log: upstream timed out (110: Connection timed out) while reading response header from upstream, … upstream: "http://127.0.0.1:8000/app"
#   sh[1839]: curl: (22) The requested URL returned error: 504
process_frozen_app_prepare() {
  # shellcheck disable=SC2016
  _begin shop-client sh -c 'while :; do curl -m 20 -fsS -o /dev/null http://127.0.0.1/app && n=$((n+1)) && [ $((n % 10)) = 0 ] && echo "$n pages read"; sleep 0.5; done'
}
process_frozen_app_inject() { pkill -STOP -u app -f /opt/app/app.py; }
process_frozen_app_revert() {
  pkill -CONT -u app -f /opt/app/app.py
  _end shop-client
}

# ---------------------------------------------------------------------------------------------------------------------
# cpu_quota_throttling: a busy worker gets a CPU quota that is far too small.
# Healthy: it uses some 40 % of the CPU. hard: CPUQuota=5%, mild: CPUQuota=15%.
# Fault: cpu_quota_throttling. Culprit: unit quote-engine.service. Shows after some 5 s.
# Numbers: PSI is on: /proc/pressure/cpu some avg10 80 while the unit uses 5 % of a CPU; cpu.stat of the unit: nr_throttled 193 of 203 periods; the process falls from 40 % to 5 % of the CPU.
#   python3[2296]: quote took 3.9 s, more than 1.0 s   (warning; ≈1.4 s with mild)
# systemd logs nothing about the quota; there is a drop-in below /run/systemd/system.control/quote-engine.service.d.
cpu_quota_throttling_prepare() {
  mkdir -p /opt/quote-engine
  cat >/opt/quote-engine/quotes.py <<'PY'
import time

done, told = 0, time.time()
print("quote engine ready", flush=True)
while True:
    began = time.time()
    burnt = time.thread_time()
    total = 0
    while time.thread_time() - burnt < 0.2:
        total += sum(i * i for i in range(200))
    took = time.time() - began
    done += 1
    if took > 1:
        print(f"<4>quote took {took:.1f} s, more than 1.0 s", flush=True)
    if time.time() - told > 4:
        print(f"{done} quotes, the last one took {took * 1000:.0f} ms", flush=True)
        told = time.time()
    time.sleep(0.3)
PY
  _begin quote-engine /usr/bin/python3 /opt/quote-engine/quotes.py
}
cpu_quota_throttling_inject() {
  local quota=5%
  [ "$1" = mild ] && quota=15%
  systemctl set-property --runtime quote-engine.service CPUQuota=$quota
}
cpu_quota_throttling_revert() {
  _end quote-engine
  rm -rf /opt/quote-engine /run/systemd/system.control/quote-engine.service.d
  rmdir /run/systemd/system.control 2>/dev/null
  systemctl daemon-reload
}

# ---------------------------------------------------------------------------------------------------------------------
# host_out_of_memory: an in-memory cache without a limit, which locks its memory, grows until the kernel kills it, and starts again.
# The host has no swap (as many in clouds). The lock keeps the time short in which everything else is read from the disk over and over.
# hard: 60 MB a second, mild: 30 MB a second; each then is killed, waits 6 s and grows anew.
# Fault: host_out_of_memory. Culprit: unit price-cache.service (process python3, the largest). Memory falls from the start; the first kill after some 20 s (hard), 35 s (mild): slow.
# Numbers: available memory falls to nothing, then comes back at once (saw); /proc/vmstat oom_kill grows; PSI memory some 20 at the kill.
#   kernel: Out of memory: Killed process 14335 (python3) total-vm:812936kB, anon-rss:788832kB, …   (global_oom,task_memcg=/system.slice/price-cache.service)
#   systemd[1]: price-cache.service: A process of this unit has been killed by the OOM killer.
host_out_of_memory_prepare() {
  mkdir -p /opt/price-cache
  cat >/opt/price-cache/cache.py <<'PY'
import ctypes, mmap, time

MCL_CURRENT, MCL_FUTURE = 1, 2
ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE)
segments = []
print("price cache ready, memory locked", flush=True)
while True:
    try:
        with open("/opt/price-cache/preload") as preload:
            segments.append(mmap.mmap(-1, int(preload.read()) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        if len(segments) % 4 == 1:
            print(f"{len(segments)} segments loaded", flush=True)
    except FileNotFoundError:
        pass
    time.sleep(1)
PY
  swapoff -a
  _begin price-cache -p OOMScoreAdjust=900 -p LimitMEMLOCK=infinity -p Restart=always -p RestartSec=6 -p StartLimitIntervalSec=0 \
    /usr/bin/python3 /opt/price-cache/cache.py
}
host_out_of_memory_inject() {
  local step=60
  [ "$1" = mild ] && step=30
  echo $step >/opt/price-cache/preload.new
  mv /opt/price-cache/preload.new /opt/price-cache/preload
}
host_out_of_memory_revert() {
  rm -f /opt/price-cache/preload
  systemctl kill -s KILL price-cache 2>/dev/null
  _end price-cache
  rm -rf /opt/price-cache
  swapon -a
}

# ---------------------------------------------------------------------------------------------------------------------
# swap_thrash: a service works at random on more memory than there is.
# hard: what is available and a third of the swap, mild: what is available and a sixth of it. With half of it the host answers nobody.
# Fault: swap_thrash. Culprit: unit search-index.service (process python3, the largest). Slow: it grows for 15 to 25 s, then thrashes.
# Numbers: /proc/vmstat pswpin and pswpout (7264 and 58880 pages after 30 s), swap used 220 of 256 MB, PSI memory (3 % with mild). Everything is slow, ssh as well.
#   python3[348]: order 156 stored in 10615 ms   (the order service, else ≈200 ms)
#   python3[2622]: 24500 lookups in 44 s
swap_thrash_prepare() {
  mkdir -p /opt/search-index
  cat >/opt/search-index/index.py <<'PY'
import os, random, time

table = bytearray(8 << 20)
lookups, told = 0, time.time()
print("search index ready", flush=True)
while True:
    try:
        with open("/opt/search-index/segments") as segments:
            wanted = int(segments.read()) << 20
        if len(table) < wanted:
            table.extend(os.urandom(4096) * (4 << 8))
            continue
    except FileNotFoundError:
        pass
    for _ in range(500):
        place = random.randrange(len(table))
        table[place] = (table[place] + 1) & 255
        lookups += 1
    if time.time() - told > 4:
        print(f"{lookups} lookups in {time.time() - told:.0f} s", flush=True)
        lookups, told = 0, time.time()
    time.sleep(0.05)
PY
  _begin search-index -p OOMScoreAdjust=900 -p Restart=on-failure -p RestartSec=2 /usr/bin/python3 /opt/search-index/index.py
}
swap_thrash_inject() {
  local part=3
  [ "$1" = mild ] && part=6
  awk -v part="$part" '/^(MemAvailable|SwapFree):/ { kb[$1] = $2 } END { print int((kb["MemAvailable:"] + kb["SwapFree:"] / part) / 1024) }' \
    /proc/meminfo >/opt/search-index/segments.new
  mv /opt/search-index/segments.new /opt/search-index/segments
}
swap_thrash_revert() {
  _end search-index
  rm -rf /opt/search-index
  swapoff -a && swapon -a
}

# ---------------------------------------------------------------------------------------------------------------------
# limits_too_low: steady work needs some 120 open files at a time; a drop-in allows fewer.
# hard: LimitNOFILE=64, mild: LimitNOFILE=100. The drop-in and the restart are the change that did it.
# Fault: limits_too_low. Culprit: unit catalog-indexer.service (LimitNOFILE; path /run/systemd/system/catalog-indexer.service.d/hardening.conf). Shows after 4 s.
# Numbers: no growth: the open files come and go; /proc/PID/limits says 64.
#   python3[2837]: merge given up: [Errno 24] Too many open files: '/opt/catalog-indexer/parts/part-062'
#   systemd[1]: Stopped and Started catalog-indexer.service just before (it was restarted by hand: the change)
limits_too_low_prepare() {
  mkdir -p /opt/catalog-indexer/parts
  (cd /opt/catalog-indexer/parts && seq -f 'part-%03g' 120 | xargs touch)
  cat >/opt/catalog-indexer/merge.py <<'PY'
import os, sys, time

parts = "/opt/catalog-indexer/parts"
print("catalog indexer ready", flush=True)
merged = 0
while True:
    opened = []
    try:
        for name in sorted(os.listdir(parts)):
            opened.append(open(os.path.join(parts, name)))
        merged += 1
        if merged % 4 == 1:
            print(f"merged {len(opened)} parts, {merged} times", flush=True)
        time.sleep(0.5)
    except OSError as error:
        print(f"merge given up: {error}", file=sys.stderr, flush=True)
    for part in opened:
        part.close()
    time.sleep(0.7)
PY
  _begin catalog-indexer -p LimitNOFILE=4096 -p Restart=always /usr/bin/python3 /opt/catalog-indexer/merge.py
}
limits_too_low_inject() {
  local files=64
  [ "$1" = mild ] && files=100
  mkdir -p /run/systemd/system/catalog-indexer.service.d
  printf '[Service]\nLimitNOFILE=%s\n' "$files" >/run/systemd/system/catalog-indexer.service.d/hardening.conf
  systemctl daemon-reload
  systemctl --no-block restart catalog-indexer
}
limits_too_low_revert() {
  rm -rf /run/systemd/system/catalog-indexer.service.d
  systemctl daemon-reload
  _end catalog-indexer
  rm -rf /opt/catalog-indexer
}

# ---------------------------------------------------------------------------------------------------------------------
# cpu_saturation: a thumbnailer, niced, scales pictures all the time, with several workers. One CPU.
# Healthy: a picture now and then. mild: one worker that is always busy; hard: four.
# Fault: cpu_saturation. Culprit: process python3 /opt/thumbnailer/thumbnail.py (nice 10), unit thumbnailer.service. Shows after 5 s.
# Numbers: CPU 100 % (counted as nice, not as user), load 1 or 4, PSI cpu some avg10 89 (hard). It is niced, so others should hardly suffer.
#   python3[2981]: 20 thumbnails made
cpu_saturation_prepare() {
  mkdir -p /opt/thumbnailer /var/lib/thumbs/incoming
  cat >/opt/thumbnailer/thumbnail.py <<'PY'
import os, time

incoming = "/var/lib/thumbs/incoming"

def scale(size, seed):
    picture = [(x * seed) & 255 for x in range(size * size)]
    return bytes(sum(picture[i:i + 16]) // 16 for i in range(0, len(picture) - 16, 4))

def work(queue):
    done = 0
    while True:
        for name in sorted(os.listdir(queue)):
            thumb = scale(400, len(name) + done)
            with open("/var/lib/thumbs/last.raw", "wb") as out:
                out.write(thumb)
            done += 1
            if done % 10 == 0:
                print(f"{done} thumbnails made", flush=True)
        scale(40, 3)
        time.sleep(1)

os.nice(10)
print("thumbnailer ready", flush=True)
for _ in range(3):
    if os.fork() == 0:
        while not os.path.exists("/var/lib/thumbs/parallel"):
            time.sleep(1)
        break
work(incoming)
PY
  _begin thumbnailer /usr/bin/python3 /opt/thumbnailer/thumbnail.py
}
cpu_saturation_inject() {
  (cd /var/lib/thumbs/incoming && seq -f 'IMG_%05g.jpg' 3000 | xargs touch)
  [ "$1" = mild ] || touch /var/lib/thumbs/parallel
}
cpu_saturation_revert() {
  _end thumbnailer
  rm -rf /opt/thumbnailer /var/lib/thumbs
}
