//! What was really wrong in a recorded incident. A label is never seen by whatever diagnoses.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{Culprit, Verdict},
};

/// The label's file name in an incident's directory.
pub const LABEL: &str = "label.toml";

/// What was really wrong.
///
/// ```toml
/// fault = "cpu_saturation"    # a fault of the catalogue, healthy, or unknown: one that no entry describes
/// also = ["service_down"]     # what else was wrong at the same time; to name it is no mistake
/// [culprit]                   # what a diagnosis has to name; its kind, its name and attributes such as pid, unit, path
/// kind = "process"
/// command = "report-builder"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The fault's id, `healthy` or `unknown`.
    pub fault: String,
    /// Other faults that were there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// What the culprit is told by: `kind`, `name`, and attributes. One of several, where each is as right.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub culprit: Named,
}

/// What a culprit is told by: a table, or an array of tables (`[[culprit]]`) any of which will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Named {
    /// All of these must be so.
    One(BTreeMap<String, String>),
    /// All of one of these must be so.
    Any(Vec<BTreeMap<String, String>>),
}

impl Default for Named {
    fn default() -> Self {
        Self::Any(Vec::new())
    }
}

impl Named {
    fn ways(&self) -> &[BTreeMap<String, String>] {
        match self {
            Self::One(way) => std::slice::from_ref(way),
            Self::Any(ways) => ways,
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ways().iter().all(BTreeMap::is_empty)
    }
}

impl Label {
    /// Reads a label's file.
    ///
    /// # Errors
    /// A file that can't be read, or `InvalidInput` with file and reason.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::storage("read a label", path, e))?;
        let wrong = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("not a label: {}", why.trim().replace('\n', " ")))
                .with("path", path.display())
        };
        let label: Self = toml::from_str(&text).map_err(|e| wrong(e.message()))?;
        let is_id =
            |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        match std::iter::once(&label.fault).chain(&label.also).find(|id| !is_id(id)) {
            Some(id) => Err(wrong(&format!("{id:?} is no fault's id"))),
            None if label.is_healthy() && !(label.also.is_empty() && label.culprit.is_empty()) => {
                Err(wrong("what is healthy has no other fault and no culprit"))
            }
            None => Ok(label),
        }
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.fault == Verdict::Healthy.id()
    }

    /// Whether this is what was wrong, or among it.
    #[must_use]
    pub fn is_right(&self, verdict: &Verdict) -> bool {
        self.fault == verdict.id() || self.also.iter().any(|also| also == verdict.id())
    }

    /// Whether the right thing is named; `None` when the label asks for nothing.
    #[must_use]
    pub fn is_culprit(&self, named: Option<&Culprit>) -> Option<bool> {
        if self.culprit.is_empty() {
            return None;
        }
        let Some(entity) = named.map(|c| &c.entity) else { return Some(false) };
        let is = |(key, want): (&String, &String)| match key.as_str() {
            "kind" => entity.kind.as_str() == want,
            "name" => entity.name == *want,
            _ => entity.attributes.get(key) == Some(want),
        };
        Some(self.culprit.ways().iter().any(|way| way.iter().all(is)))
    }
}
