//! The built binary, killed in the middle of its work and started again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::rig::{FAULTS, recorded};

struct Binary {
    child: Child,
    url: String,
}

impl Binary {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CHAOS_") || name.to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--json"]).current_dir(dir).env("HOME", dir);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        Self { child, url: said["listening"].as_str().unwrap().to_owned() }
    }

    fn get(&self, path: &str) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
        let mut answer = agent.get(format!("{}{path}", self.url)).call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    fn start_incident(&self, body: &Value) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
        let request = agent.post(format!("{}/start_incident", self.url)).header("content-type", "application/json");
        let text = request.send(body.to_string()).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["incident_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let value = self.get(path);
            if is(&value) {
                return value;
            }
            assert!(Instant::now() < end, "{path} is still {value}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place(more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let demo = recorded("cpu_spike");
    let text = format!(
        "incidents = 'incidents'\nrehearse = false\n[server]\n{more}\n[targets.demo]\nreplay = {demo:?}\n[targets.here]\naddress = 'local'\nallow_chaos = true\n"
    );
    fs::write(dir.path().join("chaos-handler.toml"), text).unwrap();
    dir
}

#[test]
fn after_a_kill_everything_is_there_and_faults_are_proven_gone() {
    let _alone = FAULTS.blocking_lock();
    let dir = place("max_running = 1");
    let mut server = Binary::start(dir.path());
    let done = server.start_incident(&json!({ "target": "demo" }));
    server.until(&format!("/status/{done}"), |s| s["status"] == "completed");
    let options = json!({ "baseline": 1, "observe": 300, "duration": 60, "max_runtime": 90, "args": { "load": 1 } });
    let broken = server.start_incident(&json!({ "target": "here", "scenario": "cpu_spike", "options": options }));
    let waiting = server.start_incident(&json!({ "target": "demo" }));
    server.until(&format!("/status/{broken}"), |s| s["phase"] == "observe");
    server.signal(Signal::KILL);
    server.child.wait().unwrap();

    let server = Binary::start(dir.path());
    let list = server.get("/incidents");
    let statuses: Vec<(&str, &str)> = list["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["incident_id"].as_str().unwrap(), i["status"].as_str().unwrap()))
        .collect();
    assert_eq!(statuses, [(&*waiting, "interrupted"), (&*broken, "interrupted"), (&*done, "completed")]);
    let proof = |s: &Value| {
        let trace = s["trace"].as_array().unwrap();
        trace.iter().rev().find(|e| e["data"]["recovery"].is_object()).cloned()
    };
    let status = server.until(&format!("/status/{broken}"), |s| proof(s).is_some());
    assert_eq!(proof(&status).unwrap()["data"]["recovery"], json!({ "state": "proven" }), "{status}");
    assert_eq!((&status["phase"], &status["scenario"]), (&json!("observe"), &json!("cpu_spike")));
    let in_order = status["trace"].as_array().unwrap().iter().enumerate().all(|(i, e)| e["seq"] == i);
    assert!(in_order, "{status}");
    // A third start has nothing left to look after.
    drop(server);
    let server = Binary::start(dir.path());
    thread::sleep(Duration::from_secs(1));
    assert_eq!(server.get(&format!("/status/{broken}"))["last_seq"], status["last_seq"]);
}

#[test]
fn asked_to_end_it_reverts_and_writes_the_report() {
    let dir = place("grace = 60");
    let mut server = Binary::start(dir.path());
    let id = server.start_incident(&json!({ "target": "here", "options": { "observe": 300 } }));
    server.until(&format!("/status/{id}"), |s| s["phase"] == "observe");
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    let incident: Value =
        serde_json::from_slice(&fs::read(dir.path().join("incidents").join(&id).join("incident.json")).unwrap())
            .unwrap();
    assert_eq!(incident["status"], "stopped");
    assert!(dir.path().join("incidents").join(&id).join("report.md").exists());
}
