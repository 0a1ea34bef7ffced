#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-002
# Generated:  2026-11-24T02:31:07.789Z
# Diagnosis:  A runaway process saturates the CPU (86 %)
# Culprit:    stress-ng-cpu (pid 869, user root, running for 31 s): 0.91 cores
# Plan:       Ask the busy processes of stress-ng-cpu to end; stress-ng-cpu (pid 869, user root, running for 31 s): 0.91 cores
# Plan hash:  sha256 24ba2ae9ed6ca4b8188bf3a6bd7851ebee6cc5a71cd780dd26bae72c38867656
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

# prints TEXT COMMAND...: it prints exactly this, white space at both ends aside.
prints() {
  local want=$1 got
  shift
  got=$("$@" 2>/dev/null) || true
  got="${got#"${got%%[![:space:]]*}"}"
  got="${got%"${got##*[![:space:]]}"}"
  [[ $got == "$want" ]]
}

fails() { ! "$@" >/dev/null 2>&1; }

# 1. Ask the busy processes of stress-ng-cpu to end
# Target:   stress-ng-cpu (pid 869, user root, running for 31 s): 0.91 cores
# Why:      These processes take the CPU and no service manager looks after them. SIGTERM lets them clean up.
# Downtime: what these processes do ends
action_1() {
  say '1. Ask the busy processes of stress-ng-cpu to end'
  within 0 prints stress-ng-cpu ps -o 'comm=' -p 869 || { say 'does not hold, so nothing is done: process 869 is still stress-ng-cpu'; return 1; }
  kill -TERM 869 || return 2
  within 10 fails kill -0 869 || { say 'not reached: process 869 is gone'; return 2; }
}

step 1 back_out
((${#failed[@]} == 0))
