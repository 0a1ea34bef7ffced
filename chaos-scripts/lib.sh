# shellcheck shell=bash
# What all chaos scenarios share: arguments, the record of what we made, the armed revert, and the commands
# start, arm, stop and status. It knows no scenario. A scenario script sets SCENARIO, SUMMARY, ARGS and
# ARGS_HELP, defines
#   settle        fills in missing arguments and refuses what this host can't take
#   inject        runs the fault in the foreground until its duration is over
#   list_files    sets FILE_PATH and FILE_BYTES when files of ours exist, else clears them (optional)
#   remove_files  removes those files (optional)
# and ends with `main "$@"`.
#
# Exit codes: 0 ok, 1 failed, 2 bad arguments, 3 already running, 4 missing tool or privilege.
#
# How a revert is kept from being lost:
#   - It is armed, and seen to be armed, before the fault begins: by a systemd timer, else by a watchdog process.
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
)

SELF=$(readlink -f -- "$0")
UNIT="chaos-revert-$SCENARIO"
LOCK_FD=
declare -A ARG=()
DRY_RUN=0 FORCE=0 AS_JSON=0

list_files() { FILE_PATH='' FILE_BYTES=0; }
remove_files() { :; }

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

# --- where state lives --------------------------------------------------------------------------------------

is_plain_path() { [[ $1 == /* && $1 != *[[:cntrl:]]* ]]; }

place_state() {
  local state
  if [[ -n ${CHAOS_STATE_DIR:-} ]]; then
    is_plain_path "$CHAOS_STATE_DIR" ||
      die $BAD_ARGUMENTS "CHAOS_STATE_DIR: must be an absolute path without control characters"
    state=$CHAOS_STATE_DIR
  elif ((EUID == 0)); then
    state=/var/run
  else
    state=${XDG_RUNTIME_DIR:-/tmp/chaos-$UID}
  fi
  STATE_DIR=$state
  # Our log is not in /var/log: who diagnoses reads that, and must not find our own account of the fault there.
  PIDFILE=$state/chaos-$SCENARIO.pid LOCKFILE=$state/chaos-$SCENARIO.lock LOG=$state/chaos-$SCENARIO.log
}

# A directory that others can write to could swap our record for theirs.
make_state_dir() {
  if [[ $STATE_DIR != /var/run ]]; then
    [[ -L $STATE_DIR ]] && die $FAILED "$STATE_DIR: is a symlink, which we don't follow; remove it"
    [[ -d $STATE_DIR ]] || mkdir -m 700 -- "$STATE_DIR" 2>/dev/null ||
      die $MISSING "$STATE_DIR: can't be created; check the rights on the directory above it"
    local mode
    mode=$(stat -c %a -- "$STATE_DIR")
    [[ -O $STATE_DIR ]] && (((8#$mode & 8#22) == 0)) ||
      die $FAILED "$STATE_DIR: must belong to uid $EUID and be writable by nobody else; remove it or chmod 700 it"
  fi
  [[ ! -L $LOG && ! -L $PIDFILE && ! -L $LOCKFILE ]] ||
    die $FAILED "$STATE_DIR: our PID, lock or log file is a symlink, which we don't follow; remove it"
}

take_lock() {
  { exec {LOCK_FD}>>"$LOCKFILE"; } 2>/dev/null && flock -w 20 "$LOCK_FD"
}

# --- the machine: memory, time and processes ------------------------------------------------------------------

# MiB in AVAILABLE, for the scenarios.
# shellcheck disable=SC2034
read_available() {
  local key kb _
  while read -r key kb _; do
    [[ $key != MemAvailable: ]] || AVAILABLE=$((kb / 1024))
  done </proc/meminfo
}

# Centiseconds since boot in NOW: unlike the wall clock, this never jumps.
read_uptime() {
  local up
  read -r up _ </proc/uptime && NOW=$((10#${up/./}))
}

# Field 2 may hold spaces and parentheses, so count from the last one.
read_stat() { # PID -> STAT_STATE STAT_PPID STAT_SESSION STAT_START
  local line=
  { IFS= read -r -d '' line <"/proc/$1/stat"; } 2>/dev/null
  [[ -n $line ]] || return 1
  # shellcheck disable=SC2206 # plain numbers, to be split
  local -a field=(${line##*) })
  STAT_STATE=${field[0]} STAT_PPID=${field[1]} STAT_SESSION=${field[3]} STAT_START=${field[19]}
}

# A process is its pid and its start time: a pid alone may have been given to another.
is_process() { read_stat "$1" && [[ $STAT_START == "$2" ]]; }
is_alive() { is_process "$1" "$2" && [[ $STAT_STATE != [ZX] ]]; }

# Ourselves and those who called us: the watchdog that runs a revert must not be ended by it.
read_kin() {
  local pid=$BASHPID
  KIN=' '
  while ((pid > 1)) && read_stat "$pid"; do
    KIN+="$pid "
    pid=$STAT_PPID
  done
}

marked_pids() { # ROLE: pids whose environment says that we made them in that role, each between spaces
  local path
  MARKED=' '
  while IFS= read -r path; do
    path=${path%/environ}
    MARKED+="${path#/proc/} "
  done < <(unset CHAOS_FAULT_OF CHAOS_WATCHDOG_OF && grep -lzFxs "CHAOS_$1_OF=$PIDFILE" /proc/[0-9]*/environ)
}

# Sets FAULT to "pid start" of each living process of the fault: it is recorded or marked as ours, or in a session
# whose leader is. Reading another's environment can block while memory is short, so marks are looked at only
# when asked for by "marked".
find_fault() {
  local dir pid leaders=' '
  FAULT=() MARKED=' '
  read_kin
  [[ ${1:-} == marked ]] && marked_pids FAULT
  # While a leader is there (even as a zombie), no one else can have its session id.
  # shellcheck disable=SC2086 # a pair
  [[ -n $REC_LEADER ]] && is_process $REC_LEADER && leaders+="${REC_LEADER% *} "
  for pid in $MARKED; do
    # Some tools wipe their workers' environment.
    [[ -O /proc/$pid ]] && read_stat "$pid" && [[ $STAT_SESSION == "$pid" ]] && leaders+="$pid "
  done
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    [[ -O $dir && $KIN != *" $pid "* ]] && read_stat "$pid" && [[ $STAT_STATE != [ZX] ]] || continue
    if [[ $leaders == *" $STAT_SESSION "* || $MARKED == *" $pid "* || $REC_FAULT == *"|$pid $STAT_START|"* ]]; then
      FAULT+=("$pid $STAT_START")
    fi
  done
}

signal_each() { # SIGNAL "PID START"...: returns 1 once none of them is alive
  local signal=$1 process any=1
  shift
  for process; do
    # shellcheck disable=SC2086
    is_alive $process || continue
    any=0
    [[ $signal == none ]] || kill -s "$signal" "${process% *}" 2>/dev/null
  done
  return "$any"
}

end_processes() { # "PID START"...
  local signal i
  for signal in TERM KILL; do
    signal_each "$signal" "$@" || return 0
    for ((i = 0; i < 30; i++)); do
      sleep 0.1
      signal_each none "$@" || return 0
    done
  done
  return 1
}

end_fault() {
  find_fault
  end_processes "${FAULT[@]}"
  find_fault marked
  end_processes "${FAULT[@]}"
  find_fault marked
  ((${#FAULT[@]} == 0))
}

# --- the record: what we made, so that any later call can find and verify it --------------------------------

clear_record() {
  REC_WATCHDOG='' REC_LEADER='' REC_FAULT='|' REC_DEADLINE='' REC_SINCE='' REC_ARGS='' REC_FILES=''
}

load_record() {
  local key value boot=unknown
  clear_record
  [[ -f $PIDFILE && -O $PIDFILE ]] || return 0
  while read -r key value; do
    case $key in
      boot) boot=$value ;;
      since) REC_SINCE=$value ;;
      args) REC_ARGS=$value ;;
      files) is_plain_path "$value" && REC_FILES=$value ;;
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
  # Start times count from boot: after a reboot they say nothing.
  if [[ $boot != "$(</proc/sys/kernel/random/boot_id)" ]]; then
    REC_WATCHDOG='' REC_LEADER='' REC_FAULT='|' REC_DEADLINE=''
  fi
}

