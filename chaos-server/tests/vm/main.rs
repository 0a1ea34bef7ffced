//! Real faults on a real systemd host, over SSH, diagnosed blind; and each revert with its coordinator killed.
//! `cargo xtask e2e` boots the machine, says where it is, and runs these, one at a time.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

mod lab;
mod rehearsal;
mod stories;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Copies an incident's files.
fn keep(incident: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-r").arg(incident).arg(to).status().unwrap().success());
}

/// Runs a script for bash on the machine, by another way than ours, and gives what it prints.
fn input(vm: &Vm, script: &str) -> String {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&vm.ssh_config).args(["-o", "ConnectTimeout=40", &vm.name, "bash -s"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ssh.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let said = ssh.wait_with_output().unwrap();
    assert!(said.status.success(), "{}: {}", said.status, String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

static MACHINE: Mutex<()> = Mutex::new(());

/// The machine, as `xtask` started it, for one test; and a directory for its incidents.
struct Vm {
    name: String,
    ssh_config: PathBuf,
    place: TempDir,
    _machine: MutexGuard<'static, ()>,
}

impl Vm {
    fn new() -> Self {
        let machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let given = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask e2e`"));
        let (name, ssh_config) = (given("CHAOS_VM"), given("CHAOS_VM_SSH_CONFIG").into());
        Self { name, ssh_config, place: tempfile::tempdir().unwrap(), _machine: machine }
    }

    /// `chaos-handler COMMAND… --target …`, with nothing of this machine's user around it.
    fn command(&self, args: &[&str]) -> Command {
        self.command_on(&self.name, args)
    }

    fn command_on(&self, target: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        command.args(args).args(["--target", target, "--ssh-config"]).arg(&self.ssh_config);
        command.current_dir(self.place.path()).env("HOME", self.place.path()).env_remove("SSH_AUTH_SOCK");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A command that needs no target.
    fn plain(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_chaos-handler")).args(args).current_dir(self.place.path()).output().unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What the machine itself answers, by another way than ours.
    fn ssh(&self, script: &str) -> String {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.ssh_config).args(["-o", "ConnectTimeout=20", &self.name, script]).stdin(Stdio::null());
        let said = ssh.output().unwrap();
        assert!(said.status.success(), "{script}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    }

    fn incident_dir(&self) -> PathBuf {
        fs::read_dir(self.place.path().join("incidents")).unwrap().next().unwrap().unwrap().path()
    }

    fn incident(&self) -> Value {
        serde_json::from_slice(&fs::read(self.incident_dir().join("incident.json")).unwrap()).unwrap()
    }

    /// Runs from start to end, gives the incident, and keeps its files where `CHAOS_VM_KEEP` says.
    fn answer(&self, keep_as: &str, args: &[&str]) -> Value {
        let began = Instant::now();
        let ran = self.run(&[&["run"], args].concat());
        eprintln!("{}", String::from_utf8_lossy(&ran.stderr));
        eprintln!("{}\n{keep_as}: {:.0} s", String::from_utf8_lossy(&ran.stdout), began.elapsed().as_secs_f64());
        if let Ok(kept) = env::var("CHAOS_VM_KEEP") {
            keep(&self.incident_dir(), &PathBuf::from(kept).join(keep_as));
        }
        assert_eq!(ran.status.code(), Some(0));
        self.incident()
    }

    /// A run whose fault has started.
    fn with_fault(&self, args: &[&str]) -> Child {
        let mut child = self.command(&[&["run"], args].concat()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = lines.map_while(Result::ok).any(|l| l.contains("the fault has started"));
        assert!(started, "the fault never started");
        child
    }

    /// How far a scenario is, as its script says on the machine.
    fn state(&self, scenario: &str) -> String {
        let said = self.ssh(&format!("bash /opt/chaos-scripts/{scenario}.sh status --json"));
        let status: Value = serde_json::from_str(&said).unwrap();
        status["state"].as_str().unwrap().to_owned()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Whatever a failed test left behind; a no-op after a good one.
        let cleaned = self.run(&["cleanup"]);
        if !cleaned.status.success() {
            eprintln!("cleanup: {}", String::from_utf8_lossy(&cleaned.stdout));
        }
    }
}

/// The machine is emulated, so everything takes longer than elsewhere.
const WINDOWS: [&str; 7] = ["--yes", "--json", "--baseline", "25", "--observe", "30", "--max-runtime"];

/// A fault of ours, and what a right diagnosis of it says.
struct Case {
    scenario: &'static str,
    set: &'static [&'static str],
    fault: &'static str,
    culprit: &'static str,
    /// Prints something that is the same before the fault and after its revert, and not during it.
    witness: &'static str,
}

const CPU_SPIKE: Case = Case {
    scenario: "cpu_spike",
    set: &[],
    fault: "cpu_saturation",
    culprit: "process",
    witness: "pgrep -c stress-ng || true",
};
const MEMORY_LEAK: Case = Case {
    scenario: "memory_leak",
    set: &["--set", "target_mb=350"],
    fault: "memory_leak",
    culprit: "process",
    witness: "ps -eo rss= | awk '$1 > 250000' | wc -l",
};
const DISK_FILL: Case = Case {
    scenario: "disk_fill",
    set: &[],
    fault: "disk_space",
    culprit: "directory",
    witness: "ls /tmp/chaos_fill 2>/dev/null | wc -l",
};
const NET_LATENCY: Case = Case {
    scenario: "net_latency",
    set: &["--set", "delay_ms=200", "--set", "loss_pct=2"],
    fault: "network_latency",
    culprit: "interface",
    witness: "tc qdisc show | grep -c netem || true",
};
const SERVICE_KILL: Case = Case {
    scenario: "service_kill",
    set: &["--set", "service_name=nginx"],
    fault: "service_down",
    culprit: "unit",
    witness: "systemctl is-active nginx || true",
};
const DB_CONN_EXHAUST: Case = Case {
    scenario: "db_conn_exhaust",
    set: &[],
    fault: "db_connections_exhausted",
    culprit: "process",
    witness: "runuser -u postgres -- psql -Atc 'select count(*) > 8 from pg_stat_activity' 2>/dev/null || echo refused",
};

fn is_named(case: &Case) {
    let vm = Vm::new();
    let before = vm.ssh(case.witness);
    let args = [&[case.scenario], case.set, &WINDOWS, &["200"]].concat();
    let incident = vm.answer(case.scenario, &args);
    let diagnosis = &incident["diagnosis"];
    assert_eq!(diagnosis["fault"], case.fault, "{:#}", diagnosis["steps"]);
    assert!(diagnosis["confidence"].as_f64().unwrap() > 0.5);
    assert_eq!(diagnosis["culprit"]["entity"]["kind"], case.culprit, "{:#}", diagnosis["culprit"]);
    assert_eq!(incident["injection"]["recovery"]["state"], "proven", "{:#}", incident["injection"]);
    assert!(!incident["plans"][0]["actions"].as_array().unwrap().is_empty(), "{:#}", incident["plans"]);
    assert_eq!(vm.state(case.scenario), "idle");
    assert_eq!(vm.ssh(case.witness), before, "the machine is as before");
}

/// SIGKILL of the coordinator while the fault is there: the target reverts by itself, within the max runtime.
fn reverts_itself(case: &Case) {
    const MAX_RUNTIME: u64 = 45;
    let vm = Vm::new();
    let before = vm.ssh(case.witness);
    let limits = ["--yes", "--baseline", "1", "--observe", "300", "--duration", "45", "--max-runtime", "45", "--json"];
    let mut child = vm.with_fault(&[&[case.scenario], case.set, &limits].concat());
    let started = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(vm.state(case.scenario), "running", "the fault outlives its coordinator");
    while vm.ssh(case.witness) == before {
        assert!(started.elapsed() < Duration::from_secs(MAX_RUNTIME), "the fault never shows");
    }
    // Half a minute more, for a machine that is emulated and slow to answer.
    while vm.state(case.scenario) != "idle" {
        assert!(started.elapsed() < Duration::from_secs(MAX_RUNTIME + 30), "the armed revert did not fire");
        sleep(Duration::from_secs(2));
    }
    assert_eq!(vm.ssh(case.witness), before, "the machine is as before");
    let left =
        vm.ssh("systemctl list-units --all --no-legend 'chaos-revert-*'; ls /var/run/chaos-*.pid 2>/dev/null || true");
    assert_eq!(left, "", "nothing of the revert is left");
}

macro_rules! vm_tests {
    ($($name:ident: $what:ident($($case:expr)?);)+) => {
        $(#[test]
        #[ignore = "needs the test machine: cargo xtask e2e"]
        fn $name() {
            $what($(&$case)?);
        })+
    };
}

vm_tests! {
    cpu_spike_is_named_and_reverted: is_named(CPU_SPIKE);
    memory_leak_is_named_and_reverted: is_named(MEMORY_LEAK);
    disk_fill_is_named_and_reverted: is_named(DISK_FILL);
    net_latency_is_named_and_reverted: is_named(NET_LATENCY);
    service_kill_is_named_and_reverted: is_named(SERVICE_KILL);
    db_conn_exhaust_is_named_and_reverted: is_named(DB_CONN_EXHAUST);
    a_healthy_machine_is_called_healthy: healthy();
    cpu_spike_reverts_itself: reverts_itself(CPU_SPIKE);
    memory_leak_reverts_itself: reverts_itself(MEMORY_LEAK);
    disk_fill_reverts_itself: reverts_itself(DISK_FILL);
    net_latency_reverts_itself: reverts_itself(NET_LATENCY);
    service_kill_reverts_itself: reverts_itself(SERVICE_KILL);
    db_conn_exhaust_reverts_itself: reverts_itself(DB_CONN_EXHAUST);
    a_fault_that_cuts_our_own_connection_is_reverted_and_proven: cut_off();
    a_fault_is_gone_after_its_host_died_and_came_back: host_died();
    a_user_who_may_sudo_injects_and_reverts: sudoer();
    a_clock_that_is_hours_off_is_said: clock_off();
    chaos_needs_a_machine_that_is_fair_game: fair_game();
    scripts_are_installed_verified_and_looked_at: scripts();
}

fn healthy() {
    let vm = Vm::new();
    let incident = vm.answer("healthy", &["--baseline", "25", "--observe", "30", "--json"]);
    assert_eq!(incident["diagnosis"]["verdict"], "healthy", "{:#}", incident["findings"]);
    assert!(incident["diagnosis"]["confidence"].as_f64().unwrap() >= 0.8);
    assert!(incident["plans"][0]["actions"].as_array().unwrap().is_empty());
}

fn cut_off() {
    let vm = Vm::new();
    let args =
        ["net_latency", "--set", "loss_pct=100", "--yes", "--baseline", "5", "--observe", "10", "--duration", "40"];
    let ran = vm.run(&[&["run"], args.as_slice(), &["--max-runtime", "45"]].concat());
    eprintln!("{}{}", String::from_utf8_lossy(&ran.stderr), String::from_utf8_lossy(&ran.stdout));
    assert_eq!(vm.incident()["injection"]["recovery"]["state"], "proven", "{:#}", vm.incident()["injection"]);
    assert_eq!(vm.ssh(NET_LATENCY.witness).trim(), "0");
}

/// What fills the disk would still be there after a reboot: it is the boot that reverts, and we wait for it.
fn host_died() {
    let vm = Vm::new();
    let limits = ["--yes", "--json", "--baseline", "3", "--observe", "20", "--duration", "150", "--max-runtime", "160"];
    let child = vm.with_fault(&[&["disk_fill"], limits.as_slice()].concat());
    vm.ssh("sync");
    // At once, as by a power cut, so it cannot answer any more.
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&vm.ssh_config).args(["-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2", &vm.name]);
    let cut = ssh.arg("echo b >/proc/sysrq-trigger").stdin(Stdio::null()).output().unwrap();
    assert!(!cut.status.success(), "{cut:?}");
    let ran = child.wait_with_output().unwrap();
    let incident = vm.incident();
    assert_eq!(incident["injection"]["recovery"]["state"], "proven", "{:#}", incident["injection"]);
    assert_eq!(ran.status.code(), Some(0));
    assert_ne!(incident["diagnosis"]["verdict"], "healthy", "{:#}", incident["diagnosis"]);
    assert_eq!(vm.ssh(DISK_FILL.witness).trim(), "0");
    assert_eq!(vm.state("disk_fill"), "idle");
    let uptime: f64 = vm.ssh("cut -d' ' -f1 /proc/uptime").trim().parse().unwrap();
    assert!(uptime < 600.0, "it was started anew: {uptime}");
}

fn sudoer() {
    let vm = Vm::new();
    let limits = ["--yes", "--json", "--baseline", "3", "--observe", "10", "--max-runtime", "100"];
    let target = format!("sre-demo@{}", vm.name);
    let ran = vm.command_on(&target, &[&["run", "cpu_spike"], limits.as_slice()].concat()).output().unwrap();
    eprintln!("{}{}", String::from_utf8_lossy(&ran.stderr), String::from_utf8_lossy(&ran.stdout));
    assert_eq!(ran.status.code(), Some(0));
    let incident = vm.incident();
    let facts = &incident["observation"]["facts"];
    assert_eq!((&facts["root"], &facts["sudo"], &facts["journald"]), (&false.into(), &true.into(), &true.into()));
    assert_eq!(incident["injection"]["recovery"]["state"], "proven", "{:#}", incident["injection"]);
    assert_eq!(vm.state("cpu_spike"), "idle");
}

fn clock_off() {
    let vm = Vm::new();
    // In a log of its own: what the step does to logs that were there before is no test of a clock that is off.
    let log = "date -u +'%Y-%m-%dT%H:%M:%SZ ERROR said by the wrong clock' >/var/log/wrong-clock.log";
    vm.ssh(&format!("date -s '3 hours ago'; {log}"));
    let ran = vm.run(&["run", "--observe", "8", "--json"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    vm.ssh(&format!("date -s @{now}; rm /var/log/wrong-clock.log"));
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let incident = vm.incident();
    let facts = &incident["observation"]["facts"];
    let ahead = facts["clock_ahead_s"].as_f64().unwrap();
    assert!((-10_810.0..-10_790.0).contains(&ahead), "{ahead}");
    assert!(facts["limits"].to_string().contains("s behind ours"), "{facts:#}");
    // Its own times are read as if its clock were right.
    let observed = incident["observation"]["observed"]["start"].as_str().unwrap();
    let observed = chaos_core::model::Timestamp::parse(observed).unwrap();
    let evidence = incident["observation"]["evidence"].as_array().unwrap();
    let mut lines = evidence.iter().filter_map(|e| e["body"]["lines"].as_array()).flatten();
    let logged = lines.find(|l| l["text"].as_str().unwrap().contains("said by the wrong clock")).unwrap();
    let logged = chaos_core::model::Timestamp::parse(logged["at"].as_str().unwrap()).unwrap();
    assert!((logged.0 - observed.0).abs() < 600_000, "{logged:?} {observed:?}");
}

fn fair_game() {
    let vm = Vm::new();
    vm.ssh("mv /etc/chaos-handler/allow-chaos /root/");
    let refused = vm.run(&["run", "cpu_spike", "--yes", "--baseline", "0", "--observe", "1"]);
    let looked = vm.run(&["run", "--observe", "2"]);
    vm.ssh("mv /root/allow-chaos /etc/chaos-handler/");
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("not marked as fair game") && said.contains("--allow-chaos"), "{said}");
    assert_eq!(looked.status.code(), Some(0), "{}", String::from_utf8_lossy(&looked.stderr));
}

fn scripts() {
    let vm = Vm::new();
    let installed = vm.run(&["scripts", "install"]);
    assert_eq!(installed.status.code(), Some(0), "{}", String::from_utf8_lossy(&installed.stderr));
    assert_eq!(vm.run(&["scripts", "verify"]).status.code(), Some(0));
    vm.ssh("echo '# edited' >>/opt/chaos-scripts/lib.sh");
    let differs = vm.run(&["scripts", "verify"]);
    assert_eq!(differs.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&differs.stdout).contains("lib.sh                   differs"));
    assert_eq!(vm.run(&["scripts", "install"]).status.code(), Some(0));
    let status: Value = serde_json::from_slice(&vm.run(&["scripts", "status", "--json"]).stdout).unwrap();
    assert_eq!((&status["fair_game"], &status["installed"]), (&true.into(), &true.into()));
    assert_eq!(status["scenarios"].as_array().unwrap().len(), 6);
    assert!(status["scenarios"].as_array().unwrap().iter().all(|s| s["state"] == "idle"), "{status:#}");
}
