//! Real faults on this machine, diagnosed blind. One at a time: each is seen by whoever watches this machine.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

static MACHINE: Mutex<()> = Mutex::new(());

/// The machine for one test, and a directory for its incidents.
struct Bench {
    place: TempDir,
    _machine: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Self {
        let machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { place: tempfile::tempdir().unwrap(), _machine: machine }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        command.args(args).current_dir(self.place.path()).env("HOME", self.place.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn incident(&self) -> Value {
        let incident = fs::read_dir(self.place.path().join("incidents")).unwrap().next().unwrap().unwrap();
        serde_json::from_slice(&fs::read(incident.path().join("incident.json")).unwrap()).unwrap()
    }

    /// Runs a scenario from start to end and gives the incident.
    fn answer(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["run"].iter().chain(args).copied().collect();
        let ran = self.run(&args);
        let shown = format!("{}{}", String::from_utf8_lossy(&ran.stderr), String::from_utf8_lossy(&ran.stdout));
        assert_eq!(ran.status.code(), Some(0), "{shown}");
        eprintln!("{shown}");
        self.incident()
    }

    /// A run whose fault has started.
    fn with_fault(&self, args: &[&str]) -> Child {
        let mut child = self.command(args).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = lines.map_while(Result::ok).any(|l| l.contains("the fault has started"));
        assert!(started, "the fault never started");
        child
    }

    fn state(&self, scenario: &str) -> String {
        let directory = if rustix::process::geteuid().is_root() {
            "/opt/chaos-scripts".to_owned()
        } else {
            let runtime = std::env::var("XDG_RUNTIME_DIR");
            format!("{}/scripts", runtime.unwrap_or(format!("/tmp/chaos-{}", rustix::process::geteuid().as_raw())))
        };
        let status = Command::new("bash").arg(format!("{directory}/{scenario}.sh")).args(["status", "--json"]).output();
        let said: Value = serde_json::from_slice(&status.unwrap().stdout).unwrap();
        said["state"].as_str().unwrap().to_owned()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Whatever a failed test left behind; a no-op after a good one.
        let _ = self.run(&["cleanup"]);
    }
}

fn assert_named(incident: &Value, fault: &str) {
    assert_eq!(incident["diagnosis"]["fault"], fault, "{:#}", incident["diagnosis"]["steps"]);
    assert!(incident["diagnosis"]["confidence"].as_f64().unwrap() > 0.5);
    assert_eq!(incident["injection"]["recovery"]["state"], "proven", "{:#}", incident["injection"]);
    assert!(!incident["plans"][0]["actions"].as_array().unwrap().is_empty(), "{:#}", incident["plans"]);
    assert!(!incident["risks"][0]["verdict"].is_null());
}

/// The report, and what was told of a rehearsal of the plan; nothing where none was tried.
fn rehearsal(bench: &Bench, incident: &Value) -> (String, Value) {
    let report = bench.place.path().join("incidents").join(incident["id"].as_str().unwrap()).join("report.md");
    (fs::read_to_string(report).unwrap(), incident["risks"][0]["rehearsed"].clone())
}

/// Nothing was rehearsed, and what the plan risks is said all the same.
fn assert_not_rehearsed(bench: &Bench, incident: &Value) {
    let (report, told) = rehearsal(bench, incident);
    assert!(told.is_null() && !report.contains("**Rehearsed**"), "{told:#}");
    assert!(report.contains("needs a person's approval"), "{report}");
}

const QUICK: [&str; 6] = ["--yes", "--baseline", "12", "--observe", "25", "--json"];

#[test]
fn a_cpu_spike_is_named_with_its_processes() {
    let bench = Bench::new();
    let incident = bench.answer(&[["cpu_spike"].as_slice(), &QUICK].concat());
    assert_named(&incident, "cpu_saturation");
    let culprit = &incident["diagnosis"]["culprit"]["entity"];
    assert_eq!(culprit["kind"], "process", "{culprit:#}");
    assert!(culprit["attributes"]["pids"].as_str().is_some(), "{culprit:#}");
    let action = &incident["plans"][0]["actions"][0];
    assert_eq!(action["argv"][0], "kill");
    // The plan was done in a sandbox on this machine, and the processes of the fault lived on until it was reverted.
    let (report, told) = rehearsal(&bench, &incident);
    if let Some(why) = told["unable"].as_str() {
        eprintln!("skipped: the rehearsal: {why}");
        assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
        return;
    }
    assert!(report.contains("**Rehearsed** in a sandbox on the target"), "{report}");
    assert_eq!((&told["steps"][0]["argv"], &told["steps"][0]["passed"]), (&action["argv"], &true.into()), "{told:#}");
    assert_eq!(told["would_run"][0], action["argv"], "{told:#}");
}

#[test]
fn a_memory_leak_is_named_with_its_process() {
    let bench = Bench::new();
    let incident = bench.answer(&[["memory_leak", "--no-rehearse"].as_slice(), &QUICK].concat());
    assert_named(&incident, "memory_leak");
    assert_not_rehearsed(&bench, &incident);
    assert_eq!(incident["diagnosis"]["culprit"]["entity"]["kind"], "process");
}

#[test]
fn a_filled_disk_is_named_with_its_files() {
    let bench = Bench::new();
    fs::write(bench.place.path().join("chaos-handler.toml"), "rehearse = false\n").unwrap();
    let incident = bench.answer(&[["disk_fill"].as_slice(), &QUICK].concat());
    assert_named(&incident, "disk_space");
    assert_not_rehearsed(&bench, &incident);
    let summary = incident["diagnosis"]["culprit"]["summary"].as_str().unwrap();
    assert!(summary.contains("/tmp/chaos_fill"), "{summary}");
}

#[test]
fn a_healthy_machine_is_called_healthy() {
    let bench = Bench::new();
    // What the test before left may still be settling.
    sleep(Duration::from_secs(3));
    let incident = bench.answer(&["--baseline", "12", "--observe", "20", "--json"]);
    assert_eq!(incident["diagnosis"]["verdict"], "healthy", "{:#}", incident["findings"]);
    assert!(incident["diagnosis"]["confidence"].as_f64().unwrap() >= 0.9);
    assert!(incident["plans"][0]["actions"].as_array().unwrap().is_empty());
}

#[test]
fn an_incident_that_is_there_already_is_named_without_a_baseline() {
    let bench = Bench::new();
    let cpus = std::thread::available_parallelism().unwrap().get();
    let spin = || Command::new("yes").stdout(Stdio::null()).spawn().unwrap();
    let mut busy: Vec<Child> = (0..cpus).map(|_| spin()).collect();
    sleep(Duration::from_secs(2));
    let ran = bench.run(&["run", "--observe", "15"]);
    for child in &mut busy {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let shown = format!("{}{}", String::from_utf8_lossy(&ran.stderr), String::from_utf8_lossy(&ran.stdout));
    assert_eq!(ran.status.code(), Some(0), "{shown}");
    let incident = bench.incident();
    assert_eq!(incident["diagnosis"]["fault"], "cpu_saturation", "{shown}");
    assert_eq!(incident["diagnosis"]["culprit"]["entity"]["name"], "yes", "{shown}");
    assert!(incident["injection"].is_null());
}

#[test]
fn an_interrupted_run_reverts_the_fault() {
    let bench = Bench::new();
    let args = ["run", "cpu_spike", "--yes", "--baseline", "1", "--observe", "60", "--set", "load=1", "--json"];
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = bench.with_fault(&args);
        assert_eq!(bench.state("cpu_spike"), "running");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(bench.state("cpu_spike"), "idle");
    }
    let incident = bench.incident();
    assert_eq!(
        (&incident["status"], &incident["injection"]["recovery"]["state"]),
        (&"stopped".into(), &"proven".into())
    );
}

#[test]
fn a_killed_run_leaves_a_fault_that_reverts_itself() {
    let bench = Bench::new();
    let args = [
        "run",
        "cpu_spike",
        "--yes",
        "--baseline",
        "1",
        "--observe",
        "60",
        "--duration",
        "8",
        "--max-runtime",
        "10",
        "--set",
        "load=1",
        "--json",
    ];
    let mut child = bench.with_fault(&args);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.state("cpu_spike"), "running", "the fault outlives its controller");
    let listed = bench.run(&["list"]);
    let said = format!("{}{}", String::from_utf8_lossy(&listed.stdout), String::from_utf8_lossy(&listed.stderr));
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!(bench.incident()["status"], "interrupted");
    let deadline = Instant::now() + Duration::from_secs(30);
    while bench.state("cpu_spike") != "idle" {
        assert!(Instant::now() < deadline, "the armed revert did not fire");
        sleep(Duration::from_millis(300));
    }
}
