#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-003
# Generated:  2026-11-24T02:32:29.061Z
# Diagnosis:  A process takes more and more memory (87 %)
# Culprit:    python3 (pid 1274, user root, running for 32 s): 130.3 MiB
# Plan:       Ask the growing processes of python3 to end; python3 (pid 1274, user root, running for 32 s): 130.3 MiB
# Plan hash:  sha256 a619538429b79d589dc7fdd4ec8b74471bd780a7cf172e31ebcbecccfdd4217e
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

# 1. Ask the growing processes of python3 to end
# Target:   python3 (pid 1274, user root, running for 32 s): 130.3 MiB
# Why:      The process grows without end and no service manager looks after it. SIGTERM lets it clean up; its memory is free once it is gone.
# Downtime: what these processes do ends, and what they held only in memory is lost
action_1() {
  say '1. Ask the growing processes of python3 to end'
  within 0 prints python3 ps -o 'comm=' -p 1274 || { say 'does not hold, so nothing is done: process 1274 is still python3'; return 1; }
  kill -TERM 1274 || return 2
  within 10 fails kill -0 1274 || { say 'not reached: process 1274 is gone'; return 2; }
}

if action_1; then :; else
  status=$?
  exit "$status"
fi
