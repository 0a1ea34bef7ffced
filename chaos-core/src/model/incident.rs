//! The whole incident, typed: `incident.json`, the versioned contract that other programs read.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    Answer, Diagnosis, FaultId, Finding, FixPlan, IncidentId, Ledger, Observation, RiskAssessment, TargetInfo,
    Timestamp,
};

/// Version of `incident.json` and of recordings; a reader refuses a newer one.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that is known about an incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incident {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Its id.
    pub id: IncidentId,
    /// How far it came.
    pub status: Status,
    /// Why it failed or was stopped, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is about.
    pub target: TargetInfo,
    /// How it was run.
    pub options: RunOptions,
    /// When it began and ended.
    pub span: Range<Timestamp>,
    /// What was seen; `None` when nothing was.
    pub observation: Option<Observation>,
    /// What is abnormal.
    pub findings: Ledger<Finding>,
    /// What the target was asked beyond the collectors' streams.
    pub answers: Ledger<Answer>,
    /// What explains it.
    pub diagnosis: Option<Diagnosis>,
    /// What to do, best first: lowest risk, then highest confidence.
    pub plans: Vec<FixPlan>,
    /// What could go wrong with each plan, in the same order.
    pub risks: Vec<RiskAssessment>,
    /// The fault that we injected ourselves, where we did. No agent but the reporter ever sees this.
    pub injection: Option<Injection>,
    /// What failed on the way, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// How far an incident came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is going on.
    Running,
    /// It went through to the report.
    Completed,
    /// There was no evidence at all.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// Its process died; found by a later start.
    Interrupted,
}

impl Status {
    /// As in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// How a run is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Seconds to watch the target as it usually is; 0: there is no such time.
    pub baseline_s: u32,
    /// Seconds to watch it while something may be wrong.
    pub observe_s: u32,
    /// Log files to read beyond those that are found.
    pub log_files: Vec<String>,
    /// A metrics endpoint on the target's loopback: port and path.
    pub metrics_endpoint: Option<(u16, String)>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { baseline_s: 20, observe_s: 30, log_files: Vec::new(), metrics_endpoint: None }
    }
}

/// A fault that we injected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// The scenario's name.
    pub scenario: String,
    /// Its arguments, for a person.
    pub args: String,
    /// The fault that a right diagnosis names.
    pub causes: FaultId,
    /// When it began; `None` when it could not be started, or that is not known.
    pub started: Option<Timestamp>,
    /// When the armed revert fires by itself.
    pub fires_at: Option<Timestamp>,
    /// When it was reverted.
    pub reverted: Option<Timestamp>,
    /// Whether the revert is proven.
    pub recovery: Recovery,
}

/// Whether the target is as it was before the fault. What is not known is never called recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Recovery {
    /// State before and after was compared and is the same.
    Proven,
    /// Something is left.
    NotRecovered(String),
    /// It could not be told.
    Unknown(String),
}
