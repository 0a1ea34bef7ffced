//! What an answer to a probe says: whether something is present, and who is named. Answers are data from the
//! target; nothing here trusts them, and values are checked again where they go into a command.

use std::collections::BTreeMap;

use super::{
    entry::{Names, Output, Pick, Reading},
    placeholder::{MAX_MANY, SEPARATOR, is_plain_path},
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Answer, End, EntityKind},
};

/// The longest attribute that is kept of what a line says, in characters.
const MAX_VALUE: usize = 300;
/// Several files make a directory the culprit when together they are this share of what was found.
const MOST: f64 = 0.6;

/// What an answer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// What kind of thing; `None`: it describes what is already known.
    pub(crate) kind: Option<EntityKind>,
    /// Captures.
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Whether an answer can be read at all: a command that could not do its work says nothing. Where it `reads_errors`,
/// what stands there is the answer.
///
/// # Errors
/// Why it can't.
pub(crate) fn readable(answer: &Answer, reads_errors: bool) -> Result<()> {
    let failed = |why: String| Err(Error::new(ErrorKind::CommandFailed, why).with("ask", &answer.ask));
    match &answer.end {
        End::Exited(0) | End::Stopped => Ok(()),
        End::Failed(why) => Err(why.clone()),
        End::Exited(code @ (126 | 127)) => failed(format!("the program can't be run there (exit code {code})")),
        End::Exited(code) if !reads_errors && answer.stdout.is_empty() && !answer.stderr.trim().is_empty() => {
            let first: String = answer.stderr.trim().lines().next().unwrap_or_default().chars().take(200).collect();
            failed(format!("exit code {code}: {first}"))
        }
        End::Exited(_) => Ok(()),
        End::Signalled(signal) => failed(format!("a signal ended it ({signal})")),
    }
}

/// What an answer that was cut short says all the same: its whole records, since half a path is another path. `None`
/// when it was not cut short, or before its first record was whole. What it does not say is unknown, not absent.
pub(crate) fn cut_short(answer: &Answer) -> Option<Answer> {
    let End::Failed(why) = &answer.end else { return None };
    if !matches!(why.kind(), ErrorKind::Deadline | ErrorKind::OutputLimit) {
        return None;
    }
    let end = terminator(&answer.stdout);
    let whole = answer.stdout.rfind(end)? + end.len_utf8();
    Some(Answer { stdout: answer.stdout[..whole].to_owned(), ..answer.clone() })
}

/// NUL where there is one (names of files may hold line breaks), else the end of a line.
fn terminator(stdout: &str) -> char {
    if stdout.contains('\0') { '\0' } else { '\n' }
}

fn records(answer: &Answer, on: Output) -> impl Iterator<Item = &str> {
    let text = match on {
        Output::Stdout => answer.stdout.as_str(),
        Output::Stderr => answer.stderr.as_str(),
    };
    text.split(terminator(text)).filter(|r| !r.is_empty())
}

/// Whether what the reading looks for is there.
pub(crate) fn is_present(reading: &Reading, answer: &Answer) -> bool {
    if let Some(code) = reading.exit {
        return matches!(answer.end, End::Exited(c) if c == code);
    }
    let Some(pattern) = &reading.pattern else { return false };
    let counts = records(answer, reading.on).filter(|line| match reading.value_min {
        None => pattern.regex().is_match(line),
        Some(min) => pattern
            .regex()
            .captures(line)
            .and_then(|c| c.name("value")?.as_str().parse::<f64>().ok())
            .is_some_and(|v| v >= min),
    });
    counts.take(reading.lines_min.max(1)).count() >= reading.lines_min.max(1)
}

/// The answer without the lines that name another unit, say, than the one that the evidence is about: a journal also tells
/// of yesterday's other trouble.
pub(crate) fn about(names: &Names, answer: &Answer, key: &str, value: &str) -> Answer {
    let of_another = |line: &str| captures(names, line).is_some_and(|c| c.get(key).is_some_and(|named| named != value));
    let kept = |text: &str| {
        let end = terminator(text);
        text.split(end).filter(|line| !of_another(line)).collect::<Vec<_>>().join(&end.to_string())
    };
    match names.on {
        Output::Stdout => Answer { stdout: kept(&answer.stdout), ..answer.clone() },
        Output::Stderr => Answer { stderr: kept(&answer.stderr), ..answer.clone() },
    }
}

/// What the answer names, if anything.
pub(crate) fn named(names: &Names, answer: &Answer) -> Option<Named> {
    let found: Vec<BTreeMap<String, String>> =
        records(answer, names.on).filter_map(|line| captures(names, line)).collect();
    let attributes = match names.pick {
        Pick::First => first(found)?,
        Pick::Latest => {
            let modified =
                |found: &BTreeMap<String, String>| found.get("modified").and_then(|at| at.parse::<f64>().ok());
            found.into_iter().max_by(|a, b| modified(a).unwrap_or(0.0).total_cmp(&modified(b).unwrap_or(0.0)))?
        }
        Pick::Most => most(found, names.counts.as_deref())?,
        Pick::Largest => return largest(names, found),
    };
    Some(Named { kind: names.kind, attributes })
}

