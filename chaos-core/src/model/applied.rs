//! What a person approved, what was done of it, and what became of the host.

use serde::{Deserialize, Serialize};

use super::{Check, Timestamp};

/// A person's consent to one plan, as it was read: `approval.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// [`super::SCHEMA_VERSION`] of when it was written.
    pub schema_version: u32,
    /// The plan, by [`super::FixPlan::plan_sha256`].
    pub plan_sha256: String,
    /// Who approves.
    pub approver: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Until when it may be applied.
    pub expires_at: Timestamp,
    /// Whether what is dangerous was agreed to as well.
    #[serde(default)]
    pub dangerous: bool,
}

/// Why a command was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum StepKind {
    Precondition,
    Backup,
    Action,
    Verify,
    Rollback,
}

/// One command that was run on the target, and what it said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// [`super::Action::id`] of the action that it belongs to.
    pub action: String,
    /// What it is of that action.
    pub kind: StepKind,
    /// What was run.
    pub argv: Vec<String>,
    /// Whether it did, or said, what it has to.
    pub passed: bool,
    /// When it had ended.
    pub at: Timestamp,
    /// How it ended, in words.
    pub ended: String,
    /// The end of its output, secrets taken out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// What became of a plan that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All of it was done, all checks hold, and what was abnormal no longer is.
    Resolved,
    /// All of it was done and all checks hold, and something is still abnormal.
    NotResolved,
    /// Something did not hold before anything was changed: nothing was done.
    NothingDone,
    /// Something failed, and what had been done was undone.
    RolledBack,
    /// Something failed, and what had been done is still so: it can't be undone, or the plan says to stop there.
    Stopped,
    /// Something failed, and undoing failed as well.
    RollbackFailed,
    /// The target was lost: what of the last step was done is not known.
    Unknown,
}

impl Ending {
    /// For a person.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::NotResolved => "not resolved",
            Self::NothingDone => "nothing was done",
            Self::RolledBack => "failed: rolled back",
            Self::Stopped => "failed: stopped",
            Self::RollbackFailed => "failed, and the rollback failed",
            Self::Unknown => "unknown: the target was lost",
        }
    }
}

/// A thing that was abnormal, before, then and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What, for a person.
    pub what: String,
    /// How it usually is; `None` where that is not known.
    pub usual: Option<f64>,
    /// How it was during the incident; of a log, records a minute.
    pub then: f64,
    /// How it is since; `None` when it is not there any more.
    pub now: Option<f64>,
    /// The values' unit.
    pub unit: String,
    /// Whether it is as usual again.
    pub back: bool,
    /// Whether it tells how much is asked of the host, not how well that goes: it may stay as it is, or rise, when work
    /// gets through again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub demand: bool,
}

impl Compared {
    /// Whether it is clearly further from its usual value than during the incident.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        const CLEARLY: f64 = 1.5;
        let usual = self.usual.unwrap_or(0.0);
        !self.back
            && self.now.is_some_and(|now| {
                let (then, now) = (self.then - usual, now - usual);
                then.signum() == now.signum() && now.abs() > CLEARLY * then.abs()
            })
    }
}

/// What was done of an approved plan: `applied.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Applied {
    /// [`super::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Whose consent it was.
    pub approval: Approval,
    /// When it began.
    pub began: Timestamp,
    /// When the last step had ended.
    pub ended: Timestamp,
    /// What became of it.
    pub ending: Ending,
    /// Why it ended so, in a sentence.
    pub why: String,
    /// Every command, in the order in which they were run.
    pub steps: Vec<Step>,
    /// Ids of the actions that are done and not undone.
    pub in_force: Vec<String>,
    /// What to do by hand, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
    /// What was abnormal, and how it is since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Yes,
    No,
    /// The target was lost.
    Lost,
}

impl Check {
    /// Whether a command that ended with `success` and printed `stdout` says that this holds.
    #[must_use]
    pub fn holds(&self, success: bool, stdout: &str) -> bool {
        match &self.expect {
            super::Expect::Success => success,
            super::Expect::Failure => !success,
            super::Expect::Prints(text) => stdout.trim() == text.trim(),
            super::Expect::Has(line) => success && stdout.lines().any(|l| l.trim() == line.trim()),
            super::Expect::Lacks(line) => success && !stdout.lines().any(|l| l.trim() == line.trim()),
        }
    }
}
