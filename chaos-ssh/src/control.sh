# Runs on the target for as long as the connection lasts, by sh. Says what the target is, then ends process groups on
# request, and those that still run when the connection is gone.
# shellcheck shell=sh disable=SC2086,SC2154  # words are split on purpose; silence comes from who starts it
echo "shell ${SHELL-}"
uid=$(id -u)
echo "uid $uid"
if read -r stat 2>/dev/null </proc/$$/stat; then
  set -- ${stat##*) }
  echo "group $$ $3"
fi
command -v setsid >/dev/null 2>&1 && echo "setsid yes"
if [ "$uid" != 0 ] && command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1 </dev/null; then
  echo "sudo yes"
fi
echo "ready yes"
exec >/dev/null 2>&1
trap '' HUP INT TERM PIPE
# One word each: GROUP:ROLE, and a blank on both sides.
running=' '
watchdog=
end() {
  case $3 in
    root) sudo -n kill -s "$1" -- "$2" ;;
    *) kill -s "$1" -- "$2" ;;
  esac
}
end_all() {
  for one in $running; do end TERM "${one%%:*}" "${one##*:}"; done
  [ "$running" = ' ' ] || sleep 2
  for one in $running; do end KILL "${one%%:*}" "${one##*:}"; done
}
# A host at the other end of a cut cable closes nothing: without a word for $silence seconds it is taken for gone.
watch() {
  [ -z "$watchdog" ] || kill -s USR1 "$watchdog"
  watchdog=
  [ "$running" != ' ' ] || return
  (
    nap=
    trap 'kill -s KILL $nap; exit' USR1
    sleep "$silence" &
    nap=$!
    wait "$nap"
    end_all
  ) &
  watchdog=$!
}
while read -r what group role; do
  case $what in
    +) running="$running$group:$role " ;;
    -) running="${running%%" $group:$role "*} ${running#*" $group:$role "}" ;;
    here) ;;
    *) end "$what" "$group" "$role" ;;
  esac
  watch
done
[ -z "$watchdog" ] || kill -s USR1 "$watchdog"
end_all
