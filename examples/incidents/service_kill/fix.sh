#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T11:00:37.763Z
# Diagnosis:  A service was stopped, or is down and nothing says why (73 %)
# Culprit:    nginx.service (inactive)
# Plan:       Restart nginx.service; nginx.service (inactive)
# Plan hash:  sha256 b9a6945d1d825ad465da6098de5b9b5c1d419cd9630df9e84c53256d1bee1d95
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

fails() { ! "$@" >/dev/null 2>&1; }

# 1. Restart nginx.service
# Target:   nginx.service (inactive)
# Why:      The service is down. Restart, unlike start, also takes a unit out of a half-stopped state.
# Downtime: none beyond what is down already
action_1() {
  say '1. Restart nginx.service'
  within 0 fails systemctl is-active nginx.service || { say 'does not hold, so nothing is done: nginx.service does not run'; return 1; }
  timeout 100 systemctl restart nginx.service || return 2
  within 30 systemctl is-active nginx.service >/dev/null || { say 'not reached: nginx.service runs'; return 2; }
}

rollback_1() {
  systemctl stop nginx.service || return 1
}

step 1 back_out
((${#failed[@]} == 0))
