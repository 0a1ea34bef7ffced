#!/usr/bin/env bash
# NOT EXECUTED. A proposal for a person to review; nothing in it has been run.
#
# Incident:   inc-20261124-001
# Generated:  2026-11-24T02:30:01.837Z
# Diagnosis:  Nothing is wrong (98 %)
# Culprit:    not named
# Plan:       no action
# Plan hash:  sha256 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
#
# How to run: read it, copy it to the target, then as root: bash fix.sh
#
# Names of processes and files are meant letter by letter:
# shellcheck disable=SC2016

set -euo pipefail

printf '%s\n' 'Nothing to do: no action' >&2
