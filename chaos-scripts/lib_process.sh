# shellcheck shell=bash
# The machine as all scenarios see it: memory, time and processes, and which processes are ours. lib.sh reads it.

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

# As root, a scenario may run its clients as another user.
is_owned() { # DIRECTORY of a process
  [[ -O $1 ]] || { [[ -n $FAULT_UID ]] && [[ $(stat -c %u -- "$1" 2>/dev/null) == "$FAULT_UID" ]]; }
}

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
    is_owned "/proc/$pid" && read_stat "$pid" && [[ $STAT_SESSION == "$pid" ]] && leaders+="$pid "
  done
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/}
    [[ -O $dir || -n $FAULT_UID ]] && [[ $KIN != *" $pid "* ]] && read_stat "$pid" || continue
    [[ $STAT_STATE != [ZX] ]] || continue
    if [[ $leaders == *" $STAT_SESSION "* || $MARKED == *" $pid "* || $REC_FAULT == *"|$pid $STAT_START|"* ]]; then
      is_owned "$dir" && FAULT+=("$pid $STAT_START")
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

# When memory runs out, the fault has to die before its revert.
set_oom_score() { { echo "$2" >"/proc/$1/oom_score_adj"; } 2>/dev/null || true; }
