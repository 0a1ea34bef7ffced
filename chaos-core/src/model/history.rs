//! Earlier incidents of a target: what was named then, and what people found out was really wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Confidence, IncidentId, Timestamp, Verdict};

/// What a person found out about an incident: `confirmed.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confirmation {
    /// [`super::SCHEMA_VERSION`] of when it was written.
    pub schema_version: u32,
    /// What was really wrong; `unknown` when all that is known is that the named cause was not it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When that was said.
    pub at: Timestamp,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, or what it was instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An earlier incident of the same target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its id.
    pub id: IncidentId,
    /// When it began.
    pub began: Timestamp,
    /// What was named then.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How surely.
    pub confidence: Confidence,
    /// What was at fault, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<String>,
    /// Whether a fault was injected: such an incident says nothing about what goes wrong by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// What a person found out was really wrong; `None` until somebody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Verdict>,
}

impl Past {
    /// What was wrong, as far as it is known: what was confirmed, else what was named.
    #[must_use]
    pub fn known(&self) -> &Verdict {
        self.confirmed.as_ref().unwrap_or(&self.verdict)
    }
}

/// What the earlier incidents of the target say about this one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    /// How many there are that were not injected.
    pub incidents: u32,
    /// By id of a fault, `healthy` or `unknown`: how many of them a person confirmed to be that. Only these count.
    pub confirmed: BTreeMap<String, u32>,
    /// The probability of what is named now, before anything was looked at: without the confirmed incidents, and with
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<(f64, f64)>,
    /// Those in which the same was named or confirmed, latest first, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same: Vec<Past>,
}

impl Recurrence {
    /// How many were confirmed to be anything.
    #[must_use]
    pub fn counted(&self) -> u32 {
        self.confirmed.values().sum()
    }

    /// `disk_space 3, healthy 1`: the counts, for a person.
    #[must_use]
    pub fn counts(&self) -> String {
        let each: Vec<String> = self.confirmed.iter().map(|(id, n)| format!("{id} {n}")).collect();
        each.join(", ")
    }
}
