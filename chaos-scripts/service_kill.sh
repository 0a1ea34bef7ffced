#!/usr/bin/env bash
# Stops a service, or kills its main process, and keeps it down.

SCENARIO=service_kill
SUMMARY="Stops or kills a service, and keeps it down."
ARGS=(service_name mode duration)
ARGS_HELP="  service_name     the service; what carries our own session or keeps this host alive is refused
  mode             stop (as its service manager does it) or kill (SIGKILL to its main process; systemd is held
                   off from starting it again until the revert) (default stop)
  duration         seconds until it is started again (default 120)
                   What starts it on demand (sockets, timers, paths) is stopped too, and all that stopped with it
                   is started again."

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# shellcheck disable=SC2034 # for lib.sh
LAUNCH_SECONDS=15
# How long systemd is waited for, at a stop and at a start.
PATIENCE=10
# In /run, so that it is gone after a reboot.
HOLD_DIR=/run/systemd/system
HOLD_FILE=90-no-restart.conf
# Without these there is no way back in, or no host.
PROTECTED='^(sshd?|sshd?@.*|dropbear.*|telnetd|dbus|dbus-.*|messagebus|polkit|systemd-.*|user@.*|user-runtime-dir@.*|(serial-)?getty@.*|console-getty|init|rc-local|emergency|rescue|udev|eudev|elogind|networking|network|networkd.*|NetworkManager.*|network-manager|ifup@.*|ifupdown.*|wicked.*|connman|dhcpcd.*|dhclient.*|wpa_supplicant.*|netplan.*|cloud-init.*|wg-quick@.*|openvpn.*|tailscaled|zerotier-one|strongswan.*|iscsid|open-iscsi|multipathd|dm-event|lvm2-.*|mdmonitor|mdadm|cryptsetup.*|zfs-.*|google-guest-agent|waagent|walinuxagent|qemu-guest-agent|droplet-agent)(\.(service|socket|path|timer))?$'

check_service_name() {
  [[ $1 =~ ^[A-Za-z0-9:_.@\\-]{1,250}$ && $1 != -* && $1 != .* ]] ||
    die "$BAD_ARGUMENTS" "service_name: \"$1\" can't be a service's name"
  [[ $1 != *.@(socket|target|mount|automount|swap|timer|path|slice|scope|device) ]] ||
    die "$BAD_ARGUMENTS" "service_name: $1 is no service; name one"
  ARG[service_name]=$1
}

check_mode() {
  [[ $1 == stop || $1 == kill ]] || die "$BAD_ARGUMENTS" "mode: \"$1\" is neither stop nor kill"
  ARG[mode]=$1
}

is_protected() { [[ $1 =~ $PROTECTED ]]; }

# What the record says is checked as if a stranger had written it.
kept_units() {
  local unit
  UNITS=()
  for unit in ${KEEP[units]:-}; do
    [[ $unit =~ ^[A-Za-z0-9:_.@\\-]{1,255}$ && $unit != -* ]] && ! is_protected "$unit" && UNITS+=("$unit")
  done
}

find_manager() {
  # Not has_systemd: tests, too, have to do with the systemd that is there.
  if [[ -d /run/systemd/system ]]; then
    MANAGER=systemd
  elif have service && [[ -d /etc/init.d ]]; then
    MANAGER=sysv
  else
    MANAGER=
  fi
}

# --- systemd ------------------------------------------------------------------------------------------------

# Sets PROPERTY of one unit.
declare -A PROPERTY=()
show_unit() { # UNIT PROPERTIES
  local key value
  PROPERTY=()
  while IFS='=' read -r key value; do PROPERTY[$key]=$value; done < <(systemctl show --property="$2" -- "$1" 2>/dev/null)
}

