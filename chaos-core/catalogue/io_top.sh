# Prints which processes read and wrote most on disks within two seconds: KiB read, KiB written, pid and command, a line each.
# shellcheck shell=sh
count() { grep -sE '^(read|write)_bytes:' /proc/[0-9]*/io; echo '='; }
{ count; sleep 2; count; } | awk '
function add(a) { split($1, a, "[/:]"); now[a[3] " " a[5]] = $2 }
$0 == "=" {
  if (!again) { for (k in now) { was[k] = now[k]; delete now[k] }; again = 1; next }
  for (k in now) if (k in was) {
    split(k, a, " ")
    grown[a[1] " " a[2]] = now[k] - was[k]
    pids[a[1]] = 1
  }
  for (p in pids) {
    r = int(grown[p " read_bytes"] / 1024); w = int(grown[p " write_bytes"] / 1024)
    if (r + w < 1024) continue
    # The kernel writes for others, and its threads have no command line.
    file = "/proc/" p "/cmdline"; said = (getline name < file)
    close(file)
    if (said <= 0) continue
    file = "/proc/" p "/comm"; name = ""
    if ((getline name < file) > 0) print r + w, r, w, p, name
    close(file)
  }
  exit
}
{ add() }
' | sort -rn | head -n 20 | cut -d ' ' -f 2-
