//! Finds what is abnormal in a mined log: patterns that are new, far more frequent, gone, or severe. Rates before
//! and now are compared as Poisson rates (conditional on their sum, see Przyborowski and Wilenski, "Homogeneity of
//! results in testing samples from Poisson series", 1940), widened where a pattern comes in clusters anyway.

use std::ops::Range;

use super::severe::{Words, words};
use crate::model::{
    Citation, Entity, EntityKind, Evidence, Finding, Id, Level, LogChange, LogPattern, Logs, Signal, Timestamp,
};

/// Findings of one source.
const MAX_FINDINGS: usize = 50;
/// Below this nobody wants to know.
const MIN_SCORE: f64 = 0.1;
/// A rate must have grown by so much, and be so unlikely by chance, to be a burst.
const MIN_RATIO: f64 = 3.0;
const MIN_COUNT: f64 = 5.0;
const CHANCE: f64 = 1e-4;
/// Bytes of an example.
const EXAMPLE: usize = 400;

/// What is abnormal in one source, the strongest first, one finding a pattern. Records from before the baseline
/// (a journal's history) count as baseline; without any record or time before `observed`, only severe and
/// repeated patterns can be told.
#[must_use]
pub fn detect(
    logs: &Logs,
    source: &str,
    evidence: Id<Evidence>,
    baseline: Option<&Range<Timestamp>>,
    observed: &Range<Timestamp>,
) -> Vec<Finding> {
    let windows = Windows::new(logs, baseline, observed);
    let mut found: Vec<Finding> = logs
        .patterns
        .iter()
        .filter_map(|pattern| {
            let seen = Seen::new(logs, pattern, &windows);
            let (change, score) = seen.judge(pattern, logs, &windows)?;
            seen.finding(pattern, change, score, source, evidence)
        })
        .filter(|f| f.score >= MIN_SCORE)
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(MAX_FINDINGS);
    found
}

/// The two stretches of time that are compared.
struct Windows {
    before: Range<Timestamp>,
    now: Range<Timestamp>,
    /// Whether there is anything to compare with.
    compares: bool,
}

impl Windows {
    fn new(logs: &Logs, baseline: Option<&Range<Timestamp>>, observed: &Range<Timestamp>) -> Self {
        let end = baseline.map_or(observed.start, |b| b.end.min(observed.start));
        let first =
            logs.patterns.iter().filter(|p| !p.histogram.counts.is_empty()).map(|p| p.histogram.start.max(p.first));
        let start = first.chain(baseline.map(|b| b.start)).min().unwrap_or(end).min(end);
        let compares = baseline.is_some_and(|b| b.start < b.end) || logs.patterns.iter().any(|p| p.first < end);
        // What drained after the window's end was still caused within it.
        let last = logs.patterns.iter().map(|p| p.last + std::time::Duration::from_millis(1)).max();
        let until = last.map_or(observed.end, |l| l.max(observed.end));
        Self { before: start..end, now: observed.start..until.max(observed.start), compares }
    }
}

fn seconds(span: &Range<Timestamp>) -> f64 {
    span.end.since(span.start).as_secs_f64()
}

/// How often a pattern came.
struct Seen<'a> {
    logs: &'a Logs,
    before: f64,
    now: f64,
    /// Whether it came at all before, also longer ago than rates are known for.
    known: bool,
    rows_now: Vec<u32>,
    onset: Option<Timestamp>,
    words: Words,
    example: &'a str,
}

impl<'a> Seen<'a> {
    fn new(logs: &'a Logs, pattern: &LogPattern, windows: &Windows) -> Self {
        let at = |row: &u32| logs.lines.get(*row as usize).map(|l| l.at);
        let within = |span: &Range<Timestamp>| {
            pattern.rows.iter().copied().filter(|r| at(r).is_some_and(|t| span.contains(&t))).collect::<Vec<u32>>()
        };
        let rows_now = within(&windows.now);
        let whole = pattern.rows.len() as u64 == pattern.count;
        let count = |span: &Range<Timestamp>, rows: usize| {
            if whole { rows as f64 } else { share(pattern, span).max(rows as f64) }
        };
        let now =
            if pattern.first >= windows.now.start { pattern.count as f64 } else { count(&windows.now, rows_now.len()) };
        let before = if pattern.first >= windows.before.end {
            0.0
        } else {
            count(&windows.before, within(&windows.before).len())
        };
        let from_rows = rows_now.iter().filter_map(at).min();
        let from_counts = pattern
            .histogram
            .intervals()
            .find(|(t, n)| *n > 0 && *t >= windows.now.start)
            .map(|(t, _)| t.max(pattern.first));
        let onset = from_rows.into_iter().chain(from_counts).min();
        let row = rows_now.first().or(pattern.rows.last());
        let example = row.and_then(|r| logs.lines.get(*r as usize)).map_or("", |l| &l.text);
        let known = pattern.first < windows.before.end;
        let words = words(example).max(words(&pattern.template));
        Self { logs, before, now, known, rows_now, onset, words, example }
    }

