#!/bin/sh
# Tells what a layer holds. Works in the layer's directory. Arguments: the file system as the host has it, the same as it
# is with the layer, and names in the layer.
lower=$1 merged=$2
shift 2
change() { # KIND DETAIL PATH
  printf 'change\t%s\t%s\t%s\0' "$1" "$2" "$3"
}
what() { # FILE
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    printf 'directory with %s entries' "$(find "$1" -xdev -mindepth 1 | head -n 100000 | wc -l)"
  else
    stat -c '%F, %s bytes' "$1"
  fi
}
text() { # FILE BYTES: small, and without NUL
  [ "$2" -le 65536 ] && [ "$(tr -d '\0' <"$1" | wc -c)" = "$2" ]
}
for name; do
  name=${name#./}
  was=$lower/$name is=$merged/$name
  IFS='|' read -r kind mode owner device size <<EOF
$(stat -c '%F|%a|%U:%G|%t:%T|%s' "$name")
EOF
  if [ -c "$name" ] && [ "$device" = 0:0 ]; then
    change deleted "$(what "$was")" "$was"
    continue
  fi
  if [ ! -e "$was" ] && [ ! -L "$was" ]; then
    change added "$kind, $size bytes, mode $mode, owner $owner" "$was"
    continue
  fi
  IFS='|' read -r oldkind oldmode oldowner oldsize <<EOF
$(stat -c '%F|%a|%U:%G|%s' "$was")
EOF
  if [ "${kind#regular empty}" != "$kind" ]; then kind='regular file'; fi
  if [ "${oldkind#regular empty}" != "$oldkind" ]; then oldkind='regular file'; fi
  if [ "$kind" != "$oldkind" ]; then
    change modified "$oldkind becomes $kind" "$was"
    continue
  fi
  case $kind in
    'regular file')
      if [ "$size" != "$oldsize" ] || ! cmp -s "$was" "$name"; then
        change modified "$oldsize to $size bytes" "$was"
        if command -v diff >/dev/null && text "$was" "$oldsize" && text "$name" "$size"; then
          printf 'diff\t'
          diff -u "$was" "$name" | tail -n +3 | head -c 4000
          printf '\0'
        fi
      fi
      ;;
    'symbolic link')
      target=$(readlink "$name") oldtarget=$(readlink "$was")
      [ "$target" = "$oldtarget" ] || change modified "link to $oldtarget, then to $target" "$was"
      ;;
    directory)
      # One that was removed and made again hides what it held.
      for held in "$was"/* "$was"/.[!.]*; do
        below=${held##*/}
        [ -e "$held" ] || [ -L "$held" ] || continue
        [ -e "$is/$below" ] || [ -L "$is/$below" ] || [ -c "$name/$below" ] || change deleted "$(what "$held")" "$held"
      done
      ;;
  esac
  [ "$mode $owner" = "$oldmode $oldowner" ] || change metadata "$oldmode $oldowner, then $mode $owner" "$was"
done
