//! The structured events of a run: what `trace.json` holds and what frontends show live.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AgentName, Timestamp};

/// One event. The keys are a contract: `timestamp`, `agent`, `type`, `content`, plus `seq` and `phase`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// From 0, without holes.
    pub seq: u64,
    /// When, by the coordinator's clock.
    pub timestamp: Timestamp,
    /// In which phase of the run.
    pub phase: Phase,
    /// Who says it.
    pub agent: AgentName,
    /// What kind of event.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// One line for a person.
    pub content: String,
    /// The same for a program, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// SHA-256 in hex of the event before it, as it stands in the file; see [`crate::audit`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous_sha256: String,
}

impl TraceEvent {
    /// As one line of JSON: as it is written, and what its hash is of.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("events are plain data")
    }
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EventType {
    /// The run enters a phase, or ends.
    Phase,
    /// Something about the target or the run that a reader should know.
    Note,
    /// Evidence was collected.
    Evidence,
    /// Something is abnormal.
    Finding,
    /// A probability changed.
    Hypothesis,
    /// The target was asked something, or could not answer.
    Probe,
    /// The conclusion.
    Diagnosis,
    /// A fix is proposed.
    Fix,
    /// What could go wrong with it.
    Risk,
    /// A fault was armed, started or reverted.
    Chaos,
    /// The report is there, or was sent.
    Report,
    /// Something failed; the run goes on with what it has.
    Error,
}

/// Phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Phase {
    Prepare,
    Baseline,
    Inject,
    Observe,
    Detect,
    Investigate,
    Plan,
    Rehearse,
    Revert,
    Report,
    Done,
    /// Afterwards: a person approves a plan, and it is applied.
    Apply,
}

impl Phase {
    /// As in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Baseline => "baseline",
            Self::Inject => "inject",
            Self::Observe => "observe",
            Self::Detect => "detect",
            Self::Investigate => "investigate",
            Self::Plan => "plan",
            Self::Rehearse => "rehearse",
            Self::Revert => "revert",
            Self::Report => "report",
            Self::Done => "done",
            Self::Apply => "apply",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