    /// What is abnormal about it and how much, if anything.
    fn judge(&self, pattern: &LogPattern, logs: &Logs, windows: &Windows) -> Option<(LogChange, f64)> {
        if self.now < 1.0 {
            return self.silence(pattern, windows);
        }
        let severe = pattern.level >= Some(Level::Error) || self.words > Words::Plain;
        let strength = self.strength(pattern.level);
        if !windows.compares {
            let repeated = self.now >= 50.0 && self.now >= 0.3 * logs.total_lines as f64;
            return match (severe, repeated) {
                (true, _) => Some((LogChange::Severe, strength * 0.85)),
                (false, true) => Some((LogChange::Repeated, 0.3)),
                _ => None,
            };
        }
        if !self.known {
            let change = if severe { LogChange::Severe } else { LogChange::New };
            return Some((change, strength));
        }
        let grown = self.grown(pattern, windows);
        if severe {
            // As often as before is noise, however it reads.
            let low = if self.words == Words::Alarm { 0.28 } else { 0.2 };
            return Some((LogChange::Severe, low + (strength - low).max(0.0) * grown));
        }
        if grown >= 1.0 && self.now >= MIN_COUNT {
            return Some((LogChange::Burst, strength));
        }
        (self.now >= 50.0 && self.now >= 0.5 * logs.total_lines as f64).then_some((LogChange::Repeated, 0.15))
    }

    /// How strong it is at most, by level, words and number: one error is common on a host that is well.
    fn strength(&self, level: Option<Level>) -> f64 {
        let many = |one: f64, few: f64, lots: f64| match self.now {
            n if n >= 10.0 => lots,
            n if n >= 3.0 => few,
            _ => one,
        };
        match (self.words, level) {
            (Words::Alarm, _) => many(0.85, 0.9, 0.95),
            (_, Some(l)) if l >= Level::Critical => many(0.48, 0.65, 0.75),
            (Words::Trouble, Some(l)) if l >= Level::Error => many(0.48, 0.65, 0.75),
            (Words::Trouble, _) | (_, Some(Level::Error)) => many(0.42, 0.55, 0.65),
            (_, Some(Level::Warning)) => many(0.35, 0.4, 0.45),
            _ => many(0.2, 0.25, 0.35),
        }
    }

    /// From 0, no more frequent than before, to 1, beyond doubt.
    fn grown(&self, pattern: &LogPattern, windows: &Windows) -> f64 {
        let (t1, t2) = (seconds(&windows.before).max(1.0), seconds(&windows.now).max(1.0));
        let ratio = (self.now / t2) / ((self.before + 0.5) / t1);
        if ratio < 1.5 || self.now < 2.0 {
            return 0.0;
        }
        let chance = log_chance(self.before, t1, self.now, t2) / dispersion(pattern, &windows.before);
        let sure = (chance / CHANCE.ln()).clamp(0.0, 1.0);
        if ratio < MIN_RATIO || self.now < MIN_COUNT { sure * 0.5 } else { sure }
    }

    /// It came evenly before, several times were due now, and none came.
    fn silence(&self, pattern: &LogPattern, windows: &Windows) -> Option<(LogChange, f64)> {
        let (t1, t2) = (seconds(&windows.before), seconds(&windows.now));
        if self.before < 8.0 || t1 < 1.0 || pattern.last >= windows.now.start {
            return None;
        }
        let due = self.before / t1 * t2 / dispersion(pattern, &windows.before);
        let quarter = (windows.before.end.0 - windows.before.start.0) / 4;
        let even = (0..4).all(|i| {
            let start = windows.before.start.0 + i * quarter;
            share(pattern, &(Timestamp(start)..Timestamp(start + quarter))) >= 0.08 * self.before
        });
        (even && due >= 8.0).then_some((LogChange::Silence, if due >= 20.0 { 0.45 } else { 0.35 }))
    }

