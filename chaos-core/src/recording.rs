//! How a run was set up and how its fault ended: `recording/run.json`, which together with the recorded answers
//! and the trace is all that a replay needs.

use serde::{Deserialize, Serialize};

use crate::{
    model::{Facts, IncidentId, Injection, Past, PluginUsed, RunOptions, TargetInfo, Timestamp},
    transport::Capabilities,
};

/// The contents of `recording/run.json`. Written when the run begins and again when it ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunRecord {
    pub(crate) schema_version: u32,
    pub(crate) id: IncidentId,
    pub(crate) began: Timestamp,
    pub(crate) target: TargetInfo,
    pub(crate) capabilities: Capabilities,
    pub(crate) options: RunOptions,
    /// Earlier incidents of the target, as they were known when this one began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<Past>,
    /// The plugins that it had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) plugins: Vec<PluginUsed>,
    /// What the target was found to be; `None` until it was asked.
    pub(crate) facts: Option<Facts>,
    /// The fault that was injected and how it ended: replayed as it was, since no fault is injected again.
    pub(crate) injection: Option<Injection>,
    /// SHA-256 of `recording/answers.jsonl`; `None` while the run goes on.
    pub(crate) answers_sha256: Option<String>,
}
