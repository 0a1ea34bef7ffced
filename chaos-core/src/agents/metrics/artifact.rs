//! `metrics.json`: all series of an incident in one file that people can grep and programs can read.

use std::{fmt::Write as _, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{Observation, Series, Timestamp},
};

/// Version of the format; a reader refuses others.
const SCHEMA_VERSION: u32 = 1;

/// What `metrics.json` holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsFile {
    /// 1.
    pub schema_version: u32,
    /// The windows of the incident.
    #[serde(default)]
    pub window: MetricsWindow,
    /// All series.
    pub series: Vec<Series>,
}

/// The windows of the incident that a `metrics.json` is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsWindow {
    /// When the target was taken to be as usual.
    pub baseline: Option<Range<Timestamp>>,
    /// When something may have been wrong.
    pub observed: Option<Range<Timestamp>>,
}

/// The artifact: one series a line.
#[must_use]
pub fn metrics_json(observation: &Observation) -> String {
    let window = MetricsWindow { baseline: observation.baseline.clone(), observed: Some(observation.observed.clone()) };
    let window = serde_json::to_string(&window).expect("times and ranges are always JSON");
    let mut text = format!("{{\"schema_version\":{SCHEMA_VERSION},\"window\":{window},\"series\":[");
    for (i, (_, series)) in observation.series().enumerate() {
        let line = serde_json::to_string(series).expect("texts and numbers are always JSON");
        let _ = write!(text, "{}\n{line}", if i == 0 { "" } else { "," });
    }
    text.push_str("\n]}\n");
    text
}

/// Reads what [`metrics_json`] wrote.
///
/// # Errors
/// `InvalidInput`, with the place, when it is not that format or not that version, or a series has not as many times
/// as values.
pub fn parse_metrics_json(text: &str) -> Result<MetricsFile> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidInput, format!("cannot read metrics.json: {what}"));
    let file: MetricsFile = serde_json::from_str(text).map_err(|e| wrong("not the format").because(e))?;
    if file.schema_version != SCHEMA_VERSION {
        return Err(wrong("another schema_version than 1").with("schema_version", file.schema_version));
    }
    match file.series.iter().find(|s| s.at.len() != s.values.len()) {
        Some(series) => Err(wrong("a series needs as many times as values").with("series", &series.name)),
        None => Ok(file),
    }
}
