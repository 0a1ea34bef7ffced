#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T11:02:20.151Z
# Diagnosis:  A client holds all connections of a database (95 %)
# Culprit:    psql (pid 928, user postgres, running for 36 s): 12 processes, 12 connections
# Plan:       Ask psql to end; psql (pid 928, user postgres, running for 36 s): 12 processes, 12 connections
# Plan hash:  sha256 2589bc65167f0f3bd190108c1f01f7efb7ba65d18897321b028e9c46b3534eac
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

# 1. Ask psql to end
# Target:   psql (pid 928, user postgres, running for 36 s): 12 processes, 12 connections
# Why:      This process holds the connections and no service manager looks after it. The server rolls its open transactions back.
# Downtime: what this process does ends
action_1() {
  say '1. Ask psql to end'
  within 0 prints psql ps -o 'comm=' -p 928 || { say 'does not hold, so nothing is done: process 928 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 930 || { say 'does not hold, so nothing is done: process 930 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 932 || { say 'does not hold, so nothing is done: process 932 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 934 || { say 'does not hold, so nothing is done: process 934 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 936 || { say 'does not hold, so nothing is done: process 936 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 938 || { say 'does not hold, so nothing is done: process 938 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 942 || { say 'does not hold, so nothing is done: process 942 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 944 || { say 'does not hold, so nothing is done: process 944 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 946 || { say 'does not hold, so nothing is done: process 946 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 948 || { say 'does not hold, so nothing is done: process 948 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 952 || { say 'does not hold, so nothing is done: process 952 is still psql'; return 1; }
  within 0 prints psql ps -o 'comm=' -p 954 || { say 'does not hold, so nothing is done: process 954 is still psql'; return 1; }
  kill -TERM 928 930 932 934 936 938 942 944 946 948 952 954 || return 2
  within 10 fails kill -0 928 || { say 'not reached: process 928 is gone'; return 2; }
  within 10 fails kill -0 930 || { say 'not reached: process 930 is gone'; return 2; }
  within 10 fails kill -0 932 || { say 'not reached: process 932 is gone'; return 2; }
  within 10 fails kill -0 934 || { say 'not reached: process 934 is gone'; return 2; }
  within 10 fails kill -0 936 || { say 'not reached: process 936 is gone'; return 2; }
  within 10 fails kill -0 938 || { say 'not reached: process 938 is gone'; return 2; }
  within 10 fails kill -0 942 || { say 'not reached: process 942 is gone'; return 2; }
  within 10 fails kill -0 944 || { say 'not reached: process 944 is gone'; return 2; }
  within 10 fails kill -0 946 || { say 'not reached: process 946 is gone'; return 2; }
  within 10 fails kill -0 948 || { say 'not reached: process 948 is gone'; return 2; }
  within 10 fails kill -0 952 || { say 'not reached: process 952 is gone'; return 2; }
  within 10 fails kill -0 954 || { say 'not reached: process 954 is gone'; return 2; }
}

step 1 back_out
((${#failed[@]} == 0))
