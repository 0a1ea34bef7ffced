//! What `outer.sh` and what it starts print: records that end with NUL, each with its kind first and fields parted by
//! tabs, the last of which may hold anything but NUL.

use super::Step;
use crate::{
    model::{FileChange, FileChangeKind, Rehearsed, RehearsedStep},
    redact::redact,
};

/// Changes that are kept.
const CHANGES: usize = 200;
/// Characters of a command's output that are kept.
const SHOWN: usize = 2000;
/// What parts the notes of the stand-ins, in place of NUL.
const PARTED: char = '\u{1e}';
const ALWAYS: &str = "there was no network, no process of the host and no service to ask in the sandbox; \
                      a stand-in for a program that acts on more than files succeeds and prints nothing";

/// The rehearsal, and whether all of it was told.
pub(super) fn read(steps: &[Step], printed: &[u8]) -> (Rehearsed, bool) {
    let mut out = Rehearsed::default();
    let mut is_whole = false;
    let text = String::from_utf8_lossy(printed);
    for record in text.split_terminator('\0') {
        let (kind, rest) = record.split_once('\t').unwrap_or((record, ""));
        match kind {
            "unable" => out.unable = Some(kept(rest, 400)),
            "note" => out.limits.push(kept(rest, 400)),
            "limit" => out.limits.push(limit(rest)),
            "step" => step(&mut out, steps, rest),
            "acts" => acts(&mut out, rest),
            "total" => {
                // Too many to look at each.
                if let Some((total, place)) = rest.split_once('\t')
                    && let Some(total) = total.parse::<u64>().ok().filter(|t| *t > 3000)
                {
                    out.changes_beyond += total;
                    out.limits.push(format!("more than 3000 files were changed on {}", kept(place, 200)));
                }
            }
            "change" => change(&mut out, rest),
            "diff" => {
                if let Some(last) = out.changes.last_mut().filter(|_| out.changes_beyond == 0) {
                    last.diff = Some(kept(rest, SHOWN));
                }
            }
            "done" => is_whole = true,
            _ => {}
        }
    }
    if !out.steps.is_empty() {
        out.limits.push(ALWAYS.to_owned());
    }
    if is_whole && out.unable.is_none() && out.steps.len() < steps.len().min(super::STEPS) {
        out.unable = Some("not every command was rehearsed".into());
    }
    (out, is_whole)
}

/// Text from the target as it may be kept.
fn kept(text: &str, characters: usize) -> String {
    redact(text).chars().take(characters).collect()
}

fn limit(what: &str) -> String {
    match what {
        "memory" => "the sandbox ran out of memory, so a command was killed there",
        "processes" => "the sandbox did not let it start as many processes as it wanted",
        "space" => "the sandbox had no room left for what was written, so a command may have failed for that",
        _ => "the sandbox ran into one of its bounds",
    }
    .to_owned()
}

fn step(out: &mut Rehearsed, steps: &[Step], rest: &str) {
    let mut fields = rest.splitn(3, '\t');
    let number = fields.next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    let Some(step) = number.checked_sub(1).and_then(|at| steps.get(at)) else { return };
    let ended = fields.next().unwrap_or("");
    let (passed, ended) = match ended.parse::<i32>() {
        Ok(code @ 129..=192) => (false, format!("signal {}", code - 128)),
        Ok(code) => (code == 0, format!("exit code {code}")),
        Err(_) => (false, "it took too long".to_owned()),
    };
    out.steps.push(RehearsedStep {
        action: step.action.clone(),
        argv: step.argv.clone(),
        passed,
        ended,
        output: kept(fields.next().unwrap_or("").trim_end(), SHOWN),
    });
}

fn acts(out: &mut Rehearsed, rest: &str) {
    for noted in rest.split_terminator(PARTED).take(CHANGES) {
        out.would_run.push(noted.split('\t').map(|word| kept(word, 400)).collect());
    }
}

fn change(out: &mut Rehearsed, rest: &str) {
    let mut fields = rest.splitn(3, '\t');
    let kind = match fields.next() {
        Some("deleted") => FileChangeKind::Deleted,
        Some("modified") => FileChangeKind::Modified,
        Some("added") => FileChangeKind::Added,
        Some("metadata") => FileChangeKind::Metadata,
        _ => return,
    };
    let (Some(detail), Some(path)) = (fields.next(), fields.next()) else { return };
    if out.changes.len() >= CHANGES {
        out.changes_beyond += 1;
        return;
    }
    out.changes.push(FileChange { kind, path: kept(path, 4096), detail: kept(detail, 400), diff: None });
}