write_record() {
  local text process
  local -a processes
  IFS='|' read -r -a processes < <(printf '%s\n' "${REC_FAULT#|}")
  printf -v text '%s\n' "boot $(</proc/sys/kernel/random/boot_id)" \
    ${REC_WATCHDOG:+"watchdog $REC_WATCHDOG"} ${REC_LEADER:+"leader $REC_LEADER"} \
    ${REC_DEADLINE:+"deadline $REC_DEADLINE"} ${REC_SINCE:+"since $REC_SINCE"} \
    ${REC_ARGS:+"args $REC_ARGS"} ${REC_FILES:+"files $REC_FILES"}
  for process in "${processes[@]}"; do
    [[ $process == "$REC_LEADER" ]] || text+="process $process"$'\n'
  done
  # Renamed into place, so that no one ever reads half a record.
  printf '%s' "$text" >"$PIDFILE.new" && mv -f -- "$PIDFILE.new" "$PIDFILE"
}

# --- processes of ours --------------------------------------------------------------------------------------

# Runs `SELF __role ARGS` in a session of its own, with nothing of the caller's open, lets RECORD_FUNCTION put
# it into the PID file, and waits until it says that it is ready.
launch() { # ROLE RECORD_FUNCTION ARGS...
  local role=$1 record=$2 fd pid answer=
  shift 2
  exec {fd}< <(
    exec {LOCK_FD}>&-
    exec setsid env "CHAOS_${role}_OF=$PIDFILE" "$BASH" "$SELF" "__$role" "$@" </dev/null 2>>"$LOG"
  )
  pid=$!
  read_stat "$pid" && "$record" "$pid $STAT_START" && write_record &&
    read -r -t 10 -u "$fd" answer
  exec {fd}<&-
  [[ $answer == ready ]] && read_stat "$pid" && [[ $STAT_SESSION == "$pid" && $STAT_STATE != [ZX] ]]
}

