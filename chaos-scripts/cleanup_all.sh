#!/usr/bin/env bash
# Stops every scenario whose script is beside this one. Exit code 0 only if each is proven reverted, else 1.
# It reaches what the calling user started: run it as that user, or as root for what root started.

set -uo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")

if (($#)); then
  echo "usage: ${0##*/}   (no arguments): stops all chaos scenarios in $here and says whether each is reverted"
  [[ $1 == --help || $1 == -h ]] && exit 0
  exit 2
fi

seen=0 left=
for script in "$here"/*.sh; do
  # Only a scenario understands `stop`.
  grep -q '^SCENARIO=' -- "$script" || continue
  name=$(basename -- "$script" .sh)
  seen=$((seen + 1))
  said=$("$BASH" "$script" stop 2>&1)
  code=$?
  # What stop says is a claim, what status finds is the proof.
  if ((code == 0)) && "$BASH" "$script" status --json | grep -q '"state":"idle"'; then
    echo "$name: reverted"
  else
    echo "$name: NOT reverted: $said"
    left+=" $name"
  fi
done

if ((seen == 0)); then
  echo "no scenario found in $here, so nothing is proven" >&2
  exit 1
fi
[[ -z $left ]] || { echo "left:$left" >&2 && exit 1; }
