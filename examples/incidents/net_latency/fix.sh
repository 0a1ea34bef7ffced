#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T10:58:54.842Z
# Diagnosis:  The network is slow (95 %)
# Culprit:    ens4 (queueing discipline netem)
# Plan:       Remove the traffic control rule from ens4; ens4 (queueing discipline netem)
# Plan hash:  sha256 f11f445aa98d96126f8d8a920ec30d7713d8f222ec310277802dad981e646e45
#
# How to run: read it, copy it to the target, then as root: bash fix.sh
#
# Names of processes and files are meant letter by letter:
# shellcheck disable=SC2016

set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

# within SECONDS COMMAND...: tries once a second until it succeeds.
within() {
  local left=$1
  shift
  until "$@"; do
    if ((left <= 0)); then return 1; fi
    left=$((left - 1))
    sleep 1
  done
}

did=()
failed=()

# back_out: undoes what was done, the last first; nothing of it where a part can't be undone.
back_out() {
  local i n
  for ((i = ${#did[@]} - 1; i >= 0; i--)); do
    n=${did[i]}
    if ! declare -F "rollback_$n" >/dev/null; then
      say "action $n can't be undone, so nothing was; what can be, by hand:"
      declare -f | sed -n '/^rollback_/,/^}/p' >&2
      return
    fi
  done
  for ((i = ${#did[@]} - 1; i >= 0; i--)); do
    n=${did[i]}
    "rollback_$n" || { say "undoing action $n failed: look at it by hand"; return; }
    say "undone: action $n"
  done
}

# step N go_on|back_out NEEDED...: does action N where all that it needs was done. An action's status is 1 when nothing
# was changed and 2 when something may have been.
step() {
  local n=$1 then=$2 status=0 need
  shift 2
  for need; do
    case " ${failed[*]-} " in
      *" $need "*)
        say "action $n is left out: it needs action $need, which failed"
        failed+=("$n")
        return
        ;;
    esac
  done
  "action_$n" || status=$?
  if ((status == 0)); then
    did+=("$n")
    return
  fi
  say "action $n failed"
  failed+=("$n")
  if [[ $then == go_on ]]; then return; fi
  if ((status == 2)); then did+=("$n"); fi
  back_out
  exit "$status"
}

# 1. Remove the traffic control rule from ens4
# Target:   ens4 (queueing discipline netem)
# Why:      The interface's own queueing discipline delays, drops or throttles its packets. Without it the kernel goes back to its default.
# Downtime: none
action_1() {
  say '1. Remove the traffic control rule from ens4'
  within 0 ip link show ens4 >/dev/null || { say 'does not hold, so nothing is done: ens4 is there'; return 1; }
  tc qdisc show dev ens4 || return 1
  timeout 10 tc qdisc del dev ens4 root || return 2
  within 5 ip link show ens4 >/dev/null || { say 'not reached: ens4 still answers'; return 2; }
}

step 1 back_out
((${#failed[@]} == 0))
