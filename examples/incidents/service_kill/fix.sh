#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T11:00:37.763Z
# Diagnosis:  A service was stopped, or is down and nothing says why (83 %)
# Culprit:    nginx.service (inactive)
# Plan:       Restart nginx.service; nginx.service (inactive)
# Plan hash:  sha256 7d95dbd0f707985cf1f53efeb6a1331fbe157c78ec2ac4512fa8cf214a8d1e1c
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
  systemctl stop nginx.service
}

if action_1; then :; else
  status=$?
  say 'undo by hand: rollback_1'
  exit "$status"
fi
