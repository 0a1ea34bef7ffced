# Prints which addresses on the links of this host do not answer: what, address, interface, and where a gateway is the way to, a
# line each. Reads only.
# shellcheck shell=sh
#   gateway  a route of this host leads through it
#   host     another one; one that nobody asked for lately is forgotten by the kernel
{ ip -4 route show; ip -6 route show; ip neigh show nud failed nud incomplete; } 2>/dev/null | awk '
function word(after) { for (i = 1; i < NF; i++) if ($i == after) return $(i + 1); return "" }
# Several gateways of one route stand below it, a line each.
$1 != "nexthop" && / (FAILED|INCOMPLETE) *$/ { if (!($1 in silent)) order[++n] = $1; silent[$1] = word("dev"); next }
$1 != "nexthop" { to = $1 }
(via = word("via")) != "" && !(via in way) { way[via] = to }
END {
  for (k = 1; k <= n; k++) if (order[k] in way) print "gateway", order[k], silent[order[k]], way[order[k]]
  for (k = 1; k <= n; k++) if (!(order[k] in way)) print "host", order[k], silent[order[k]], "-"
}' | head -n 24
