//! The top of a report: title, what happened in plain English, and the facts at a glance.

use std::collections::BTreeMap;

use super::super::count::thousands;
use super::{
    doc::Doc,
    escape,
    story::{Outcome, Story},
    words,
};
use crate::model::{Body, Facts, Injection, Recovery, RiskCategory, RiskLevel, RiskVerdict, Status};

/// The conclusion as raw text: a fault's title, or what there is instead of one.
pub(super) fn headline(story: &Story<'_>) -> String {
    match (story.outcome, story.diagnosis()) {
        (Outcome::Fault, Some(d)) if d.title.trim().is_empty() => d.verdict.id().to_owned(),
        (Outcome::Fault, Some(d)) => d.title.trim_end_matches('.').to_owned(),
        (Outcome::Healthy, _) => "No fault found".to_owned(),
        (Outcome::Unknown, _) => "Something is wrong, cause unknown".to_owned(),
        _ => match story.incident.status {
            Status::Failed => "Failed, no evidence",
            Status::Stopped => "Stopped before a diagnosis",
            Status::Interrupted => "Interrupted before a diagnosis",
            Status::Running => "Still running",
            Status::Completed => "No diagnosis",
        }
        .to_owned(),
    }
}

pub(super) fn write(doc: &mut Doc, story: &Story<'_>) {
    let place =
        if story.host().is_empty() { String::new() } else { format!(" on {}", escape::short(story.host(), 80)) };
    doc.heading(1, &format!("{}: {}{place}", story.incident.id, escape::short(&headline(story), 120)));
    let mut said = vec![what(story)];
    said.extend(status(story));
    said.extend(advice(story));
    said.extend(story.incident.injection.as_ref().map(chaos));
    doc.para(&said.join(" "));
    facts(doc, story);
}

/// What happened, where, since when, and how sure we are.
fn what(story: &Story<'_>) -> String {
    let host = escape::short(story.host(), 80);
    let since = story.onset.map_or(String::new(), |t| format!(" since {}", words::moment(t)));
    let looked = looked_at(story);
    match (story.outcome, story.diagnosis()) {
        (Outcome::Fault, Some(d)) => {
            let culprit = d
                .culprit
                .as_ref()
                .map_or(String::new(), |c| format!(" {}", words::sentence(&escape::short(&c.summary, 240))));
            let sure = if d.confidence.get() < 0.7 { ". This is the likeliest cause, not a certain one" } else { "" };
            format!(
                "**{}** on {host}{since} (confidence {}){sure}.{culprit}",
                escape::short(&headline(story), 120),
                d.confidence
            )
        }
        (Outcome::Healthy, Some(d)) => {
            format!("**No fault found** on {host} (confidence {}). {looked}", d.confidence)
        }
        (Outcome::Unknown, _) => format!(
            "**Something is not as usual** on {host}{since}, and the evidence does not tell what causes it. {}; \
             no known fault explains them well enough to be named. {looked}",
            words::count(story.incident.findings.len(), "finding"),
        ),
        _ if story.incident.status == Status::Interrupted && story.observation().is_none() => {
            format!("**No cause was determined** for {host}: the run was cut off before.")
        }
        _ if story.observation().is_none() => {
            format!("**Nothing was learned about {host}**: no evidence was collected.")
        }
        _ => format!(
            "**No cause was determined** for {host}{since}. {} so far. {looked}",
            words::count(story.incident.findings.len(), "finding")
        ),
    }
}

/// What was looked at, in numbers.
pub(super) fn looked_at(story: &Story<'_>) -> String {
    let Some(seen) = story.observation() else { return String::new() };
    let metrics = seen.series().count();
    let logs = seen.logs().count();
    let records: u64 = seen.logs().map(|(_, _, l)| l.total_lines).sum();
    let span = story.window().map_or(String::new(), |w| format!(" over {}", words::duration(w.end.since(w.start))));
    let asked = match story.incident.answers.len() {
        0 => String::new(),
        n => format!(", and asked the host {} directly", words::count(n, "question")),
    };
    format!(
        "Looked at {} metric series and {} with {}{span}{asked}.",
        thousands(metrics as u64),
        words::count(logs, "log source"),
        words::count(usize::try_from(records).unwrap_or(usize::MAX), "record")
    )
}

/// What was looked at, source by source.
pub(super) fn sources(doc: &mut Doc, story: &Story<'_>) {
    let Some(seen) = story.observation() else { return };
    doc.heading(2, "What was looked at");
    let mut by_source: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (_, e) in seen.evidence.iter() {
        let (series, records) = by_source.entry(e.source.as_str()).or_default();
        match &e.body {
            Body::Metric(_) => *series += 1,
            Body::Logs(l) => *records = records.saturating_add(l.total_lines),
        }
    }
    let rows: Vec<[String; 3]> = by_source
        .iter()
        .take(40)
        .map(|(source, (series, records))| {
            [escape::code(&escape::cut(source, 100)), thousands(*series as u64), thousands(*records)]
        })
        .collect();
    doc.table(["Source", "Metric series", "Log records"], &rows);
}

