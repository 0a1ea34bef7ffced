//! The one session that stays open for as long as a connection: a small shell on the target that says what the target
//! is, and that ends commands. It is there before a command needs to be ended, so that no limit on sessions is in the
//! way; it reaches commands that run as root; and when the connection is gone, because the network broke or this
//! process was killed, it ends what still runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::{Channel, ChannelMsg, ChannelReadHalf, client::Msg};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    hops::printable,
    nonce::nonce,
    shell::{self, Dialect, Preamble, Style},
};

const SCRIPT: &str = include_str!("control.sh");

/// What the shell said of the target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// How commands are started.
    pub style: Style,
    /// A session leads a process group, by itself or by setsid(1): all that a command starts can be ended with it.
    pub groups: bool,
    /// Root commands can be run.
    pub elevate: bool,
}

/// A process group of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    /// The id of its leader.
    pub pid: u32,
    /// Whether it runs as root by sudo.
    pub by_sudo: bool,
}

/// What to do with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// End it when the connection is gone.
    Watch,
    /// It has ended.
    Forget,
    Terminate,
    Kill,
}

/// The session's local end. Dropping it ends the shell on the target, and what it still watches over.
#[derive(Debug)]
pub(crate) struct Control {
    lines: mpsc::UnboundedSender<String>,
    alive: Arc<AtomicBool>,
    /// How many groups it watches over.
    watched: Arc<AtomicUsize>,
    groups: bool,
}

/// How the shell on the target notices that nobody is there any more although nothing was closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pulse {
    /// How often it is told that we are there, while it watches over something.
    pub every: Duration,
    /// Without a word for this long it ends what it watches over.
    pub silence: Duration,
}

impl Control {
    /// Starts the shell on `channel`, within `limit`.
    ///
    /// # Errors
    /// `Denied` when the account has no shell or a forced command runs in its place; `Unreachable` when the connection
    /// breaks.
    pub(crate) async fn start(
        channel: Channel<Msg>,
        user: &str,
        limit: Duration,
        pulse: Pulse,
    ) -> Result<(Self, Facts)> {
        let nonce = nonce();
        let silence = pulse.silence.as_secs();
        let script = bare(SCRIPT);
        let launch = shell::bootstrap(&format!("printf '\\n%s\\n' {nonce}\nsilence={silence}\n{script}"));
        let (mut read, write) = channel.split();
        let lost =
            |e| Error::new(ErrorKind::Unreachable, "the connection broke as the first command was sent").because(e);
        write.exec(true, launch.exec).await.map_err(lost)?;
        let (lines, mut orders) = mpsc::unbounded_channel::<String>();
        let preface = launch.preface;
        let watched = Arc::new(AtomicUsize::new(0));
        let watching = watched.clone();
        tokio::spawn(async move {
            let mut next = Some(preface);
            while let Some(line) = next {
                if write.data_bytes(line.into_bytes()).await.is_err() {
                    return;
                }
                next = loop {
                    match timeout(pulse.every, orders.recv()).await {
                        Ok(order) => break order,
                        Err(_) if watching.load(Ordering::Acquire) > 0 => break Some("here\n".into()),
                        Err(_) => {}
                    }
                };
            }
            let _ = write.eof().await;
            let _ = write.close().await;
        });
        let answered = timeout(limit, answer(&mut read, &nonce, user)).await.map_err(|_| {
            let message = format!(
                "the login shell of {user} did not answer within {} s; its start-up files may wait for input, or print \
                 without end",
                limit.as_secs_f32()
            );
            Error::new(ErrorKind::Unreachable, message)
        })?;
        let facts = facts(&answered?, user)?;
        let alive = Arc::new(AtomicBool::new(true));
        let ended = alive.clone();
        tokio::spawn(async move {
            while read.wait().await.is_some() {}
            ended.store(false, Ordering::Release);
        });
        Ok((Self { lines, alive, watched, groups: facts.groups }, facts))
    }

    /// Gives an order; never waits. Whether there was somebody to give it to.
    pub(crate) fn order(&self, order: Order, group: Group) -> bool {
        let what = match order {
            Order::Watch => "+",
            Order::Forget => "-",
            Order::Terminate => "TERM",
            Order::Kill => "KILL",
        };
        match order {
            Order::Watch => drop(self.watched.fetch_add(1, Ordering::AcqRel)),
            Order::Forget => drop(self.watched.fetch_sub(1, Ordering::AcqRel)),
            Order::Terminate | Order::Kill => {}
        }
        let whom = if self.groups { -i64::from(group.pid) } else { i64::from(group.pid) };
        let role = if group.by_sudo { "root" } else { "self" };
        self.alive.load(Ordering::Acquire) && self.lines.send(format!("{what} {whom} {role}\n")).is_ok()
    }
}

/// Without comments and indentation: a shell reads its standard input byte by byte, which is felt by the thousand.
fn bare(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// What the shell prints, up to `ready`.
async fn answer(read: &mut ChannelReadHalf, nonce: &str, user: &str) -> Result<String> {
    let mut preamble = Preamble::new(nonce);
    let (mut text, mut stderr) = (Vec::new(), Vec::new());
    let mut status = None;
    while let Some(msg) = read.wait().await {
        match msg {
            ChannelMsg::Data { data } if preamble.passed() => text.extend_from_slice(&data),
            ChannelMsg::Data { data } => {
                if let Some((_, rest)) = preamble.take(&data) {
                    text = rest;
                }
            }
            ChannelMsg::ExtendedData { data, .. } if stderr.len() < 4 << 10 => stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            ChannelMsg::Failure => break,
            _ => {}
        }
        if memchr::memmem::find(&text, b"ready yes\n").is_some() || text.len() > 64 << 10 {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
    let stderr = String::from_utf8_lossy(&stderr);
    let said = preamble.said().or_else(|| stderr.lines().find(|l| !l.trim().is_empty()).map(|l| printable(l, 200)));
    let said = said.map_or("it said nothing".into(), |said| format!("it said: {said}"));
    let code = status.map_or(String::new(), |code| format!(" (exit code {code})"));
    Err(Error::new(
        ErrorKind::Denied,
        format!(
            "the login shell of {user} runs no commands{code}: the account may have no shell, or sshd_config or \
             authorized_keys force another command; {said}"
        ),
    ))
}

fn facts(text: &str, user: &str) -> Result<Facts> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(str::trim)
            .filter(|v| !v.is_empty())
    };
    let Some(uid) = value("uid").and_then(|uid| uid.parse::<u32>().ok()) else {
        let message = format!("cannot find out who {user} is on the target: `id -u` gives no number");
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    // Without /proc it is taken to be as OpenSSH does it.
    let leads = value("group").is_none_or(|both| both.split_once(' ').is_none_or(|(own, group)| own == group));
    let setsid = !leads && value("setsid").is_some();
    let dialect = value("shell").map_or(Dialect::Other, Dialect::of);
    Ok(Facts {
        style: Style { dialect, setsid, root: uid == 0 },
        groups: leads || setsid,
        elevate: uid == 0 || value("sudo").is_some(),
    })
}
