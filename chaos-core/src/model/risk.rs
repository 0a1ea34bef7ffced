//! What could go wrong with a plan, by the Tester's own judgement of its commands.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Answer, Id, Rehearsed};

/// The risk of a whole plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RiskAssessment {
    /// The plan that was judged.
    pub plan_sha256: String,
    /// The worst of its actions.
    pub level: RiskLevel,
    /// The strictest of its actions.
    pub verdict: RiskVerdict,
    /// What could be hit.
    pub categories: BTreeSet<RiskCategory>,
    /// Each action by itself, in the plan's order.
    pub actions: Vec<ActionRisk>,
    /// What else the plan touches, in words: dependants, connections, files.
    pub blast_radius: Vec<String>,
    /// What the plan did in a sandbox on the target; `None` where none was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Rehearsed>,
}

/// The risk of one action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionRisk {
    /// [`super::Action::id`].
    pub action: String,
    /// How bad.
    pub level: RiskLevel,
    /// Whether it may run.
    pub verdict: RiskVerdict,
    /// What could be hit.
    pub categories: BTreeSet<RiskCategory>,
    /// The rules that fired.
    pub rules: Vec<RuleHit>,
    /// What could not be resolved; such an action is never safe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<String>,
    /// What was tried out without changing anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulated: Vec<Simulation>,
    /// What was not tried out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_simulated: Vec<String>,
    /// Open connections that it would cut; `None` where that is not known or it cuts none by its nature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

/// A rule that fired.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleHit {
    /// The rule's id.
    pub rule: String,
    /// The words of the command that triggered it.
    pub words: Vec<String>,
    /// Why that matters.
    pub why: String,
}

/// A dry run on the target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Simulation {
    /// The command that was run; read-only.
    pub argv: Vec<String>,
    /// Whether it said that the action would work.
    pub passed: bool,
    /// What it showed, in one line.
    pub shows: String,
    /// The whole answer.
    pub answer: Id<Answer>,
}

/// How bad; later is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RiskLevel {
    None,
    Low,
    Medium,
    High,
}

/// Whether a command may run; later is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskVerdict {
    /// It reads only; of a script that is no step of a plan, ordinary work in its own places too.
    Safe,
    /// A person must agree.
    NeedsApproval,
    /// A person must agree twice.
    Dangerous,
}

/// What could be hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RiskCategory {
    Downtime,
    DataLoss,
    DependencyRipple,
    Privilege,
    Network,
    Irreversible,
}
