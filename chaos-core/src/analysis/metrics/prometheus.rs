//! Prometheus' text exposition format, version 0.0.4, and what OpenMetrics adds to it that others print. Owns the
//! syntax, and how several scrapes become series.
//!
//! Source: the Prometheus documentation, "Exposition formats".

use std::collections::BTreeMap;

use crate::model::{Series, Timestamp};

/// Series that are kept of one endpoint.
const MAX_SERIES: usize = 2000;

/// One sample of one scrape.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its unit; empty where the source does not tell.
    pub unit: String,
    /// Its labels or attributes.
    pub attributes: BTreeMap<String, String>,
    /// The value; may be NaN or infinite.
    pub value: f64,
    /// Whether it counts up since a start, and so becomes a rate.
    pub counter: bool,
    /// When it was taken, where the source says so.
    pub at: Option<Timestamp>,
}

/// Reads one scrape. Lines that are not understood are skipped. Of histograms and summaries only `_sum` and `_count`
/// are kept.
#[must_use]
pub fn parse(text: &str) -> Vec<Sample> {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if let (Some("TYPE"), Some(name), Some(kind)) = (words.next(), words.next(), words.next()) {
                types.insert(name, kind);
            }
        } else if let Some(mut sample) = sample(line) {
            let of = |suffix: &str| sample.name.strip_suffix(suffix).and_then(|n| types.get(n)).copied();
            let kind = types.get(sample.name.as_str()).copied();
            let part = of("_sum").or(of("_count")).is_some_and(|k| matches!(k, "histogram" | "summary"));
            let skipped = of("_bucket") == Some("histogram")
                || matches!(kind, Some("histogram" | "summary"))
                || sample.name.ends_with("_created") && of("_created").is_some();
            if skipped {
                continue;
            }
            let total = sample.name.ends_with("_total") && !matches!(kind, Some("gauge"));
            sample.counter = kind == Some("counter") || part || total;
            sample.unit = unit(&sample.name).to_owned();
            samples.push(sample);
        }
    }
    samples
}

/// The base unit that the naming rules put at the end of a name.
fn unit(name: &str) -> &'static str {
    let name = ["_total", "_sum"].iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
    match name.rsplit('_').next() {
        Some("bytes") => "By",
        Some("seconds") => "s",
        Some("ratio") => "1",
        _ => "",
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let name = line[..end].to_owned();
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(valid) {
        return None;
    }
    let (attributes, rest) = match line[end..].trim_start().strip_prefix('{') {
        Some(inner) => labels(inner)?,
        None => (BTreeMap::new(), &line[end..]),
    };
    let mut words = rest.split_whitespace();
    let value = match words.next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        word => word.parse().ok()?,
    };
    // What OpenMetrics puts after a `#` is an exemplar.
    let at = words.next().filter(|w| *w != "#").and_then(|w| w.parse::<f64>().ok()).filter(|t| t.is_finite());
    // Milliseconds here, seconds with a fraction in OpenMetrics.
    let at = at.map(|t| Timestamp::from_millis(if t.abs() < 1e11 { (t * 1000.0) as i64 } else { t as i64 }));
    Some(Sample { name, unit: String::new(), attributes, value, counter: false, at })
}

/// Labels after the opening brace, and what follows the closing one.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut all = BTreeMap::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if let Some(after) = rest.strip_prefix('}') {
            return Some((all, after));
        }
        let (key, after) = rest.split_once('=')?;
        let quoted = after.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (i, '"') => break i + 1,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    c @ ('\\' | '"') => value.push(c),
                    c => value.extend(['\\', c]),
                },
                (_, c) => value.push(c),
            }
        };
        all.insert(key.trim().to_owned(), value);
        rest = &quoted[end..];
    }
}

/// Scrapes over time as series.
#[derive(Debug, Default)]
pub struct Scrapes {
    series: BTreeMap<(String, BTreeMap<String, String>), Scraped>,
    scrapes: usize,
}

#[derive(Debug)]
struct Scraped {
    series: Series,
    last: Option<(i64, f64)>,
}

impl Scrapes {
    /// No scrape yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many scrapes there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.scrapes
    }

    /// Takes in one scrape that was received at `at`. A counter gives its growth per second since the scrape before; a
    /// counter that fell gives a missing sample.
    pub fn push(&mut self, at: Timestamp, samples: Vec<Sample>) {
        self.scrapes += 1;
        for sample in samples {
            let key = (sample.name, sample.attributes);
            if self.series.len() >= MAX_SERIES && !self.series.contains_key(&key) {
                continue;
            }
            let time = sample.at.unwrap_or(at).0;
            let scraped = self.series.entry(key).or_insert_with_key(|(name, attributes)| Scraped {
                series: Series {
                    name: name.clone(),
                    unit: if sample.counter { format!("{}/s", sample.unit) } else { sample.unit.clone() },
                    attributes: attributes.clone(),
                    ..Series::default()
                },
                last: None,
            });
            if scraped.last.is_some_and(|(last, _)| last >= time) {
                continue;
            }
            let value = match scraped.last {
                _ if !sample.counter => sample.value,
                Some((last, before)) if sample.value >= before => {
                    (sample.value - before) * 1000.0 / time.saturating_sub(last) as f64
                }
                Some(_) => f64::NAN,
                None => {
                    scraped.last = Some((time, sample.value));
                    continue;
                }
            };
            scraped.last = Some((time, sample.value));
            scraped.series.at.push(time);
            scraped.series.values.push(if value.is_finite() { value } else { f64::NAN });
        }
    }

    /// All series, by name and labels.
    #[must_use]
    pub fn finish(self) -> Vec<Series> {
        self.series.into_values().map(|s| s.series).filter(|s| !s.at.is_empty()).collect()
    }
}
