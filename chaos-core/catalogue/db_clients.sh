# Prints which processes of this host hold connections to a database: where to, pid and command, a line each.
# shellcheck shell=sh
{
  ss -Hxp state established 2>/dev/null || ss -Hxp state connected 2>/dev/null
  ss -Htnp state established '( dport = :5432 or dport = :3306 or dport = :6379 or dport = :27017 or dport = :1433 )' 2>/dev/null
} | awk '
function holder(line,    pid, name) {
  if (!match(line, /users:\(\("[^"]*",pid=[0-9]+/)) return ""
  name = substr(line, RSTART + 9, RLENGTH - 9)
  pid = name
  sub(/".*/, "", name)
  sub(/.*",pid=/, "", pid)
  return pid " " name
}
# Both ends of a local socket are lines of their own; the one at the server has a path, the other only its number.
$1 ~ /^u_/ {
  at = $2 ~ /^[0-9]+$/ ? 1 : 2
  path = $(at + 3); inode = $(at + 4); peer = $(at + 6)
  if (path ~ /\.s\.PGSQL\.[0-9]+$|mysqld?[^\/]*\.sock$|redis[^\/]*\.sock$|mongodb-[0-9]+\.sock$/) server[peer] = path
  else client[inode] = holder($0)
  next
}
$1 ~ /^[0-9]+$/ { who = holder($0); if (who != "") print $4, who }
END { for (inode in server) if (client[inode] != "") print server[inode], client[inode] }
' | sort | head -n 2000
