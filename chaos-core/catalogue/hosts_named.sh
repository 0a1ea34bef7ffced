# Prints the names that /etc/hosts gives an address and that the latest complaints about connections are about: name,
# address, number of complaints, a line each. Reads only.
# shellcheck shell=sh
complaints=$(journalctl -q --no-pager -o cat --since=-10min -n 4000 2>/dev/null |
  grep -iE 'refused|time[d -]*out|no route|unreachable|not reach|certificate|hostname|connect|resol' | tail -n 500)
sed 's/#.*//' /etc/hosts 2>/dev/null | awk 'NF > 1 && $2 !~ /^(localhost|ip6-)/ { for (i = 2; i <= NF && i < 9; i++) print $i, $1 }' |
  head -n 40 | while read -r name address; do
  case $name in *.*) ;; *) continue ;; esac
  count=$(printf '%s\n' "$complaints" | grep -cF -- "$name")
  [ "$count" -eq 0 ] || echo "$name $address $count"
done
