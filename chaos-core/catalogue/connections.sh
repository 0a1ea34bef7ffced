# Prints how the TCP connections of this host fare, the worst first: what, how many or how often, address, port, command,
# pid, a line each. Reads only.
# shellcheck shell=sh
#   unanswered  connections that are being made and wait for their first answer, by peer
#   stuck       open connections that send the same segment again, waiting longer each time; how often
#   hung        the same, also while they are closed, to a peer that does answer new connections
#   large       those of them to which small segments passed, and those of full size did not
#   resent      open connections that sent segments again; how many
#   waiting     connections that a server has not accepted, by its own address
#   overfull    the same where the queue is at its limit
#   unread      connections that the client gave up, with data that the server has not read
{ ss -Hatnpio 2>/dev/null || ss -Hatn 2>/dev/null; } | head -n 40000 | awk '
function port(at) { sub(/.*:/, "", at); return at }
function address(at) { sub(/:[0-9*]+$/, "", at); return at }
function most(kind, n, at) {
  key = kind SUBSEP at
  if (!(key in count)) { order[++keys] = key; count[key] = 0 }
  if (kind == "unanswered" || kind == "unread") count[key] += n
  else if (n > count[key]) count[key] = n
  if (who != "") holder[key] = who
}
/^[A-Z]/ {
  state = $1; queued = $3; here = $4; peer = $5; who = ""
  sends = /timer:\(on,/
  if (match($0, /users:\(\("[^"]*",pid=[0-9]+/)) {
    who = substr($0, RSTART + 9, RLENGTH - 9)
    pid = who; sub(/.*",pid=/, "", pid); sub(/",pid=[0-9]+$/, "", who); gsub(/[ \t]/, "_", who)
    who = who " " pid
  }
  if (state == "SYN-SENT") most("unanswered", 1, peer)
  if (state == "LISTEN" && $2 > 0) { most("waiting", $2, here); if ($2 >= $3) most("overfull", $2, here) }
  if (state == "CLOSE-WAIT" && $2 > 0) most("unread", 1, here)
}
(state == "ESTAB" || state == "FIN-WAIT-1") && match($0, /[ \t]backoff:[0-9]+/) {
  if (state == "ESTAB") most("stuck", substr($0, RSTART + 9, RLENGTH - 9) + 0, peer)
  hung[peer]++
  again = substr($0, RSTART + 9, RLENGTH - 9) + 0
  size = match($0, /[ \t]mss:[0-9]+/) ? substr($0, RSTART + 5, RLENGTH - 5) + 0 : 0
  # A receiver that takes no more is probed by another timer.
  if (sends && again >= 2 && size > 0 && queued >= size && /[ \t]bytes_acked:[1-9]/) large[peer]++
}
state == "ESTAB" && match($0, /[ \t]retrans:[0-9]+\/[0-9]+/) {
  again = substr($0, RSTART + 9, RLENGTH - 9); sub(/.*\//, "", again)
  if (again > 0) most("resent", again + 0, peer)
}
END {
  who = ""
  for (at in hung) if (!(("unanswered" SUBSEP at) in count)) {
    most("hung", hung[at], at)
    if (at in large) most("large", large[at], at)
  }
  for (i = 1; i <= keys; i++) {
    split(order[i], part, SUBSEP)
    print part[1], count[order[i]], address(part[2]), port(part[2]), (order[i] in holder ? holder[order[i]] : "- -")
  }
}' | sort -k1,1 -k2,2nr | awk '{ if (shown[$1]++ < 12) print }'
