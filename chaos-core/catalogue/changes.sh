# Prints what was changed on this host within the last two hours: seconds since the epoch, kind, what. A line each; reads
# only. Kinds: file (configuration, programs, units, jobs), package, unit (started), login, boot.
# shellcheck shell=sh
now=$(date +%s)
since=$((now - 7200))
find /etc /usr/local /opt /srv /run/systemd/system /run/systemd/system.control /var/spool/cron -xdev \
  \( -name .git -o -name node_modules -o -name __pycache__ -o -path /opt/chaos-scripts -o -path '*/data' -o -path '*/log' -o -path '*/logs' -o -path '*/cache' -o -path '*/tmp' \) -prune -o \
  -type f -mmin -120 ! -name '*.log' ! -name '*.pyc' ! -name '*.pid' ! -name '*.sock' ! -name '*.swp' ! -path /etc/mtab ! -name '*~' ! -name '*-' ! -name .pwd.lock ! -path /etc/chaos-handler/allow-chaos \
  -printf '%T@ file %p\n' 2>/dev/null | sort -rn | head -n 60 | sed 's/^\([0-9]*\)\.[0-9]*/\1/'
# The time as the logs of packages write it, which sorts as it runs.
from=$(date -d "@$since" '+%Y-%m-%d %H:%M:%S' 2>/dev/null)
if [ -n "$from" ] && [ -r /var/log/dpkg.log ]; then
  tail -n 4000 /var/log/dpkg.log | awk -v from="$from" '($1 " " $2) >= from && $3 ~ /^(install|upgrade|remove|purge)$/' | tail -n 40 |
    while read -r day hour what name old new; do
      if at=$(date -d "$day $hour" +%s 2>/dev/null); then echo "$at package $what $name $old $new"; fi
    done
fi
if command -v rpm >/dev/null 2>&1; then
  rpm -qa --qf '%{INSTALLTIME} package install %{NAME} %{VERSION}-%{RELEASE}\n' 2>/dev/null | awk -v since="$since" '$1 >= since' | sort -rn | head -n 40
fi
read -r up _ </proc/uptime
up=${up%.*}
if [ "$up" -lt 7200 ]; then echo "$((now - up)) boot the host was started"; fi
# What was started with the host is no news.
systemctl show --type=service --state=active,activating,failed -p Id -p ExecMainStartTimestampMonotonic '*.service' 2>/dev/null |
  awk -F= -v up="$up" -v now="$now" '
    $1 == "Id" { id = $2 }
    $1 == "ExecMainStartTimestampMonotonic" { started = $2 / 1e6 }
    $0 == "" { told() }
    END { told() }
    function told() {
      if (id != "" && started > 180 && up - started < 7200) print int(now - up + started) " unit " id " started"
      id = ""; started = 0
    }' | sort -rn | head -n 40
last -n 30 --time-format iso 2>/dev/null | awk '$2 != "system" && $0 ~ /[0-9]T[0-9]/' | while read -r user line rest; do
  for word in $rest; do
    case $word in
      [0-9][0-9][0-9][0-9]-*T*)
        at=$(date -d "$word" +%s 2>/dev/null) || break
        if [ "$at" -ge "$since" ]; then echo "$at login $user on $line"; fi
        break
        ;;
    esac
  done
done
exit 0
