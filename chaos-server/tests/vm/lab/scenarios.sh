# shellcheck shell=bash
# The faults of the project's own scripts, begun by hand as anybody else's: nothing tells the host's observer. Sent over
# ssh as text, after common.sh, with one call behind it. The scripts are installed; their armed revert ends each at last.

_scenario() { # NAME ARGUMENT...
  local name=$1
  shift
  bash "/opt/chaos-scripts/$name.sh" start "$@" --max-runtime 900 </dev/null
}
_over() { bash "/opt/chaos-scripts/$1.sh" stop </dev/null; }

cpu_spike_prepare() { :; }
cpu_spike_inject() { _scenario cpu_spike --duration 880; }
cpu_spike_revert() { _over cpu_spike; }

memory_leak_prepare() { :; }
memory_leak_inject() { _scenario memory_leak --target-mb 350 --duration 880; }
memory_leak_revert() { _over memory_leak; }

disk_fill_prepare() { :; }
disk_fill_inject() { _scenario disk_fill --duration 880; }
disk_fill_revert() { _over disk_fill; }

net_latency_prepare() { :; }
net_latency_inject() { _scenario net_latency --delay-ms 200 --loss-pct 2 --duration 880; }
net_latency_revert() { _over net_latency; }

service_kill_prepare() { :; }
service_kill_inject() { _scenario service_kill --service-name nginx --duration 880; }
service_kill_revert() {
  _over service_kill
  systemctl is-active -q nginx || systemctl restart nginx
}

db_conn_exhaust_prepare() { :; }
db_conn_exhaust_inject() { _scenario db_conn_exhaust --duration 880; }
db_conn_exhaust_revert() { _over db_conn_exhaust; }
