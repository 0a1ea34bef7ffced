#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-002
# Generated:  2026-11-24T02:31:07.789Z
# Diagnosis:  A runaway process saturates the CPU (83 %)
# Culprit:    stress-ng-cpu (pid 869, user root, running for 31 s): 0.91 cores
# Plan:       Ask the busy processes of stress-ng-cpu to end; stress-ng-cpu (pid 869, user root, running for 31 s): 0.91 cores
# Plan hash:  sha256 69f9a5c49e55dc0f8cd9bcaf214c0159ed2d690ea279cb5aa0440167d40375f2
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

if action_1; then :; else
  status=$?
  exit "$status"
fi
