# Prints one frame a second of what /proc says, until its output closes. Reads only; writes nothing but its output.
# shellcheck shell=sh
# One long-lived awk reads the files itself: the only other processes are a shell, a sleep and a cat each second. The
# cat is for what can end while it is read: mawk 1.3.4-20200120 (Debian 12) ends itself when a read fails.
page=$(getconf PAGESIZE 2>/dev/null) || page=4096
hz=$(getconf CLK_TCK 2>/dev/null) || hz=100
slow=
# Old ones (BusyBox before 1.30) take the time as an option.
if timeout -s KILL 2 true >/dev/null 2>&1; then slow='timeout -s KILL 2 '; fi
LC_ALL=C exec awk -v page="$page" -v hz="$hz" -v slow="$slow" '
function first(file,    line) {
    line = ""
    if ((getline line < file) <= 0) line = ""
    close(file)
    return line
}
# The last part of an address, from its colon on.
function port_of(address,    n, part) {
    n = split(address, part, ":")
    return ":" part[n]
}
function stat_file(    line, f, cpus) {
    cpus = 0
    while ((getline line < "/proc/stat") > 0) {
        if (line ~ /^cpu /) { sub(/^cpu +/, "", line); print "s cpu " line }
        else if (line ~ /^cpu[0-9]/) cpus++
        else if (line ~ /^(processes|procs_running|procs_blocked|btime) /) print "s " line
    }
    close("/proc/stat")
    if (cpus > 0) print "s cpus " cpus
}
function meminfo(    line, f) {
    while ((getline line < "/proc/meminfo") > 0)
        if (line ~ /^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SReclaimable|Shmem|SwapTotal|SwapFree):/) {
            split(line, f, /[: ]+/)
            print "m " f[1] " " f[2]
        }
    close("/proc/meminfo")
}
function disks(    line, f, n) {
    while ((getline line < "/proc/diskstats") > 0) {
        n = split(line, f, " ")
        if (n < 13 || f[3] ~ /^(loop|ram|fd)[0-9]/ || f[4] + f[8] == 0) continue
        print "d " f[3] " " f[4] " " f[6] " " f[8] " " f[10] " " f[13]
    }
    close("/proc/diskstats")
}
function network(    line, f, n, i, name, at) {
    while ((getline line < "/proc/net/dev") > 0) {
        i = index(line, ":")
        if (i == 0) continue
        name = substr(line, 1, i - 1)
        gsub(/ /, "", name)
        n = split(substr(line, i + 1), f, " ")
        if (n < 12 || f[1] + f[9] == 0) continue
        print "n " name " " f[1] " " f[2] " " f[3] " " f[4] " " f[9] " " f[10] " " f[11] " " f[12]
    }
    close("/proc/net/dev")
    while ((getline line < "/proc/net/sockstat") > 0)
        if (line ~ /^TCP:/) {
            n = split(line, f, " ")
            for (i = 2; i < n; i += 2) if (f[i] == "orphan" || f[i] == "tw") print "t " f[i] " " f[i + 1]
        }
    close("/proc/net/sockstat")
    name = ""
    while ((getline line < "/proc/net/snmp") > 0)
        if (line ~ /^Tcp:/) {
            if (name == "") { name = line; continue }
            n = split(name, at, " ")
            split(line, f, " ")
            for (i = 2; i <= n; i++) if (at[i] == "CurrEstab" || at[i] == "RetransSegs") print "t " at[i] " " f[i]
        }
    close("/proc/net/snmp")
    name = ""
    while ((getline line < "/proc/net/netstat") > 0)
        if (line ~ /^TcpExt:/) {
            if (name == "") { name = line; continue }
            n = split(name, at, " ")
            split(line, f, " ")
            for (i = 2; i <= n; i++) if (at[i] == "ListenOverflows") print "t " at[i] " " f[i]
        }
    close("/proc/net/netstat")
}
function kernel(    line, f, i, n, kind) {
    line = first("/proc/loadavg")
    if (line != "") { split(line, f, " "); print "l " f[1] }
    while ((getline line < "/proc/vmstat") > 0) if (line ~ /^(pswpin|pswpout|pgmajfault|oom_kill) /) print "v " line
    close("/proc/vmstat")
    n = split("cpu memory io", kind, " ")
    for (i = 1; stalls && i <= n; i++) {
        while ((getline line < ("/proc/pressure/" kind[i])) > 0) {
            split(line, f, /[ =]/)
            print "p " kind[i] " " f[1] " " f[9]
        }
        close("/proc/pressure/" kind[i])
    }
    line = first("/proc/sys/fs/file-nr")
    if (line != "") { split(line, f, " "); print "f " (f[1] - f[2]) " " f[3] }
    line = first("/proc/sys/net/netfilter/nf_conntrack_count")
    if (line != "") print "c " line " " first("/proc/sys/net/netfilter/nf_conntrack_max")
}
# Whether the line is all of a stat. A command may hold a line end.
function whole(line,    f) {
    return match(line, /.*\)/) && split(substr(line, RLENGTH + 2), f, " ") >= 22
}
# What those used that a process waited for, told one frame later, when it is known who of them was seen while it ran:
# the rest is of those that came and went between two frames, and whoever starts them is who is busy. Init waits for
# what is none of its own.
function unseen(pid, below,    late, spare, left) {
    late = gain[pid]; spare = credit[pid] + spared[pid]
    left = spare - late
    if (left > credit[pid]) left = credit[pid]
    spared[pid] = left > 0 ? left : 0
    credit[pid] = 0
    gain[pid] = below - ended[pid]
    ended[pid] = below
    return pid != 1 && late > spare ? late - spare : 0
}
# Prints who used the CPU since the last frame (the 40 busiest at most) and the 15 largest.
function processes(n,    i, j, k, line, cut, f, pid, used, total, top, level, room, dead, stopped) {
    total = 0; top = 0; k = 0; dead = 0; stopped = 0
    for (i = 1; i <= n; i++) {
        line = stats[i]
        match(line, /.*\)/)
        cut = RLENGTH
        split(substr(line, cut + 2), f, " ")
        pid = substr(line, 1, index(line, " ") - 1)
        total++
        if (f[1] == "Z") dead++
        else if (f[1] == "T") stopped++
        if (pid == self || f[2] == self || pid == parent) continue
        if (start[pid] != f[20]) {
            used = frame == 1 ? 0 : f[12] + f[13]
            start[pid] = f[20]
            delete told[pid]; delete credit[pid]; delete spared[pid]; delete gain[pid]
            ended[pid] = frame == 1 ? f[14] + f[15] : 0
        } else used = f[12] + f[13] - ticks[pid]
        if (used < 0) used = 0
        used += unseen(pid, f[14] + f[15])
        ticks[pid] = f[12] + f[13]
        alive[pid] = frame
        about[pid] = f[2] " " f[3] " " f[20]
        size[pid] = f[22]
        delta[pid] = used
        name[pid] = substr(line, index(line, "(") + 1, cut - index(line, "(") - 1)
        if (used > 0) {
            if (used > 400) used = 400
            if (used > top) top = used
            busy[used]++
        }
        if (f[22] > 0 && (k < 15 || f[22] + 0 > large[15] + 0)) {
            if (k < 15) k++
            for (j = k; j > 1 && large[j - 1] + 0 < f[22] + 0; j--) { large[j] = large[j - 1]; who[j] = who[j - 1] }
            large[j] = f[22]; who[j] = pid
        }
    }
    room = 40
    for (level = top; level > 0 && room > 0; level--) room -= busy[level]
    if (level < 0) level = 0
    for (j = 1; j <= top; j++) delete busy[j]
    for (j = 1; j <= k; j++) { chosen[who[j]] = frame; delete large[j] }
    print "s total " total
    print "s zombies " dead
    print "s stopped " stopped
    # What ended goes to whoever is left of those that started it.
    for (pid in alive) if (alive[pid] != frame) {
        line = pid; i = 0
        do {
            split(about[line], f, " ")
            line = f[1]
        } while ((line in alive) && alive[line] != frame && ++i < 100)
        if ((line in alive) && alive[line] == frame) credit[line] += ticks[pid] + ended[pid]
    }
    for (pid in alive) {
        if (alive[pid] != frame) {
            if (pid in told) print "x " pid " " start[pid]
            delete credit[pid]; delete spared[pid]; delete gain[pid]; delete ended[pid]
            delete alive[pid]; delete start[pid]; delete ticks[pid]; delete about[pid]; delete size[pid]
            delete delta[pid]; delete name[pid]; delete chosen[pid]; delete told[pid]; delete files[pid]
        } else if (delta[pid] > level || chosen[pid] == frame) {
            told[pid] = 1
            print "P " pid " " about[pid] " " (frame == 1 ? "-" : delta[pid]) " " (size[pid] * page) " " name[pid]
        }
    }
}
# The 12 processes with the most open files, and those that opened more than 32 since the last time.
function open_file(pid, count,    j) {
    if (count < 24 || !(pid in alive)) return
    if ((pid in files) && count > files[pid] + 32) print "o " pid " " start[pid] " " count " " name[pid]
    else if (nopen < 12 || count > most[12] + 0) {
        if (nopen < 12) nopen++
        for (j = nopen; j > 1 && most[j - 1] + 0 < count; j--) { most[j] = most[j - 1]; owner[j] = owner[j - 1] }
        most[j] = count; owner[j] = pid
    }
    files[pid] = count
}
BEGIN {
    # Sizes beyond 2^31 are no integers to old ones (mawk 1.3.3).
    CONVFMT = "%.15g"
    if (hz + 0 <= 0) hz = 100
    if (page + 0 <= 0) page = 4096
    split(first("/proc/self/stat"), own, " ")
    self = own[1]
    line = first("/proc/self/stat")
    match(line, /.*\)/)
    split(substr(line, RLENGTH + 2), own, " ")
    parent = own[2] > 1 ? own[2] : 0
    list = "cat /proc/[0-9]*/stat 2>/dev/null; echo ="
    # Where the kernel does not count stalls, the files may be there and can not be read.
    stalls = (("cat /proc/pressure/cpu 2>/dev/null" | getline line) > 0)
    close("cat /proc/pressure/cpu 2>/dev/null")
    # A service that runs has a control group (cgroup v2, else v1), and that is the cheapest way to see it.
    units = "; ls -1d /sys/fs/cgroup/system.slice/*.service /sys/fs/cgroup/systemd/system.slice/*.service 2>/dev/null"
    # What a service counts when it is held back, and only what is not nought.
    kept = "/sys/fs/cgroup/system.slice/*.service/"
    held_back = "; grep -sE \"^(throttled_usec|oom_kill|max|frozen) [1-9]\" " kept "cpu.stat " kept "memory.events " kept "pids.events " kept "cgroup.events"
    read_only = "; grep -s \"^/dev/[^ ]* [^ ]* [^ ]* ro[, ]\" /proc/mounts"
    trips = "; " slow "ss -Htin state established 2>/dev/null"
    # Not every df (BusyBox) can leave out what is mounted from elsewhere.
    local = (((slow "df -kPl 2>/dev/null") | getline line) > 0) ? "l" : ""
    close(slow "df -kPl 2>/dev/null")
    disk = "; " slow "df -kP" local " 2>/dev/null; " slow "df -iP" local " 2>/dev/null"
    by_size = "; stat -c %s:%n /proc/[0-9]*/fd 2>/dev/null"
    # Not every ls (BusyBox) can leave out sorting.
    unsorted = (("ls -f / 2>/dev/null" | getline line) > 0) ? "-f" : "-1"
    close("ls -f / 2>/dev/null")
    by_name = "; ls " unsorted " /proc/[0-9]*/fd 2>/dev/null"
    counted = (("stat -c %s /proc/self/fd 2>/dev/null" | getline line) > 0) && line + 0 > 0
    close("stat -c %s /proc/self/fd 2>/dev/null")
    print "H 1 " hz
    for (frame = 1; ; frame++) {
        command = (frame > 1 ? "sleep 1; " : "") list
        if (frame % 5 == 1) command = command disk units held_back read_only trips (counted ? by_size : "")
        if (!counted && frame % 15 == 1) command = command by_name
        seen = 0; listed = 0; torn = ""; held = ""; count = 0; nopen = 0; rows = 0; inodes = 0; units_seen = 0; trip_count = 0; far = 0; counters = 0; fixed_mounts = 0
        while ((command | getline line) > 0) {
            if (!listed) {
                if (torn != "") line = torn "?" line
                torn = ""
                if (line == "=") listed = 1
                else if (whole(line)) stats[++seen] = line
                else if (length(line) < 90) torn = line
            } else if (line ~ /^\/sys\/fs\/cgroup\/.*\/(cpu\.stat|memory\.events|pids\.events|cgroup\.events):/) {
                # unit/file:key number; what is called max is the tasks that were refused, or how often memory met its limit.
                sub(/^\/sys\/fs\/cgroup\/system\.slice\//, "", line)
                sub(/\/memory\.events:max /, "/memory.events:memory_max ", line)
                if (line ~ /^[^ \/]+\/[a-z.]+:[a-z_]+ [0-9]+$/ && counters < 400) {
                    sub(/\/[a-z.]+:/, " ", line)
                    counter[++counters] = line
                }
            } else if (line ~ /^\/sys\/fs\/cgroup\//) {
                sub(/.*\//, "", line)
                if (index(line, "*") == 0 && units_seen < 400) unit[++units_seen] = line
            } else if (line ~ /^[0-9]+ +[0-9]+ +[^ ]+ +[^ ]+/) {
                # To this host itself there is no way to be slow.
                split(line, part, " ")
                far = part[4] !~ /^(127\.|\[::1\]|\[::ffff:127\.)/ && substr(part[3], 1, length(part[3]) - length(port_of(part[3]))) != substr(part[4], 1, length(part[4]) - length(port_of(part[4])))
            } else if (line ~ /[ \t]rtt:[0-9.]+\//) {
                if (far && trip_count < 64) { match(line, /[ \t]rtt:[0-9.]+/); trip[++trip_count] = substr(line, RSTART + 5, RLENGTH - 5) }
                far = 0
            } else if (line ~ /^Filesystem/) inodes = line ~ /[Ii]node/
            else if (line ~ /^[0-9]+:\/proc\//) {
                split(line, part, "[:/]")
                fd_of[part[4]] = part[1]
            } else if (line ~ /^\/proc\/[0-9]+\/fd:$/) {
                split(line, part, "/")
                held = part[3]
            } else if (line ~ /^[0-9]+$/) { if (held != "") fd_of[held]++ }
            else if (line ~ /^\/dev\/[^ ]* [^ ]* [^ ]* ro[, ]/) {
                split(line, part, " ")
                if (fixed_mounts < 64) fixed[++fixed_mounts] = part[2]
            } else if (line ~ /% +\//) row[++rows] = (inodes ? "i " : "b ") line
        }
        close(command)
        print "F " first("/proc/uptime")
        stat_file(); meminfo(); disks(); network(); kernel()
        if (seen > 0) processes(seen)
        for (pid in fd_of) { open_file(pid, fd_of[pid] + 0); delete fd_of[pid] }
        for (j = 1; j <= nopen; j++) { print "o " owner[j] " " start[owner[j]] " " most[j] " " name[owner[j]]; delete most[j] }
        for (j = 1; j <= rows; j++) { gsub(/ +/, " ", row[j]); print row[j] }
        for (j = 1; j <= units_seen; j++) print "u " unit[j]
        for (j = 1; j <= counters; j++) print "g " counter[j]
        for (j = 1; j <= fixed_mounts; j++) print "w " fixed[j]
        for (j = 1; j <= trip_count; j++) print "r " trip[j]
        print "E"
        fflush()
    }
}'