/// What is said about a run that did not go through.
fn status(story: &Story<'_>) -> Option<String> {
    let reason = story.incident.reason.as_deref().filter(|r| !r.trim().is_empty());
    let why = reason.map_or(String::new(), |r| format!(": {}", escape::short(r.trim_end_matches('.'), 400)));
    match story.incident.status {
        Status::Completed => None,
        Status::Failed => Some(format!("The run **failed**{why}.")),
        Status::Stopped => Some(format!("The run was **stopped** early{why}; what follows is what was known by then.")),
        Status::Interrupted => {
            Some(format!("The run was **interrupted**{why}; what follows is what was saved until then."))
        }
        Status::Running => Some("The run is **still going on**; this is a preliminary report.".to_owned()),
    }
}

/// What to do.
fn advice(story: &Story<'_>) -> Option<String> {
    let plan = story.plan().filter(|_| story.outcome != Outcome::Healthy)?;
    if plan.actions.is_empty() {
        let next = plan.next_questions.first()?;
        return Some(format!("Next: {}", words::sentence(&escape::short(next, 240))));
    }
    let risk = story
        .risk_of(plan)
        .map_or("risk not assessed".to_owned(), |r| format!("risk {}, {}", level(r.level), verdict(r.verdict)));
    let what = escape::short(plan.summary.trim_end_matches('.'), 240);
    Some(format!("**[Recommended](#recommended-fix):** {what} ({risk}). Nothing was executed."))
}

/// One sentence about the fault that we injected, for the summary.
fn chaos(injection: &Injection) -> String {
    let state = match (&injection.started, &injection.recovery) {
        (None, Recovery::Unknown(_)) => "**whether it started, and is gone, is not known**".to_owned(),
        (None, _) => "it could not be started".to_owned(),
        (_, Recovery::Proven) => "it has been reverted, and the revert is proven".to_owned(),
        (_, Recovery::NotRecovered(_)) => "**the host has NOT recovered from it**".to_owned(),
        (_, Recovery::Unknown(_)) => "**whether it is gone is not known**".to_owned(),
    };
    format!(
        "This was a [chaos experiment](#chaos-experiment): we injected {} ourselves; {state}.",
        escape::code(&injection.scenario)
    )
}

fn facts(doc: &mut Doc, story: &Story<'_>) {
    let incident = story.incident;
    let mut rows: Vec<[String; 2]> = vec![
        ["Incident".into(), escape::code(incident.id.as_str())],
        ["Status".into(), incident.status.as_str().into()],
        ["Target".into(), format!("{} ({})", escape::code(&incident.target.name), escape::text(&incident.target.kind))],
    ];
    if let Some(seen) = story.observation() {
        let host = host_line(&seen.facts);
        if !host.is_empty() {
            rows.push(["Host".into(), host]);
        }
    }
    if let Some(w) = story.window() {
        let length = words::duration(w.end.since(w.start));
        rows.push(["Window".into(), format!("{} to {} ({length})", words::moment(w.start), words::moment(w.end))]);
    }
    if story.outcome != Outcome::Healthy && !story.incident.findings.is_empty() {
        let onset = story.onset.map_or("could not be told".to_owned(), words::moment);
        rows.push(["Detected onset".into(), onset]);
    }
    if let (Some(onset), Some(done), Outcome::Fault) = (story.onset, story.concluded(), story.outcome) {
        let took = words::duration(done.since(onset));
        rows.push(["Time to diagnosis".into(), format!("{took} from onset to the last evidence needed")]);
    }
    doc.table(["Fact", "Value"], &rows);
}

fn host_line(facts: &Facts) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend([&facts.hostname, &facts.os].iter().filter(|s| !s.is_empty()).map(|s| escape::short(s, 80)));
    if !facts.kernel.is_empty() {
        parts.push(format!("kernel {}", escape::short(&facts.kernel, 60)));
    }
    if facts.cpus > 0 {
        parts.push(words::count(facts.cpus as usize, "CPU"));
    }
    if facts.memory_bytes > 0 {
        parts.push(format!("{} memory", crate::chart::human(facts.memory_bytes as f64, "By")));
    }
    parts.join(", ")
}

pub(super) fn level(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::None => "none",
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
    }
}

pub(super) fn verdict(verdict: RiskVerdict) -> &'static str {
    match verdict {
        RiskVerdict::Safe => "reads only",
        RiskVerdict::NeedsApproval => "needs a person's approval",
        RiskVerdict::Dangerous => "dangerous, needs a second approval",
    }
}

pub(super) fn category(category: RiskCategory) -> &'static str {
    match category {
        RiskCategory::Downtime => "downtime",
        RiskCategory::DataLoss => "data loss",
        RiskCategory::DependencyRipple => "dependency ripple",
        RiskCategory::Privilege => "privilege",
        RiskCategory::Network => "network",
        RiskCategory::Irreversible => "irreversible",
    }
}
