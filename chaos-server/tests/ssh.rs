//! Machines over SSH as a user meets them: the built binary against a real server on loopback, and what can be wrong
//! with a target, its way or its login, each told in one line.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

#[allow(dead_code, reason = "the transport's own tests use the rest")]
#[path = "../../chaos-ssh/tests/transport/support.rs"]
mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Server, USER, User, free_port, is_root, keygen, server_for_users, skip, wait_for};
use tempfile::TempDir;

/// A working directory with an SSH configuration that knows the server as `box`, and nothing of the user's around it.
struct Place {
    dir: TempDir,
    user: String,
    key: PathBuf,
}

impl Place {
    fn new(server: &Server) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), user: USER.clone(), key: server.key() };
        place.trust(server);
        place.configure(server.port);
        place
    }

    /// Notes the server's key.
    fn trust(&self, server: &Server) {
        let key = fs::read_to_string(server.dir.path().join("host.pub")).unwrap();
        fs::write(self.path("known_hosts"), format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
    }

    fn configure(&self, port: u16) {
        let (user, key, known) = (&self.user, self.key.display(), self.path("known_hosts"));
        let text = format!(
            "Host box\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  ConnectTimeout 10\n",
            known.display()
        );
        fs::write(self.path("ssh_config"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chaos-handler"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CHAOS_") {
                command.env_remove(name);
            }
        }
        command.args(args).env("CHAOS_HANDLER_SSH_CONFIG", self.path("ssh_config")).env_remove("SSH_AUTH_SOCK");
        command.current_dir(self.dir.path()).env("HOME", self.dir.path()).env_remove("XDG_CONFIG_HOME");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// A short look at `box`, which must go through; gives what was said and the incident.
    fn looks(&self, args: &[&str]) -> (Ran, Value) {
        let ran = self.run(&[&["run", "--target", "box", "--observe", "4"], args].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        (ran, self.incident())
    }

    fn incidents(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("incidents")).into_iter().flatten();
        let mut all: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    }

    fn incident(&self) -> Value {
        let file = self.incidents().pop().unwrap().join("incident.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    /// The target can't be had: one line says why, and nothing is left here.
    fn refuses(&self, code: i32, parts: &[&str], args: &[&str]) {
        self.refuses_as(code, parts, self.command(args));
    }

    fn refuses_as(&self, code: i32, parts: &[&str], mut command: Command) {
        let ran: Ran = command.output().unwrap().into();
        assert_eq!(ran.code, code, "{command:?}: {ran:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.trim_end().lines().count() == 1, "one line: {ran:?}");
        parts.iter().for_each(|part| assert!(ran.err.contains(part), "no {part:?} in {}", ran.err));
        assert_eq!((ran.out.as_str(), self.incidents().len()), ("", 0), "{ran:?}");
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

fn limits(incident: &Value) -> String {
    incident["observation"]["facts"]["limits"].to_string()
}

/// When the samples of a metric were taken, in milliseconds since 1970, for each metric.
fn samples(incident: &Value) -> Vec<Vec<i64>> {
    let evidence = incident["observation"]["evidence"].as_array().unwrap();
    let metrics = evidence.iter().filter(|e| e["body"]["kind"] == "metric");
    let at = |e: &Value| e["body"]["at"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect::<Vec<_>>();
    metrics.map(at).filter(|at| !at.is_empty()).collect()
}

#[test]
fn a_machine_is_looked_at_recorded_and_replayed() {
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    let (_, incident) = place.looks(&[]);
    assert_eq!(incident["target"]["kind"], "ssh");
    assert!(samples(&incident).len() > 20, "{incident:#}");
    let recorded = place.incidents().pop().unwrap();
    let ran = place.run(&["replay", recorded.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let replayed = place.path("replay").join(recorded.file_name().unwrap());
    for file in ["report.md", "trace.json", "metrics.json"] {
        assert!(fs::read(recorded.join(file)).unwrap() == fs::read(replayed.join(file)).unwrap(), "{file}");
    }
}

#[test]
fn what_is_no_target_is_told() {
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    for (target, part) in [
        ("", "the target names no host"),
        ("ssh://", "the target names no host"),
        ("a b", "blank or a character"),
        ("box:0", "port is not a number from 1 to 65535"),
        ("box:99999", "port is not a number from 1 to 65535"),
        ("http://box", "scheme is not ssh"),
    ] {
        place.refuses(2, &[part], &["run", &format!("--target={target}")]);
    }
    place.refuses(2, &["absent"], &["run", "--target", "box", "--ssh-config", "absent"]);
    place.refuses(4, &["private key", "absent"], &["run", "--target", "box", "--identity", "absent"]);
    fs::write(place.path("ssh_config"), "Host box\n  NoSuchOption yes\n").unwrap();
    place.refuses(2, &["nosuchoption"], &["run", "--target", "box"]);
}

#[test]
fn a_host_that_does_not_answer_is_told() {
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    place.configure(free_port());
    place.refuses(3, &["connection refused", "127.0.0.1"], &["run", "--target", "box"]);
    place.refuses(3, &["cannot look up the host's name"], &["run", "--target", "no-such-host.invalid"]);
    place.refuses(3, &["connection refused"], &["cleanup", "--target", "box"]);
    place.refuses(3, &["connection refused"], &["scripts", "status", "--target", "box"]);
}

#[test]
fn a_key_that_is_not_to_be_trusted_is_told() {
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    let key = fs::read_to_string(place.path("known_hosts")).unwrap();
    let pin = ["run", "--target", "box", "--host-key", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    place.refuses(3, &["none of those that were pinned", &server.fingerprint], &pin);
    fs::write(place.path("known_hosts"), format!("@revoked {key}")).unwrap();
    place.refuses(3, &["revoked"], &["run", "--target", "box", "--accept-new-host-key"]);
    keygen(&place.path("other"), &["-t", "ed25519"]);
    let other = fs::read_to_string(place.path("other.pub")).unwrap();
    fs::write(place.path("known_hosts"), format!("[127.0.0.1]:{} {other}", server.port)).unwrap();
    place.refuses(3, &["the host's key has changed", "known_hosts:1"], &["run", "--target", "box"]);
    fs::remove_file(place.path("known_hosts")).unwrap();
    place.refuses(3, &["nothing is known of this host's key", &server.fingerprint], &["run", "--target", "box"]);
    place.looks(&["--accept-new-host-key"]);
    place.looks(&[]);
}

#[test]
fn a_login_that_is_refused_is_told() {
    let Some(server) = Server::openssh("") else { return };
    let mut place = Place::new(&server);
    keygen(&place.path("stranger"), &["-t", "ed25519"]);
    place.key = place.path("stranger");
    place.configure(server.port);
    place.refuses(3, &["permission denied", "stranger"], &["run", "--target", "box"]);

    keygen(&place.path("locked"), &["-t", "ed25519", "-N", "correct horse"]);
    fs::copy(place.path("locked.pub"), server.dir.path().join("authorized_keys")).unwrap();
    let locked = ["run", "--target", "box", "--observe", "4", "-i", "locked"];
    place.refuses(3, &["it is encrypted, and no passphrase was given"], &locked);
    let with = |passphrase: &str| {
        let mut command = place.command(&locked);
        command.env("CHAOS_HANDLER_SSH_PASSPHRASE", passphrase);
        command
    };
    place.refuses_as(3, &["the passphrase does not open it"], with("hunter2"));
    let ran: Ran = with("correct horse").output().unwrap().into();
    assert_eq!(ran.code, 0, "{ran:?}");
    let kept = Command::new("grep").arg("-rl").arg("correct horse").arg(place.path("incidents")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "", "the passphrase is in no file");
}

#[test]
fn an_account_that_runs_nothing_of_ours_is_told() {
    for (command, part) in [("echo only this", "only this"), ("exit 3", "exit code 3")] {
        let Some(server) = Server::openssh(&format!("ForceCommand {command}")) else { return };
        Place::new(&server).refuses(3, &["force another command", part], &["run", "--target", "box"]);
    }
}

#[test]
fn a_fault_needs_a_machine_that_is_fair_game() {
    if fs::exists("/etc/chaos-handler/allow-chaos").unwrap() {
        return skip("this machine is marked as fair game");
    }
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    let ran = place.run(&["run", "cpu_spike", "--yes", "--target", "box"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("not marked as fair game"), "{ran:?}");
    assert!(place.incidents().is_empty(), "{ran:?}");
}

/// Whoever is not root sees less, and is told so.
#[test]
fn a_user_without_sudo_sees_less_and_is_told() {
    let (Some(server), Some(user)) = (server_for_users(""), User::new("/bin/sh")) else { return };
    let mut place = Place::new(&server);
    (place.user, place.key) = (user.name.clone(), user.key.clone());
    place.configure(server.port);
    let (_, incident) = place.looks(&[]);
    assert!(limits(&incident).contains("no passwordless sudo"), "{}", limits(&incident));
    assert!(samples(&incident).len() > 20);
}

/// Without `/proc` there is next to nothing to see, and that is said too.
#[test]
fn a_host_without_proc_is_looked_at_as_far_as_it_can_be() {
    if !is_root() {
        return skip("only root can hide /proc");
    }
    let Some(server) =
        Server::openssh_in(&["unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"])
    else {
        return;
    };
    let place = Place::new(&server);
    // With a baseline, since this machine's logs may tell of what other tests did a moment ago.
    let (ran, incident) = place.looks(&["--baseline", "2"]);
    assert!(limits(&incident).contains("There is no /proc"), "{}", limits(&incident));
    assert!(ran.err.contains("not one sample"), "{ran:?}");
    assert_eq!(samples(&incident).len(), 0);
    assert!(incident["findings"].as_array().unwrap().is_empty(), "old lines are no news: {:#}", incident["findings"]);
}

/// A run that has come to its observation.
fn observing(place: &Place, args: &[&str]) -> Child {
    let mut child = place.command(&[&["run", "--target", "box", "--json"], args].concat()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"phase\":\"observe\"")), "it comes to its observation");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// What was seen until then is looked at, and the report says what is missing.
#[test]
fn a_host_that_goes_away_for_good_is_reported_with_what_was_seen() {
    let Some(mut server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    // With a baseline, as above.
    let child = observing(&place, &["--baseline", "2", "--observe", "8"]);
    std::thread::sleep(Duration::from_secs(4));
    server.stop();
    let gone = Instant::now();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, 0, "{ran:?}");
    // It ends; how soon depends on how busy this machine is.
    assert!(gone.elapsed() < Duration::from_secs(120), "{:?}", gone.elapsed());
    let incident = place.incident();
    assert_eq!(incident["status"], "completed");
    assert_eq!(incident["diagnosis"]["verdict"], "unknown", "{:#}", incident["diagnosis"]);
    assert!(samples(&incident).len() > 20);
    let report = fs::read_to_string(place.incidents().pop().unwrap().join("report.md")).unwrap();
    assert!(report.contains("the connection broke"), "{report}");
}

/// One that is back soon is looked at on.
#[test]
fn a_host_that_is_back_soon_is_looked_at_on() {
    let Some(mut server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    let child = observing(&place, &["--observe", "12"]);
    std::thread::sleep(Duration::from_secs(2));
    server.stop();
    std::thread::sleep(Duration::from_secs(1));
    server.start();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.code, 0, "{ran:?}");
    let report = fs::read_to_string(place.incidents().pop().unwrap().join("report.md")).unwrap();
    assert!(report.contains("the connection broke"), "{report}");
    let incident = place.incident();
    let end = incident["observation"]["observed"]["end"].as_str().unwrap().to_owned();
    let last = samples(&incident).into_iter().flatten().max().unwrap();
    let end = chaos_core::model::Timestamp::parse(&end).unwrap().0;
    assert!(end - last < 3000, "{} ms before the end", end - last);
    assert!(!incident["findings"].to_string().contains("has not answered"), "{:#}", incident["findings"]);
}

/// Nothing of ours is left running, even by a process that could not say goodbye.
#[test]
fn a_killed_run_leaves_nothing_running_on_the_target() {
    let Some(server) = Server::openssh("") else { return };
    let place = Place::new(&server);
    let mut child = observing(&place, &["--observe", "60"]);
    // Time for the messages by which the target watches over the commands.
    std::thread::sleep(Duration::from_secs(2));
    let left = server.running();
    assert!(left.len() > 3, "{left:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("what it started ends", || !left.iter().any(|pid| support::runs(*pid)));
}
