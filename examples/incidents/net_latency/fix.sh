#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T10:58:54.842Z
# Diagnosis:  The network is slow (97 %)
# Culprit:    ens4 (queueing discipline netem)
# Plan:       Remove the traffic control rule from ens4; ens4 (queueing discipline netem)
# Plan hash:  sha256 c8d765cfe637bc85f5b1ce27e7fd9ae7abd1a7181b882d093729b37faa0cac5c
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

if action_1; then :; else
  status=$?
  exit "$status"
fi
