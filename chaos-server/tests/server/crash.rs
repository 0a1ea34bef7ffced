//! The built binary, killed in the middle of its work and started again.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::rig::{FAULTS, recorded};

const BINARY: &str = env!("CARGO_BIN_EXE_chaos-handler");

struct Binary {
    child: Child,
    url: String,
}

impl Binary {
    fn start(dir: &Path) -> Self {
        Self::spawn(dir, Command::new(BINARY))
    }

    /// Started by a shell that allows it so many open files, until it asks for more.
    fn with_files(dir: &Path, most: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -Sn {most} && exec \"$@\""), "sh", BINARY]);
        Self::spawn(dir, command)
    }

    fn spawn(dir: &Path, mut command: Command) -> Self {
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

    /// The report, which must be there.
    fn report(&self, id: &str) -> String {
        let mut answer = ureq::Agent::config_builder()
            .proxy(None)
            .build()
            .new_agent()
            .get(format!("{}/report/{id}", self.url))
            .call()
            .unwrap();
        answer.body_mut().read_to_string().unwrap()
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
    // There is a report before anybody has looked at the target, and also of what had not begun.
    let report = server.report(&broken);
    assert!(report.contains("in its phase observe") && report.contains("## What was done until then"), "{report}");
    assert!(report.contains("## Chaos experiment") && report.contains("`cpu_spike`"), "{report}");
    let report = server.report(&waiting);
    assert!(report.contains("interrupted") && report.contains("it had not begun"), "{report}");
    let proof = |s: &Value| {
        let trace = s["trace"].as_array().unwrap();
        trace.iter().rev().find(|e| e["data"]["recovery"].is_object()).cloned()
    };
    let status = server.until(&format!("/status/{broken}"), |s| proof(s).is_some());
    assert_eq!(proof(&status).unwrap()["data"]["recovery"], json!({ "state": "proven" }), "{status}");
    assert_eq!((&status["phase"], &status["scenario"]), (&json!("observe"), &json!("cpu_spike")));
    let in_order = status["trace"].as_array().unwrap().iter().enumerate().all(|(i, e)| e["seq"] == i);
    assert!(in_order, "{status}");
    let status = server.until(&format!("/status/{broken}"), |s| {
        s["trace"].as_array().unwrap().last().unwrap()["agent"] == "ReporterAgent" && proof(s).is_some()
    });
    let report = server.report(&broken);
    assert!(report.contains("the revert is proven") && report.contains("cpu_spike is proven to be gone"), "{report}");
    let detail = server.get(&format!("/incidents/{broken}"));
    let injection = &detail["injection"];
    assert_eq!(injection["recovery"], json!({ "state": "proven" }), "{detail}");
    assert!(injection["started"].is_string() && injection["fires_at"].is_string(), "{detail}");
    assert_eq!((&detail["status"], &status["ended"]), (&json!("interrupted"), &detail["ended"]), "{detail}");
    assert!(status["ended"].as_str() > status["began"].as_str(), "{status}");
    // What was written afterwards can be held against the trace.
    let audit = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        let said = command.args(["verify", &broken]).current_dir(dir.path()).env("HOME", dir.path()).output().unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    let said = audit();
    assert!(said.contains("only what was written later") && !said.contains("was changed"), "{said}");
    fs::write(dir.path().join("incidents").join(&broken).join("report.md"), report + "all was well\n").unwrap();
    let said = audit();
    assert!(said.contains("report.md was changed"), "{said}");
    // A third start has nothing left to look after.
    drop(server);
    let server = Binary::start(dir.path());
    thread::sleep(Duration::from_secs(1));
    assert_eq!(server.get(&format!("/status/{broken}"))["last_seq"], status["last_seq"]);
}

#[test]
fn what_is_not_known_of_a_fault_is_said_and_asked_again_at_the_next_start() {
    let _alone = FAULTS.blocking_lock();
    let dir = place("");
    let mut server = Binary::start(dir.path());
    let options = json!({ "baseline": 1, "observe": 300, "duration": 60, "max_runtime": 90, "args": { "load": 1 } });
    let broken = server.start_incident(&json!({ "target": "here", "scenario": "cpu_spike", "options": options }));
    server.until(&format!("/status/{broken}"), |s| s["phase"] == "observe");
    server.signal(Signal::KILL);
    server.child.wait().unwrap();

    // Its target is not known any more.
    let config = dir.path().join("chaos-handler.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("targets.here", "targets.there")).unwrap();
    let looked_at = |server: &Binary, state: &str| {
        server.until(&format!("/incidents/{broken}"), |d| d["injection"]["recovery"]["state"] == state)
    };
    let server = Binary::start(dir.path());
    let last = |s: &Value| s["trace"].as_array().unwrap().last().unwrap()["agent"] == "ReporterAgent";
    server.until(&format!("/status/{broken}"), |s| s.to_string().contains("is not known (") && last(s));
    let detail = looked_at(&server, "unknown");
    assert!(detail["injection"]["reverted"].is_null(), "{detail}");
    let report = server.report(&broken);
    assert!(report.contains("**not known**, so not to be called recovered"), "{report}");
    drop(server);

    fs::write(&config, text).unwrap();
    let server = Binary::start(dir.path());
    looked_at(&server, "proven");
    let report = server.report(&broken);
    assert!(report.contains("the revert is proven") && !report.contains("not to be called recovered"), "{report}");
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

#[test]
fn a_low_limit_of_open_files_is_raised() {
    let dir = place("");
    let server = Binary::with_files(dir.path(), 64);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut clients: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    for client in &mut clients {
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    for client in &mut clients {
        let mut start = [0; 12];
        client.read_exact(&mut start).unwrap();
        assert_eq!(start, *b"HTTP/1.1 200");
    }
}
