//! What is asked of a target, what it answers, and what it is known to have.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{AgentName, Timestamp};
use crate::error::Error;

/// A program with its arguments. No shell is involved unless the program is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Command {
    /// Program first.
    pub argv: Vec<String>,
    /// Text for its standard input.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Whether it needs root; a transport that can, runs it by `sudo -n` when it is not root already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elevate: bool,
}

impl Command {
    /// A command without standard input, as the user of the connection.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), stdin: String::new(), elevate: false }
    }
}

/// What can be asked of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ask {
    /// Run a command.
    Run(Command),
    /// `GET http://127.0.0.1:port/path` as seen from the target.
    HttpGet {
        /// TCP port on the target's loopback.
        port: u16,
        /// Begins with `/`.
        path: String,
    },
}

impl Ask {
    /// Runs a command as the user of the connection.
    pub fn run<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self::Run(Command::new(argv))
    }
}

impl std::fmt::Display for Ask {
    /// For a person, on one line: long scripts are shortened.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(command) => {
                for (i, word) in command.argv.iter().enumerate() {
                    let first = word.lines().next().unwrap_or("");
                    let cut: String = first.chars().take(80).collect();
                    let more = if cut.len() < word.len() { "…" } else { "" };
                    write!(f, "{}{cut}{more}", if i == 0 { "" } else { " " })?;
                }
                Ok(())
            }
            Self::HttpGet { port, path } => write!(f, "GET http://127.0.0.1:{port}{path}"),
        }
    }
}

/// How a reply ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The command exited with this code; for a GET the HTTP status, 0 for 200.
    Exited(i32),
    /// A signal ended the command.
    Signalled(i32),
    /// We stopped it, as intended.
    Stopped,
    /// It broke off.
    Failed(Error),
}

impl End {
    /// Whether a command did what it was asked, or was stopped as intended.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Exited(0) | Self::Stopped)
    }
}

/// A question that was put to the target and what came back, as a hypothesis can cite it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Who asked.
    pub agent: AgentName,
    /// What was asked.
    pub ask: Ask,
    /// When the reply ended.
    pub at: Timestamp,
    /// How it ended.
    pub end: End,
    /// Standard output or response body; invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// What the target is and has; asked once, and said in the report where it limits what we see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Facts {
    /// Whether there is a live system to ask, as opposed to files.
    pub live: bool,
    /// Its own name.
    pub hostname: String,
    /// Such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Whether systemd is the init process.
    pub systemd: bool,
    /// Whether journald holds entries that we can read.
    pub journald: bool,
    /// Whether we are root there.
    pub root: bool,
    /// Whether `sudo -n` works there.
    pub sudo: bool,
    /// Logical CPUs online.
    pub cpus: u32,
    /// Physical memory in bytes.
    pub memory_bytes: u64,
    /// Seconds since boot when asked.
    pub uptime_s: f64,
    /// Seconds by which the target's clock is ahead of ours, when that is more than the question took.
    pub clock_ahead_s: f64,
    /// Which of the programs that we can use are there.
    pub tools: BTreeSet<String>,
    /// Log files worth reading.
    pub log_files: Vec<String>,
    /// Files with metrics, on a target that is a directory of files.
    pub metric_files: Vec<String>,
    /// What is missing and limits what we see, one sentence each.
    pub limits: Vec<String>,
}

/// Which target an incident is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInfo {
    /// As the user named it: `local`, `ssh://…`, a directory.
    pub name: String,
    /// Kind of transport: `local`, `ssh`, `files`.
    pub kind: String,
}
