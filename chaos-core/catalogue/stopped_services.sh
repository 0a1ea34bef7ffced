# Prints which services are to run on this host, ran since it was booted, and do not run: unit, for how many seconds, state and how
# the last run ended, a line each, the latest first. What a timer or a socket starts, and what ends by itself, is none of them.
# Reads only.
# shellcheck shell=sh
systemctl show --all --no-pager -p Id -p Type -p ActiveState -p UnitFileState -p TriggeredBy -p InactiveEnterTimestampMonotonic -p Result '*.service' 2>/dev/null |
  awk '
function told() {
  if (of["UnitFileState"] ~ /^enabled/ && of["Type"] != "oneshot" && of["TriggeredBy"] == "" && of["ActiveState"] ~ /^(inactive|failed)$/ &&
    of["InactiveEnterTimestampMonotonic"] + 0 > 0)
    printf "%s %.0f %s %s\n", of["Id"], up - of["InactiveEnterTimestampMonotonic"] / 1e6, of["ActiveState"], of["Result"]
  for (key in of) delete of[key]
}
BEGIN { if ((getline line < "/proc/uptime") > 0) { split(line, word, " "); up = word[1] } }
/^$/ { told(); next }
(i = index($0, "=")) > 0 { of[substr($0, 1, i - 1)] = substr($0, i + 1) }
END { told() }' | sort -k2n | head -n 24
