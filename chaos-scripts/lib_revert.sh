# shellcheck shell=bash
# The armed revert: a systemd timer, else a watchdog process; beside it, where a fault outlives a reboot, a unit that
# reverts at boot. And how a process of ours is begun, so that none can outlive its record. lib.sh reads it.

# --- processes of ours --------------------------------------------------------------------------------------

# Runs `SELF __role ARGS` in a session of its own, with nothing of the caller's open, lets RECORD_FUNCTION put
# it into the PID file, and waits until it says that it is ready. WHY is what it said instead.
launch() { # ROLE RECORD_FUNCTION ARGS...
  local role=$1 record=$2 fd pid answer=
  shift 2
  WHY=
  exec {fd}< <(
    exec {LOCK_FD}>&-
    [[ $role != FAULT ]] || pass_secrets
    exec setsid env "CHAOS_${role}_OF=$PIDFILE" "$BASH" "$SELF" "__$role" "$@" </dev/null 2>>"$LOG"
  )
  pid=$!
  read_stat "$pid" && "$record" "$pid $STAT_START" && write_record &&
    read -r -t "$LAUNCH_SECONDS" -u "$fd" answer
  exec {fd}<&-
  [[ $answer == ready ]] || { WHY=$answer && return 1; }
  read_stat "$pid" && [[ $STAT_SESSION == "$pid" && $STAT_STATE != [ZX] ]]
}

# shellcheck disable=SC2034 # REC_… are lib_record.sh's
record_watchdog() { REC_WATCHDOG=$1; }
# shellcheck disable=SC2034
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

