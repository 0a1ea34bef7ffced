//! What to do about it: actions that a person can review, approve and run.

use serde::{Deserialize, Serialize};

use super::{Confidence, Hypothesis, Id};

/// The smallest set of actions that removes the cause. It is a proposal; nothing in it has been executed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FixPlan {
    /// What the plan does, in one line.
    pub summary: String,
    /// In the order of execution. Empty when no action is warranted.
    pub actions: Vec<Action>,
    /// Other ways, with their trade-offs, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// What a person should look at next; where the cause is not known this is all there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_questions: Vec<String>,
    /// SHA-256, in hex, over `actions` as compact JSON; an approval is bound to it.
    pub plan_sha256: String,
}

impl FixPlan {
    /// Fills in `plan_sha256`; to be called after the last change of `actions`.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        let bytes = serde_json::to_vec(&self.actions).expect("actions are plain data");
        self.plan_sha256 = crate::audit::sha256_hex(&bytes);
        self
    }
}

/// One step of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Action {
    /// Unique within the plan: `stop-process`.
    pub id: String,
    /// For a person.
    pub title: String,
    /// What it acts on, for a person: `process 812 (python3)`.
    pub target: String,
    /// The command, canonical; empty when only `shell` can say it.
    pub argv: Vec<String>,
    /// A shell line, only where argv cannot say it; never counted as safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Why this helps.
    pub rationale: String,
    /// The hypotheses that it rests on; the pipeline refuses a plan with a citation that does not exist.
    pub cites: Vec<Id<Hypothesis>>,
    /// How sure the fixer is that it helps.
    pub confidence: Confidence,
    /// What must hold right before it is executed.
    pub preconditions: Vec<Check>,
    /// Whether running it twice does the same as once.
    pub idempotent: bool,
    /// Seconds until it counts as failed.
    pub timeout_s: u32,
    /// What happens to the rest of the plan when it fails.
    pub on_failure: OnFailure,
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// Commands that save what it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup: Vec<Vec<String>>,
    /// Commands that undo it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollback: Vec<Vec<String>>,
    /// What must hold afterwards.
    pub verify: Vec<Check>,
    /// Ids of actions that must have succeeded before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What it costs the service while it runs, in words: `none`, `the unit is down for some seconds`.
    pub downtime: String,
}

/// A command whose outcome says whether something holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check {
    /// What holds, for a person.
    pub title: String,
    /// The command; read-only.
    pub argv: Vec<String>,
    /// What it must answer.
    pub expect: Expect,
    /// Seconds within which it must come to hold; 0: at once.
    #[serde(default)]
    pub within_s: u32,
}

/// What a [`Check`]'s command must answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// It exits with 0.
    Success,
    /// It exits with anything but 0.
    Failure,
    /// It prints exactly this, white space at both ends aside.
    Prints(String),
    /// It exits with 0, and a line of what it prints is this, white space at both ends aside.
    Has(String),
    /// It exits with 0, and no line of what it prints is this.
    Lacks(String),
}

/// What follows a failed action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OnFailure {
    Abort,
    Continue,
    Rollback,
}

/// Whether an action can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Reversibility {
    Full,
    Partial,
    None,
}
