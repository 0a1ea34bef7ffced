# shellcheck shell=bash
# Prints what a fix might change on a host, a line each, without what changes by itself. Sent over ssh as text, as root.
# systemd of a busy emulated machine may not answer within its 25 s: then it is asked again, and never taken for empty.
asked() {
  local answer
  for _ in 1 2 3 4 5; do
    answer=$("$@") && [[ $answer ]] && printf '%s\n' "$answer" && return
    sleep 3
  done
  echo "no answer to: $*" >&2
  return 1
}
units=$(asked systemctl list-units --all --no-legend --plain --type service,socket,timer,mount) || exit 1
files=$(asked systemctl list-unit-files --no-legend) || exit 1
awk '$1 !~ /^(session-|user|systemd-(tmpfiles|hostnamed|timedated)|chaos-|run-|apt-|dpkg-|e2scrub|fstrim|logrotate|man-db|motd)/ { print "unit", $1, $3, $4 }' <<<"$units"
awk '$2 != "transient" { print "enabled", $1, $2 }' <<<"$files"
find /etc /opt /srv /usr/local /root -xdev -type f ! -path '/srv/*/*' ! -name '*.pyc' -size -2000k -exec sha256sum {} + 2>/dev/null | awk '{ print "file", $2, $1 }'
find /etc /opt /srv -xdev ! -path '/srv/*/*' ! -path '*/__pycache__*' -printf 'mode %p %m %u %g\n' 2>/dev/null
awk '{ split($4, o, ","); print "mount", $2, $3, o[1] }' /proc/mounts | grep -v '^mount /run/\(user\|credentials\)'
{ ip -o link | sed 's/^[0-9]*: \([^:]*\): <\([^>]*\)>.*/link \1 \2/'; ip -o addr | awk '{ print "address", $2, $4 }'; ip route | sed 's/^/route /'; tc qdisc show | sed 's/ qdisc.*//; s/^/qdisc /; s/ refcnt [0-9]*//'; } 2>/dev/null
nft list ruleset 2>/dev/null | sed 's/ packets [0-9]* bytes [0-9]*//; s/^/nft /'
sysctl -a 2>/dev/null | grep -E '^(kernel\.(pid_max|core_pattern|sysrq|panic)|net\.|vm\.(swappiness|overcommit|drop_caches|max_map)|fs\.(file-max|inotify))' |
  grep -vE '(nf_conntrack_count|\.route\.|stable_secret|mptcp)' | sed 's/^/sysctl /'
ss -Hltnu | awk '{ print "listens", $1, $5 }' | sort -u
crontab -l 2>/dev/null | sed 's/^/cron /'
swapon --noheadings --show=NAME | sed 's/^/swap /'
awk -F: '{ print "user", $0 }' /etc/passwd
