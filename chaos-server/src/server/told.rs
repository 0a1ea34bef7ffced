//! A trace as the API tells it: each event as its JSON, written once however many read it, and what can be read off
//! all of them: the phase, and how far each agent is.

use std::sync::Arc;

use chaos_core::model::{EventType, Phase, Timestamp, TraceEvent};
use serde::Serialize;

/// The agents that every run has, with the phases in which they work.
const AGENTS: [(&str, Phase, Phase); 7] = [
    ("Coordinator", Phase::Prepare, Phase::Done),
    ("LogAgent", Phase::Prepare, Phase::Detect),
    ("MetricsAgent", Phase::Prepare, Phase::Detect),
    ("Investigator", Phase::Investigate, Phase::Investigate),
    ("FixerAgent", Phase::Plan, Phase::Plan),
    ("TesterAgent", Phase::Rehearse, Phase::Rehearse),
    ("ReporterAgent", Phase::Report, Phase::Report),
];
/// Agents beyond those that are listed.
const MOST_AGENTS: usize = 100;

/// The trace so far.
#[derive(Debug, Clone)]
pub(super) struct Told {
    lines: Vec<(u64, Arc<str>)>,
    agents: Vec<Agent>,
    phase: Phase,
    end: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Agent {
    name: String,
    works: Option<(Phase, Phase)>,
    events: u64,
    last: Option<(String, Timestamp)>,
    failed: bool,
}

/// An agent as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct AgentView<'a> {
    name: &'a str,
    status: &'static str,
    events: u64,
    last: Option<&'a str>,
    last_at: Option<Timestamp>,
}

impl Default for Told {
    fn default() -> Self {
        let agent = |(name, from, to): (&str, _, _)| Agent {
            name: name.to_owned(),
            works: Some((from, to)),
            events: 0,
            last: None,
            failed: false,
        };
        Self { lines: Vec::new(), agents: AGENTS.map(agent).into(), phase: Phase::Prepare, end: None }
    }
}

impl Told {
    /// Adds an event.
    pub(super) fn push(&mut self, event: &TraceEvent) {
        let line = String::from_utf8(event.line()).unwrap_or_default();
        self.add(event, line.into());
    }

    fn add(&mut self, event: &TraceEvent, line: Arc<str>) {
        self.lines.push((event.seq, line));
        // What is noted afterwards is no phase of the run; an application is.
        if event.phase != Phase::Apply || event.kind == EventType::Fix {
            self.phase = event.phase;
        }
        self.end = Some(event.timestamp);
        let name = event.agent.as_str();
        if !self.agents.iter().any(|a| a.name == name) && self.agents.len() < MOST_AGENTS {
            self.agents.push(Agent { name: name.to_owned(), works: None, events: 0, last: None, failed: false });
        }
        if let Some(agent) = self.agents.iter_mut().find(|a| a.name == name) {
            agent.events += 1;
            agent.failed |= event.kind == EventType::Error && name != "Coordinator";
            agent.last = Some((event.content.clone(), event.timestamp));
        }
    }

    /// Reads a `trace.json`; a tail that is being written is left out.
    pub(super) fn parse(file: &str) -> Self {
        let mut told = Self::default();
        for line in file.lines() {
            let line = line.strip_suffix(',').unwrap_or(line);
            if line.starts_with('{')
                && let Ok(event) = serde_json::from_str::<TraceEvent>(line)
            {
                told.add(&event, line.into());
            }
        }
        told
    }

    /// Events after `seq`.
    pub(super) fn after(&self, seq: i64) -> &[(u64, Arc<str>)] {
        let from = self.lines.partition_point(|(s, _)| i64::try_from(*s).unwrap_or(i64::MAX) <= seq);
        &self.lines[from..]
    }

    pub(super) fn last_seq(&self) -> i64 {
        self.lines.last().map_or(-1, |(seq, _)| i64::try_from(*seq).unwrap_or(i64::MAX))
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// When the last event happened.
    pub(super) fn end(&self) -> Option<Timestamp> {
        self.end
    }

    pub(super) fn agents(&self, queued: bool, over: bool) -> Vec<AgentView<'_>> {
        let view = |a: &'_ Agent| -> &'static str {
            match (a.works, over) {
                _ if a.failed => "failed",
                (Some(_), false) if queued => "waiting",
                (Some((from, _)), false) if self.phase < from => "waiting",
                (Some((_, to)), false) if self.phase <= to => "working",
                _ if a.events > 0 => "done",
                (_, true) | (Some(_), false) => "skipped",
                (None, false) => "working",
            }
        };
        let shown = self.agents.iter().map(|a| AgentView {
            name: &a.name,
            status: view(a),
            events: a.events,
            last: a.last.as_ref().map(|(text, _)| text.as_str()),
            last_at: a.last.as_ref().map(|(_, at)| *at),
        });
        shown.collect()
    }
}

/// Events as a JSON array.
pub(super) fn array(lines: &[(u64, Arc<str>)]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|(_, l)| l.len() + 1).sum::<usize>() + 2);
    text.push('[');
    for (i, (_, line)) in lines.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(line);
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chaos_core::model::AgentName;

    fn event(seq: u64, phase: Phase, agent: &str, kind: EventType) -> TraceEvent {
        TraceEvent {
            seq,
            timestamp: Timestamp(seq as i64),
            phase,
            agent: AgentName::new(agent),
            kind,
            content: format!("{agent} {seq}"),
            data: None,
            previous_sha256: String::new(),
        }
    }

    #[test]
    fn agents_wait_work_and_are_done() {
        let mut told = Told::default();
        let status =
            |told: &Told, over| -> Vec<&'static str> { told.agents(false, over).iter().map(|a| a.status).collect() };
        told.push(&event(0, Phase::Prepare, "LogAgent", EventType::Evidence));
        told.push(&event(1, Phase::Observe, "MetricsAgent", EventType::Error));
        assert_eq!(status(&told, false), ["working", "working", "failed", "waiting", "waiting", "waiting", "waiting"]);
        told.push(&event(2, Phase::Plan, "Coordinator", EventType::Phase));
        told.push(&event(3, Phase::Plan, "a plugin", EventType::Fix));
        assert_eq!(status(&told, false)[1..5], ["done", "failed", "skipped", "working"]);
        assert_eq!(status(&told, true), ["done", "done", "failed", "skipped", "skipped", "skipped", "skipped", "done"]);
    }

    #[test]
    fn what_comes_after_is_told_and_a_torn_tail_is_not() {
        let mut told = Told::default();
        (0..5).for_each(|seq| told.push(&event(seq, Phase::Observe, "LogAgent", EventType::Note)));
        let file =
            format!("[\n{}\n]\n", told.after(-1).iter().map(|(_, l)| l.as_ref()).collect::<Vec<_>>().join(",\n"));
        let read = Told::parse(&file[..file.len() - 20]);
        assert_eq!((read.last_seq(), read.after(2).len(), read.after(99).len()), (3, 1, 0));
        let all: Vec<TraceEvent> = serde_json::from_str(&array(Told::parse(&file).after(-1))).unwrap();
        assert_eq!(all.len(), 5);
    }
}