run_fault() { # KEY=VALUE...
  local pair
  cd / && close_inherited && await_record leader || exit "$FAILED"
  load_record
  for pair; do ARG[${pair%%=*}]=${pair#*=}; done
  # shellcheck disable=SC2034 # the scenario reads it
  FORCE=${ARG[force]}
  set_oom_score self 1000
  open_log
  exec 3>&1 >>"$LOG" 2>&1
  WHY=
  apply 3>&- || { echo "${WHY:-its change failed}" >&3 && exit "$FAILED"; }
  echo ready >&3
  exec 3>&-
  inject
}

run_watchdog() { # DEADLINE
  local left
  trap '' HUP INT TERM
  unset CHAOS_WATCHDOG_OF # or what a revert runs would look like a watchdog
  cd / && close_inherited && await_record watchdog || exit "$FAILED"
  load_record
  REMEMBERED=$(keep_lines)
  [[ -z $REMEMBERED ]] || REMEMBERED+=$'\n'
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

# --- systemd ------------------------------------------------------------------------------------------------

# Tests run side by side with their own CHAOS_STATE_DIR, but there is one systemd.
has_systemd() {
  [[ -z ${CHAOS_STATE_DIR:-} && -d /run/systemd/system ]] && ((EUID == 0)) && have systemd-run && have systemctl
}

# What systemd runs for us sees its own network and files, which must be those that the fault is in.
shares_namespaces() { [[ /proc/self/ns/net -ef /proc/1/ns/net && /proc/self/ns/mnt -ef /proc/1/ns/mnt ]]; }

uses_systemd() { has_systemd && shares_namespaces; }

unit_is_up() {
  local state
  state=$(systemctl show --property=ActiveState --value "$1" 2>/dev/null)
  [[ $state == active || $state == activating || $state == reloading ]]
}

runs_in() { grep -qsF "/$1.service" /proc/self/cgroup; } # UNIT without suffix
in_revert_unit() { runs_in "$UNIT" || runs_in "$BOOT_UNIT"; }

systemd_is_armed() {
  has_systemd || return 1
  unit_is_up "$UNIT.timer" || { ! runs_in "$UNIT" && unit_is_up "$UNIT.service"; }
}

arm_systemd() { # SECONDS
  # A unit that failed before would keep its name.
  systemctl reset-failed "$UNIT.timer" "$UNIT.service" 2>/dev/null
  (
    exec {LOCK_FD}>&-
    exec systemd-run --quiet --collect --unit="$UNIT" --on-active="${1}s" --timer-property=AccuracySec=1s \
      --property=Restart=on-failure --property=RestartSec=5 \
      -- "$BASH" "$ARMED_DIR/${SELF##*/}" stop </dev/null >>"$LOG" 2>&1
  )
}

# --- the revert at boot -------------------------------------------------------------------------------------

boot_is_armed() { [[ -z ${CHAOS_STATE_DIR:-} ]] && ((EUID == 0)) && [[ -e $BOOT_FILE ]]; }

# Type=exec, since at boot a job that waits for another one holds up what comes after.
boot_unit() {
  cat <<EOT
[Unit]
Description=Revert of $SCENARIO, once, at boot
After=local-fs.target remote-fs.target

[Service]
Type=exec
ExecStart=$BASH $BOOT_DIR/${SELF##*/} stop
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
EOT
}

# Written through to the disk: the host may lose its power next.
arm_boot() {
  { copy_ourselves "$BOOT_DIR" && boot_unit >"$BOOT_FILE" && chmod 644 -- "$BOOT_FILE"; } 2>>"$LOG" || return 1
  systemctl --quiet enable "$BOOT_UNIT.service" 2>>"$LOG" || return 1
  [[ $(systemctl is-enabled "$BOOT_UNIT.service" 2>/dev/null) == enabled ]] || return 1
  sync -- "$BOOT_DIR"/* "$BOOT_DIR" "${BOOT_DIR%/*}" "$BOOT_FILE" "${BOOT_FILE%/*}" "${BOOT_FILE%/*}"/multi-user.target.wants
}

disarm_boot() {
  boot_is_armed || { drop_copy "$BOOT_DIR" && return; }
  if has_systemd; then
    runs_in "$BOOT_UNIT" || systemctl stop "$BOOT_UNIT.service" 2>/dev/null
    systemctl --quiet disable "$BOOT_UNIT.service" 2>/dev/null
  fi
  rm -f -- "$BOOT_FILE" && drop_copy "$BOOT_DIR"
  has_systemd && systemctl daemon-reload 2>/dev/null
  ! boot_is_armed
}

# --- arming -------------------------------------------------------------------------------------------------

# The armed revert has its own copy of this script, so that it outlives whatever becomes of the scripts.
copy_ourselves() { # DIRECTORY
  [[ -d $1 && ! -L $1 && -O $1 ]] || mkdir -m 700 -- "$1" || return 1
  cp -- "${PARTS[@]/#/$HERE/}" "$SELF" "$1/" && keep_lines >"$1/keep" &&
    CHAOS_STATE_DIR='' "$BASH" "$1/${SELF##*/}" --help >/dev/null
}

drop_copy() { # DIRECTORY
  [[ ! -L $1 && -d $1 && -O $1 ]] || return 0
  rm -f -- "${PARTS[@]/#/$1/}" "$1/${SELF##*/}" "$1/keep"
  # What others put there stays.
  rmdir -- "$1" 2>/dev/null || true
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

arm() { # SECONDS
  read_uptime
  REC_DEADLINE=$((NOW + $1 * 100))
  { copy_ourselves "$ARMED_DIR"; } 2>>"$LOG" || return 1
  if ((OUTLIVES_REBOOT)) && uses_systemd; then
    arm_boot || log "a revert at boot can't be armed"
  fi
  if uses_systemd && arm_systemd "$1"; then
    write_record || return 1
  else
    launch WATCHDOG record_watchdog "$REC_DEADLINE" || return 1
  fi
  find_arm
  log "armed by ${ARMED_BY:-nothing}, fires in $1 s"
  [[ -n $ARMED_BY ]]
}

# Sets COVERED to what is to be said about a reboot.
describe_reboot() {
  COVERED=
  ((OUTLIVES_REBOOT)) || return 0
  # shellcheck disable=SC2034 # lib.sh says it
  if boot_is_armed; then COVERED="; a reboot reverts it too"; else COVERED="; a reboot is not covered"; fi
}

disarm() {
  disarm_boot
  if has_systemd; then
    systemctl stop "$UNIT.timer" 2>/dev/null
    runs_in "$UNIT" || systemctl stop "$UNIT.service" 2>/dev/null
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
  [[ -z $ARMED_BY ]] && ! boot_is_armed && drop_copy "$ARMED_DIR"
}
