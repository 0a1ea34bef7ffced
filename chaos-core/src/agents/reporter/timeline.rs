//! What happened when, in UTC.

use super::{
    doc::Doc,
    escape,
    story::{Outcome, Story},
    words,
};
use crate::model::{Recovery, Timestamp};

/// Onsets that are shown; a storm of findings must not bury the rest.
const ONSETS: usize = 15;

pub(super) fn write(doc: &mut Doc, story: &Story<'_>) {
    let mut events: Vec<(Timestamp, String)> = vec![(story.incident.span.start, "The run began".to_owned())];
    if let Some(seen) = story.observation() {
        match &seen.baseline {
            Some(b) => {
                events.push((b.start, format!("Baseline began ({})", words::duration(b.end.since(b.start)))));
                events.push((seen.observed.start, "Observation began".to_owned()));
            }
            None => events.push((seen.observed.start, "Observation began, without a baseline".to_owned())),
        }
        events.push((seen.observed.end, "Observation ended".to_owned()));
    }
    injection(&mut events, story);
    onsets(&mut events, story);
    if let (Some(at), Some(d)) = (story.concluded(), story.diagnosis()) {
        let verdict = escape::short(&super::summary::headline(story), 120);
        events.push((at, format!("Evidence complete; **diagnosis: {verdict}** ({})", d.confidence)));
    }
    if story.is_complete() {
        events.push((story.incident.span.end, "The run ended".to_owned()));
    } else {
        events.push((story.incident.span.end, format!("The run ended: {}", story.incident.status.as_str())));
    }
    events.sort_by_key(|(at, _)| *at);
    doc.heading(2, "Timeline");
    let days = events.first().map(|e| e.0.day()) != events.last().map(|e| e.0.day());
    let date = events.first().map_or(String::new(), |(at, _)| words::moment(*at).chars().take(10).collect());
    if !days {
        doc.para(&format!("{date}, all times in UTC."));
    }
    let rows: Vec<[String; 2]> =
        events.into_iter().map(|(at, what)| [if days { words::moment(at) } else { at.time_of_day() }, what]).collect();
    doc.table(["Time", "What"], &rows);
}

fn injection(events: &mut Vec<(Timestamp, String)>, story: &Story<'_>) {
    let Some(i) = &story.incident.injection else { return };
    if let Some(at) = i.started {
        events.push((at, format!("**We injected** {}", escape::code(&escape::cut(&i.scenario, 80)))));
    }
    if let Some(at) = i.reverted {
        let proof = match i.recovery {
            Recovery::Proven => "revert proven",
            Recovery::NotRecovered(_) => "**not recovered**",
            Recovery::Unknown(_) => "**revert not proven**",
        };
        events.push((at, format!("The injected fault was reverted; {proof}")));
    }
}

/// Findings that began in the same second share a row.
fn onsets(events: &mut Vec<(Timestamp, String)>, story: &Story<'_>) {
    if story.outcome == Outcome::Healthy || story.observation().is_none() {
        return;
    }
    let mut began: Vec<_> = story
        .incident
        .findings
        .iter()
        .filter(|(id, _)| story.detailed.contains(&id.index()))
        .filter_map(|(id, f)| Some((f.onset?, id, f)))
        .collect();
    began.sort_by_key(|(at, id, _)| (*at, *id));
    let more = began.len().saturating_sub(ONSETS);
    began.truncate(ONSETS);
    let last = began.last().map(|(at, ..)| *at);
    for together in began.chunk_by(|a, b| a.0.0.div_euclid(1000) == b.0.0.div_euclid(1000)) {
        let said: Vec<String> = together
            .iter()
            .map(|(_, id, f)| format!("{} {}", story.finding_link(*id), escape::short(&f.summary, 160)))
            .collect();
        events.push((together[0].0, format!("Onset: {}", said.join("; "))));
    }
    if let (Some(at), true) = (last, more > 0) {
        events.push((at, format!("{more} more findings began from here on, see [Findings](#findings)")));
    }
}
