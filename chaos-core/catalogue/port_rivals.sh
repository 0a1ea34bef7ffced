# Prints which listening TCP sockets a service that can't start may be after, the likeliest first: port, pid, how often that
# port stands in what such services are made of and have said, seconds since the process began, command. A line each; reads
# only.
# shellcheck shell=sh
failing=$(systemctl show --type=service -p Id -p ActiveState -p NRestarts '*.service' 2>/dev/null | awk -F= '
  $1 == "Id" { id = $2 }
  $1 == "ActiveState" { state = $2 }
  $1 == "NRestarts" { restarts = $2 }
  $0 == "" { told() }
  END { told() }
  function told() {
    if (id ~ /\.service$/ && (state == "failed" || restarts > 0)) print (state == "active" ? 1 : 0), id
    id = ""; state = ""; restarts = 0
  }' | sort | head -n 5 | sed 's/^. //')
[ -n "$failing" ] || exit 0
# The unit's files, those that its command names, its configuration where that is usually kept; small ones only. What it
# said last time may name its port too.
made_of() {
  stem=${1%.service}
  {
    systemctl show -p FragmentPath -p DropInPaths -p EnvironmentFiles -p ExecStart "$1" 2>/dev/null | tr ' ;=' '[\n*]' | grep '^/' | sort -u
    find "/etc/$stem" "/etc/$stem.conf" "/etc/default/$stem" -maxdepth 2 -type f 2>/dev/null | head -n 100
  } | while IFS= read -r file; do
    if [ -f "$file" ] && [ -r "$file" ] && [ "$(wc -c <"$file")" -lt 262144 ]; then
      cat "$file"
      echo
    fi
  done
  journalctl -q -b -n 300 -o cat -u "$1" 2>/dev/null
}
# Who listens, but for the services themselves.
listening() {
  ss -Hltnp 2>/dev/null | awk 'match($0, /users:\(\("[^"]*",pid=[0-9]+/) {
    who = substr($0, RSTART + 9, RLENGTH - 9)
    pid = who; sub(/.*",pid=/, "", pid); sub(/",pid=[0-9]+$/, "", who)
    at = $4; sub(/.*:/, "", at)
    if (!seen[at " " pid]++) print at, pid, who
  }' | head -n 200 | while read -r port pid command; do
    of=$(cat "/proc/$pid/cgroup" 2>/dev/null) || continue
    own=
    for unit in $failing; do
      case $of in *"/$unit" | *"/$unit
"* | *"/$unit/"*) own=yes ;; esac
    done
    [ -n "$own" ] || echo "listens $port $pid $command"
  done
}
{
  ps -eo pid=,etimes= 2>/dev/null | sed 's/^/age /'
  listening
  echo text
  for unit in $failing; do made_of "$unit"; done
} | awk '
  is_text { n = split($0, word, /[^0-9]+/); for (i = 1; i <= n; i++) if (word[i] in ports) stands[word[i]]++; next }
  $1 == "age" { age[$2] = $3; next }
  $1 == "listens" { port[++found] = $2; pid[found] = $3; ports[$2]; $1 = $2 = $3 = ""; sub(/^ +/, ""); command[found] = $0; next }
  $1 == "text" { is_text = 1 }
  END {
    for (i = 1; i <= found; i++) if (pid[i] in age) {
      n = stands[port[i]] + 0
      # One that was there long before, and that nothing speaks of, is no rival.
      if (n > 0 || age[pid[i]] < 900) print (n > 0 ? 0 : 1), port[i], pid[i], n, age[pid[i]], command[i]
    }
  }' | sort -k1,1n -k5,5n -k2,2n | sed 's/^. //' | head -n 20
