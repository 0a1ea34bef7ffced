//! Reads bodies and files with metrics: JSON, Prometheus text, CSV. Pure; what is not understood is an error that
//! says so.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::parse_metrics_json;
use crate::{
    analysis::metrics::{
        counter,
        prometheus::{self, Sample, Scrapes},
    },
    error::{Error, ErrorKind, Result},
    model::{Series, Timestamp},
};

#[derive(Deserialize)]
struct Body {
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    value: Option<f64>,
    /// `counter`, or anything else.
    #[serde(default, rename = "type")]
    kind: String,
}

/// One scrape: our JSON, else Prometheus text.
pub(super) fn scrape(text: &str) -> Result<Vec<Sample>> {
    if text.trim_start().starts_with('{') {
        let body: Body = serde_json::from_str(text).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "the endpoint's JSON is not {\"metrics\":[…]}").because(e)
        })?;
        let sample = |m: Metric| Sample {
            name: m.name,
            unit: m.unit,
            attributes: m.attributes,
            value: m.value.unwrap_or(f64::NAN),
            counter: m.kind == "counter",
            at: None,
        };
        return Ok(body.metrics.into_iter().map(sample).collect());
    }
    let samples = prometheus::parse(text);
    if samples.is_empty() && !text.trim().is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "neither Prometheus text nor JSON metrics"));
    }
    Ok(samples)
}

/// The series of a file, whose format its name tells: `*.csv`, `*.json`, else Prometheus text. `at` is when it was
/// read, for samples without a time of their own.
///
/// # Errors
/// `InvalidInput` when it is not what its name says.
pub fn file(path: &str, text: &str, at: Timestamp) -> Result<Vec<Series>> {
    if path.ends_with(".csv") {
        return csv(path, text);
    }
    if path.ends_with(".json") && !text.contains("\"metrics\"") {
        return Ok(parse_metrics_json(text)?.series);
    }
    let mut scrapes = Scrapes::new();
    scrapes.push(at, scrape(text)?);
    Ok(scrapes.finish())
}

/// Lines of `timestamp,value`, a heading at most; the series is named by the file. A counter, which its name ends in
/// `_total` for, becomes growth per second.
fn csv(path: &str, text: &str) -> Result<Vec<Series>> {
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".csv");
    let mut series = Series { name: name.to_owned(), ..Series::default() };
    for line in text.lines() {
        let Some((time, value)) = line.split_once(',') else { continue };
        let Some(at) = time_of(time.trim().trim_matches('"')) else { continue };
        let value = value.split(',').next().unwrap_or("").trim().trim_matches('"');
        series.at.push(at.0);
        series.values.push(value.parse().unwrap_or(f64::NAN));
    }
    if counter::is_counter(name) {
        let at: Vec<Option<i64>> = series.at.iter().copied().map(Some).collect();
        series.values = counter::growth(&at, &series.values);
        series.unit = "/s".to_owned();
    }
    if series.at.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no line is timestamp,value").with("file", path));
    }
    Ok(vec![series])
}

/// RFC 3339, the same without a zone (then UTC) or with a space, or seconds or milliseconds since the epoch.
fn time_of(text: &str) -> Option<Timestamp> {
    if let Some(n) = text.parse::<f64>().ok().filter(|n| n.is_finite()) {
        return Some(Timestamp::from_millis(if n.abs() < 1e11 { (n * 1000.0) as i64 } else { n as i64 }));
    }
    let text = text.replacen(' ', "T", 1);
    Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}Z")))
}
