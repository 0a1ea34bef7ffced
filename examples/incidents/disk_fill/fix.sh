#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-004
# Generated:  2026-11-24T02:33:47.558Z
# Diagnosis:  A file system fills up (89 %)
# Culprit:    /tmp/chaos_fill: 19 large recent files, 1.7 GiB
# Plan:       Remove what fills /tmp/chaos_fill; /tmp/chaos_fill: 19 large recent files, 1.7 GiB
# Plan hash:  sha256 bb474434d0440b1a79c9c11d03fb39abaae0145d6e82790fecc3ec727be4dc18
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

# 1. Remove what fills /tmp/chaos_fill
# Target:   /tmp/chaos_fill: 19 large recent files, 1.7 GiB
# Why:      These files were written recently and fill the file system. They lie where data is meant to be temporary. The list is complete: nothing else is touched.
# Downtime: none for the host; a program that still uses these files loses them
action_1() {
  say '1. Remove what fills /tmp/chaos_fill'
  within 0 test -e /tmp/chaos_fill >/dev/null || { say 'does not hold, so nothing is done: /tmp/chaos_fill is still there'; return 1; }
  timeout 120 rm -- /tmp/chaos_fill/chunk-00 /tmp/chaos_fill/chunk-01 /tmp/chaos_fill/chunk-02 /tmp/chaos_fill/chunk-03 /tmp/chaos_fill/chunk-04 /tmp/chaos_fill/chunk-05 /tmp/chaos_fill/chunk-06 /tmp/chaos_fill/chunk-07 /tmp/chaos_fill/chunk-08 /tmp/chaos_fill/chunk-09 /tmp/chaos_fill/chunk-10 /tmp/chaos_fill/chunk-11 /tmp/chaos_fill/chunk-12 /tmp/chaos_fill/chunk-13 /tmp/chaos_fill/chunk-14 /tmp/chaos_fill/chunk-15 /tmp/chaos_fill/chunk-16 /tmp/chaos_fill/chunk-17 /tmp/chaos_fill/chunk-18 || return 2
  within 10 prints '' find /tmp/chaos_fill -maxdepth 1 -type f -size +64M -mmin -60 || { say 'not reached: no large recent file is left at /tmp/chaos_fill'; return 2; }
}

step 1 back_out
((${#failed[@]} == 0))
