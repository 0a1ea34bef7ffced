# shellcheck shell=bash
# What would bring a host down.
# shellcheck disable=SC2264
bomb() { bomb | bomb & }
case $1 in
  fork) bomb; sleep 3; (setsid sleep 5000 &) ;;
  space) dd if=/dev/zero of=/var/escape-big bs=1M count=900; dd if=/dev/zero of=/dev/shm/escape-big bs=1M count=900 ;;
  memory) python3 -c 'x = []
while True: x.append(bytearray(1 << 20))' ;;
  output) yes escape | head -c 300000000 ;;
  late) sleep 3000 ;;
esac
