//! The single writer of the trace: stamps events, numbers them, appends them to the sink and passes them on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    artifact::ArtifactSink,
    audit::sha256_hex,
    clock::Clock,
    events::{Emitted, Flushed, Message},
    model::{AgentName, EventType, IncidentId, Phase, Timestamp, TraceEvent},
};

/// Where an event's time comes from.
#[derive(Debug)]
pub(crate) enum Timeline {
    /// The clock.
    Live(Arc<dyn Clock>),
    /// The recorded trace: the nth event of an agent and type gets the time and the place that it had.
    Recorded { lanes: BTreeMap<(AgentName, &'static str), VecDeque<Place>>, last: Place },
}

/// When an event happened, and as the how manieth of all.
pub(crate) type Place = (Timestamp, u64);

impl Timeline {
    pub(crate) fn recorded(trace: &[TraceEvent]) -> Self {
        let mut lanes: BTreeMap<_, VecDeque<Place>> = BTreeMap::new();
        for event in trace {
            lanes.entry((event.agent.clone(), lane(event.kind))).or_default().push_back((event.timestamp, event.seq));
        }
        let last = (trace.iter().map(|e| e.timestamp).min().unwrap_or_default(), 0);
        Self::Recorded { lanes, last }
    }

    fn stamp(&mut self, agent: &AgentName, kind: EventType) -> Place {
        match self {
            Self::Live(clock) => (clock.now(), 0),
            Self::Recorded { lanes, last } => {
                let lane = lanes.get_mut(&(agent.clone(), lane(kind)));
                // An event that was not there when it was recorded happens when the one before it did.
                *last = lane.and_then(VecDeque::pop_front).unwrap_or(*last);
                *last
            }
        }
    }
}

/// Phases and chaos have lanes of their own, so that their times stay right whatever else is said.
fn lane(kind: EventType) -> &'static str {
    match kind {
        EventType::Phase => "phase",
        EventType::Chaos => "chaos",
        _ => "other",
    }
}

/// Writes until all senders are gone.
pub(crate) struct Writer {
    pub(crate) timeline: Timeline,
    pub(crate) sink: Arc<dyn ArtifactSink>,
    pub(crate) id: IncidentId,
    pub(crate) events: mpsc::UnboundedSender<TraceEvent>,
    /// Agents that run at the same time, in the order in which events of one instant are told in a replay.
    pub(crate) order: Vec<AgentName>,
    pub(crate) phase: Phase,
    pub(crate) seq: u64,
    pub(crate) held: Vec<TraceEvent>,
    pub(crate) flushed: Flushed,
    /// The hash of the last event that was written.
    pub(crate) head: String,
}

impl Writer {
    pub(crate) fn spawn(mut self, mut messages: mpsc::UnboundedReceiver<Message>) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                self.take(message).await;
            }
            self.release().await;
        })
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Event(emitted) => {
                self.event(emitted).await;
            }
            Message::Stamp(emitted, reply) => {
                let at = self.event(emitted).await;
                let _ = reply.send(at);
            }
            Message::Phase(phase, emitted, reply) => {
                if phase == Phase::Detect {
                    self.release().await;
                }
                self.phase = phase;
                let at = self.event(emitted).await;
                let _ = reply.send(at);
            }
            Message::Flush(reply) => {
                self.release().await;
                let _ = reply.send(self.flushed.clone());
            }
        }
    }

    async fn event(&mut self, emitted: Emitted) -> Timestamp {
        let Emitted { agent, kind, content, data } = emitted;
        let (timestamp, seq) = self.timeline.stamp(&agent, kind);
        let event = TraceEvent {
            seq,
            timestamp,
            phase: self.phase,
            agent,
            kind,
            content,
            data,
            previous_sha256: String::new(),
        };
        // In a replay, collectors run through at once; their events are put in order when all are there.
        if matches!(self.timeline, Timeline::Recorded { .. }) && self.phase < Phase::Detect {
            self.held.push(event);
        } else {
            self.write(event).await;
        }
        timestamp
    }

    /// Writes what was held in the order that it had; what is new, at one instant, in the order of registration. The
    /// phase of each is the one that had begun by then.
    async fn release(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        let place = |name: &AgentName| self.order.iter().position(|n| n == name).unwrap_or(usize::MAX);
        held.sort_by_key(|e| (e.timestamp, e.seq, place(&e.agent)));
        let mut phase = held.first().map_or(self.phase, |e| e.phase);
        for mut event in held {
            if event.kind == EventType::Phase {
                phase = event.phase;
            }
            event.phase = phase;
            self.write(event).await;
        }
    }

    async fn write(&mut self, mut event: TraceEvent) {
        event.seq = self.seq;
        event.previous_sha256.clone_from(&self.head);
        self.seq += 1;
        if event.kind == EventType::Error {
            self.flushed.errors.push(format!("{}: {}", event.agent, event.content));
        }
        match self.sink.append_event(&self.id, &event).await {
            Ok(()) => self.head = sha256_hex(&event.line()),
            Err(e) => drop(self.flushed.storage.get_or_insert(e)),
        }
        // Nobody need listen.
        let _ = self.events.send(event);
    }
}
