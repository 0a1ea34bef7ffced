//! The report about an incident whose process died: from what it had saved, and from its trace.

use super::{brief, doc::Doc, escape, lessons, render, story::Story, summary};
use crate::model::{EventType, Incident, Phase, Report, TraceEvent};

/// Events that are shown, the latest.
const SHOWN: usize = 60;

/// The report about an interrupted incident, for whoever finds it: how far it came, what was done until then, and what
/// became of a fault. What was diagnosed already is told as in any report.
#[must_use]
pub fn interrupted_report(incident: &Incident, trace: &[TraceEvent]) -> Report {
    if incident.diagnosis.is_some() {
        return render(incident);
    }
    let story = Story::of(incident);
    let mut doc = Doc::default();
    summary::write(&mut doc, &story);
    done(&mut doc, trace);
    lessons::chaos(&mut doc, &story);
    Report { markdown: doc.finish(), slack: brief::slack(&story), charts: Vec::new() }
}

fn done(doc: &mut Doc, trace: &[TraceEvent]) {
    doc.heading(2, "What was done until then");
    if !trace.iter().any(|e| e.kind == EventType::Phase) {
        doc.para("Nothing: it had not begun.");
    }
    // That this report was written is no news to who reads it.
    let events: Vec<&TraceEvent> = trace.iter().filter(|e| e.kind != EventType::Report).collect();
    let left_out = events.len().saturating_sub(SHOWN);
    match left_out {
        0 => doc.para("From `trace.json`, all times in UTC."),
        n => doc.para(&format!("From `trace.json`, which has {n} earlier events; all times in UTC.")),
    }
    let row = |e: &&TraceEvent| {
        let phase = if e.phase == Phase::Apply { "afterwards" } else { e.phase.as_str() };
        let (agent, what) = (escape::short(e.agent.as_str(), 60), escape::short(&e.content, 240));
        [e.timestamp.time_of_day(), phase.to_owned(), agent, what]
    };
    let rows: Vec<[String; 4]> = events[left_out..].iter().map(row).collect();
    doc.table(["Time", "Phase", "Agent", "What"], &rows);
}
