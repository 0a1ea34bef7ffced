//! Who is compared: made ready, and told to measure. All but `ssh` itself are programs that speak the protocol of
//! `chaos-ssh/benches/peers/protocol.rs`, each a process of its own, so that its memory is its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{
    openssh,
    server::{Server, said},
};
use crate::{
    bench::status_kb,
    run::{command, root, run},
};

/// Pinned, as everything else that is compared.
const PACKAGES: &[&str] = &["asyncssh==2.24.1", "paramiko==5.1.0"];
const VENV: &str = "target/bench-venv";
const SCRIPTS: &str = "chaos-ssh/benches/peers";
/// How long one sample may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is measured, and how often or how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// So many connections, one after the other, each with one command.
    Connect(usize),
    /// So many commands, one after the other, on an open connection.
    Exec(usize),
    /// So many bytes of output, on an open connection.
    Stdout(usize),
    /// So many connections that are open at once, each with one command.
    Many(usize),
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub ms: Vec<f64>,
    /// The most memory that was resident, in kB; all processes together.
    pub peak: u64,
    /// The same with what processes share counted once, where there are several.
    pub shared_once: Option<u64>,
}

pub(super) struct Peer {
    pub name: &'static str,
    pub version: String,
    /// The program and its first arguments; none for `ssh`, which speaks no protocol of ours.
    argv: Vec<String>,
}

/// Builds and installs them; ours is the first.
pub(super) fn ready() -> Result<Vec<Peer>, String> {
    let build = ["build", "--release", "--locked", "-p", "chaos-ssh", "--example"];
    run(command("cargo").args(build).args(["bench_chaos_ssh", "--example", "bench_russh"]))?;
    let python = format!("{VENV}/bin/python");
    if !root().join(&python).is_file() {
        run(command("python3").args(["-m", "venv", VENV]))?;
    }
    run(command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))?;
    let own = |name: &str| vec![format!("target/release/examples/{name}")];
    let script = |name: &str| vec![python.clone(), format!("{SCRIPTS}/{name}.py")];
    let peers = [
        ("chaos-ssh", own("bench_chaos_ssh")),
        ("russh alone", own("bench_russh")),
        ("ssh", Vec::new()),
        ("asyncssh", script("with_asyncssh")),
        ("paramiko", script("with_paramiko")),
    ];
    peers.into_iter().map(|(name, argv)| Ok(Peer { name, version: version(&argv)?, argv })).collect()
}

fn version(argv: &[String]) -> Result<String, String> {
    match argv {
        [program, rest @ ..] => said(command(program).args(rest).arg("version")),
        [] => said(Command::new("ssh").arg("-V")).map(|v| v.split(',').next().unwrap_or_default().to_owned()),
    }
}

impl Peer {
    pub(super) fn measure(&self, server: &Server, measure: Measure) -> Result<Seen, String> {
        let seen = if self.argv.is_empty() { openssh::measure(server, measure) } else { self.ask(server, measure) };
        seen.map_err(|e| format!("{}, {measure:?}: {e}", self.name))
    }

    fn ask(&self, server: &Server, measure: Measure) -> Result<Seen, String> {
        let (word, count) = match measure {
            Measure::Connect(n) => ("connect", n),
            Measure::Exec(n) => ("exec", n),
            Measure::Stdout(n) => ("stdout", n),
            Measure::Many(n) => ("many", n),
        };
        let mut command = command(&self.argv[0]);
        command.args(&self.argv[1..]).arg(word).arg(count.to_string());
        command.env("SSH_BENCH_PORT", server.port.to_string()).env("SSH_BENCH_USER", &server.user);
        command.env("SSH_BENCH_KEY", server.file("key")).env("SSH_BENCH_KNOWN_HOSTS", server.file("known_hosts"));
        let mut client = Held::spawn(&mut command)?;
        let mut seen = Seen::default();
        while let Some(line) = client.line()? {
            seen.ms.push(line.parse().map_err(|_| format!("this is no number: {line}"))?);
            if word == "many" {
                seen.peak = status_kb(client.id(), "VmHWM:");
                client.let_go();
            }
        }
        client.ended()?;
        Ok(seen)
    }
}

/// A client process, whose lines are read as they come; ended when it is dropped.
pub(super) struct Held {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Held {
    pub(super) fn spawn(command: &mut Command) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
        let stdout = child.stdout.take().expect("it is piped");
        let (tell, lines) = mpsc::channel();
        // Ends with the child, or when nobody listens.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line; `None` when there are no more.
    pub(super) fn line(&mut self) -> Result<Option<String>, String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => Err("it says nothing any more".into()),
        }
    }

    /// Ends its standard input, which is what it waits for.
    pub(super) fn let_go(&mut self) {
        self.child.stdin = None;
    }

    /// That it ended well.
    pub(super) fn ended(mut self) -> Result<(), String> {
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(e) => Err(e.to_string()),
        }
    }
}