    fn finding(
        &self,
        pattern: &LogPattern,
        change: LogChange,
        score: f64,
        source: &str,
        evidence: Id<Evidence>,
    ) -> Option<Finding> {
        let rows = if self.rows_now.is_empty() {
            pattern.rows.last().copied().into_iter().collect()
        } else {
            self.rows_now.clone()
        };
        let unit = rows.first().and_then(|r| self.logs.lines.get(*r as usize)?.unit.clone());
        let count = self.now.round() as u64;
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let shown = short(self.example.lines().next().unwrap_or(""), 160);
        let what = match change {
            LogChange::New => format!("new, {times}"),
            LogChange::Burst => format!("{times}, {:.0} times before", self.before),
            LogChange::Silence => format!("no more, {:.0} times before", self.before),
            LogChange::Repeated => format!("over and over, {times}"),
            LogChange::Severe if self.known => format!("severe, {times}, {:.0} times before", self.before),
            LogChange::Severe => format!("severe, {times}"),
        };
        let entity = unit.unwrap_or_else(|| source.to_owned());
        let signal = Signal::Log {
            pattern: pattern.id.clone(),
            template: pattern.template.clone(),
            example: short(self.example, EXAMPLE),
            level: pattern.level,
            change,
            count,
        };
        let cites = ranges(&rows).into_iter().map(|rows| Citation { evidence, rows });
        let mut finding = Finding::new(signal, format!("{entity}: {shown} ({what})"), cites);
        finding.entity = Entity::new(EntityKind::Log, entity);
        finding.score = score.clamp(0.0, 1.0);
        finding.onset = self.onset;
        (!finding.cites.is_empty()).then_some(finding)
    }
}

/// How many records fell into `span`; an interval that lies in it by half counts by half.
fn share(pattern: &LogPattern, span: &Range<Timestamp>) -> f64 {
    let width = pattern.histogram.width_ms.max(1) as f64;
    let of = |start: Timestamp| {
        let end = start.0.saturating_add(width as i64);
        let overlap = end.min(span.end.0).saturating_sub(start.0.max(span.start.0));
        overlap.max(0) as f64 / width
    };
    pattern.histogram.intervals().map(|(t, n)| f64::from(n) * of(t)).sum()
}

/// Natural logarithm of an upper bound (Chernoff) on the chance that `n2` of `n1 + n2` events fall into the second
/// stretch when the rate is the same.
fn log_chance(n1: f64, t1: f64, n2: f64, t2: f64) -> f64 {
    let (n, p) = (n1 + n2, t2 / (t1 + t2));
    let q = n2 / n;
    if q <= p || n <= 0.0 {
        return 0.0;
    }
    let rest = if q < 1.0 { (1.0 - q) * ((1.0 - q) / (1.0 - p)).ln() } else { 0.0 };
    -n * (q * (q / p).ln() + rest)
}

/// Variance over mean of the counts before, at least 1: how much a pattern comes in clusters.
fn dispersion(pattern: &LogPattern, before: &Range<Timestamp>) -> f64 {
    let width = pattern.histogram.width_ms.max(1) as f64;
    let n = ((before.end.0 - before.start.0) as f64 / width).floor();
    let counts = pattern.histogram.intervals().filter(|(t, _)| before.contains(t)).map(|(_, n)| f64::from(n));
    let (sum, squares) = counts.fold((0.0, 0.0), |(s, q), c| (s + c, q + c * c));
    if n < 4.0 || sum < 4.0 {
        return 1.0;
    }
    let mean = sum / n;
    ((squares / n - mean * mean) / mean).clamp(1.0, 50.0)
}

fn short(text: &str, limit: usize) -> String {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &text[..end], if end < text.len() { "…" } else { "" })
}

/// Sorted rows as at most five ranges, the first ones and the last.
fn ranges(rows: &[u32]) -> Vec<Range<u32>> {
    let mut out: Vec<Range<u32>> = Vec::new();
    for &row in rows {
        match out.last_mut() {
            Some(last) if last.end == row => last.end = row + 1,
            _ => out.push(row..row + 1),
        }
    }
    if out.len() > 5 {
        out.drain(4..out.len() - 1);
    }
    out
}

#[cfg(test)]
#[path = "tests/detect.rs"]
mod tests;
