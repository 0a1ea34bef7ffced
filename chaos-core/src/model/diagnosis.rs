//! What the Investigator concludes: hypotheses with their probabilities, what they rest on, and the culprit.

use serde::{Deserialize, Serialize};

use super::{Answer, Confidence, Entity, FaultId, Finding, Id, Ledger, Recurrence, Timestamp};

/// What explains the findings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "fault", rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Healthy,
    /// Something is wrong, and what was seen does not tell what.
    Unknown,
    /// This fault of the catalogue.
    Fault(FaultId),
}

impl Verdict {
    /// The id of the fault, or `healthy`, or `unknown`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Fault(id) => &id.0,
        }
    }
}

/// What a claim rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A finding.
    Finding(Id<Finding>),
    /// What the target answered to a probe.
    Answer(Id<Answer>),
}

/// One possible explanation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hypothesis {
    /// What it says.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// For a person: `Runaway process saturates the CPU`.
    pub title: String,
    /// Its probability given all that is known; those of one diagnosis sum to 1.
    pub posterior: Confidence,
    /// What speaks for it.
    pub basis: Vec<Basis>,
    /// What speaks against it, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<String>,
}

/// Which process, file, unit, … is at fault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Culprit {
    /// The thing itself; its attributes fill in the remedies' placeholders.
    pub entity: Entity,
    /// One line for a person.
    pub summary: String,
    /// What names it.
    pub basis: Vec<Basis>,
}

/// Something that was changed on the target shortly before the trouble began. It is no cause by itself; it is where a
/// person looks first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentChange {
    /// When.
    pub at: Timestamp,
    /// `file`, `package`, `unit` (one that was started), `login` or `boot`.
    pub kind: String,
    /// What: a path, `upgrade nginx 1.22 1.24`, `app.service started`.
    pub what: String,
    /// Whether it is about what is at fault: the culprit's unit, its files or its program.
    pub about_culprit: bool,
    /// The answer that says so.
    pub basis: Id<Answer>,
}

/// One step of the reasoning, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InvestigationStep {
    /// What was taken into account: `prior`, a symptom's id or a probe's id.
    pub what: String,
    /// In words.
    pub note: String,
    /// The posterior after this step: verdict ids with probabilities, most likely first, at most five.
    pub posterior: Vec<(String, f64)>,
}

/// The conclusion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The most likely explanation.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Its title.
    pub title: String,
    /// Its posterior.
    pub confidence: Confidence,
    /// What is at fault, where that could be told.
    pub culprit: Option<Culprit>,
    /// Every explanation that was considered, most likely first.
    pub hypotheses: Ledger<Hypothesis>,
    /// How the conclusion was reached.
    pub steps: Vec<InvestigationStep>,
    /// What was changed shortly before, what is about the culprit first, then the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RecentChange>,
    /// What earlier incidents of the target say; `None` when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Recurrence>,
    /// What could not be seen or asked, and so limits the conclusion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
}

impl Diagnosis {
    /// A conclusion with nothing yet that led to it or comes of it.
    #[must_use]
    pub fn new(verdict: Verdict, title: impl Into<String>, confidence: Confidence) -> Self {
        Self {
            verdict,
            title: title.into(),
            confidence,
            culprit: None,
            hypotheses: Ledger::default(),
            steps: Vec::new(),
            changes: Vec::new(),
            history: None,
            limits: Vec::new(),
        }
    }
}
