//! Which log sources a target has and by which command each is followed.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    analysis::logs::LogMiner,
    host::ReadOnlyHost,
    model::{Ask, Command, Facts, Timestamp},
};

/// Files that are followed at most.
const MAX_FILES: usize = 24;
/// How long it may take to say what kind of file one is.
const KIND_WITHIN: Duration = Duration::from_secs(10);
/// Fields of the journal that tell something; a record has some thirty, and its time always.
const FIELDS: &str = "--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_PID,_TRANSPORT";

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Kernel,
    File,
}

/// A source and how it is read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) command: Command,
    kind: Kind,
}

/// All sources, in the order of the evidence: journal or kernel, then files by name; and what can't be read.
pub(super) async fn of(host: &ReadOnlyHost, named: &[String], history: Duration) -> (Vec<Source>, Vec<String>) {
    let facts = host.facts();
    let elevate = facts.sudo && !facts.root && host.capabilities().elevate;
    let source = |name: &str, kind, argv: &[&str]| {
        let command = Command { elevate: elevate && facts.live, ..Command::new(argv.iter().copied()) };
        Source { name: name.to_owned(), command, kind }
    };
    let mut sources = Vec::new();
    if facts.live && facts.journald {
        let since = format!("--since=-{}s", history.as_secs());
        let argv = ["journalctl", "-o", "json", FIELDS, "--all", "-f", "-n", "2000", &since, "--no-pager"];
        sources.push(source("journald", Kind::Journal, &argv));
    } else if facts.live && facts.uptime_s > 0.0 && (facts.root || elevate || facts.tools.contains("kmsg")) {
        // Its times count from the boot, so without the uptime nothing tells what is new in it.
        sources.push(source("kernel", Kind::Kernel, &["cat", "/dev/kmsg"]));
    }
    let (files, mut refused) = files(facts, named);
    for file in files {
        if facts.live && named.contains(&file) {
            let kind = Command { elevate, ..Command::new(["stat", "-L", "-c", "%F", "--", &file]) };
            if let Some(kind) = irregular(host, kind).await {
                refused.push(format!("{}: not read, as it is a {kind}, not a regular file", file.escape_debug()));
                continue;
            }
        }
        sources.push(match facts.live {
            true => source(&file, Kind::File, &["tail", "-n", "1000", "-F", &file]),
            false => source(&file, Kind::File, &["cat", &file]),
        });
    }
    (sources, refused)
}

/// What kind of file it is, where that is known and none that may be read: a pipe loses what is read from it, and some
/// devices never end. What is not there yet may still come.
async fn irregular(host: &ReadOnlyHost, stat: Command) -> Option<String> {
    let (_, answer) = host.ask(Ask::Run(stat), KIND_WITHIN).await.ok()?;
    let kind = answer.stdout.trim();
    let is_known = answer.end.is_success() && !kind.is_empty();
    (is_known && !kind.starts_with("regular")).then(|| kind.escape_debug().to_string())
}

/// The files to read, sorted; named ones come before known ones when there are too many.
fn files(facts: &Facts, named: &[String]) -> (BTreeSet<String>, Vec<String>) {
    let (mut files, mut refused) = (BTreeSet::new(), Vec::new());
    for file in named.iter().chain(&facts.log_files) {
        let shown = file.escape_debug();
        if facts.live && !file.starts_with('/') {
            refused.push(format!("{shown}: a log file needs an absolute path"));
        } else if file.is_empty() || file.starts_with('-') {
            refused.push(format!("{shown}: not the name of a file"));
        } else if is_binary(file) || files.contains(file) {
            // Nothing to say: these are never text.
        } else if files.len() >= MAX_FILES {
            refused.push(format!("{shown}: not read, as {MAX_FILES} files are read already"));
        } else {
            files.insert(file.clone());
        }
    }
    (files, refused)
}

fn is_binary(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let records = ["wtmp", "btmp", "utmp", "lastlog", "faillog", "tallylog"].iter().any(|b| name.starts_with(b));
    let ends = [".gz", ".xz", ".bz2", ".zst", ".zip", ".journal", ".journal~", ".db", ".pcap"];
    records || ends.iter().any(|e| name.ends_with(e))
}

impl Source {
    /// The command that goes on where this one broke off: only what is new, as what was read is not to be read twice.
    /// `None` where that can't be told apart.
    pub(super) fn resumed(&self) -> Option<Command> {
        let lines = self.command.argv.iter().position(|word| word == "-n")? + 1;
        let mut command = self.command.clone();
        *command.argv.get_mut(lines)? = "0".to_owned();
        Some(command)
    }

    /// The command without what it was not understood for: before systemd 236 a journal can't be asked for some fields only.
    pub(super) fn plainer(&self, stderr: &[u8]) -> Option<Command> {
        let option = FIELDS.split('=').next()?;
        let is_meant = String::from_utf8_lossy(stderr).contains(option);
        let mut command = self.command.clone();
        command.argv.retain(|word| word != FIELDS);
        (is_meant && command.argv.len() < self.command.argv.len()).then_some(command)
    }

    /// The miner for this stream, whose first piece came at `first`.
    pub(super) fn miner(&self, facts: &Facts, first: Timestamp, history: Duration) -> LogMiner {
        let miner = LogMiner::new(first);
        if !facts.live {
            return miner;
        }
        let miner = miner.live(history);
        match self.kind {
            // Counted back from our own clock, so the target's does not matter.
            Kind::Kernel => miner.boot(Timestamp::from_millis(first.0.saturating_sub((facts.uptime_s * 1e3) as i64))),
            Kind::Journal | Kind::File => miner.clock_ahead((facts.clock_ahead_s * 1e3) as i64),
        }
    }
}
