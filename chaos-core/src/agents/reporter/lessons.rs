//! What to learn: a few concrete action items, each derived from the evidence; and, where we injected the fault
//! ourselves, how the blind diagnosis did.

use std::time::Duration;

use super::{
    doc::Doc,
    escape,
    story::{Outcome, Story},
    words,
};
use crate::{
    chart::{human, nice_step},
    model::{Answer, Change, Finding, Id, Injection, Recovery, Series, Signal, Timestamp, Verdict},
};

pub(super) fn write(doc: &mut Doc, story: &Story<'_>) {
    let mut items: Vec<String> = story.key.iter().filter_map(|(id, f)| alert(story, *id, f)).take(3).collect();
    items.extend(limits_not_set(story).into_iter().take(2).map(|(id, line, advice)| {
        format!("{advice}: the target answered {} ({})", escape::code(&line), story.answer_link(id))
    }));
    if !story.has_service_metrics() && story.outcome == Outcome::Fault {
        items.push(
            "Collect a metric of the service itself (request rate, errors, latency): the effect on users could not be \
             measured this time"
                .to_owned(),
        );
    }
    if story.observation().is_some_and(|o| o.baseline.is_none()) {
        items.push("Record a baseline on a quiet host: without one, only absolute limits could be judged".to_owned());
    }
    if let (Some(i), Outcome::Healthy | Outcome::Unknown | Outcome::Fault) = (&story.incident.injection, story.outcome)
    {
        items.extend(missed(story, i));
    }
    doc.heading(2, "Lessons and action items");
    if items.is_empty() {
        doc.para("None follow from the evidence.");
    }
    let boxes: Vec<String> = items.into_iter().map(|i| format!("[ ] {i}.")).collect();
    doc.list(&boxes);
}

/// An alert that would have fired, with the measured values it is derived from.
fn alert(story: &Story<'_>, id: Id<Finding>, f: &Finding) -> Option<String> {
    let Signal::Metric { before: Some(before), after, change, name, attributes } = &f.signal else { return None };
    let rising = match change {
        Change::LevelUp | Change::TrendUp | Change::Saturated => true,
        Change::LevelDown | Change::TrendDown => false,
        _ => return None,
    };
    // A threshold on one pid helps nobody next time.
    if attributes.contains_key("process.pid") || (after > before) != rising {
        return None;
    }
    let (series, seen) = (story.series_of(f)?, story.observation()?);
    let limit = threshold(*before, *after)?;
    let beyond = |v: f64| if rising { v >= limit } else { v <= limit };
    let baseline = seen.baseline.as_ref()?;
    let quiet = || series.samples().filter(|(t, _)| baseline.contains(t));
    if quiet().count() < 3 || quiet().any(|(_, v)| beyond(v)) {
        return None;
    }
    let hold = hold_for(seen.observed.end.since(seen.observed.start));
    let fires = first_held(series, seen.observed.start, hold, beyond)?;
    let side = if rising { "above" } else { "below" };
    Some(format!(
        "Alert when {} stays {side} **{}** for {}: usual was {}, this incident reached {} ({}); on this data it fires \
         at {}, and not once in the baseline",
        escape::short(&words::labelled(name, attributes), 100),
        escape::short(&human(limit, &series.unit), 40),
        words::duration(hold),
        escape::short(&human(*before, &series.unit), 40),
        escape::short(&human(*after, &series.unit), 40),
        story.finding_link(id),
        fires.time_of_day()
    ))
}

/// Halfway between usual and abnormal, rounded to what people type.
fn threshold(before: f64, after: f64) -> Option<f64> {
    let distance = (after - before).abs();
    if !distance.is_finite() || distance <= 0.0 {
        return None;
    }
    let step = nice_step(distance / 10.0);
    let limit = ((before + (after - before) / 2.0) / step).round() * step;
    (limit.is_finite() && limit > before.min(after) && limit < before.max(after)).then_some(limit)
}

/// A quarter of the observed window, at most a minute, in whole five seconds.
fn hold_for(observed: Duration) -> Duration {
    Duration::from_secs((observed.as_secs() / 4).clamp(5, 60) / 5 * 5)
}

/// When the condition had held for `hold` for the first time.
fn first_held(s: &Series, from: Timestamp, hold: Duration, beyond: impl Fn(f64) -> bool) -> Option<Timestamp> {
    let mut since: Option<Timestamp> = None;
    for (at, v) in s.samples().filter(|(t, _)| *t >= from) {
        match since {
            _ if !beyond(v) => since = None,
            None => since = Some(at),
            Some(start) if at.since(start) >= hold => return Some(at),
            Some(_) => {}
        }
    }
    None
}

