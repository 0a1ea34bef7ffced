#!/usr/bin/env bash
# Fills the filesystem of /tmp (or of CHAOS_FILL_DIR) with files in a directory of our own.

SCENARIO=disk_fill
SUMMARY="Fills the disk with files under /tmp/chaos_fill."
ARGS=(size_mb duration)
ARGS_HELP="  size_mb          MiB to write, over some 10 s (default: what makes the filesystem 93 % full)
                   At least 3 % of it and 256 MiB stay free, and on tmpfs half of the available memory,
                   unless --force is given.
  duration         seconds until the files are removed (default 120)
  CHAOS_FILL_DIR   an environment variable: another directory than /tmp/chaos_fill (for tests)"

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# shellcheck disable=SC2034 # for lib.sh
OUTLIVES_REBOOT=1
CHUNKS=20
CHUNK_FILES='chunk-[0-9][0-9]'

place_files() {
  FILL_DIR=${KEEP[fill_dir]:-${CHAOS_FILL_DIR:-/tmp/chaos_fill}}
  is_plain_path "$FILL_DIR" || FILL_DIR=/tmp/chaos_fill
}

remember() { KEEP[fill_dir]=${CHAOS_FILL_DIR:-/tmp/chaos_fill}; }

show_state() {
  list_files
  printf 'files %s\n' "$([[ -n $FILE_PATH ]] && echo some || echo none)"
}

# Ours is a real directory that only we can have filled, with nothing but our files in it or nothing at all.
is_ours() { # DIRECTORY
  [[ ! -L $1 && -d $1 && -O $1 && $(stat -c %a -- "$1") == 700 ]]
}

list_files() {
  local -a found
  FILE_PATH='' FILE_BYTES=0
  place_files
  is_ours "$FILL_DIR" || return 0
  # shellcheck disable=SC2206 # a pattern
  found=("$FILL_DIR"/$CHUNK_FILES)
  if [[ -e ${found[0]} || -z $(ls -A -- "$FILL_DIR") ]]; then
    FILE_PATH=$FILL_DIR
    read -r FILE_BYTES _ < <(du -s -B1 -- "$FILL_DIR" 2>/dev/null)
    : "${FILE_BYTES:=0}"
  fi
}

# From within, so that no one can put another directory in its place meanwhile.
remove_files() (
  cd -P -- "$FILL_DIR" 2>/dev/null && is_ours "$FILL_DIR" && [[ . -ef $FILL_DIR ]] || exit 1
  # shellcheck disable=SC2086 # a pattern
  rm -f -- $CHUNK_FILES
  cd / && rmdir -- "$FILL_DIR" 2>/dev/null
)

# As df counts: without the blocks kept for root.
measure() { # PATH -> USED and FREE in bytes
  local _
  { read -r _ && read -r USED FREE; } < <(df -B1 --output=used,avail -- "$1")
}

# Bytes that must stay free, in SPARE.
reserve() {
  SPARE=$(((USED + FREE) * 3 / 100))
  ((SPARE >= 256 * MIB)) || SPARE=$((256 * MIB))
}

check_place() {
  remember
  is_plain_path "${KEEP[fill_dir]}" && [[ ${KEEP[fill_dir]} != */ ]] ||
    die "$BAD_ARGUMENTS" "CHAOS_FILL_DIR: must be an absolute path without control characters or a final slash"
  place_files
  [[ ! -L $FILL_DIR ]] || die "$FAILED" "$FILL_DIR: is a symlink, which we don't follow; remove it"
  # What an earlier run left there is gone by now, but a dry run leaves it.
  list_files
  [[ ! -e $FILL_DIR || -n $FILE_PATH ]] ||
    die "$FAILED" "$FILL_DIR: is there already and not ours; remove it or move it away"
  [[ -d ${FILL_DIR%/*}/ ]] || die "$FAILED" "${FILL_DIR%/*}: is not a directory; create it"
}

settle() {
  local parent limit mb why="its reserve of free space"
  check_place
  parent=${FILL_DIR%/*}/
  measure "$parent"
  reserve
  limit=$(((FREE - SPARE) / MIB))
  if [[ $(stat -f -c %T -- "$parent") == @(tmpfs|ramfs) ]]; then
    read_available
    ((limit <= AVAILABLE / 2)) || { limit=$((AVAILABLE / 2)) && why="half of the available memory"; }
  fi
  mb=$((((USED + FREE) * 93 / 100 - USED) / MIB))
  ((mb <= limit)) || mb=$limit
  if [[ -z ${ARG[size_mb]:-} ]]; then
    ((mb >= 1)) || die "$FAILED" "$parent: is too full already to add anything; free some space or give size_mb"
    ARG[size_mb]=$mb
  fi
  ((limit >= 0)) || limit=0
  ((FORCE || ARG[size_mb] <= limit)) ||
    die "$BAD_ARGUMENTS" "size_mb: ${ARG[size_mb]} is over $limit, what $why allows; lower it or use --force"
}

write_chunk() { # NAME MB
  fallocate -l "${2}MiB" -- "$1" 2>/dev/null || dd if=/dev/zero of="$1" bs=1M count="$2" status=none
}

fill() {
  local size=${ARG[size_mb]} i mb name
  for ((i = 0; i < CHUNKS; i++)); do
    mb=$((size * (i + 1) / CHUNKS - size * i / CHUNKS))
    ((mb > 0)) || continue
    measure .
    if ((!FORCE && FREE - mb * MIB < SPARE)); then
      log "others are filling this disk too: stops at $i of $CHUNKS chunks"
      break
    fi
    printf -v name 'chunk-%02d' "$i"
    write_chunk "$name" "$mb" || break
    sleep 0.5
  done
}

inject() {
  local end
  read_uptime
  end=$((NOW + ARG[duration] * 100))
  place_files
  mkdir -m 700 -- "$FILL_DIR" && cd -P -- "$FILL_DIR" && is_ours "$FILL_DIR" && [[ . -ef $FILL_DIR ]] || exit "$FAILED"
  measure .
  reserve
  fill
  rest_until "$end"
  cd / && remove_files
}

main "$@"
