#!/usr/bin/env bash
# Real clients that hold connections of a PostgreSQL server, or the lock of an SQLite database.

SCENARIO=db_conn_exhaust
SUMMARY="Holds the connections of a database, so that others are refused."
ARGS=(conn_string clients duration)
ARGS_HELP="  conn_string      postgresql://… or key=value as libpq takes it, or sqlite:///path/to.db
                   (default: as root, the local PostgreSQL server as the user postgres; else libpq's own)
                   One with a password is taken only as --conn-string -, from the first line of standard input,
                   or from the environment as CHAOS_CONN_STRING.
  clients          how many connections to hold (default: until the server refuses, and each that gets free)
                   SQLite has one lock, which one client holds.
  duration         seconds until they are given back (default 120)"

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

# shellcheck disable=SC2034 # for lib.sh
LAUNCH_SECONDS=15
# How long `start` waits for clients; after that, more are added while it runs.
PATIENCE=8
SYSTEM_USER=postgres
# The uid that clients run as when nobody was named; found again by any later call.
# shellcheck disable=SC2034 # for lib.sh
((EUID != 0)) || FAULT_UID=$(id -u "$SYSTEM_USER" 2>/dev/null) || FAULT_UID=
PASSWORD=
RAW=${CHAOS_CONN_STRING:-}
unset -v CHAOS_CONN_STRING

# It ends when its standard input does, so that it never outlives who began it.
PYTHON_LOCK='
import os, select, sqlite3, sys, urllib.parse
name, hold = sys.argv[1], sys.argv[2] == "hold"
try:
    database = sqlite3.connect("file:" + urllib.parse.quote(name) + "?mode=rw", uri=True, timeout=3 if hold else 1, isolation_level=None)
    database.execute("select count(*) from sqlite_master").fetchone()
    database.execute("begin exclusive" if hold else "begin immediate")
except sqlite3.Error as error:
    sys.exit(f"{name}: {error}")
print("connected", flush=True)
if hold:
    select.select([0], [], [])
database.execute("rollback")
database.close()
'

# --- the connection string ------------------------------------------------------------------------------------

check_conn_string() {
  [[ -n $1 ]] || die "$BAD_ARGUMENTS" "conn_string: is empty; leave it out for the default"
  if [[ $1 == - ]]; then
    IFS= read -r RAW || [[ -n $RAW ]] || die "$BAD_ARGUMENTS" "conn_string: standard input is empty; give one line there"
    split_secret "$RAW"
  else
    split_secret "$1"
    # It is in the process table and the shell's history already, but no further.
    [[ -z $PASSWORD ]] ||
      die "$BAD_ARGUMENTS" "conn_string: holds a password; give it with --conn-string - on standard input, or as CHAOS_CONN_STRING"
  fi
  ARG[conn_string]=$CLEAN
  RAW=
}

percent_decode() { # TEXT -> DECODED; refuses what no environment can hold
  local rest=$1 hex
  DECODED=
  while [[ $rest == *%* ]]; do
    DECODED+=${rest%%\%*} rest=${rest#*%}
    hex=${rest:0:2} rest=${rest:2}
    [[ $hex =~ ^[0-9A-Fa-f]{2}$ && $hex != 00 ]] || die "$BAD_ARGUMENTS" "conn_string: a % that is no character; write it as %25"
    printf -v hex '%b' "\\x$hex"
    DECODED+=$hex
  done
  DECODED+=$rest
}

# Sets CLEAN to the string without its password, which may be shown, and PASSWORD to that.
split_secret() { # CONN_STRING
  CLEAN='' PASSWORD=''
  [[ $1 != *[[:cntrl:]]* && ${#1} -le 2000 ]] || die "$BAD_ARGUMENTS" "conn_string: has control characters, or over 2000 characters"
  case $1 in
    sqlite:///?*) CLEAN=$1 ;;
    postgresql://* | postgres://*) split_uri "$1" ;;
    *=*) split_keywords "$1" ;;
    *) die "$BAD_ARGUMENTS" "conn_string: is neither postgresql://…, key=value, nor sqlite:///path; see --help" ;;
  esac
}

split_uri() {
  local scheme=${1%%://*} rest=${1#*://} query='' user='' pair kept=
  [[ $rest != *\?* ]] || { query=${rest#*\?} rest=${rest%%\?*}; }
  if [[ ${rest%%/*} == *@* ]]; then
    user=${rest%%@*} rest=${rest#*@}
    # An @ in a password has to be written as %40, or it is not clear where the password ends.
    [[ ${rest%%/*} != *@* ]] || die "$BAD_ARGUMENTS" "conn_string: has two @; write one that is not before the host as %40"
    [[ $user != *:* ]] || { percent_decode "${user#*:}" && PASSWORD=$DECODED && user=${user%%:*}; }
    rest=$user@$rest
  fi
  # A / in a password has to be written as %2F; else it would end up in the name of the database.
  [[ $rest != */*@* ]] || die "$BAD_ARGUMENTS" "conn_string: has an @ behind a /; write both as %40 and %2F"
  while [[ -n $query ]]; do
    pair=${query%%&*}
    [[ $query == *\&* ]] && query=${query#*&} || query=
    case $pair in
      password=*) percent_decode "${pair#*=}" && PASSWORD=$DECODED ;;
      *) refuse_other_secrets "${pair%%=*}" && kept+=${kept:+&}$pair ;;
    esac
  done
  CLEAN=$scheme://$rest${kept:+?$kept}
}

refuse_other_secrets() { # KEY
  [[ ! $1 =~ (password|secret|passw|%) ]] || die "$BAD_ARGUMENTS" "conn_string: ${1//[^a-z_]/}: is a secret that can't be passed on; use a service file or the environment"
}

# key = value, where a value may be quoted and a backslash takes the next character as it is.
split_keywords() {
  local rest=$1 key value char raw
  while rest=${rest#"${rest%%[! ]*}"} && [[ -n $rest ]]; do
    key=${rest%%=*}
    [[ $rest == *=* && ${key// /} =~ ^[a-z_]+$ ]] || die "$BAD_ARGUMENTS" "conn_string: is not key=value; see --help"
    rest=${rest#*=} key=${key// /} value='' raw=''
    rest=${rest#"${rest%%[! ]*}"}
    if [[ $rest == \'* ]]; then
      rest=${rest:1} raw=\'
      while char=${rest:0:1} && [[ $char != \' ]]; do
        [[ -n $char ]] || die "$BAD_ARGUMENTS" "conn_string: a quote that does not end"
        [[ $char != \\ ]] || { raw+=$char rest=${rest:1} char=${rest:0:1}; }
        value+=$char raw+=$char rest=${rest:1}
      done
      rest=${rest:1} raw+=\'
    else
      while char=${rest:0:1} && [[ -n $char && $char != ' ' ]]; do
        [[ $char != \\ ]] || { raw+=$char rest=${rest:1} char=${rest:0:1}; }
        value+=$char raw+=$char rest=${rest:1}
      done
    fi
    if [[ $key == password ]]; then
      PASSWORD=$value
    else
      refuse_other_secrets "$key"
      CLEAN+=${CLEAN:+ }$key=$raw
    fi
  done
}

# Only the fault's own processes get it, and not as an argument.
pass_secrets() { [[ -z $PASSWORD ]] || export PGPASSWORD=$PASSWORD; }

is_sqlite() { [[ ${ARG[conn_string]:-} == sqlite://* ]]; }
sqlite_path() { SQLITE=/${ARG[conn_string]#sqlite:///}; }

# --- clients --------------------------------------------------------------------------------------------------

# The real one rather than Debian's wrapper, which is a second process.
find_psql() {
  local path
  PSQL=$(command -v psql)
  for path in /usr/lib/postgresql/*/bin/psql; do [[ ! -x $path ]] || PSQL=$path; done
  [[ -n $PSQL ]]
}

# Sets CLIENT to the command that connects. Without -w it might ask for a password.
find_client() {
  if is_sqlite; then
    sqlite_path
    CLIENT=(python3 -I -c "$PYTHON_LOCK" "$SQLITE")
    return
  fi
  find_psql || return 1
  CLIENT=("$PSQL" -X -w -q)
  if [[ ${ARG[conn_string]:-default} != default ]]; then
    CLIENT+=(-d "${ARG[conn_string]}")
  elif ((EUID == 0)); then
    # It becomes psql, and unlike runuser leaves no line in the log.
    CLIENT=(setpriv --reuid "$SYSTEM_USER" --regid "$SYSTEM_USER" --init-groups "${CLIENT[@]}" -d postgres)
  fi
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-5}
}

# Whether a new client is served; SAID is why not.
try_connection() {
  if is_sqlite; then
    SAID=$("${CLIENT[@]}" probe </dev/null 2>&1)
  else
    SAID=$(pass_secrets && cd / && "${CLIENT[@]}" -A -t -c 'select 1' </dev/null 2>&1)
  fi
}

# What a client's last words were, in one line.
in_brief() {
  local text=${1//$'\n'/ }
  printf '%s' "${text:0:300}"
}

settle() {
  [[ -z $RAW || -n ${ARG[conn_string]:-} ]] || { split_secret "$RAW" && ARG[conn_string]=$CLEAN; }
  RAW=
  : "${ARG[conn_string]:=default}"
  if is_sqlite; then
    python3 -I -c 'import sqlite3' 2>/dev/null || die "$MISSING" "python3: not found, or without sqlite3; install python3"
    sqlite_path
    [[ -f $SQLITE ]] || die "$FAILED" "$SQLITE: is no database file; name one that is there"
  else
    find_psql || die "$MISSING" "psql: not found; install postgresql-client"
    if [[ ${ARG[conn_string]} == default ]] && ((EUID == 0)); then
      [[ -n $FAULT_UID ]] || die "$FAILED" "there is no user $SYSTEM_USER, so no local server; name one with --conn-string"
      have setpriv || die "$MISSING" "setpriv: not found; install util-linux"
    fi
  fi
  find_client
  try_connection || die "$FAILED" "can't connect, so there is nothing to hold: $(in_brief "$SAID")"
  : "${ARG[clients]:=all}"
}

# Begins one more client, and says whether it was served. It holds its connection until our end of HOLD is closed,
# which happens at the latest when we are no more.
add_client() {
  local line part='' pid i
  SAID=
  if is_sqlite; then
    "${CLIENT[@]}" hold <"/proc/self/fd/$HOLD" >&"$ANSWERS" 2>&1 {HOLD}>&- {ANSWERS}>&- &
  else
    "${CLIENT[@]}" -c '\echo connected' -f - <"/proc/self/fd/$HOLD" >&"$ANSWERS" 2>&1 {HOLD}>&- {ANSWERS}>&- &
  fi
  pid=$!
  for ((i = 0; i < 30; i++)); do
    while read -r -t 0.2 -u "$ANSWERS" line; do
      line=$part$line part=
      [[ $line != connected ]] || { CLIENTS+=("$pid") && return; }
      SAID+="$line "
    done
    # The time can be up in the middle of a line: what came of it is taken and does not come again.
    part+=$line
    is_alive_child "$pid" || return 1
  done
  kill "$pid" 2>/dev/null
  return 1
}

is_alive_child() { read_stat "$1" && [[ $STAT_STATE != [ZX] ]]; }

count_clients() {
  local pid
  local -a alive=()
  for pid in "${CLIENTS[@]}"; do ! is_alive_child "$pid" || alive+=("$pid"); done
  CLIENTS=("${alive[@]}")
}

# Until all are there that were asked for, or the server refuses, or it takes too long.
add_clients() { # UPTIME
  local most=${ARG[clients]}
  [[ $most != all ]] || most=10000
  ! is_sqlite || most=1
  while read_uptime && ((${#CLIENTS[@]} < most && NOW < $1)); do
    add_client || return 1
  done
}

apply() {
  CLIENTS=()
  exec {HOLD}<> <(:) {ANSWERS}<> <(:)
  find_client && read_uptime && add_clients "$((NOW + PATIENCE * 100))"
  log "holds ${#CLIENTS[@]} connections${SAID:+; then: $(in_brief "$SAID")}"
  ((${#CLIENTS[@]})) && return
  WHY="no client was served: $(in_brief "$SAID")"
  return 1
}

# Whoever holds one of the others gives it back some time, and it has to be ours before somebody else gets it.
inject() {
  local end wait=50
  read_uptime
  end=$((NOW + ARG[duration] * 100))
  while read_uptime && ((NOW < end)); do
    if add_clients "$end"; then wait=50; else wait=$((wait < 400 ? wait * 2 : 500)); fi
    read_uptime
    rest_until "$((NOW + wait < end ? NOW + wait : end))"
    count_clients
  done
}

show_state() {
  local process name count=0 served=unknown i
  [[ -z $RAW || -n ${ARG[conn_string]:-} ]] || { split_secret "$RAW" && ARG[conn_string]=$CLEAN; }
  : "${ARG[conn_string]:=default}"
  for process in "${FAULT[@]}"; do
    { read -r name <"/proc/${process% *}/comm"; } 2>/dev/null
    [[ $name != psql && $name != python3* ]] || count=$((count + 1))
  done
  if find_client; then
    # A server needs a moment to see that a client has gone.
    for i in 1 2 3; do
      served=no
      try_connection && served=yes && break
      ((i == 3)) || sleep 0.5
    done
  fi
  printf 'clients %s\n' "$count"
  printf 'connects %s\n' "$served"
}

main "$@"
