# Prints the rules of nftables that block all that goes to one port, whoever sends it: family, table, chain, handle and port,
# then the rule, then what puts it back where it was, between bars. Reads only.
# shellcheck shell=sh
nft -a -s list ruleset 2>/dev/null | awk '
$1 == "table" { family = $2; table = $3; chain = ""; next }
$1 == "chain" { chain = $2; before = ""; next }
$1 == "}" { chain = ""; next }
chain != "" && match($0, / # handle [0-9]+$/) {
  handle = substr($0, RSTART + 10)
  rule = substr($0, 1, RSTART - 1)
  sub(/^[ \t]+/, "", rule)
  if (rule ~ /^(tcp|udp) dport [0-9]+( counter)? (drop|reject( with tcp reset)?)$/) {
    split(rule, word, " ")
    at = family " " table " " chain
    print at, handle, word[3], "|", rule, "|", (before == "" ? "insert rule " at : "add rule " at " handle " before), rule
  }
  before = handle
}' | head -n 100