# The unit itself, what would start it on demand, and what stops when one of them does: in FAMILY, in this order.
find_family() { # UNIT
  local unit next
  local -a queue
  local -A seen=()
  FAMILY=() TRIGGERS=()
  show_unit "$1" Id,TriggeredBy
  read -r -a TRIGGERS < <(printf '%s\n' "${PROPERTY[TriggeredBy]:-}")
  queue=("${PROPERTY[Id]:-$1}" "${TRIGGERS[@]}")
  while ((${#queue[@]})); do
    unit=${queue[0]} queue=("${queue[@]:1}")
    [[ -z ${seen[$unit]:-} ]] || continue
    seen[$unit]=1
    FAMILY+=("$unit")
    show_unit "$unit" RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo
    for next in "${PROPERTY[@]}"; do
      # shellcheck disable=SC2206 # unit names, between spaces
      queue+=($next)
    done
  done
}

# Whether it runs and nothing that was asked for earlier is about to end it.
is_up() { # UNIT
  show_unit "$1" ActiveState,Job
  [[ ${PROPERTY[ActiveState]:-} == active && ${PROPERTY[Job]:-0} == 0 ]]
}

# Those of ours that are down now. What is no longer known to systemd can't be brought back.
find_down() {
  local unit
  DOWN=()
  kept_units
  for unit in "${UNITS[@]}"; do
    show_unit "$unit" ActiveState,Job,LoadState
    [[ ${PROPERTY[LoadState]:-} != not-found ]] || continue
    [[ ${PROPERTY[ActiveState]:-} == active && ${PROPERTY[Job]:-0} == 0 ]] || DOWN+=("$unit")
  done
}

refuse_family() {
  local unit
  for unit in "${FAMILY[@]}"; do
    ! is_protected "$unit" ||
      die "$FAILED" "$unit: would stop too, and without it this host may be lost; name another service"
    show_unit "$unit" ActiveState
    [[ ${PROPERTY[ActiveState]:-} != inactive && ${PROPERTY[ActiveState]:-} != failed ]] || continue
    [[ $unit == *.@(service|socket|timer|path) ]] ||
      die "$FAILED" "$unit: would stop too, which is more than a service; name another service"
    ACTIVE+=("$unit")
  done
}

# Ourselves and our callers: sshd's session is a scope, but its listener, or another way in, is a service.
refuse_own() {
  local pid unit
  read_kin
  for pid in $KIN; do
    for unit in "${ACTIVE[@]}"; do
      ! grep -qsE "/${unit//[.\\]/\\&}(/|\$)" "/proc/$pid/cgroup" ||
        die "$FAILED" "$unit: carries our own session; name another service"
    done
  done
}

settle_systemd() {
  local unit=${ARG[service_name]} name
  [[ $unit == *.service ]] || unit+=.service
  show_unit "$unit" Id,Names,LoadState,ActiveState,UnitFileState,FragmentPath,SourcePath,RefuseManualStop,RefuseManualStart,CanStart,MainPID,NeedDaemonReload,WantedBy,RequiredBy,TriggeredBy
  case ${PROPERTY[LoadState]:-} in
    loaded) ;;
    masked) die "$FAILED" "$unit: is masked; unmask and start it, or name another service" ;;
    not-found | '') die "$FAILED" "$unit: there is no such service; see systemctl list-units --type=service" ;;
    *) die "$FAILED" "$unit: is not loaded well (${PROPERTY[LoadState]}); mend its unit file" ;;
  esac
  for name in ${PROPERTY[Names]:-} "${PROPERTY[Id]}"; do
    ! is_protected "$name" || die "$FAILED" "$unit: without it this host may be lost; name another service"
  done
  unit=${PROPERTY[Id]}
  [[ ${PROPERTY[ActiveState]:-} == active ]] ||
    die "$FAILED" "$unit: is ${PROPERTY[ActiveState]:-unknown}, not active; start it, or name another service"
  [[ ${PROPERTY[RefuseManualStop]:-} != yes && ${PROPERTY[RefuseManualStart]:-} != yes && ${PROPERTY[CanStart]:-} != no ]] ||
    die "$FAILED" "$unit: can't be stopped and started by hand; name another service"
  [[ ${PROPERTY[UnitFileState]:-} != transient && ( -e ${PROPERTY[FragmentPath]:-} || -e ${PROPERTY[SourcePath]:-} ) ]] ||
    die "$FAILED" "$unit: has no unit file to start it from again; name another service"
  if [[ ${ARG[mode]} == kill ]]; then
    [[ ${PROPERTY[MainPID]:-0} != 0 ]] || die "$FAILED" "$unit: has no main process to kill; use mode stop"
    [[ ${PROPERTY[NeedDaemonReload]:-} != yes ]] ||
      die "$FAILED" "$unit: its unit file has changed since it was loaded; run systemctl daemon-reload, or use mode stop"
  fi
  # Nothing pulls it in at boot, so a reboot alone would not bring it back.
  [[ ${PROPERTY[UnitFileState]:-} == enabled || -n ${PROPERTY[WantedBy]:-}${PROPERTY[RequiredBy]:-}${PROPERTY[TriggeredBy]:-} ]] ||
    OUTLIVES_REBOOT=1
  ACTIVE=()
  find_family "$unit"
  refuse_family
  refuse_own
  KEEP[units]="${ACTIVE[*]}" KEEP[unit]=$unit
}

