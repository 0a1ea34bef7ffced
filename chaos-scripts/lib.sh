# shellcheck shell=bash
# What all chaos scenarios share: the commands start, arm, stop, status and state, and their arguments. It knows no
# scenario. A scenario script sets SCENARIO, SUMMARY, ARGS and ARGS_HELP, reads this file, defines
#   check_NAME VALUE  takes an argument that is no whole number, or refuses it (RANGE has the others)
#   settle        fills in missing arguments and refuses what this host can't take
#   inject        runs the fault in the foreground until its duration is over
# and of these what it needs
#   apply         makes the change that inject then holds; quick, and on failure says in WHY why (one line)
#   find_changes  sets CHANGES: what of ours is changed on this host now, beside processes and files
#   undo_changes  changes that back
#   list_files    sets FILE_PATH and FILE_BYTES when files of ours exist, else clears them
#   remove_files  removes those files
#   remember      sets in KEEP what a revert must know when `arm` is called without a fault
#   show_state    prints for `state` what a fault with these arguments would change
#   pass_secrets  exports what only the fault may see
# and ends with `main "$@"`.
#
# Exit codes: 0 ok, 1 failed, 2 bad arguments, 3 already running, 4 missing tool or privilege.
#
# How a revert is kept from being lost:
#   - It is armed, and seen to be armed, before the fault begins: by a systemd timer, else by a watchdog process.
#   - It has its own copy of the scripts, and what it must know is kept beside that.
#   - Where the fault would outlive a reboot, a unit that reverts at boot is armed too.
#   - A process of ours does nothing until the PID file names it, so that none can outlive its record.
#   - Each carries the PID file's path in its environment, so that it is found even when the PID file is gone.
#   - The revert disarms itself only after nothing of ours is left.

set -uo pipefail
umask 077
export LC_ALL=C TZ=UTC PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"

readonly FAILED=1 BAD_ARGUMENTS=2 ALREADY_RUNNING=3 MISSING=4
readonly DEFAULT_DURATION=120 DEFAULT_MAX_RUNTIME=300
readonly MIB=1048576
declare -Ar RANGE=(
  [duration]="1 86400" [max_runtime]="1 86400" [load]="1 256"
  [target_mb]="1 4194304" [size_mb]="1 16777216"
  [delay_ms]="0 60000" [loss_pct]="0 100" [clients]="1 10000"
)

SELF=$(readlink -f -- "$0")
HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
PARTS=(lib.sh lib_process.sh lib_record.sh lib_revert.sh)
UNIT="chaos-revert-$SCENARIO"
BOOT_UNIT="chaos-boot-revert-$SCENARIO"
BOOT_FILE="/etc/systemd/system/$BOOT_UNIT.service"
BOOT_DIR="/var/lib/chaos-revert-$SCENARIO"
LOCK_FD=
declare -A ARG=() KEEP=()
DRY_RUN=0 FORCE=0 AS_JSON=0
REMEMBERED=
# A scenario changes these: whether its fault is still there after a reboot, the uid that its clients run as, how long
# apply may take.
OUTLIVES_REBOOT=0 FAULT_UID='' LAUNCH_SECONDS=10

apply() { :; }
find_changes() { CHANGES=(); }
undo_changes() { :; }
list_files() { FILE_PATH='' FILE_BYTES=0; }
remove_files() { :; }
remember() { :; }
show_state() { :; }
pass_secrets() { :; }

# --- messages -----------------------------------------------------------------------------------------------

say() { printf '%s: %s\n' "$SCENARIO" "$*"; }
utc_now() { printf '%(%Y-%m-%dT%H:%M:%SZ)T' -1; }

# A log that can't be written (the disk may well be full) must not get in the way of a revert.
log() { { printf '%s %s\n' "$(utc_now)" "$*" >>"$LOG"; } 2>/dev/null || true; }

die() { # CODE MESSAGE
  printf '%s: %s\n' "$SCENARIO" "$2" >&2
  exit "$1"
}

have() { command -v "$1" >/dev/null 2>&1; }

# Sleeps without a child that would have to be ended too, or would hold what the caller holds.
rest_until() { # UPTIME
  local fd left
  exec {fd}<> <(:)
  while read_uptime && (((left = $1 - NOW) > 0)); do
    ((left < 3000)) || left=3000
    read -r -t "$((left / 100)).$((left % 100 / 10))$((left % 10))" -u "$fd" _
  done
  exec {fd}>&-
}

# shellcheck source=lib_process.sh
. "$HERE/lib_process.sh"
# shellcheck source=lib_record.sh
. "$HERE/lib_record.sh"
# shellcheck source=lib_revert.sh
. "$HERE/lib_revert.sh"

# --- the commands -------------------------------------------------------------------------------------------

