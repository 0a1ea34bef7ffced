//! What was seen: log records and metric series over the whole window, and where they have gaps.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{Facts, Id, Ledger, Timestamp};
use crate::error::Error;

/// One source over the whole window, baseline and observation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it comes from on the target: `journald`, `/var/log/syslog`, `/proc`.
    pub source: String,
    /// What was seen.
    pub body: Body,
    /// When nothing could be seen, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// The kinds of evidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// Log records; rows are [`Logs::lines`].
    Logs(Logs),
    /// A metric; rows are its samples.
    Metric(Series),
}

impl Body {
    /// How many rows a citation can name.
    #[must_use]
    pub fn rows(&self) -> u32 {
        let n = match self {
            Self::Logs(l) => l.lines.len(),
            Self::Metric(s) => s.values.len(),
        };
        u32::try_from(n).unwrap_or(u32::MAX)
    }
}

/// A stretch of time in which a source said nothing because it could not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gap {
    /// From when to when.
    pub span: Range<Timestamp>,
    /// Why.
    pub why: Error,
}

/// Severity of a log record, in the order of RFC 5424 but for `trace`; later is more severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    /// All of them, the least severe first.
    pub const ALL: [Self; 9] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// As in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// One log record that was kept, redacted, without its header where the header was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, by the record's own header, else when it was read.
    pub at: Timestamp,
    /// Its severity, where the record says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// systemd unit, program or component that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Process that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The message; several lines when they belong together.
    pub text: String,
    /// Index into [`Logs::patterns`].
    pub pattern: u32,
}

/// Counts per interval of equal width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Start of the first interval.
    pub start: Timestamp,
    /// Width of each interval in milliseconds.
    pub width_ms: u64,
    /// How many records fell into each interval.
    pub counts: Vec<u32>,
}

impl Histogram {
    /// How many records fell into intervals that begin within `span`.
    #[must_use]
    pub fn within(&self, span: &Range<Timestamp>) -> u64 {
        self.intervals().filter(|(at, _)| span.contains(at)).map(|(_, n)| u64::from(n)).sum()
    }

    /// Each interval's start and count.
    pub fn intervals(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        self.counts.iter().enumerate().map(|(i, n)| {
            let offset = i64::try_from(self.width_ms.saturating_mul(i as u64)).unwrap_or(i64::MAX);
            (Timestamp::from_millis(self.start.0.saturating_add(offset)), *n)
        })
    }
}

/// Records of one shape: what stays the same is text, what varies is `<*>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogPattern {
    /// Derived from the template's text, so the same pattern has the same id in every run.
    pub id: String,
    /// The text with `<*>` where it varies.
    pub template: String,
    /// The most severe level seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// How many records of the whole stream have this shape, kept or not.
    pub count: u64,
    /// Time of the first record.
    pub first: Timestamp,
    /// Time of the last record.
    pub last: Timestamp,
    /// When they came.
    pub histogram: Histogram,
    /// Rows of [`Logs::lines`] that show it, at least the first and the last kept.
    pub rows: Vec<u32>,
    /// Those of them that are a sample in which each of its records had the same chance to be; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<u32>,
}

/// A log stream: all of it counted by pattern, part of it kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Logs {
    /// Records that were kept, in order of arrival.
    pub lines: Vec<LogLine>,
    /// Every shape of record in the stream.
    pub patterns: Vec<LogPattern>,
    /// Records in the whole stream.
    pub total_lines: u64,
    /// Bytes in the whole stream.
    pub total_bytes: u64,
}

/// A metric over time, named and in units as OpenTelemetry's system semantic conventions have them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Such as `system.cpu.utilization`.
    pub name: String,
    /// UCUM unit: `1`, `By`, `s`, `{process}`.
    pub unit: String,
    /// Such as `cpu.mode: user`, `system.device: sda`, `process.pid: 123`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Milliseconds since the epoch of each sample, in the order in which they were taken.
    pub at: Vec<i64>,
    /// One value a sample; NaN (`null` in JSON) where it was missing.
    #[serde(with = "nullable")]
    pub values: Vec<f64>,
}

impl Series {
    /// The finite samples as (time, value).
    pub fn samples(&self) -> impl Iterator<Item = (Timestamp, f64)> {
        self.at.iter().zip(&self.values).filter(|(_, v)| v.is_finite()).map(|(t, v)| (Timestamp(*t), *v))
    }

    /// The attribute's value, or an empty text.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

/// JSON has no NaN and no infinity: they are `null`.
mod nullable {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(|v| v.is_finite().then_some(*v)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Option<f64>>::deserialize(d)?.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
    }
}

/// Rows of one piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Which evidence.
    pub evidence: Id<Evidence>,
    /// Which of its rows, end excluded. Never empty.
    pub rows: Range<u32>,
}

/// All that was seen. Detectors get this and nothing else: no scenario, no phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Observation {
    /// What the target is and has.
    pub facts: Facts,
    /// When the target was taken to be as usual; `None` when there was no such time.
    pub baseline: Option<Range<Timestamp>>,
    /// When something may be wrong.
    pub observed: Range<Timestamp>,
    /// In the order of the collectors' registration.
    pub evidence: Ledger<Evidence>,
}

impl Observation {
    /// All metric series with their ids.
    pub fn series(&self) -> impl Iterator<Item = (Id<Evidence>, &Series)> {
        self.evidence.iter().filter_map(|(id, e)| match &e.body {
            Body::Metric(s) => Some((id, s)),
            Body::Logs(_) => None,
        })
    }

    /// All log streams with their ids and sources.
    pub fn logs(&self) -> impl Iterator<Item = (Id<Evidence>, &str, &Logs)> {
        self.evidence.iter().filter_map(|(id, e)| match &e.body {
            Body::Logs(l) => Some((id, e.source.as_str(), l)),
            Body::Metric(_) => None,
        })
    }

    /// Whether the citation names rows that exist.
    #[must_use]
    pub fn holds(&self, cite: &Citation) -> bool {
        cite.rows.start < cite.rows.end
            && self.evidence.get(cite.evidence).is_some_and(|e| cite.rows.end <= e.body.rows())
    }
}