hold_off_restarts() { # UNIT
  local dir=$HOLD_DIR/$1.d
  [[ ! -L $dir ]] && { [[ -d $dir ]] || mkdir -m 755 -- "$dir"; } && printf '[Service]\nRestart=no\n' >"$dir/$HOLD_FILE" &&
    chmod 644 -- "$dir/$HOLD_FILE" && systemctl daemon-reload
}

find_holds() {
  HOLDS=()
  local file
  for file in "$HOLD_DIR"/*.service.d/"$HOLD_FILE"; do
    [[ ! -f $file || ! -O $file ]] || HOLDS+=("$file")
  done
}

# A socket or timer could start it again between the kill and its own stop, so look twice.
kill_unit() { # UNIT
  local i
  hold_off_restarts "$1" || { WHY="systemd can't be held off from starting $1 again" && return 1; }
  for ((i = 0; i < 3; i++)); do
    is_up "$1" || [[ ${PROPERTY[ActiveState]} == activating ]] || break
    systemctl kill --kill-who=main --signal=KILL -- "$1" || break
    stop_triggers
    sleep 0.5
  done
}

stop_triggers() {
  ((${#TRIGGERS[@]} == 0)) || timeout "$PATIENCE" systemctl stop -- "${TRIGGERS[@]}"
}

apply_systemd() {
  local unit=${KEEP[unit]} said
  find_family "$unit"
  if [[ ${ARG[mode]} == kill ]]; then
    kill_unit "$unit"
  else
    # A stop that takes longer goes on by itself.
    stop_triggers
    said=$(timeout "$PATIENCE" systemctl stop -- "$unit" 2>&1)
    (($? == 124)) && return
  fi
  is_up "$unit" || return 0
  WHY="$unit is still active${said:+: ${said//$'\n'/; }}"
  return 1
}

undo_systemd() {
  local unit file i
  find_holds
  for file in "${HOLDS[@]}"; do
    rm -f -- "$file"
    rmdir -- "${file%/*}" 2>/dev/null
  done
  ((${#HOLDS[@]} == 0)) || systemctl daemon-reload
  find_down
  ((${#DOWN[@]})) || return 0
  systemctl reset-failed -- "${DOWN[@]}" 2>/dev/null
  # Sockets first: they can't be opened any more once their service runs.
  for unit in "${DOWN[@]}"; do
    [[ $unit == *.service ]] || systemctl start --no-block -- "$unit"
  done
  for unit in "${DOWN[@]}"; do
    [[ $unit != *.service ]] || systemctl start --no-block -- "$unit"
  done
  for ((i = 0; i < PATIENCE * 2; i++)); do
    sleep 0.5
    find_down
    ((${#DOWN[@]})) || return 0
    any_starting || break
  done
}

any_starting() {
  local unit
  for unit in "${DOWN[@]}"; do
    show_unit "$unit" ActiveState,Job
    [[ ${PROPERTY[ActiveState]:-} != @(activating|deactivating|reloading) && ${PROPERTY[Job]:-0} == 0 ]] || return 0
  done
  return 1
}

# --- System V init scripts ----------------------------------------------------------------------------------

sysv_runs() { service "$1" status </dev/null >/dev/null 2>&1; }

sysv_pid() { # NAME -> PID, of the process that its PID file names
  local file
  PID=
  for file in "/run/$1.pid" "/run/$1/$1.pid"; do
    [[ -f $file && -O $file ]] && read -r PID _ <"$file"
    [[ ! $PID =~ ^[0-9]{1,10}$ || $PID == 1 || ! -d /proc/$PID ]] || return 0
  done
  return 1
}

# A daemon that it starts must hold nothing of ours, nor look like ours.
start_sysv() (
  [[ -z $LOCK_FD ]] || exec {LOCK_FD}>&-
  exec env -u CHAOS_FAULT_OF -u CHAOS_WATCHDOG_OF timeout "$PATIENCE" setsid --wait service "$1" start \
    </dev/null >/dev/null 2>&1
)

settle_sysv() {
  local name=${ARG[service_name]%.service}
  ! is_protected "$name" || die "$FAILED" "$name: without it this host may be lost; name another service"
  [[ -x /etc/init.d/$name && -f /etc/init.d/$name ]] ||
    die "$FAILED" "$name: has no script in /etc/init.d to start it by again; name another service"
  sysv_runs "$name" || die "$FAILED" "$name: does not run, or can't tell; start it, or name another service"
  if [[ ${ARG[mode]} == kill ]]; then
    sysv_pid "$name" || die "$FAILED" "$name: no PID file names its main process; use mode stop"
  fi
  read_kin
  if sysv_pid "$name" && [[ $KIN == *" $PID "* ]]; then
    die "$FAILED" "$name: carries our own session; name another service"
  fi
  KEEP[units]=$name KEEP[unit]=$name
}

apply_sysv() {
  local name=${KEEP[unit]} i
  if [[ ${ARG[mode]} == kill ]]; then
    sysv_pid "$name" && kill -s KILL "$PID"
  else
    timeout "$PATIENCE" service "$name" stop </dev/null
  fi
  for ((i = 0; i < 20; i++)); do
    sysv_runs "$name" || return 0
    sleep 0.1
  done
  WHY="$name still runs"
  return 1
}

# --- the hooks ----------------------------------------------------------------------------------------------

settle() {
  [[ -n ${ARG[service_name]:-} ]] || die "$BAD_ARGUMENTS" "service_name: is missing; name a service"
  : "${ARG[mode]:=stop}"
  ((EUID == 0)) || die "$MISSING" "stopping a service needs root; run it with sudo"
  have timeout || die "$MISSING" "timeout: not found; install coreutils"
  find_manager
  [[ -n $MANAGER ]] || die "$MISSING" "there is neither systemd nor service with /etc/init.d; nothing could start it again"
  "settle_$MANAGER"
}

apply() {
  find_manager
  "apply_$MANAGER"
}

inject() {
  read_uptime
  rest_until "$((NOW + ARG[duration] * 100))"
  undo_changes
}

find_changes() {
  local unit
  CHANGES=()
  find_manager
  if [[ $MANAGER == systemd ]]; then
    find_down
    find_holds
    for unit in "${DOWN[@]}"; do
      show_unit "$unit" ActiveState,SubState,Result
      CHANGES+=("$unit is ${PROPERTY[ActiveState]:-unknown} (${PROPERTY[SubState]:-unknown})")
    done
    for unit in "${HOLDS[@]}"; do CHANGES+=("restarts are held off by $unit"); done
  elif [[ $MANAGER == sysv ]]; then
    kept_units
    for unit in "${UNITS[@]}"; do
      [[ ! -x /etc/init.d/$unit ]] || sysv_runs "$unit" || CHANGES+=("$unit does not run")
    done
  fi
}

undo_changes() {
  local unit
  find_manager
  if [[ $MANAGER == systemd ]]; then
    undo_systemd
    return
  fi
  kept_units
  for unit in "${UNITS[@]}"; do
    sysv_runs "$unit" || start_sysv "$unit"
  done
}

show_state() {
  local unit
  [[ -n ${ARG[service_name]:-} ]] || die "$BAD_ARGUMENTS" "service_name: is missing; name a service"
  find_manager
  if [[ $MANAGER == systemd ]]; then
    unit=${ARG[service_name]%.service}.service
    find_family "$unit"
    find_holds
    for unit in "${FAMILY[@]}"; do
      show_unit "$unit" ActiveState
      # systemd forgets, and loads again, those that are down: of them only the service itself is sure to be listed.
      [[ $unit != "${FAMILY[0]}" && ${PROPERTY[ActiveState]:-} == inactive ]] ||
        printf 'unit %s %s\n' "$unit" "${PROPERTY[ActiveState]:-unknown}"
    done
    printf 'restarts %s\n' "$( ((${#HOLDS[@]})) && echo held-off || echo as-configured)"
  elif [[ $MANAGER == sysv ]]; then
    unit=${ARG[service_name]%.service}
    printf 'service %s %s\n' "$unit" "$(sysv_runs "$unit" && echo running || echo stopped)"
  fi
}

main "$@"
