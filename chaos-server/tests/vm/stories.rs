//! The whole story, on a real host: a fault comes, it is looked at, the plan is approved and applied, and then the
//! service works again by a check of its own, while nothing has changed but what the plan names.

use std::{collections::BTreeSet, env, fs, path::Path, time::Duration};

use serde_json::Value;

use crate::{
    Vm, input, keep,
    lab::{Area, Lab, NETWORK, Placed, RESOURCES, SERVICES, STORAGE, is_right, watched},
};

/// The six faults of our own scripts, begun by hand, so that nothing ends them but their time or what is applied.
const SCENARIOS: Area = include_str!("lab/scenarios.sh");
/// Prints what a fix might change on a host, a line each.
const STATE: &str = include_str!("lab/state.sh");

struct Story {
    lab: Lab,
    /// What the service is for: a command for bash that succeeds once it works again.
    works: &'static str,
}

impl Story {
    fn tell(&self) {
        let vm = Vm::new();
        if self.lab.area == SCENARIOS {
            assert_eq!(vm.run(&["scripts", "install"]).status.code(), Some(0));
        }
        let _placed = Placed::new(&vm, &self.lab);
        std::thread::sleep(Duration::from_secs(4));
        let healthy = state(&vm);
        let incident = watched(&vm, &self.lab);
        let faulty = state(&vm);
        assert!(!self.it_works(&vm, 1), "the fault does not show");
        is_right(&self.lab, &incident);
        let (code, words, done) = applied(&vm, &self.lab, &incident);
        let works = self.it_works(&vm, 15);
        let changed = changes(&healthy, &faulty, &state(&vm), &words);
        eprintln!(
            "{} {}: STORY {} exit {code:?} {} works {works} changed {changed:?}",
            self.lab.case,
            self.lab.level,
            words.join(" "),
            done["ending"],
        );
        assert_eq!(code, Some(0), "{done:#}");
        assert_eq!(done["ending"], "resolved", "{done:#}");
        assert!(works, "it does not work again: {}", self.works);
        assert!(changed.is_empty(), "{changed:?}");
    }

    fn it_works(&self, vm: &Vm, tries: u32) -> bool {
        let check = format!(
            "for _ in $(seq {tries}); do ({}) >/dev/null 2>&1 && echo works && exit; sleep 2; done",
            self.works
        );
        input(vm, &check).contains("works")
    }
}

fn state(vm: &Vm) -> BTreeSet<String> {
    input(vm, STATE).lines().map(str::to_owned).collect()
}

/// Approves and applies what was proposed: the exit code, the words of its actions, and what `applied.json` tells.
fn applied(vm: &Vm, lab: &Lab, incident: &Value) -> (Option<i32>, Vec<String>, Value) {
    let plan = &incident["plans"][0];
    let actions = plan["actions"].as_array().unwrap();
    assert!(!actions.is_empty(), "nothing to apply: {plan:#}");
    let words = actions.iter().flat_map(|a| a["argv"].as_array().unwrap());
    let words = words.map(|w| w.as_str().unwrap().to_owned()).collect();
    let (id, hash) = (incident["id"].as_str().unwrap(), plan["plan_sha256"].as_str().unwrap());
    let said = ["--reason", "a test", "--by", "a test", "--allow-apply", "--dangerous"];
    let approved = vm.plain(&[&["approve", id, "--plan", hash], said.as_slice()].concat());
    assert_eq!(approved.status.code(), Some(0), "{}", String::from_utf8_lossy(&approved.stderr));
    let ran = vm.run(&["apply", id, "--allow-apply", "--dangerous"]);
    eprintln!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let done = fs::read(vm.incident_dir().join("applied.json"));
    let done = done.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if let Ok(kept) = env::var("CHAOS_VM_KEEP") {
        keep(&vm.incident_dir(), &Path::new(&kept).join(format!("{}_{}.applied", lab.case, lab.level)));
    }
    (ran.status.code(), words, done)
}

/// What is another way than while the fault was there, but for what is as it was before the fault, and what a plan of
/// these words names.
fn changes(
    healthy: &BTreeSet<String>,
    faulty: &BTreeSet<String>,
    now: &BTreeSet<String>,
    words: &[String],
) -> Vec<String> {
    let named = |line: &str| {
        words.iter().flat_map(|w| w.split(',')).any(|w| w.len() > 2 && line.contains(w.trim_end_matches(".service")))
    };
    let came = now.difference(faulty).filter(|l| !healthy.contains(*l)).map(|l| format!("+ {l}"));
    let went = faulty.difference(now).filter(|l| healthy.contains(*l)).map(|l| format!("- {l}"));
    came.chain(went).filter(|l| !named(l)).collect()
}

macro_rules! stories {
    ($($name:ident: $area:ident $level:literal $faults:tt $culprit:tt $works:literal;)+) => {
        $(#[test]
        #[ignore = "needs the test machine: cargo xtask e2e"]
        fn $name() {
            let lab = Lab { area: $area, case: stringify!($name), level: $level, faults: &$faults, culprit: &$culprit };
            Story { lab, works: $works }.tell();
        })+
    };
}

