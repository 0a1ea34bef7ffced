//! The `ssh` command as a client: a process a connection, and for commands on an open connection a process a command
//! beside the one that holds the connection (`ControlMaster`).

use std::{
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use super::{
    peers::{Held, Measure, Seen},
    server::Server,
};
use crate::bench::{kb, status_kb};

/// As in `protocol.rs`, with every other client.
const COMMAND: &str = "/bin/true";
const LOGINS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);
/// How long the master may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn measure(server: &Server, measure: Measure) -> Result<Seen, String> {
    let mut seen = Seen::default();
    match measure {
        Measure::Connect(count) => {
            for _ in 0..count {
                seen.ms.push(timed(ssh(server, &[]).arg(COMMAND))?);
                sleep(PAUSE);
            }
        }
        Measure::Exec(count) => {
            let master = Master::start(server)?;
            for _ in 0..count {
                seen.ms.push(timed(ssh(server, &master.options()).arg(COMMAND))?);
            }
        }
        Measure::Stdout(bytes) => {
            let master = Master::start(server)?;
            let command = format!("head -c {bytes} /dev/zero");
            seen.ms.push(timed(ssh(server, &master.options()).arg(command))?);
        }
        Measure::Many(count) => seen = many(server, count)?,
    }
    Ok(seen)
}

fn ssh(server: &Server, options: &[&str]) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]);
    ssh.args(["-o", "IdentityAgent=none", "-o", "GlobalKnownHostsFile=none", "-o", "LogLevel=ERROR"]);
    ssh.arg("-o").arg(format!("UserKnownHostsFile={}", server.file("known_hosts").display()));
    ssh.arg("-i").arg(server.file("key")).arg("-p").arg(server.port.to_string());
    ssh.args(options).arg(format!("{}@127.0.0.1", server.user));
    ssh
}

/// How long it takes to succeed. Its output goes nowhere: to read it here would be our work, not its.
fn timed(ssh: &mut Command) -> Result<f64, String> {
    ssh.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = ssh.status().map_err(|e| format!("ssh: {e}"))?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    if status.success() { Ok(took) } else { Err(format!("ssh: {status}")) }
}

/// Holds a connection open until it is dropped.
struct Master {
    socket: String,
    _process: Held,
}

impl Master {
    fn start(server: &Server) -> Result<Self, String> {
        let socket = server.file("mux").display().to_string();
        let process = Held::spawn(&mut ssh(server, &["-M", "-S", &socket, "-N"]))?;
        let master = Self { socket, _process: process };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let mut check = ssh(server, &["-S", &master.socket, "-O", "check"]);
            check.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if check.status().is_ok_and(|s| s.success()) {
                return Ok(master);
            }
            sleep(PAUSE);
        }
        Err("the master does not answer".into())
    }

    fn options(&self) -> [&str; 2] {
        ["-S", &self.socket]
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // The process is killed, and leaves it behind.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Each runs the command, says so, and then waits for the end of its input.
fn many(server: &Server, count: usize) -> Result<Seen, String> {
    let (next, held) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    let work = || -> Result<(), String> {
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let mut one = Held::spawn(ssh(server, &[]).arg(format!("{COMMAND} && echo done && exec cat")))?;
            match one.line()?.as_deref() {
                Some("done") => held.lock().expect("no panic while held").push(one),
                other => return Err(format!("ssh said {other:?}")),
            }
        }
        Ok(())
    };
    scope(|scope| {
        let workers: Vec<_> = (0..LOGINS.min(count)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked".to_owned())?)
    })?;
    let ms = vec![started.elapsed().as_secs_f64() * 1e3];
    let held = held.into_inner().expect("no panic while held");
    let peak = held.iter().map(|one| status_kb(one.id(), "VmHWM:")).sum();
    let shared_once = held.iter().map(|one| kb(&format!("/proc/{}/smaps_rollup", one.id()), "Pss:")).sum();
    for mut one in held {
        one.let_go();
        one.ended()?;
    }
    Ok(Seen { ms, peak, shared_once: Some(shared_once) })
}