record_watchdog() { REC_WATCHDOG=$1; }
record_leader() { REC_LEADER=$1 REC_FAULT="|$1|"; }

close_inherited() {
  local path fd
  for path in /proc/self/fd/*; do
    fd=${path##*/}
    # Bash reads this script from one of them.
    ((fd > 2)) && ! [[ $path -ef $SELF ]] && exec {fd}>&-
  done
  return 0
}

await_record() { # KEY
  local i
  read_stat "$$" || return 1
  for ((i = 0; i < 100; i++)); do
    grep -qxs "$1 $$ $STAT_START" "$PIDFILE" && return 0
    sleep 0.05
  done
  return 1
}

# When memory runs out, the fault has to die before its revert.
set_oom_score() { { echo "$2" >"/proc/$1/oom_score_adj"; } 2>/dev/null || true; }

run_fault() { # KEY=VALUE...
  local pair
  cd / && close_inherited && await_record leader || exit $FAILED
  for pair; do ARG[${pair%%=*}]=${pair#*=}; done
  FORCE=${ARG[force]}
  set_oom_score self 1000
  echo ready
  exec >>"$LOG" 2>&1
  inject
}

run_watchdog() { # DEADLINE
  local left
  trap '' HUP INT TERM
  unset CHAOS_WATCHDOG_OF # or what a revert runs would look like a watchdog
  cd / && close_inherited && await_record watchdog || exit $FAILED
  ((EUID == 0)) && set_oom_score self -1000
  # A pipe that stays silent, to sleep on without a child that could be killed or fail to fork.
  exec 0<> <(:) && echo ready
  exec >/dev/null 2>&1
  # In steps, because a suspended machine stops the sleep but not the deadline.
  while read_uptime && (((left = $1 - NOW) > 0)); do
    ((left < 3000)) || left=3000
    read -r -t "$((left / 100)).$((left % 100 / 10))$((left % 10))" _
  done
  # From memory, not from the script's file, which may be gone by now.
  until (cmd_stop reverting); do read -r -t 2 _; done
}

# --- the armed revert ---------------------------------------------------------------------------------------

# Tests run side by side with their own CHAOS_STATE_DIR, but there is one systemd.
uses_systemd() {
  [[ -z ${CHAOS_STATE_DIR:-} && -d /run/systemd/system ]] && ((EUID == 0)) && have systemd-run && have systemctl
}

unit_is_up() {
  local state
  state=$(systemctl show --property=ActiveState --value "$1" 2>/dev/null)
  [[ $state == active || $state == activating || $state == reloading ]]
}

in_revert_unit() { grep -qsF "/$UNIT.service" /proc/self/cgroup; }

systemd_is_armed() {
  uses_systemd || return 1
  unit_is_up "$UNIT.timer" || { ! in_revert_unit && unit_is_up "$UNIT.service"; }
}

find_watchdogs() { # "marked" as in find_fault
  local pid
  local -a known
  WATCHDOGS=() MARKED=' '
  read_kin
  [[ ${1:-} == marked ]] && marked_pids WATCHDOG
  read -r -a known < <(printf '%s\n' "${REC_WATCHDOG% *} $MARKED")
  for pid in "${known[@]}"; do
    [[ -O /proc/$pid && $KIN != *" $pid "* ]] && read_stat "$pid" && [[ $STAT_STATE != [ZX] ]] || continue
    if [[ $MARKED == *" $pid "* || $REC_WATCHDOG == "$pid $STAT_START" ]]; then
      WATCHDOGS+=("$pid $STAT_START")
    fi
  done
}

find_arm() { # sets ARMED_BY to systemd, watchdog or nothing
  ARMED_BY=
  if systemd_is_armed; then
    ARMED_BY=systemd
  else
    find_watchdogs marked
    ((${#WATCHDOGS[@]} == 0)) || ARMED_BY=watchdog
  fi
}

seconds_left() {
  read_uptime
  LEFT=$(((REC_DEADLINE - NOW + 99) / 100))
  ((LEFT > 0)) || LEFT=0
}

arm_systemd() { # SECONDS
  local -a env=()
  [[ -n ${CHAOS_FILL_DIR:-} ]] && env=("--setenv=CHAOS_FILL_DIR=$CHAOS_FILL_DIR")
  # A unit that failed before would keep its name.
  systemctl reset-failed "$UNIT.timer" "$UNIT.service" 2>/dev/null
  (
    exec {LOCK_FD}>&-
    exec systemd-run --quiet --collect --unit="$UNIT" --on-active="${1}s" --timer-property=AccuracySec=1s \
      --property=Restart=on-failure --property=RestartSec=5 "${env[@]}" \
      -- "$BASH" "$SELF" stop </dev/null >>"$LOG" 2>&1
  )
}

arm() { # SECONDS
  read_uptime
  REC_DEADLINE=$((NOW + $1 * 100))
  if uses_systemd && arm_systemd "$1"; then
    write_record || return 1
  else
    launch WATCHDOG record_watchdog "$REC_DEADLINE" || return 1
  fi
  find_arm
  log "armed by ${ARMED_BY:-nothing}, fires in $1 s"
  [[ -n $ARMED_BY ]]
}

disarm() {
  if uses_systemd; then
    systemctl stop "$UNIT.timer" 2>/dev/null
    in_revert_unit || systemctl stop "$UNIT.service" 2>/dev/null
    systemctl reset-failed "$UNIT.timer" "$UNIT.service" 2>/dev/null
  fi
  find_watchdogs marked
  local i
  # It ignores TERM, and there is nothing that it would have to tidy up.
  for ((i = 0; i < 30; i++)); do
    signal_each KILL "${WATCHDOGS[@]}" || break
    sleep 0.1
  done
  REC_WATCHDOG='' REC_DEADLINE=''
  find_arm
  [[ -z $ARMED_BY ]]
}

# --- the commands -------------------------------------------------------------------------------------------

find_state() { # sets STATE, FAULT, FILE_PATH, FILE_BYTES, ARMED_BY
  find_fault marked
  list_files
  find_arm
  if ((${#FAULT[@]})); then
    STATE=running
  elif [[ -n $FILE_PATH ]]; then
    STATE=leftover
  elif [[ -n $ARMED_BY ]]; then
    STATE=armed
  else
    STATE=idle
  fi
}

# Ends the fault, and disarms only once nothing of it is left. REMAINS says what is.
revert() {
  local before
  REMAINS=
  end_fault || REMAINS="processes: ${FAULT[*]% *}"
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

# Under the lock: nothing runs, nothing of an earlier run is left. Keeps what `arm` alone has armed.
begin() {
  require_tools
  make_state_dir
  take_lock || die $FAILED "$LOCKFILE: another start or stop is at work; try again"
  load_record
  refuse_if_running
  if [[ -n $REC_LEADER || $STATE == leftover ]]; then
    log "clears the remains of an earlier run"
    revert || die $FAILED "an earlier run can't be reverted ($REMAINS); mend that, then run stop"
  elif [[ -z $ARMED_BY ]]; then
    clear_record
  fi
}

arm_within() { # SECONDS: keeps an armed revert that fires no later
  find_arm
  if [[ -n $ARMED_BY && -n $REC_DEADLINE ]]; then
    seconds_left
    ((LEFT > $1)) || return 0
  fi
  disarm && arm "$1"
}

describe_args() {
  local name text=
  for name in "${ARGS[@]}"; do text+=" $name=${ARG[$name]}"; done
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
  for name in "${ARGS[@]}"; do given+=("$name=${ARG[$name]}"); done

  trap 'abort_start "interrupted"' HUP INT TERM
  arm_within "${ARG[max_runtime]}" || abort_start "the revert can't be armed"
  REC_ARGS=$DESCRIBED REC_SINCE=$(utc_now) REC_FILES=${FILL_DIR:-}
  launch FAULT record_leader "${given[@]}" && fault_holds || abort_start "the fault did not begin"
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
  say "running with $DESCRIBED, over in ${ARG[duration]} s; the revert fires in $LEFT s ($ARMED_BY)"
}

cmd_arm() {
  require_tools
  make_state_dir
  take_lock || die $FAILED "$LOCKFILE: another start or stop is at work; try again"
  load_record
  find_state
  if [[ $STATE == running && -n $ARMED_BY ]]; then
    refuse_if_running
  elif [[ $STATE != running ]]; then
    revert || die $FAILED "an earlier run can't be reverted ($REMAINS); mend that, then run stop"
  fi
  arm "${ARG[max_runtime]}" || die $FAILED "the revert can't be armed; see $LOG"
  say "armed by $ARMED_BY; the revert fires in ${ARG[max_runtime]} s"
}

cmd_stop() { # "reverting" when the watchdog calls
  make_state_dir
  # A revert doesn't wait forever on a start that hangs: such a start ends its fault when it finds the arm gone.
  if ! take_lock && [[ ${1:-} != reverting ]] && ! in_revert_unit; then
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
  local pids='' files='' armed_by=null fires=null since=null process
  for process in "${FAULT[@]}"; do pids+=",${process% *}"; done
  [[ -z $FILE_PATH ]] || files="{\"path\":$(json_string "$FILE_PATH"),\"bytes\":$FILE_BYTES}"
  [[ -z $ARMED_BY ]] || armed_by="\"$ARMED_BY\""
  [[ -z $LEFT ]] || fires=$LEFT
  [[ -z $REC_SINCE ]] || since=$(json_string "$REC_SINCE")
  printf '{"scenario":"%s","state":"%s","pids":[%s],"files":[%s],' \
    "$SCENARIO" "$STATE" "${pids#,}" "$files"
  printf '"armed_by":%s,"fires_in_seconds":%s,"since":%s,"args":%s}\n' \
    "$armed_by" "$fires" "$since" "$(json_string "$REC_ARGS")"
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
  [[ -z $ARMED_BY ]] || echo "  revert: armed by $ARMED_BY${LEFT:+, fires in $LEFT s}"
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

start   arms the revert, begins the fault, and returns once it runs
arm     arms the revert only; the next start keeps it unless its own max-runtime is shorter
stop    ends the fault, reverts and disarms, and may be run at any time
status  idle (nothing of ours), armed, running, or leftover (files without a process)

Arguments, whole numbers, in this order or as --name N:
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
      start:--max-runtime | arm:--max-runtime) set_arg max_runtime "${1-}" && shift ;;
      start:--*)
        [[ " ${ARGS[*]} " == *" $name "* && $name != *' '* ]] || die $BAD_ARGUMENTS "$word: no such option; see --help"
        set_arg "$name" "${1-}" && shift
        ;;
      start:*)
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
    start | arm | stop | status)
      parse_args "$command" "$@"
      settle_times
      "cmd_$command"
      ;;
    --help | -h | help) print_help ;;
    __FAULT) run_fault "$@" ;;
    __WATCHDOG) run_watchdog "$@" ;;
    *) die $BAD_ARGUMENTS "\"$command\": no such command; use start, arm, stop, status or --help" ;;
  esac
  exit
}
