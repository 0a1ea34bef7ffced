//! Where an incident's files go: the sink trait and the checked names of artifacts.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Timestamp, TraceEvent},
};

/// The name of an artifact: one of the contract's files, or a file under `artifacts/` or `recording/`. Checked
/// once, so that a name is always safe as a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName(String);

const TOP_LEVEL: &[&str] = &[
    "trace.json",
    "incident.json",
    "confirmed.json",
    "approval.json",
    "applied.json",
    "applied.md",
    "raw_logs.txt",
    "metrics.json",
    "fix_suggestion.json",
    "fix.sh",
    "report.md",
    "report.html",
    "report.pdf",
    "slack_summary.txt",
];

impl ArtifactName {
    /// Checks the name.
    ///
    /// # Errors
    /// `InvalidInput` for anything that is not a file of the contract.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let plain = |s: &str| {
            (1..=100).contains(&s.len())
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
                && !s.starts_with('.')
        };
        let nested = name.strip_prefix("artifacts/").or_else(|| name.strip_prefix("recording/"));
        if TOP_LEVEL.contains(&name.as_str()) || nested.is_some_and(plain) {
            Ok(Self(name))
        } else {
            Err(Error::new(ErrorKind::InvalidInput, "not the name of an artifact").with("name", name.escape_debug()))
        }
    }

    /// The name as a relative path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn known(name: &'static str) -> Self {
        Self::new(name).expect("a name of the contract")
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for ArtifactName {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl From<ArtifactName> for String {
    fn from(name: ArtifactName) -> Self {
        name.0
    }
}

/// A place for incidents.
///
/// # Behavior
/// The conformance suite (feature `conformance`) checks each of these.
/// - `create` never gives out an id twice, whatever number of tasks and processes share the place.
/// - `append_event` leaves `trace.json` a valid JSON array after every call, at a cost that does not grow with
///   the number of events; events keep their order.
/// - `write` replaces an artifact whole or leaves it as it was.
/// - `append` adds to an artifact's end, and creates it.
/// - `read` of what was never written is `NotFound`; so is anything about an incident that does not exist.
/// - `list` names every artifact once, sorted; `incidents` every incident, oldest first.
/// - A failure leaves what was there before intact and readable.
#[async_trait]
pub trait ArtifactSink: Send + Sync {
    /// Gives out the id for an incident that begins at `at`, and makes room for it.
    async fn create(&self, at: Timestamp) -> Result<IncidentId>;
    /// Appends an event to `trace.json`.
    async fn append_event(&self, id: &IncidentId, event: &TraceEvent) -> Result<()>;
    /// Writes an artifact whole.
    async fn write(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()>;
    /// Adds to the end of an artifact.
    async fn append(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()>;
    /// Reads an artifact.
    async fn read(&self, id: &IncidentId, name: &ArtifactName) -> Result<Vec<u8>>;
    /// Names the artifacts of an incident.
    async fn list(&self, id: &IncidentId) -> Result<Vec<ArtifactName>>;
    /// Says that nothing more will be written to this incident for now: what was held for it is let go.
    async fn close(&self, id: &IncidentId) -> Result<()> {
        let _ = id;
        Ok(())
    }
    /// Names the incidents.
    async fn incidents(&self) -> Result<Vec<IncidentId>>;
}