find_state() { # sets STATE, FAULT, CHANGES, FILE_PATH, FILE_BYTES, ARMED_BY
  find_fault marked
  find_changes
  list_files
  find_arm
  if ((${#FAULT[@]})); then
    STATE=running
  elif [[ -n $FILE_PATH ]] || ((${#CHANGES[@]})); then
    STATE=leftover
  elif [[ -n $ARMED_BY ]] || boot_is_armed; then
    STATE=armed
  else
    STATE=idle
  fi
}

join_by() { # SEPARATOR WORDS...
  local separator=$1 text=
  shift
  (($#)) && printf -v text "%s$separator" "$@"
  printf '%s' "${text%"$separator"}"
}

# Ends the fault, and disarms only once nothing of it is left. REMAINS says what is.
revert() {
  local before
  REMAINS=
  end_fault || REMAINS="processes: ${FAULT[*]% *}"
  find_changes
  if ((${#CHANGES[@]})); then
    undo_changes
    find_changes
    ((${#CHANGES[@]} == 0)) || REMAINS+="${REMAINS:+; }$(join_by '; ' "${CHANGES[@]}")"
  fi
  list_files
  if [[ -n $FILE_PATH ]]; then
    before=$FILE_PATH
    remove_files
    list_files
    [[ -z $FILE_PATH ]] || REMAINS+="${REMAINS:+; }files: $before"
  fi
  [[ -z $REMAINS ]] || return 1
  disarm || { REMAINS="armed revert: $ARMED_BY" && return 1; }
  rm -f -- "$PIDFILE" "$PIDFILE.new" || { REMAINS="record: $PIDFILE" && return 1; }
  clear_record
}

refuse_if_running() {
  find_state
  [[ $STATE != running ]] ||
    die $ALREADY_RUNNING "already running since ${REC_SINCE:-an unknown time} ($REC_ARGS); stop it first"
}

require_tools() {
  local tool
  for tool in setsid flock grep stat df du; do
    have "$tool" || die $MISSING "$tool: not found; install util-linux, coreutils and grep"
  done
}

lock_or_die() {
  take_lock
  case $? in
    1) die $FAILED "$LOCKFILE: another start or stop is at work; try again" ;;
    2) die $FAILED "$LOCKFILE: can't be written; free some space there" ;;
  esac
}

# Under the lock: nothing runs, nothing of an earlier run is left. Keeps what `arm` alone has armed.
begin() {
  require_tools
  make_state_dir
  lock_or_die
  load_record
  refuse_if_running
  if [[ -n $REC_LEADER || $STATE == leftover ]]; then
    log "clears the remains of an earlier run"
    revert || die $FAILED "an earlier run can't be reverted ($REMAINS); mend that, then run stop"
  elif [[ -z $ARMED_BY ]]; then
    clear_record
  fi
  ARMED_KEEP=$(keep_lines)
}

# Keeps an armed revert that fires no later and knows what it must; else arms anew, to fire no later than that one.
arm_within() { # SECONDS
  local seconds=$1
  find_arm
  if [[ -n $ARMED_BY && -n $REC_DEADLINE ]]; then
    seconds_left
    if ((LEFT <= seconds)); then
      [[ $(keep_lines) != "$ARMED_KEEP" ]] || { ! boot_is_armed && ((OUTLIVES_REBOOT)) && uses_systemd; } || return 0
      seconds=$((LEFT > 0 ? LEFT : 1))
    fi
  fi
  if [[ -n $ARMED_BY ]] || boot_is_armed; then disarm || return 1; fi
  arm "$seconds"
}

describe_args() {
  local name text=
  for name in "${ARGS[@]}"; do text+=" $name=${ARG[$name]:-}"; done
  DESCRIBED=${text# }
}

abort_start() { # MESSAGE
  log "start failed: $1"
  if revert; then
    die $FAILED "$1; nothing was left behind; see $LOG"
  fi
  die $FAILED "$1, and not all could be reverted ($REMAINS); run stop; see $LOG"
}

fault_holds() {
  local i
  # shellcheck disable=SC2086
  for ((i = 0; i < 5; i++)); do
    sleep 0.1
    is_alive $REC_LEADER || return 1
  done
}

cmd_start() {
  local name process
  local -a given=("force=$FORCE")
  if ((DRY_RUN)); then
    require_tools
    load_record
    refuse_if_running
    settle
    describe_args
    say "dry run: would start with $DESCRIBED; the revert would fire after ${ARG[max_runtime]} s"
    return
  fi
  begin
  settle
  describe_args
  for name in "${ARGS[@]}"; do given+=("$name=${ARG[$name]:-}"); done

  trap 'abort_start "interrupted"' HUP INT TERM
  arm_within "${ARG[max_runtime]}" || abort_start "the revert can't be armed"
  REC_ARGS=$DESCRIBED REC_SINCE=$(utc_now)
  launch FAULT record_leader "${given[@]}" && fault_holds || abort_start "the fault did not begin${WHY:+: $WHY}"
  find_fault marked
  for process in "${FAULT[@]}"; do
    [[ $REC_FAULT == *"|$process|"* ]] || REC_FAULT+="$process|"
    # Some tools set their own.
    set_oom_score "${process% *}" 1000
  done
  write_record || abort_start "the PID file can't be written"
  # We may have been held up for so long that the revert has come and gone.
  find_arm
  [[ -n $ARMED_BY ]] || abort_start "the armed revert is gone"
  trap - HUP INT TERM

  seconds_left
  log "started with $DESCRIBED"
  describe_reboot
  say "running with $DESCRIBED, over in ${ARG[duration]} s; the revert fires in $LEFT s ($ARMED_BY)$COVERED"
}

cmd_arm() {
  require_tools
  make_state_dir
  lock_or_die
  load_record
  find_state
  if [[ $STATE == running && -n $ARMED_BY ]]; then
    refuse_if_running
  elif [[ $STATE != running ]]; then
    revert || die $FAILED "an earlier run can't be reverted ($REMAINS); mend that, then run stop"
  fi
  [[ $STATE == running ]] || remember
  arm "${ARG[max_runtime]}" || die $FAILED "the revert can't be armed${WHY:+: $WHY}; see $LOG"
  describe_reboot
  say "armed by $ARMED_BY; the revert fires in ${ARG[max_runtime]} s$COVERED"
}

cmd_stop() { # "reverting" when the watchdog calls
  make_state_dir
  # A revert doesn't wait forever on a start that hangs: such a start ends its fault when it finds the arm gone.
  # Nor does it wait for a lock file that a full disk has no room for.
  take_lock
  if (($? == 1)) && [[ ${1:-} != reverting ]] && ! in_revert_unit; then
    die $FAILED "$LOCKFILE: another start or stop is at work; try again"
  fi
  load_record
  if ! revert; then
    log "stop: still there: $REMAINS"
    die $FAILED "not reverted, still there: $REMAINS; mend that, then run stop again"
  fi
  log "stopped, clean"
  say "stopped, clean"
}

json_string() {
  local text=${1//[[:cntrl:]]/ }
  if [[ $text == *[$'\x80'-$'\xff']* ]] && ! printf '%s' "$text" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1; then
    text=${text//[$'\x80'-$'\xff']/$'\xef\xbf\xbd'}
  fi
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

json_status() {
  local pids='' files='' changes='' armed_by=null fires=null since=null boot=false process change
  for process in "${FAULT[@]}"; do pids+=",${process% *}"; done
  [[ -z $FILE_PATH ]] || files="{\"path\":$(json_string "$FILE_PATH"),\"bytes\":$FILE_BYTES}"
  for change in "${CHANGES[@]}"; do changes+=",$(json_string "$change")"; done
  ! boot_is_armed || boot=true
  [[ -z $ARMED_BY ]] || armed_by="\"$ARMED_BY\""
  [[ -z $LEFT ]] || fires=$LEFT
  [[ -z $REC_SINCE ]] || since=$(json_string "$REC_SINCE")
  printf '{"scenario":"%s","state":"%s","pids":[%s],"files":[%s],"changes":[%s],' \
    "$SCENARIO" "$STATE" "${pids#,}" "$files" "${changes#,}"
  printf '"armed_by":%s,"fires_in_seconds":%s,"boot_revert":%s,"since":%s,"args":%s}\n' \
    "$armed_by" "$fires" "$boot" "$since" "$(json_string "$REC_ARGS")"
}

cmd_status() {
  load_record
  find_state
  LEFT=
  [[ -z $ARMED_BY || -z $REC_DEADLINE ]] || seconds_left
  # What is over is no longer news.
  [[ $STATE == running || $STATE == leftover ]] || REC_SINCE='' REC_ARGS=''
  if ((AS_JSON)); then
    json_status
    return
  fi
  say "$STATE${REC_SINCE:+ since $REC_SINCE}${REC_ARGS:+ ($REC_ARGS)}"
  ((${#FAULT[@]} == 0)) || echo "  processes: ${FAULT[*]% *}"
  [[ -z $FILE_PATH ]] || echo "  files: $FILE_PATH, $((FILE_BYTES / MIB)) MB"
  ((${#CHANGES[@]} == 0)) || printf '  changed: %s\n' "${CHANGES[@]}"
  ! boot_is_armed || echo "  revert: at the next boot"
  [[ -z $ARMED_BY ]] || echo "  revert: armed by $ARMED_BY${LEFT:+, fires in $LEFT s}"
}

# One fact a line, and none that changes by itself: whoever injects compares this before and after.
cmd_state() {
  local facts any=none
  load_record
  find_fault marked
  ((${#FAULT[@]} == 0)) || any=some
  facts=$(show_state) || exit
  printf '%s\n' "processes $any" ${facts:+"$facts"} | sort
}

print_help() {
  local synopsis
  printf -v synopsis ' [%s]' "${ARGS[@]}"
  cat <<EOF
$SUMMARY
For test machines only: never run this in production.

usage: ${SELF##*/} start$synopsis [--max-runtime S] [--dry-run] [--force]
       ${SELF##*/} arm [--max-runtime S]
       ${SELF##*/} stop
       ${SELF##*/} status [--json]
       ${SELF##*/} state$synopsis

start   arms the revert, begins the fault, and returns once it runs
arm     arms the revert only; the next start keeps it unless its own max-runtime is shorter
stop    ends the fault, reverts and disarms, and may be run at any time
status  idle (nothing of ours), armed, running, or leftover (files or changes without a process)
state   what a fault with these arguments would change, as it is now; the same before and after one

Arguments, in this order or as --name N:
$ARGS_HELP
  --max-runtime S  the revert fires after this many seconds, whatever happens (default $DEFAULT_MAX_RUNTIME)
  --dry-run        checks everything and starts nothing
  --force          skips the checks against filling up this host

Exit codes: 0 ok, 1 failed, 2 bad arguments, 3 already running, 4 missing tool or privilege
Files: $PIDFILE, $LOG
CHAOS_STATE_DIR puts them elsewhere and uses the watchdog even under systemd (for tests).
EOF
}

# --- arguments ----------------------------------------------------------------------------------------------

set_arg() { # NAME VALUE
  local low high
  if declare -F "check_$1" >/dev/null; then
    [[ -z ${ARG[$1]:-} ]] || die $BAD_ARGUMENTS "$1: given twice; give it once"
    "check_$1" "$2"
    return
  fi
  read -r low high < <(printf '%s\n' "${RANGE[$1]}")
  [[ -z ${ARG[$1]:-} ]] || die $BAD_ARGUMENTS "$1: given twice; give it once"
  [[ $2 =~ ^[0-9]{1,9}$ ]] && ((10#$2 >= low && 10#$2 <= high)) ||
    die $BAD_ARGUMENTS "$1: \"$2\" is not a whole number from $low to $high"
  ARG[$1]=$((10#$2))
}

parse_args() { # COMMAND WORDS...
  local command=$1 word name position=0
  shift
  while (($#)); do
    word=$1
    shift
    if [[ $word == --*=* ]]; then
      set -- "${word#*=}" "$@"
      word=${word%%=*}
    fi
    name=${word#--}
    name=${name//-/_}
    case $command:$word in
      start:--dry-run) DRY_RUN=1 ;;
      start:--force) FORCE=1 ;;
      status:--json) AS_JSON=1 ;;
      *:--help | *:-h) print_help && exit 0 ;;
      start:--max-runtime | arm:--max-runtime | state:--max-runtime) set_arg max_runtime "${1-}" && shift ;;
      start:--* | state:--*)
        [[ " ${ARGS[*]} " == *" $name "* && $name =~ ^[a-z_]+$ ]] || die $BAD_ARGUMENTS "$word: no such option; see --help"
        set_arg "$name" "${1-}" && shift
        ;;
      start:* | state:*)
        ((position < ${#ARGS[@]})) || die $BAD_ARGUMENTS "$word: one argument too many; see --help"
        set_arg "${ARGS[position++]}" "$word"
        ;;
      *) die $BAD_ARGUMENTS "$word: $command takes no such argument; see --help" ;;
    esac
  done
}

settle_times() {
  local longest
  : "${ARG[max_runtime]:=$DEFAULT_MAX_RUNTIME}"
  longest=${ARG[max_runtime]}
  : "${ARG[duration]:=$((DEFAULT_DURATION < longest ? DEFAULT_DURATION : longest))}"
  ((ARG[duration] <= longest)) ||
    die $BAD_ARGUMENTS "duration: ${ARG[duration]} s is longer than --max-runtime, $longest s; raise that or shorten it"
}

main() {
  local command=${1:-}
  (($# == 0)) || shift
  place_state
  clear_record
  case $command in
    start | arm | stop | status | state)
      parse_args "$command" "$@"
      settle_times
      "cmd_$command"
      ;;
    --help | -h | help) print_help ;;
    __FAULT) run_fault "$@" ;;
    __WATCHDOG) run_watchdog "$@" ;;
    *) die $BAD_ARGUMENTS "\"$command\": no such command; use start, arm, stop, status, state or --help" ;;
  esac
  exit
}
