//! Rehearsals of scripts that try to get out of the sandbox or to bring the host down: nothing reaches the machine.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Vm, input};

const CANARIES: &str = include_str!("rehearsal/canaries.sh");
const ESCAPE: &str = include_str!("rehearsal/escape.sh");
const SECOND: &str = include_str!("rehearsal/second.sh");
const BOMBS: &str = include_str!("rehearsal/bombs.sh");

/// What an escape would touch, on the machine until this is dropped.
struct Canaries<'a>(&'a Vm);

impl<'a> Canaries<'a> {
    fn new(vm: &'a Vm) -> Self {
        let placed = Self(vm);
        placed.call("place");
        placed
    }

    fn call(&self, what: &str) -> String {
        input(self.0, &format!("{CANARIES}\n{what}\n"))
    }
}

impl Drop for Canaries<'_> {
    fn drop(&mut self) {
        self.call("remove");
    }
}

/// Rehearses scripts one after the other in one sandbox.
fn rehearsed(vm: &Vm, scripts: &[String]) -> Value {
    let files: Vec<PathBuf> = (0..scripts.len()).map(|n| vm.place.path().join(format!("script-{n}"))).collect();
    for (file, text) in files.iter().zip(scripts) {
        fs::write(file, text).unwrap();
    }
    let files: Vec<&str> = files.iter().map(|f| f.to_str().unwrap()).collect();
    let said = vm.run(&[&["rehearse", "--json"], files.as_slice()].concat());
    eprintln!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn changed(rehearsed: &Value, kind: &str, path: &str) -> bool {
    rehearsed["changes"].as_array().unwrap().iter().any(|c| c["kind"] == kind && c["path"] == path)
}

#[test]
#[ignore = "needs the test machine: cargo xtask e2e"]
fn nothing_escapes() {
    let vm = Vm::new();
    let canaries = Canaries::new(&vm);
    let pid = vm.ssh("systemctl show -p MainPID --value canary-sleep");
    let before = canaries.call("state");
    let said = rehearsed(&vm, &[format!("set -- {}\n{ESCAPE}", pid.trim()), SECOND.to_owned(), "exit 3".to_owned()]);
    let after = canaries.call("state");
    assert_eq!(before, after);
    assert!(said["unable"].is_null(), "{said:#}");
    let steps = said["steps"].as_array().unwrap();
    for step in steps {
        assert!(!step["output"].as_str().unwrap().contains("REACHED"), "{}", step["output"]);
    }
    // It ran to its end, and what it did was seen.
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0]["ended"], "exit code 0");
    for (kind, path) in [
        ("added", "/etc/escape"),
        ("added", "/srv/data/escape"),
        ("added", "/tmp/escape"),
        ("deleted", "/srv/canary/file"),
        ("deleted", "/boot"),
        ("modified", "/etc/passwd"),
        ("modified", "/srv/canary/program"),
        ("metadata", "/etc/shadow"),
        ("added", "/etc/ld.so.preload"),
    ] {
        assert!(changed(&said, kind, path), "{kind} {path}: {:#}", said["changes"]);
    }
}

#[test]
#[ignore = "needs the test machine: cargo xtask e2e"]
fn bombs_burst_inside() {
    let vm = Vm::new();
    let canaries = Canaries::new(&vm);
    let before = canaries.call("state");
    let limit = |said: &Value, words: &str| {
        let limits = said["limits"].to_string();
        assert!(limits.contains(words), "{words}: {said:#}");
    };
    let bomb = |what: &str| rehearsed(&vm, &[format!("set -- {what}\n{BOMBS}")]);
    limit(&bomb("fork"), "as many processes");
    limit(&bomb("space"), "no room left");
    let memory = bomb("memory");
    assert_eq!(memory["steps"][0]["passed"], false, "{memory:#}");
    limit(&memory, "ran out of memory");
    assert!(bomb("output")["steps"][0]["output"].as_str().unwrap().len() <= 2000);
    assert_eq!(bomb("late")["steps"][0]["ended"], "it took too long");
    assert_eq!(before, canaries.call("state"));
}

#[test]
#[ignore = "needs the test machine: cargo xtask e2e"]
fn two_at_once_and_one_that_is_cut_off() {
    let vm = Vm::new();
    let canaries = Canaries::new(&vm);
    let before = canaries.call("state");
    let script = vm.place.path().join("script");
    fs::write(&script, "echo escape >/etc/escape; sleep 8; ls /etc/escape").unwrap();
    let start = || {
        let mut command: Command = vm.command(&["rehearse", "--json", script.to_str().unwrap()]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let (first, mut second) = (start(), start());
    std::thread::sleep(std::time::Duration::from_secs(6));
    second.kill().unwrap();
    second.wait().unwrap();
    let said = first.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert!(said["unable"].is_null() && changed(&said, "added", "/etc/escape"), "{said:#}");
    let left = std::time::Instant::now();
    loop {
        let after = canaries.call("state");
        if after == before {
            break;
        }
        let lines = |of: &str, other: &str| -> Vec<String> {
            of.lines().filter(|l| !other.lines().any(|o| o == *l)).map(str::to_owned).collect()
        };
        let (came, went) = (lines(&after, &before), lines(&before, &after));
        assert!(left.elapsed().as_secs() < 120, "came: {came:#?} went: {went:#?}");
        std::thread::sleep(std::time::Duration::from_secs(3));
    }
}

/// Without root there is no sandbox, and that is said.
#[test]
#[ignore = "needs the test machine: cargo xtask e2e"]
fn a_user_who_may_not_is_told() {
    let vm = Vm::new();
    let script = vm.place.path().join("script");
    fs::write(&script, "true").unwrap();
    vm.ssh("useradd -m plain 2>/dev/null; mkdir -p /home/plain/.ssh; cp /root/.ssh/authorized_keys /home/plain/.ssh/; chown -R plain /home/plain/.ssh");
    let said = vm.command_on(&format!("plain@{}", vm.name), &["rehearse", script.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    vm.ssh("userdel -r plain 2>/dev/null; true");
    assert_eq!(said.status.code(), Some(3), "{text}");
    assert!(text.contains("needs root"), "{text}");
}
