//! Wording that all sections share: names of metrics, entities, changes, spans and references.

use std::time::Duration;

use super::super::count::thousands;
use super::escape;
use crate::{
    chart::human,
    model::{Answer, Change, End, Entity, EntityKind, Evidence, Finding, Hypothesis, Id, LogChange, Signal, Timestamp},
};

/// `4 min 10 s`.
pub(super) fn duration(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 => format!("{} ms", d.subsec_millis()),
        1..=119 => format!("{s} s"),
        120..=7199 if s.is_multiple_of(60) => format!("{} min", s / 60),
        120..=7199 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// `2026-11-24 10:02:11 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let date = text.split_once('T').map_or("", |(d, _)| d);
    format!("{date} {} UTC", at.time_of_day())
}

/// `CPU utilization` from `system.cpu.utilization`; other names stay as they are, without what is no word.
pub(super) fn metric(name: &str) -> String {
    let own = name.strip_prefix("system.").or_else(|| name.strip_prefix("systemd."));
    let (prefix, stem) = match (own, name.strip_prefix("process.")) {
        (Some(s), _) => ("", s.strip_prefix("linux.").unwrap_or(s)),
        (_, Some(p)) => ("process ", p),
        _ => return name.to_owned(),
    };
    let words = stem.split(['.', '_']).map(|w| match w {
        "cpu" | "tcp" => w.to_uppercase(),
        "io" => "I/O".to_owned(),
        "rtt" => "round trip".to_owned(),
        "oom" => "OOM".to_owned(),
        w => w.to_owned(),
    });
    capital(&format!("{prefix}{}", words.collect::<Vec<_>>().join(" ")))
}

/// The first letter in upper case.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
}

/// Text that begins with a capital and ends with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    if text.is_empty() { String::new() } else { format!("{text}{end}") }
}

/// What an entity is, as raw text: `process python3`, `the host`.
pub(super) fn entity(e: &Entity) -> String {
    let kind = match e.kind {
        EntityKind::Host => return if e.name.is_empty() { "the host".to_owned() } else { e.name.clone() },
        EntityKind::Process => "process",
        EntityKind::Unit => "unit",
        EntityKind::Filesystem => "filesystem",
        EntityKind::Directory => "directory",
        EntityKind::File => "file",
        EntityKind::Device => "device",
        EntityKind::Interface => "interface",
        EntityKind::Port => "port",
        EntityKind::Log => "log",
    };
    match e.attributes.get("pid").filter(|_| e.kind == EntityKind::Process) {
        Some(pid) => format!("{kind} {} (pid {pid})", e.name),
        None => format!("{kind} {}", e.name),
    }
}

/// A metric's name and what tells it from others of the name, as raw text.
pub(super) fn labelled(name: &str, attributes: &std::collections::BTreeMap<String, String>) -> String {
    let get = |key: &str| attributes.get(key).map(String::as_str);
    if let (Some(command), Some(pid)) = (get("process.command"), get("process.pid")) {
        return format!("{} of {command} (pid {pid})", metric(name));
    }
    if let ("system.linux.pressure", Some(resource), Some(kind)) = (name, get("resource"), get("kind")) {
        let resource = if resource == "cpu" { "CPU".to_owned() } else { capital(resource) };
        return format!("{resource} pressure ({kind})");
    }
    let which = attributes.values().cloned().collect::<Vec<_>>().join(", ");
    if which.is_empty() { metric(name) } else { format!("{} ({which})", metric(name)) }
}

pub(super) fn change(c: Change) -> &'static str {
    match c {
        Change::LevelUp => "rose",
        Change::LevelDown => "fell",
        Change::Spike => "spiked",
        Change::Dip => "dipped",
        Change::TrendUp => "kept growing",
        Change::TrendDown => "kept shrinking",
        Change::Saturated => "reached its limit",
        Change::Missing => "stopped being reported",
        Change::VarianceUp => "became unsteady",
        Change::VarianceDown => "became steadier",
        Change::Flatline => "stood still",
    }
}

pub(super) fn log_change(c: LogChange) -> &'static str {
    match c {
        LogChange::New => "new",
        LogChange::Burst => "far more often than before",
        LogChange::Silence => "stopped",
        LogChange::Severe => "severe",
        LogChange::Repeated => "the same over and over",
        LogChange::OffBeat => "no longer on its beat",
        LogChange::Focused => "mostly about one value now",
    }
}

/// What a metric finding measured: `12 % → 98 %`.
pub(super) fn measured(f: &Finding, unit: &str) -> Option<String> {
    match &f.signal {
        Signal::Metric { before: Some(before), after, change: Change::VarianceUp | Change::VarianceDown, .. } => {
            Some(format!("range {} → {}", human(*before, unit), human(*after, unit)))
        }
        Signal::Metric { before: Some(before), after, change, .. } if *change != Change::Missing => {
            Some(format!("{} → {}", human(*before, unit), human(*after, unit)))
        }
        Signal::Metric { after, change, .. } if *change != Change::Missing => Some(human(*after, unit)),
        _ => None,
    }
}

/// How a command ended.
pub(super) fn ended(end: &End) -> String {
    match end {
        End::Exited(0) => "ok".to_owned(),
        End::Exited(code) => format!("exit {code}"),
        End::Signalled(signal) => format!("ended by signal {signal}"),
        End::Stopped => "stopped by us".to_owned(),
        End::Failed(why) => format!("failed: {}", escape::cut(&why.to_string(), 200)),
    }
}

pub(super) fn finding_name(id: Id<Finding>) -> String {
    format!("F{}", id.index() + 1)
}

pub(super) fn answer_name(id: Id<Answer>) -> String {
    format!("A{}", id.index() + 1)
}

pub(super) fn hypothesis_name(id: Id<Hypothesis>) -> String {
    format!("H{}", id.index() + 1)
}

pub(super) fn evidence_name(id: Id<Evidence>) -> String {
    format!("E{}", id.index() + 1)
}

/// `1 finding`, `3 findings`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}ies", thousands(n as u64)),
        (_, None) => format!("{} {noun}s", thousands(n as u64)),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
