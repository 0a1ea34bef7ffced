//! The command line as a user meets it: the built binary, in a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

#[path = "cli/analyze.rs"]
mod analyze;
#[path = "cli/assess.rs"]
mod assess;
#[path = "cli/plugins.rs"]
mod plugins;
#[path = "cli/rehearsal.rs"]
mod rehearsal;
#[path = "cli/remedy.rs"]
mod remedy;
#[path = "cli/stored.rs"]
mod stored;
#[path = "cli/webhook.rs"]
mod webhook;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const LOG: &str = "\
2026-11-24T08:00:00Z INFO started
2026-11-24T08:00:10Z INFO request served in 12 ms
2026-11-24T08:00:20Z ERROR cannot write /var/lib/app/data: No space left on device
2026-11-24T08:00:21Z ERROR cannot write /var/lib/app/data: No space left on device
";

/// A working directory, with nothing of the user's around it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("in")).unwrap();
        fs::write(place.path("in/app.log"), LOG).unwrap();
        let samples: Vec<Value> = (0..30)
            .map(|i| serde_json::json!({ "ts": 1_795_507_200 + i * 2, "cpu": 12.0 + f64::from(i % 3), "disk": 97.0 }))
            .collect();
        fs::write(place.path("in/metrics.json"), serde_json::to_string(&samples).unwrap()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHAOS_") || name.to_string_lossy().to_lowercase().ends_with("_proxy")
            {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.0.path()).env("HOME", self.0.path());
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// A recorded incident; gives its id.
    fn recorded(&self) -> String {
        let ran = self.run(&["run", "--offline", "in"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        self.incident_ids().pop().unwrap()
    }

    fn incident_ids(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("incidents")).into_iter().flatten();
        let mut ids: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        ids.sort();
        ids
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// A live run of this machine that has come to its observation, and its incident's id.
    fn live(&self) -> (Child, String) {
        let mut child = self
            .command(&["run", "--target", "local", "--baseline", "0", "--observe", "60", "--json"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let observing = lines.by_ref().map(|l| serde_json::from_str::<Value>(&l.unwrap()).unwrap());
        let mut observing = observing.skip_while(|e| e["phase"] != "observe");
        observing.next().expect("it comes to its observation");
        // Somebody has to read on.
        thread::spawn(move || lines.for_each(drop));
        (child, self.incident_ids().pop().unwrap())
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let ran = Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("panicked"), "{ran:?}");
        ran
    }
}

/// Everything below a directory, by name.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                all.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    all
}

fn wait(mut child: Child, within: Duration) -> i32 {
    let until = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > until {
            let _ = child.kill();
            panic!("it did not end within {within:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

// -- usage and configuration

#[test]
fn what_is_mistyped_is_told_with_what_is_known() {
    let place = Place::new();
    for (args, said) in [
        (&["run", "--nope"][..], "--nope"),
        (&["nope"], "nope"),
        (&["run", "nope"], "known: cpu_spike, memory_leak, disk_fill"),
        (&["run", "cpu_spike", "--set", "cores=2"], "known: load"),
        (&["run", "cpu_spike", "--set", "load"], "KEY=VALUE"),
        (&["run", "cpu_spike", "--set", "load=many"], "whole number of cores"),
        (&["run", "cpu_spike", "--set", "load=1", "--set", "load=2"], "twice"),
        (&["run", "cpu_spike", "--duration", "10m", "--max-runtime", "5m"], "--max-runtime"),
        (&["run", "cpu_spike", "--offline", "in"], "--offline"),
        (&["run", "--observe", "soon"], "2m"),
        (&["run", "--metrics", "http://x"], "9100/metrics"),
        (&["run", "--target", "ssh://me:secret@mars"], "password"),
        (&["show", "../../etc"], "inc-YYYYMMDD-NNN"),
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, 2, "{args:?} {ran:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains(said), "{args:?} {ran:?}");
        assert_eq!(ran.out, "", "{args:?}");
    }
    assert!(!place.path("incidents").exists(), "nothing was begun");
}

#[test]
fn help_has_examples_and_exit_codes() {
    let ran = Place::new().run(&["--help"]);
    assert_eq!(ran.code, 0);
    for said in ["Examples:", "Exit codes:", "130  stopped by SIGINT", "slack_webhook"] {
        assert!(ran.out.contains(said), "{said}: {}", ran.out);
    }
}

#[test]
fn a_wrong_configuration_is_told_with_its_line() {
    let place = Place::new();
    let ran = place.run(&["list", "--config", "missing.toml"]);
    assert!(ran.code == 2 && ran.err.contains("missing.toml"), "{ran:?}");
    for (text, said) in [
        ("baseline = 10\nobserv = 30\n", "line 2: unknown field `observ`"),
        ("baseline = \n", "line 1"),
        ("\nobserve = 'soon'\n", "line 2"),
        ("slack_webhook = 'http://example.com/T0/secret'\n", "https://"),
    ] {
        fs::write(place.path("chaos-handler.toml"), text).unwrap();
        let ran = place.run(&["list"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("chaos-handler.toml") && ran.err.contains(said), "{ran:?}");
        assert!(ran.err.lines().count() == 1 && !ran.err.contains("secret"), "{ran:?}");
    }
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let place = Place::new();
    fs::create_dir_all(place.path(".config/chaos-handler")).unwrap();
    fs::write(place.path(".config/chaos-handler/config.toml"), "incidents = 'by-file'\n").unwrap();
    let run = |flags: &[&str], variable: Option<&str>| {
        let mut command = place.command(&["run", "--offline", "in"]);
        command.args(flags);
        command.envs(variable.map(|v| ("CHAOS_HANDLER_INCIDENTS", v)));
        assert!(command.status().unwrap().success());
    };
    run(&[], None);
    run(&[], Some("by-environment"));
    run(&["--incidents", "by-flag"], Some("unused"));
    for (name, there) in [("by-file", true), ("by-environment", true), ("by-flag", true), ("unused", false)] {
        assert_eq!(place.path(name).exists(), there, "{name}");
    }
}

#[test]
fn chaos_that_nobody_confirms_is_refused() {
    let place = Place::new();
    let ran = place.run(&["run", "cpu_spike", "--set", "load=1"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    for said in ["WARNING", "cpu_spike, load=1", "300 s", "--yes"] {
        assert!(ran.err.contains(said), "{said}: {ran:?}");
    }
    assert!(place.incident_ids().is_empty());
}

// -- offline, replay

#[test]
fn files_are_answered_offline_with_all_artifacts() {
    let place = Place::new();
    let ran = place.run(&["run", "--mock", "in"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("Cause") && ran.out.contains("report.md"), "{ran:?}");
    assert!(ran.out.lines().count() <= 10, "{ran:?}");
    assert!(ran.err.contains("finding") && ran.err.contains("diagnosis") && !ran.err.contains('\x1b'), "{ran:?}");
    let id = place.incident_ids().pop().unwrap();
    for file in ["trace.json", "raw_logs.txt", "metrics.json", "fix_suggestion.json", "report.md", "slack_summary.txt"]
    {
        assert!(place.path(&format!("incidents/{id}/{file}")).exists(), "{file}");
    }
    assert_eq!(place.json(&format!("incidents/{id}/incident.json"))["status"], "completed");
}

#[test]
fn json_is_the_trace_and_nothing_else() {
    let place = Place::new();
    let ran = place.run(&["run", "--offline", "in", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let shown: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let id = place.incident_ids().pop().unwrap();
    assert_eq!(Value::Array(shown), place.json(&format!("incidents/{id}/trace.json")));
    assert_eq!(ran.err, "");
}

#[test]
fn files_that_are_missing_or_empty_are_told() {
    let place = Place::new();
    let ran = place.run(&["run", "--offline", "nowhere"]);
    assert!(ran.code == 4 && ran.err.contains("nowhere"), "{ran:?}");
    fs::create_dir(place.path("empty")).unwrap();
    let ran = place.run(&["run", "--offline", "empty"]);
    assert!(ran.code == 2 && ran.err.contains("empty"), "{ran:?}");
}

#[test]
fn a_replay_gives_the_same_bytes_each_time() {
    let place = Place::new();
    let id = place.recorded();
    for out in ["one", "two", "two"] {
        let ran = place.run(&["replay", &format!("incidents/{id}"), "--out", out]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let (one, two) = (contents(&place.path("one")), contents(&place.path("two")));
    assert!(one.len() >= 7);
    assert!(one == two);
    // And what came out when it was recorded; only events of one millisecond may be in another order then.
    let recorded = contents(&place.path(&format!("incidents/{id}")));
    for (name, bytes) in contents(&place.path(&format!("one/{id}"))) {
        assert!(name == Path::new("trace.json") || recorded.get(&name) == Some(&bytes), "{}", name.display());
    }
}

#[test]
fn a_replay_never_replaces_a_recording() {
    let place = Place::new();
    let id = place.recorded();
    let before = contents(&place.path("incidents"));
    let ran = place.run(&["replay", &id, "--out", "incidents"]);
    assert!(ran.code == 5 && ran.err.contains("--out"), "{ran:?}");
    assert!(before == contents(&place.path("incidents")));
}

#[test]
fn a_fault_that_was_not_reverted_when_recorded_is_no_failure_of_the_replay() {
    let place = Place::new();
    let id = place.recorded();
    let file = format!("incidents/{id}/recording/run.json");
    let mut run = place.json(&file);
    run["injection"] = serde_json::json!({
        "scenario": "disk_fill", "args": "", "causes": "disk_space", "started": run["began"], "fires_at": run["began"],
        "reverted": run["began"], "recovery": { "state": "not_recovered", "why": "still there" },
    });
    fs::write(place.path(&file), run.to_string()).unwrap();
    let ran = place.run(&["replay", &id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("NOT RECOVERED"), "{ran:?}");
}

#[test]
fn an_incomplete_recording_is_refused_and_an_edited_one_said() {
    let place = Place::new();
    let id = place.recorded();
    let answers = place.path(&format!("incidents/{id}/recording/answers.jsonl"));
    let text = fs::read_to_string(&answers).unwrap();
    fs::write(&answers, text.replace("No space left", "No room left")).unwrap();
    let ran = place.run(&["replay", &id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("edited"), "{ran:?}");
    fs::write(&answers, "{\n").unwrap();
    let ran = place.run(&["replay", &id]);
    assert!(ran.code == 2 && ran.err.contains("answers.jsonl"), "{ran:?}");
    fs::remove_file(&answers).unwrap();
    let ran = place.run(&["replay", &id]);
    assert!(ran.code == 4 && ran.err.contains("answers.jsonl"), "{ran:?}");
    let ran = place.run(&["replay", "in"]);
    assert!(ran.code == 4 && ran.err.contains("not a recorded incident"), "{ran:?}");
}

// -- a full disk

/// A small file system of its own, gone again however the test ends.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&at).status();
        mount.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Says why a test can't run here. In CI everything can.
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
}

#[test]
fn a_full_disk_ends_the_run_without_a_panic() {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can mount a small file system");
    }
    let place = Place::new();
    let Some(small) = Small::mount(place.path("small")) else {
        return skipped("a small file system can't be mounted here");
    };
    fs::write(place.path("in/long.log"), LOG.repeat(20_000)).unwrap();
    let ran = place.run(&["run", "--offline", "in", "--incidents", "small"]);
    let listed = place.run(&["list", "--incidents", "small"]);
    let id = listed.out.lines().last().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned();
    let trace = fs::read(small.0.join(&id).join("trace.json")).unwrap_or_default();
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("No space left on device"), "{ran:?}");
    assert!(ran.out.contains("Cause"), "what is known is told all the same: {ran:?}");
    assert!(listed.code == 0 && id.starts_with("inc-"), "{listed:?}");
    assert!(serde_json::from_slice::<Vec<Value>>(&trace).is_ok_and(|t| !t.is_empty()), "the trace stays whole");
}

// -- stopping

#[test]
fn a_run_is_stopped_from_another_process() {
    let place = Place::new();
    let (child, id) = place.live();
    assert!(place.run(&["list"]).out.contains("running"));
    let ran = place.run(&["stop", &id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("stopped"), "{ran:?}");
    assert_eq!(wait(child, Duration::from_secs(30)), 143);
    assert_eq!(place.json(&format!("incidents/{id}/incident.json"))["status"], "stopped");
}

#[test]
fn sigint_and_sigterm_stop_a_run_and_what_is_known_is_stored() {
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        if number == Signal::HUP && hangup_is_ignored() {
            eprintln!("skipped: SIGHUP is ignored here, as under nohup, and so it is by what we start");
            assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI");
            continue;
        }
        let place = Place::new();
        let (child, id) = place.live();
        signal(&child, number);
        assert_eq!(wait(child, Duration::from_secs(30)), code);
        assert_eq!(place.json(&format!("incidents/{id}/incident.json"))["status"], "stopped");
        assert!(place.path(&format!("incidents/{id}/report.md")).exists());
        assert!(place.json(&format!("incidents/{id}/trace.json")).is_array());
    }
}

fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn a_killed_run_is_found_and_marked_by_the_next_command() {
    let place = Place::new();
    let (child, id) = place.live();
    signal(&child, Signal::KILL);
    assert_eq!(wait(child, Duration::from_secs(10)), -1);
    let ran = place.run(&["list"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("interrupted") && ran.err.contains(&id) && ran.err.contains("cleanup"), "{ran:?}");
    assert_eq!(place.json(&format!("incidents/{id}/incident.json"))["status"], "interrupted");
    let trace = place.json(&format!("incidents/{id}/trace.json"));
    assert!(trace.as_array().unwrap().last().unwrap()["content"].as_str().unwrap().contains("interrupted"));
    assert_eq!(place.run(&["list"]).err, "", "said once");
    let report = place.run(&["report", &id]);
    assert!(report.code == 0 && report.out.contains("## What was done until then"), "{report:?}");
}
