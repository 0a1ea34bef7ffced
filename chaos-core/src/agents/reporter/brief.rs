//! The short forms: what goes to Slack, and what a terminal shows at the end.

use super::{
    escape, lessons, remedy,
    story::{Outcome, Story},
    summary, words,
};
use crate::{
    chart::visible,
    model::{Entity, Incident, Recovery},
};

/// Lines as (label, raw text).
type Facts = Vec<(&'static str, String)>;

/// Slack's mrkdwn, at most twelve short lines.
pub(super) fn slack(story: &Story<'_>) -> String {
    let host = escape::slack(&escape::cut(story.host(), 60));
    let mut lines =
        vec![format!("*{}* on {host}: {}", story.incident.id, escape::slack(&escape::cut(&status(story), 240)))];
    for (label, value) in facts(story) {
        lines.push(format!("{label}: {}", escape::slack(&escape::cut(&value, 240))));
    }
    lines.push(format!("Report: `incidents/{}/report.md`", story.incident.id));
    lines.join("\n") + "\n"
}

/// The conclusion for a terminal: cause, confidence, culprit, fix and risk in at most ten plain lines. What came
/// from a host is cut, and its control characters are shown as escapes.
#[must_use]
pub fn terminal_summary(incident: &Incident) -> String {
    let story = Story::of(incident);
    let mut lines =
        vec![format!("{} on {}: {}", incident.id, escape::cut(story.host(), 60), escape::cut(&status(&story), 240))];
    for (label, value) in facts(&story) {
        lines.push(format!("  {label:<10} {}", escape::cut(&value, 240)));
    }
    lines.iter().map(|l| visible(l) + "\n").collect()
}

fn status(story: &Story<'_>) -> String {
    let reason = story.incident.reason.as_deref().map_or(String::new(), |r| format!(", {r}"));
    format!("{}{reason}", story.incident.status.as_str())
}

fn facts(story: &Story<'_>) -> Facts {
    let incident = story.incident;
    let mut out: Facts = Vec::new();
    if let Some(d) = story.diagnosis() {
        let since = story.onset.filter(|_| story.outcome != Outcome::Healthy);
        let since = since.map_or(String::new(), |t| format!(", since {}", words::moment(t)));
        let headline = escape::cut(&summary::headline(story), 120);
        out.push(("Cause", format!("{headline} (confidence {}){since}", d.confidence)));
        out.extend(d.culprit.as_ref().map(|c| ("Culprit", culprit(&c.entity, &c.summary))));
    }
    match story.outcome {
        Outcome::Healthy => out.push(("Seen", summary::looked_at(story))),
        _ => out.extend(impact(story).map(|i| ("Impact", i))),
    }
    out.extend(remedy::in_one_line(story).map(|f| ("Fix", f)));
    if let Some(plan) = story.plan().filter(|p| !p.actions.is_empty() && story.outcome != Outcome::Healthy) {
        let risk = story.risk_of(plan).map_or("not assessed".to_owned(), |r| {
            format!("{}, {}", summary::level(r.level), summary::verdict(r.verdict))
        });
        out.push(("Risk", format!("{risk}; nothing was executed")));
    }
    out.extend(chaos(story).map(|c| ("Chaos", c)));
    if !incident.errors.is_empty() {
        out.push(("Errors", format!("{} on the way, see the report", incident.errors.len())));
    }
    out
}

/// What the culprit's summary says, with the entity in front where that does not name it.
fn culprit(entity: &Entity, summary: &str) -> String {
    match summary.trim() {
        "" => words::entity(entity),
        said if said.contains(entity.name.as_str()) => said.to_owned(),
        said => format!("{}: {said}", words::entity(entity)),
    }
}

/// The two strongest metrics with their values.
fn impact(story: &Story<'_>) -> Option<String> {
    let with_values = story.key.iter().filter_map(|(_, f)| {
        let crate::model::Signal::Metric { name, attributes, .. } = &f.signal else { return None };
        Some(format!("{} {}", words::labelled(name, attributes), story.measured(f)?))
    });
    let two: Vec<String> = with_values.take(2).collect();
    let first = || story.key.first().map(|(_, f)| f.summary.clone());
    if two.is_empty() { first() } else { Some(two.join("; ")) }
}

fn chaos(story: &Story<'_>) -> Option<String> {
    let i = story.incident.injection.as_ref()?;
    let state = match (&i.started, &i.recovery) {
        (None, Recovery::Unknown(why)) => format!("NOT KNOWN whether it started and is gone: {why}"),
        (None, _) => "could not be started".to_owned(),
        (_, Recovery::Proven) => "reverted, proven".to_owned(),
        (_, Recovery::NotRecovered(why)) => format!("NOT RECOVERED: {why}"),
        (_, Recovery::Unknown(why)) => format!("RECOVERY NOT KNOWN: {why}"),
    };
    let judged = lessons::score(story, i).map_or(String::new(), |(right, said, _)| match right {
        true => "; blind diagnosis right".to_owned(),
        false => format!("; blind diagnosis WRONG: said {said}, injected was {}", i.causes),
    });
    Some(format!("injected {}, {state}{judged}", i.scenario))
}