stories! {
    service_kill: SCENARIOS "hard" ["service_down"] [] "curl -fsS -m 5 -o /dev/null http://127.0.0.1/";
    cpu_spike: SCENARIOS "hard" ["cpu_saturation"] [] "read -r _ avg _ </proc/pressure/cpu; avg=${avg#avg10=}; [ ${avg%.*} -lt 40 ]";
    memory_leak: SCENARIOS "hard" ["memory_leak"] [] "! ps -eo rss= | awk '$1 > 250000 { found = 1 } END { exit !found }'";
    disk_fill: SCENARIOS "hard" ["disk_space"] [] "[ $(df --output=pcent / | tail -n 1 | tr -dc 0-9) -lt 90 ]";
    net_latency: SCENARIOS "hard" ["network_latency"] [] "curl -fsS -m 5 -o /dev/null http://127.0.0.1/ && ! tc qdisc show | grep -q netem";
    db_conn_exhaust: SCENARIOS "hard" ["db_connections_exhausted"] [] "runuser -u app -- psql -XAt -d app -c 'select 1'";
    process_frozen: RESOURCES "hard" ["process_frozen"] [("command", "nginx")] "curl -fsS -m 5 -o /dev/null http://127.0.0.1/";
    process_frozen_app: RESOURCES "hard" ["process_frozen"] [] "curl -fsS -m 20 -o /dev/null http://127.0.0.1/app";
    cpu_quota_throttling: RESOURCES "hard" ["cpu_quota_throttling"] [("unit", "quote-engine.service")] "sleep 8; ! journalctl -q -u quote-engine --since -7s | grep -q 'more than'";
    cpu_saturation: RESOURCES "hard" ["cpu_saturation"] [("unit", "thumbnailer.service")] "read -r _ avg _ </proc/pressure/cpu; avg=${avg#avg10=}; [ ${avg%.*} -lt 50 ]";
    swap_thrash: RESOURCES "hard" ["swap_thrash"] [] "read -r _ avg _ </proc/pressure/memory; avg=${avg#avg10=}; [ ${avg%.*} -lt 3 ]";
    limits_too_low: RESOURCES "hard" ["limits_too_low"] [] "sleep 4; ! journalctl -q -u catalog-indexer --since -4s | grep -q 'given up'";
    filesystem_read_only: STORAGE "mild" ["filesystem_read_only"] [] "touch /srv/archive/current/.probe && rm /srv/archive/current/.probe";
    db_lock_pileup: STORAGE "hard" ["db_lock_pileup"] [] "runuser -u app -- psql -XAt -d app -c \"set lock_timeout = '2s'\" -c 'select count(*) from orders where id > 10'";
    backup_at_peak: STORAGE "hard" ["backup_at_peak"] [] "read -r _ avg _ </proc/pressure/cpu; avg=${avg#avg10=}; [ ${avg%.*} -lt 50 ]";
    disk_io_saturation: STORAGE "hard" ["disk_io_saturation"] [] "read -r _ avg _ </proc/pressure/io; avg=${avg#avg10=}; [ ${avg%.*} -lt 30 ]";
    service_killed: SERVICES "mild" ["service_killed"] [] "curl -fsS -m 5 -o /dev/null http://127.0.0.1/";
    port_taken: SERVICES "mild" ["port_taken"] [("port", "8081"), ("command", "perl")] "curl -fsS -m 5 http://127.0.0.1:8081/stock | grep -q bolts";
    service_hang: SERVICES "hard" ["service_hang"] [] "curl -fsS -m 5 http://127.0.0.1:8081/stock | grep -q bolts";
    packet_loss: NETWORK "hard" ["packet_loss"] [("interface", "eth1")] "ping -c 20 -i 0.2 -q 10.99.0.2 | grep -q ' 0% packet loss'";
    firewall_drop: NETWORK "hard" ["firewall_drop"] [] "timeout 3 bash -c '</dev/tcp/127.0.0.1/8070'";
    interface_down: NETWORK "hard" ["interface_down"] [("interface", "eth1")] "ping -c 2 -W 2 -I eth1 10.99.0.2";
    ephemeral_ports: NETWORK "hard" ["ephemeral_ports"] [] "sleep 6; ! journalctl -q -u price-poller --since -5s | grep -q 'not fetched'";
    bandwidth_saturated: NETWORK "hard" ["bandwidth_saturated"] [("interface", "eth1")] "sleep 9; ! journalctl -q -u photo-sync --since -8s | grep -q 'was slow'";
    conntrack_full: NETWORK "hard" ["conntrack_full"] [] "timeout 3 bash -c '</dev/tcp/10.99.0.2/1883'";
    mtu_mismatch: NETWORK "hard" ["mtu_mismatch"] [] "sleep 12; ! journalctl -q -u photo-sync --since -10s | grep -q 'not sent'";
}
