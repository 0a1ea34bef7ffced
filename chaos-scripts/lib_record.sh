# shellcheck shell=bash
# Where our own state lies, and the record of what we made, so that any later call can find and verify it. lib.sh
# reads it.
#
# The record is the PID file. What a revert must know (KEEP: which interface, which units) is written a second time
# beside the armed revert, so that it is not lost with the PID file.

is_plain_path() { [[ $1 == /* && $1 != *[[:cntrl:]]* ]]; }

place_state() {
  local state
  if [[ -n ${CHAOS_STATE_DIR:-} ]]; then
    is_plain_path "$CHAOS_STATE_DIR" ||
      die "$BAD_ARGUMENTS" "CHAOS_STATE_DIR: must be an absolute path without control characters"
    state=$CHAOS_STATE_DIR
  elif ((EUID == 0)); then
    state=/var/run
  else
    state=${XDG_RUNTIME_DIR:-/tmp/chaos-$UID}
  fi
  STATE_DIR=$state
  # Our log is not in /var/log: who diagnoses reads that, and must not find our own account of the fault there.
  PIDFILE=$state/chaos-$SCENARIO.pid LOCKFILE=$state/chaos-$SCENARIO.lock LOG=$state/chaos-$SCENARIO.log
  ARMED_DIR=$state/chaos-$SCENARIO.armed
}

# A directory that others can write to could swap our record for theirs.
make_state_dir() {
  if [[ $STATE_DIR != /var/run ]]; then
    [[ -L $STATE_DIR ]] && die "$FAILED" "$STATE_DIR: is a symlink, which we don't follow; remove it"
    [[ -d $STATE_DIR ]] || mkdir -m 700 -- "$STATE_DIR" 2>/dev/null ||
      die "$MISSING" "$STATE_DIR: can't be created; check the rights on the directory above it"
    local mode
    mode=$(stat -c %a -- "$STATE_DIR")
    [[ -O $STATE_DIR ]] && (((8#$mode & 8#22) == 0)) ||
      die "$FAILED" "$STATE_DIR: must belong to uid $EUID and be writable by nobody else; remove it or chmod 700 it"
  fi
  [[ ! -L $LOG && ! -L $PIDFILE && ! -L $LOCKFILE && ! -L $ARMED_DIR ]] ||
    die "$FAILED" "$STATE_DIR: our PID, lock or log file is a symlink, which we don't follow; remove it"
  open_log
}

# On a full disk it may not be possible to make one.
open_log() { { : >>"$LOG"; } 2>/dev/null || LOG=/dev/null; }

# Returns 1 when another holds it, 2 when the lock file can't be made.
take_lock() {
  { exec {LOCK_FD}>>"$LOCKFILE"; } 2>/dev/null || return 2
  flock -w 20 "$LOCK_FD" || return 1
}

# --- the record ---------------------------------------------------------------------------------------------

clear_record() {
  REC_WATCHDOG='' REC_LEADER='' REC_FAULT='|' REC_DEADLINE='' REC_SINCE='' REC_ARGS=''
  KEEP=()
}

# Names are ours; a scenario checks the values before it uses them.
read_keep() { # KEY VALUE
  local name=${2%% *}
  [[ $1 == keep && $2 == *' '* && $name =~ ^[a-z_]+$ ]] && KEEP["$name"]=${2#* }
}

keep_lines() {
  local name
  for name in "${!KEEP[@]}"; do printf 'keep %s %s\n' "$name" "${KEEP[$name]}"; done | sort
}

load_keep() {
  local file key value
  for file in "$ARMED_DIR/keep" "$BOOT_DIR/keep"; do
    [[ ! -L ${file%/*} && -f $file && -O $file ]] || continue
    while read -r key value; do read_keep "$key" "$value"; done <"$file"
    ((${#KEEP[@]})) && return
  done
  # The watchdog still knows what was armed, even when all files are gone.
  while read -r key value; do read_keep "$key" "$value"; done < <(printf '%s' "$REMEMBERED")
  return 0
}

load_record() {
  local key value boot=unknown
  clear_record
  if [[ -f $PIDFILE && -O $PIDFILE ]]; then
    while read -r key value; do
      case $key in
        boot) boot=$value ;;
        since) REC_SINCE=$value ;;
        args) REC_ARGS=$value ;;
        keep) read_keep "$key" "$value" ;;
        deadline) [[ $value =~ ^[0-9]{1,15}$ ]] && REC_DEADLINE=$value ;;
        watchdog | leader | process)
          [[ $value =~ ^[0-9]{1,10}\ [0-9]{1,20}$ ]] || continue
          case $key in
            watchdog) REC_WATCHDOG=$value ;;
            leader) REC_LEADER=$value REC_FAULT+="$value|" ;;
            process) REC_FAULT+="$value|" ;;
          esac
          ;;
      esac
    done <"$PIDFILE"
  fi
  # Start times count from boot: after a reboot they say nothing.
  if [[ $boot != "$(</proc/sys/kernel/random/boot_id)" ]]; then
    REC_WATCHDOG='' REC_LEADER='' REC_FAULT='|' REC_DEADLINE=''
  fi
  ((${#KEEP[@]})) || load_keep
}

write_record() {
  local text process
  local -a processes
  IFS='|' read -r -a processes < <(printf '%s\n' "${REC_FAULT#|}")
  printf -v text '%s\n' "boot $(</proc/sys/kernel/random/boot_id)" \
    ${REC_WATCHDOG:+"watchdog $REC_WATCHDOG"} ${REC_LEADER:+"leader $REC_LEADER"} \
    ${REC_DEADLINE:+"deadline $REC_DEADLINE"} ${REC_SINCE:+"since $REC_SINCE"} \
    ${REC_ARGS:+"args $REC_ARGS"}
  for process in "${processes[@]}"; do
    [[ $process == "$REC_LEADER" ]] || text+="process $process"$'\n'
  done
  ((${#KEEP[@]} == 0)) || text+=$(keep_lines)$'\n'
  # Renamed into place, so that no one ever reads half a record.
  { printf '%s' "$text" >"$PIDFILE.new" && mv -f -- "$PIDFILE.new" "$PIDFILE"; } 2>/dev/null
}
