//! A scenario with a place of its own, and what tests look at it with.

#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chaos_scripts::FILES;

/// A scenario with a state directory and a fill directory of its own, which are cleaned up when it is dropped.
pub(crate) struct Place {
    pub(crate) scenario: &'static str,
    pub(crate) scripts: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) fill: PathBuf,
    /// What each command runs under, such as `nsenter` into namespaces of the test's own.
    pub(crate) within: Vec<String>,
}

impl Place {
    pub(crate) fn new(scenario: &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("chaos-scripts-{}-{count}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::create_dir(dir.join("state")).unwrap();
        fs::set_permissions(dir.join("state"), fs::Permissions::from_mode(0o700)).unwrap();
        Self { scenario, scripts: env!("CARGO_MANIFEST_DIR").into(), fill: dir.join("fill"), dir, within: Vec::new() }
    }

    /// As `new`, but with scripts that a test may remove: those that the crate embeds.
    pub(crate) fn with_own_scripts(scenario: &'static str) -> Self {
        let mut place = Self::new(scenario);
        place.scripts = place.dir.join("scripts");
        fs::create_dir(&place.scripts).unwrap();
        for file in FILES {
            fs::write(place.scripts.join(file.name), file.text).unwrap();
        }
        place
    }

    pub(crate) fn command(&self) -> Command {
        let mut words = self.within.iter().map(String::as_str).chain(["bash"]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .arg(self.scripts.join(format!("{}.sh", self.scenario)))
            .env("CHAOS_STATE_DIR", self.dir.join("state"))
            .env("CHAOS_FILL_DIR", &self.fill)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Runs it, expects that exit code, and gives what it said on both outputs.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{} {args:?} said: {said}", self.scenario);
        said
    }

    pub(crate) fn start(&self, args: &[&str]) -> String {
        self.expect(0, &[&["start"], args].concat())
    }

    pub(crate) fn status(&self) -> String {
        self.expect(0, &["status", "--json"])
    }

    pub(crate) fn state(&self) -> String {
        between(&self.status(), "\"state\":\"", "\"").to_owned()
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        let status = self.status();
        between(&status, "\"pids\":[", "]").split(',').filter_map(|pid| pid.parse().ok()).collect()
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.dir.join(format!("state/chaos-{}.pid", self.scenario))
    }

    pub(crate) fn recorded(&self, key: &str) -> u32 {
        let record = fs::read_to_string(self.pid_file()).unwrap();
        let line = record.lines().find(|line| line.starts_with(key)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn await_state(&self, wanted: &str, within: u64) {
        let begin = Instant::now();
        while self.state() != wanted {
            assert!(begin.elapsed() < Duration::from_secs(within), "not {wanted} in {within} s: {}", self.status());
            sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn assert_idle(&self) {
        let idle = format!(
            "{{\"scenario\":\"{}\",\"state\":\"idle\",\"pids\":[],\"files\":[],\"changes\":[],\
             \"armed_by\":null,\"fires_in_seconds\":null,\"boot_revert\":false,\"since\":null,\"args\":\"\"}}\n",
            self.scenario
        );
        assert_eq!(self.status(), idle);
        assert!(!self.pid_file().exists());
        assert!(!self.dir.join(format!("state/chaos-{}.armed", self.scenario)).exists());
        assert!(!self.fill.exists());
        let log = self.dir.join(format!("state/chaos-{}.log", self.scenario));
        assert_eq!(writers(&log), Vec::<PathBuf>::new());
    }
}

/// The processes whose output goes to a scenario's log, told by nothing that the scripts themselves rely on.
fn writers(log: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().map(|process| process.unwrap().path());
    processes.filter(|process| fs::read_link(process.join("fd/2")).is_ok_and(|target| target == log)).collect()
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that failed halfway must not leave its fault behind, even if it removed the scripts.
        self.scripts = env!("CARGO_MANIFEST_DIR").into();
        let _ = self.command().arg("stop").output();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A process of the test's own, ended when it is dropped.
pub(crate) struct Bystander(pub(crate) Child);

impl Bystander {
    pub(crate) fn new(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn sleeping() -> Self {
        Self::new(Command::new("sleep").arg("60"))
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

pub(crate) fn kill(signal: &str, target: &str) {
    let status = Command::new("bash").args(["-c", "kill -s \"$0\" -- \"$1\"", signal, target]).status().unwrap();
    assert!(status.success(), "kill {signal} {target}");
}

/// Says that a test can't run here; in CI that is a failure.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
}

/// Runs a shell line and gives whether it succeeded, with what it printed.
pub(crate) fn shell(line: &str) -> (bool, String) {
    let output = Command::new("bash").args(["-c", line]).stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

/// Namespaces of the test's own, held by a process that ends with this.
pub(crate) struct Namespaces(Bystander);

impl Namespaces {
    /// Of these kinds (`-n` network, `-m` mounts), set up by a shell line; `None`, and said, where that is not allowed.
    pub(crate) fn new(kinds: &[&str], set_up: &str) -> Option<Self> {
        let line = format!("set -e; {set_up}; echo ready; exec sleep 120");
        let mut holder = Command::new("unshare");
        holder
            .args(kinds)
            .args(["bash", "-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let mut ready = [0; 5];
        let is_ready = std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut ready).is_ok();
        if !is_ready {
            let output = holder.wait_with_output().unwrap();
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            skip(&format!("no namespace as {kinds:?} with {set_up:?}: {why}"));
            return None;
        }
        Some(Self(Bystander(holder)))
    }

    /// The words that run a command within them.
    pub(crate) fn within(&self, kinds: &[&str]) -> Vec<String> {
        let pid = self.0.0.id().to_string();
        ["nsenter", "-t", &pid].iter().chain(kinds).map(|&word| word.to_owned()).collect()
    }

    /// Runs a shell line within them.
    pub(crate) fn shell(&self, kinds: &[&str], line: &str) -> String {
        let words = self.within(kinds);
        let output = Command::new(&words[0]).args(&words[1..]).args(["bash", "-c", line]).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}
