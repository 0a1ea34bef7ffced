//! What is abnormal: one typed signal on one entity, with the evidence that shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AgentName, Answer, Citation, Id, Level, Timestamp};

/// One thing that is not as usual.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    /// Who found it; the pipeline fills this in.
    #[serde(default)]
    pub agent: AgentName,
    /// What kind of abnormality, typed so that the catalogue can match it.
    pub signal: Signal,
    /// What it is about.
    pub entity: Entity,
    /// One line for a person.
    pub summary: String,
    /// How far from usual, 0 to 1.
    pub score: f64,
    /// When it began, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Timestamp>,
    /// The evidence. A finding without any, and without an answer, is refused.
    pub cites: Vec<Citation>,
    /// What the target answered to the detector that found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Id<Answer>>,
}

impl Finding {
    /// A finding about the host as a whole, score 0.5, no onset.
    #[must_use]
    pub fn new(signal: Signal, summary: impl Into<String>, cites: impl IntoIterator<Item = Citation>) -> Self {
        Self {
            agent: AgentName::default(),
            signal,
            entity: Entity::new(EntityKind::Host, ""),
            summary: summary.into(),
            score: 0.5,
            onset: None,
            cites: cites.into_iter().collect(),
            answers: Vec::new(),
        }
    }
}

/// The kinds of abnormality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// A metric behaves unlike before, or is at a known limit.
    Metric {
        /// As in [`super::Series::name`].
        name: String,
        /// As in [`super::Series::attributes`].
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, String>,
        /// In what way.
        change: Change,
        /// Typical value before, in the metric's unit.
        before: Option<f64>,
        /// Typical (or, for a trend, last) value after.
        after: f64,
    },
    /// Log records of one shape are new, more, fewer, off their beat, or severe.
    Log {
        /// As in [`super::LogPattern::id`].
        pattern: String,
        /// As in [`super::LogPattern::template`].
        template: String,
        /// One whole record.
        example: String,
        /// Most severe level.
        level: Option<Level>,
        /// In what way.
        change: LogChange,
        /// Records in the observed window.
        count: u64,
    },
    /// Anything else, by a detector that others wrote.
    Other {
        /// A dotted name that catalogue entries can match, such as `jvm.gc.pause`.
        name: String,
    },
}

/// How a metric changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A new, higher level that lasts.
    LevelUp,
    /// A new, lower level that lasts.
    LevelDown,
    /// High for a moment.
    Spike,
    /// Low for a moment.
    Dip,
    /// It grows steadily.
    TrendUp,
    /// It shrinks steadily.
    TrendDown,
    /// At or next to a known limit, whatever it was before.
    Saturated,
    /// It stopped being reported.
    Missing,
    /// It swings more from sample to sample; the values before and after are how wide.
    VarianceUp,
    /// It swings less from sample to sample; the values before and after are how wide.
    VarianceDown,
    /// It always moved, and now repeats one exact value.
    Flatline,
}

/// How log records of one shape changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LogChange {
    /// Not seen before.
    New,
    /// Seen before, much more often now.
    Burst,
    /// Seen before, and no more.
    Silence,
    /// Severe by level or meaning, whether new or not.
    Severe,
    /// The same over and over.
    Repeated,
    /// It used to come on a beat, and comes late or at other times now.
    OffBeat,
    /// It used to be about many values, and most are about one now: one client, one path.
    Focused,
}

/// What a finding or a cause is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    /// Its kind.
    pub kind: EntityKind,
    /// Its name among its kind: a command, a mount point, a device, a unit. Empty for the host.
    pub name: String,
    /// What else identifies it, such as `pid`, `owner`, `device`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl Entity {
    /// An entity without further attributes.
    pub fn new(kind: EntityKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), attributes: BTreeMap::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(key.to_owned(), value.into());
        self
    }
}

/// Kinds of entities on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum EntityKind {
    Host,
    Process,
    Unit,
    Filesystem,
    Directory,
    File,
    Device,
    Interface,
    Port,
    Log,
}

impl EntityKind {
    /// As it is written in artifacts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Process => "process",
            Self::Unit => "unit",
            Self::Filesystem => "filesystem",
            Self::Directory => "directory",
            Self::File => "file",
            Self::Device => "device",
            Self::Interface => "interface",
            Self::Port => "port",
            Self::Log => "log",
        }
    }
}