fn captures(names: &Names, line: &str) -> Option<BTreeMap<String, String>> {
    let found = names.pattern.regex().captures(line)?;
    let mut out = BTreeMap::new();
    for key in names.pattern.captures() {
        let Some(m) = found.name(key) else { continue };
        if key == "kib" {
            let bytes = m.as_str().parse::<u64>().ok()?.saturating_mul(1024);
            out.insert("bytes".to_owned(), bytes.to_string());
        } else if key == "path" {
            // Never shortened: half a path is another path.
            out.insert(key.to_owned(), m.as_str().to_owned());
        } else {
            out.insert(key.to_owned(), m.as_str().trim().chars().take(MAX_VALUE).collect());
        }
    }
    Some(out)
}

/// The first line, with the spawner that all of several lines have in common, if there is one.
fn first(found: Vec<BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
    let agree = found.len() > 1 && found.iter().all(|line| line.get("spawner") == found[0].get("spawner"));
    let mut first = found.into_iter().next()?;
    if !agree {
        first.remove("spawner");
    }
    Some(first)
}

/// How many lines each process is on, or what they weigh, and the first of them.
type Group = BTreeMap<u32, (u64, BTreeMap<String, String>)>;

/// What a line counts for: one, or what its process has `read` and `written`.
fn weight(line: &BTreeMap<String, String>) -> u64 {
    let told: Vec<u64> = ["read", "written"].iter().filter_map(|key| line.get(*key)?.parse().ok()).collect();
    if told.is_empty() { 1 } else { told.into_iter().fold(0, u64::saturating_add) }
}

/// The processes of the command that is on most lines; first the one that is on most of these, among equals the one
/// with the lowest id.
fn most(found: Vec<BTreeMap<String, String>>, what: Option<&str>) -> Option<BTreeMap<String, String>> {
    let mut by_command: BTreeMap<String, Group> = BTreeMap::new();
    for line in found {
        if let Some(pid) = line.get("pid").and_then(|p| p.parse().ok()) {
            let command = line.get("command").cloned().unwrap_or_else(|| format!("pid {pid}"));
            let weighs = weight(&line);
            let known = by_command.entry(command).or_default().entry(pid).or_insert((0, line));
            known.0 = known.0.saturating_add(weighs);
        }
    }
    let lines = |group: &Group| group.values().fold(0, |sum: u64, (n, _)| sum.saturating_add(*n));
    // Among equals the first by name: the last maximum of the reverse.
    let (_, group) = by_command.into_iter().rev().max_by_key(|(_, group)| lines(group))?;
    let counted = lines(&group);
    let pids: Vec<String> = group.keys().take(MAX_MANY).map(u32::to_string).collect();
    let (_, (_, mut line)) = group.into_iter().min_by_key(|(pid, (n, _))| (std::cmp::Reverse(*n), *pid))?;
    if let Some(what) = what {
        line.insert("counted".into(), format!("{counted} {what}"));
    }
    line.insert("pids".into(), pids.join(","));
    Some(line)
}

fn bytes(line: &BTreeMap<String, String>) -> u64 {
    line.get("bytes").and_then(|b| b.parse().ok()).unwrap_or(0)
}

/// The largest file, or the directory in which several files make up most of what was found.
fn largest(names: &Names, mut found: Vec<BTreeMap<String, String>>) -> Option<Named> {
    found.retain(|line| line.get("path").is_none_or(|p| is_plain_path(p)));
    found.sort_by(|a, b| bytes(b).cmp(&bytes(a)).then_with(|| a.get("path").cmp(&b.get("path"))));
    let total: u64 = found.iter().map(bytes).fold(0, u64::saturating_add);
    let mut first = found.first()?.clone();
    if names.kind != Some(EntityKind::File) {
        return Some(Named { kind: names.kind, attributes: first });
    }
    let parent = |line: &BTreeMap<String, String>| {
        line.get("path")
            .and_then(|p| p.rsplit_once('/'))
            .map(|(dir, _)| if dir.is_empty() { "/" } else { dir }.to_owned())
    };
    let mut by_directory: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    for line in &found {
        if let (Some(directory), Some(path)) = (parent(line), line.get("path")) {
            let entry = by_directory.entry(directory).or_default();
            entry.0 = entry.0.saturating_add(bytes(line));
            entry.1.push(path.clone());
        }
    }
    let shared = |part: u64| part as f64 >= MOST * total as f64;
    if !shared(bytes(&first))
        && let Some((directory, (size, files))) = by_directory.into_iter().max_by_key(|(_, (size, _))| *size)
        && files.len() > 1
        && shared(size)
    {
        let listed: Vec<String> = files.iter().take(MAX_MANY).cloned().collect();
        let attributes = BTreeMap::from([
            ("path".to_owned(), directory),
            ("bytes".to_owned(), size.to_string()),
            ("count".to_owned(), files.len().to_string()),
            ("files".to_owned(), listed.join(&SEPARATOR.to_string())),
        ]);
        return Some(Named { kind: Some(EntityKind::Directory), attributes });
    }
    if let Some(path) = first.get("path").cloned() {
        first.insert("files".into(), path);
    }
    Some(Named { kind: Some(EntityKind::File), attributes: first })
}