/// Limits that the target says are not set: where, its own line, what to do.
pub(super) fn limits_not_set(story: &Story<'_>) -> Vec<(Id<Answer>, String, &'static str)> {
    const UNSET: [(&str, &str); 4] = [
        ("MemoryMax=infinity", "Set a memory limit for the unit"),
        ("CPUQuotaPerSecUSec=infinity", "Set a CPU quota for the unit"),
        ("TasksMax=infinity", "Set a limit on the unit's tasks"),
        ("LimitNOFILE=infinity", "Set a limit on the unit's open files"),
    ];
    let Some(d) = story.diagnosis().filter(|_| story.outcome == Outcome::Fault) else { return Vec::new() };
    let mut out: Vec<(Id<Answer>, String, &'static str)> = Vec::new();
    for id in story.cited_answers(d) {
        let Some(a) = story.answer(id) else { continue };
        for (line, advice) in UNSET {
            if a.stdout.lines().any(|l| l.trim() == line) && !out.iter().any(|(_, _, known)| *known == advice) {
                out.push((id, line.to_owned(), advice));
            }
        }
    }
    out
}

fn missed(story: &Story<'_>, i: &Injection) -> Option<String> {
    let d = story.diagnosis()?;
    let right = Verdict::Fault(i.causes.clone());
    if d.verdict == right || i.started.is_none() {
        return None;
    }
    let chance = d.hypotheses.iter().find(|(_, h)| h.verdict == right).map(|(_, h)| h.posterior.to_string());
    let chance = chance.map_or("was not considered".to_owned(), |p| format!("got {p}"));
    Some(format!("Improve how {} is recognised: it was there and {chance}", escape::code(&i.causes.0)))
}

/// The chaos section; nothing where nothing was injected.
pub(super) fn chaos(doc: &mut Doc, story: &Story<'_>) {
    let Some(i) = &story.incident.injection else { return };
    doc.heading(2, "Chaos experiment");
    let when = |t: Option<Timestamp>, none: &str| t.map_or(none.to_owned(), words::moment);
    let not_started = if matches!(i.recovery, Recovery::Unknown(_)) { "not known" } else { "could not be started" };
    let rows = [
        ["Scenario".to_owned(), escape::code(&escape::cut(&i.scenario, 100))],
        [
            "Arguments".to_owned(),
            if i.args.trim().is_empty() { "none".into() } else { escape::code(&escape::cut(&i.args, 200)) },
        ],
        ["Started".to_owned(), when(i.started, not_started)],
        ["Reverts by itself".to_owned(), when(i.fires_at, "not armed")],
        ["Reverted".to_owned(), when(i.reverted, "not known")],
        ["Recovery".to_owned(), recovery(&i.recovery)],
        ["Blind diagnosis".to_owned(), judged(story, i)],
    ];
    doc.table(["Experiment", "Value"], &rows);
    if let (Some(started), Some(onset)) = (i.started, story.onset) {
        let text = if onset >= started {
            format!("The detected onset is {} after the injection.", words::duration(onset.since(started)))
        } else {
            let early = words::duration(started.since(onset));
            format!("The detected onset is {early} **before** the injection: what was found may be something else.")
        };
        doc.para(&text);
    }
    doc.para("No agent that diagnoses was told what we injected, or that we did.");
}

fn recovery(r: &Recovery) -> String {
    match r {
        Recovery::Proven => "**proven**: state before and after was compared and is the same".to_owned(),
        Recovery::NotRecovered(why) => format!("**NOT recovered**: {}", escape::short(why, 400)),
        Recovery::Unknown(why) => format!("**not known**, so not to be called recovered: {}", escape::short(why, 400)),
    }
}

/// Whether the diagnosis named what we injected, said plainly. Markdown.
fn judged(story: &Story<'_>, i: &Injection) -> String {
    let injected = escape::code(&i.causes.0);
    match score(story, i) {
        None if i.started.is_none() => "not scored: the fault was never started".to_owned(),
        None => "not scored: there is no diagnosis".to_owned(),
        Some((true, said, p)) => format!("**right**: it named {} ({p})", escape::code(&said)),
        Some((false, said, p)) => {
            let d = story.diagnosis();
            let right = d.and_then(|d| d.hypotheses.iter().find(|(_, h)| h.verdict.id() == i.causes.0));
            let had = right.map_or(" was not considered".to_owned(), |(_, h)| format!(" had {}", h.posterior));
            format!("**wrong**: it said {} ({p}); injected was {injected}, which{had}", escape::code(&said))
        }
    }
}

/// Whether it was right, what it said, and how sure it was; `None` where there is nothing to score. Raw text.
pub(super) fn score(story: &Story<'_>, i: &Injection) -> Option<(bool, String, String)> {
    let d = story.diagnosis().filter(|_| i.started.is_some())?;
    let right = d.verdict == Verdict::Fault(i.causes.clone());
    Some((right, d.verdict.id().to_owned(), d.confidence.to_string()))
}
