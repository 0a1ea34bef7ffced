#!/usr/bin/env bash
# Delays and loses what an interface sends, by a netem qdisc of our own at its root.

SCENARIO=net_latency
SUMMARY="Delays or loses the packets that an interface sends."
ARGS=(iface delay_ms loss_pct duration)
ARGS_HELP="  iface            the interface (default: that of the default route; loopback only when named)
  delay_ms         milliseconds that each packet waits, from 0 (default 100)
  loss_pct         percent of the packets that are lost, 0 to 100 (default 0)
                   It is our own connection too: with much loss, only the host itself can end it, and does.
  duration         seconds until it ends by itself (default 120)"

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# What the kernel or a person puts there has 0: or 8001: and up.
HANDLE=ca05:

is_interface_name() { [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}$ ]]; }

check_iface() {
  is_interface_name "$1" || die "$BAD_ARGUMENTS" "iface: \"$1\" can't be an interface's name"
  ARG[iface]=$1
}

find_iface() {
  local family line name
  [[ -z ${ARG[iface]:-} ]] || return 0
  for family in -4 -6; do
    read -r line < <(ip -o "$family" route show default 2>/dev/null)
    [[ $line == *" dev "* ]] || continue
    name=${line#* dev }
    name=${name%% *}
    is_interface_name "$name" && ARG[iface]=$name && return
  done
  die "$FAILED" "iface: there is no default route to tell the interface by; name it"
}

# In FLAGS, between commas. Not from /sys, which may show another network's interfaces.
find_flags() { # INTERFACE
  local _
  FLAGS=
  read -r _ _ FLAGS _ < <(ip -o link show dev "$1" 2>/dev/null)
  FLAGS=,${FLAGS//[<>]/},
  [[ $FLAGS != ,, ]]
}

# Without what the kernel chose or counts: references, and handles that were not asked for.
show_qdiscs() { # INTERFACE
  local line
  find_flags "$1" || { echo "qdisc dev $1 absent" && return; }
  while read -r line; do
    [[ $line != "qdisc "* ]] || echo "$line"
  done < <(tc qdisc show dev "$1" 2>/dev/null | sed -E "s/ dev $1 / /; s/ refcnt [0-9]+//; s/ 8[0-9a-f]{3}: / auto: /; s/ +$//; s/^qdisc/qdisc dev $1/" | sort)
}

# What our qdisc is at the root of now, whatever the interface is called by now.
ours() {
  have tc && tc qdisc show 2>/dev/null | sed -nE "s/^qdisc netem $HANDLE dev ([^ ]+) root .*/\1/p"
}

find_changes() {
  local iface
  CHANGES=()
  while read -r iface; do CHANGES+=("netem on $iface"); done < <(ours)
}

# The kernel removes it only if it still has our handle, and then puts its own default back.
undo_changes() {
  local iface now
  while read -r iface; do
    tc qdisc del dev "$iface" root handle "$HANDLE" >>"$LOG" 2>&1
    now=$(join_by '; ' "$(show_qdiscs "$iface")")
    if [[ $iface == "${KEEP[iface]:-}" && ${now//$'\n'/; } != "${KEEP[before]:-}" ]]; then
      log "$iface: was: ${KEEP[before]:-}; is: ${now//$'\n'/; }"
      say "$iface is not as it was before; was: ${KEEP[before]:-}; is: ${now//$'\n'/; }" >&2
    fi
  done < <(ours)
}

show_state() {
  have tc || die "$MISSING" "tc: not found; install iproute2"
  find_iface
  show_qdiscs "${ARG[iface]}"
}

# Whether the root is what the kernel would put there again. Refuses anything a person configured.
check_qdiscs() {
  local iface=${ARG[iface]} default=pfifo_fast kind handle rest line
  { read -r default </proc/sys/net/core/default_qdisc; } 2>/dev/null
  while read -r line; do
    read -r _ kind handle rest < <(printf '%s\n' "$line")
    # They see what comes in, stand beside the root, and stay.
    [[ $kind != ingress && $kind != clsact ]] || continue
    [[ $handle == 0: ]] ||
      die "$FAILED" "$iface: has traffic control of somebody's own ($kind $handle), which we don't touch; name another interface"
    [[ $kind == @(noqueue|noop|mq|"$default") || ($rest == *"parent :"* && $kind == pfifo_fast) ]] ||
      die "$FAILED" "$iface: its $kind would not come back, as net.core.default_qdisc is $default; name another interface"
  done < <(tc qdisc show dev "$iface" 2>/dev/null)
}

check_interface() {
  local iface=${ARG[iface]} named=$1
  find_flags "$iface" || die "$FAILED" "$iface: there is no such interface; see ip link"
  [[ $FLAGS != *,LOOPBACK,* ]] || ((named)) ||
    die "$FAILED" "$iface: is the loopback; name an interface (the loopback too, if you mean it)"
  [[ $FLAGS == *,UP,* ]] || die "$FAILED" "$iface: is down, so nothing would be delayed; name another interface"
}

netem() { echo "netem delay ${ARG[delay_ms]}ms loss ${ARG[loss_pct]}%"; }

# In a network of its own, so that nothing is touched. Where that can't be made, adding the real one will tell.
try_netem() {
  local said
  unshare -n true 2>/dev/null || return 0
  # shellcheck disable=SC2046 # words of ours
  said=$(unshare -n tc qdisc add dev lo root handle "$HANDLE" $(netem) 2>&1) ||
    die "$MISSING" "netem: this kernel can't do it (${said//$'\n'/; }); install the package with its module sch_netem (on Ubuntu linux-modules-extra-$(uname -r))"
}

settle() {
  local named=0 before
  have tc && have ip || die "$MISSING" "tc: not found, or ip; install iproute2"
  ((EUID == 0)) || die "$MISSING" "traffic control needs root; run it with sudo"
  [[ -z ${ARG[iface]:-} ]] || named=1
  : "${ARG[delay_ms]:=100}" "${ARG[loss_pct]:=0}"
  ((ARG[delay_ms] || ARG[loss_pct])) || die "$BAD_ARGUMENTS" "delay_ms: is 0, and so is loss_pct; raise one of them"
  find_iface
  check_interface "$named"
  check_qdiscs
  try_netem
  before=$(show_qdiscs "${ARG[iface]}")
  KEEP[iface]=${ARG[iface]} KEEP[before]=${before//$'\n'/; }
}

# `add` fails where anything but the kernel's default is, so that nobody's own is ever replaced.
apply() {
  local said
  # shellcheck disable=SC2046
  said=$(tc qdisc add dev "${ARG[iface]}" root handle "$HANDLE" $(netem) 2>&1) && return
  WHY="tc: ${said//$'\n'/; }"
  return 1
}

inject() {
  read_uptime
  rest_until "$((NOW + ARG[duration] * 100))"
  undo_changes
}

main "$@"
