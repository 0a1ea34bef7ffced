//! Finds what is abnormal in a mined log: patterns that are new, far more frequent, gone, off their beat, or severe.

use std::ops::Range;

use super::{
    focus::{self, Focus},
    rates::{LONGEST, dispersion, log_chance, peak, seconds, share},
    rhythm::{Broken, Rhythm, Times},
    severe::{Words, words},
};
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
/// The busiest stretch must be so many times as busy as the busiest before.
const MIN_PEAK: f64 = 1.5;
/// So many records before, at least, and so many that did not come, are a silence; and so many a long one.
const FEWEST_BEFORE: f64 = 8.0;
const MISSED: f64 = 8.0;
const MISSED_MANY: f64 = 20.0;
/// A beat that is late by so many periods is far too late.
const FAR_TOO_LATE: f64 = 5.0;
/// Without a baseline a pattern began while we had its log if there was none of it for so many of its intervals, which by
/// chance happens to one in twenty, and for so many seconds; or if it came too seldom to tell that it comes now and then.
const BEGAN_INTERVALS: f64 = 3.0;
const BEGAN_S: f64 = 5.0;
const SELDOM: u64 = 3;
/// What came again and again and then no more for so many of its intervals, and for so many seconds, before we came is over;
/// and what it scores at most.
const PAST_INTERVALS: f64 = 10.0;
const PAST_S: f64 = 60.0;
const PAST: f64 = 0.15;
/// What began longer ago than this before we came is none of what we were called for; files reach far back.
const RECENT_S: f64 = 1800.0;
/// What of its strength a severe pattern keeps where nobody knows whether it is usual.
const NOT_COMPARED: f64 = 0.85;
/// Latest records of a pattern whose words are read, beside those of its template.
const READ_WORDS: usize = 20;
/// Bytes of an example.
const EXAMPLE: usize = 400;

/// What is abnormal in one source, the strongest first, one finding a pattern. Records from before the baseline
/// (a journal's history) count as baseline. Without a baseline what is wrong may have been there before `observed`: what
/// began within the log is compared from there on, and what was there from its beginning is not taken for usual where it
/// is severe; nobody knows its onset. Without any record or time before `observed`, only severe and repeated patterns can be told.
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
            let (past, windows) = (windows.is_past(pattern), windows.of(pattern));
            let seen = Seen::new(logs, pattern, &windows);
            let mut judged = seen.judge(pattern, logs, &windows)?;
            if past && judged.change != LogChange::Silence {
                judged.score = judged.score.min(PAST);
            }
            seen.finding(pattern, judged, source, evidence)
        })
        .filter(|f| f.score >= MIN_SCORE)
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(MAX_FINDINGS);
    found
}

/// The two stretches of time that are compared.
#[derive(Debug, Clone)]
struct Windows {
    before: Range<Timestamp>,
    now: Range<Timestamp>,
    /// Whether there is anything to compare with.
    compares: bool,
    /// Whether what came before is what is usual.
    is_usual: bool,
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
        let is_usual = baseline.is_some();
        Self { before: start..end, now: observed.start..until.max(observed.start), compares, is_usual }
    }

    /// Whether a pattern is over since some time before we came, as trouble that was mended.
    fn is_past(&self, pattern: &LogPattern) -> bool {
        let quiet = self.now.start.since(pattern.last).as_secs_f64();
        !self.is_usual && pattern.count > SELDOM && quiet >= PAST_S.max(PAST_INTERVALS * interval(pattern))
    }

    /// The same for one pattern: where nobody says what is usual, it is compared from when it began, or else ended.
    fn of(&self, pattern: &LogPattern) -> Self {
        let is_recent = |at: Timestamp| self.now.start.since(at).as_secs_f64() <= RECENT_S;
        let (since, ended) = (pattern.first, pattern.last + std::time::Duration::from_millis(1));
        let without = since.since(self.before.start);
        let began =
            without.as_secs_f64() >= BEGAN_S.max(BEGAN_INTERVALS * interval(pattern)) || pattern.count <= SELDOM;
        match (began, since < self.before.end, ended < self.now.start) {
            _ if self.is_usual => self.clone(),
            (true, true, _) if is_recent(since) => {
                Self { before: self.before.start..since, now: since..self.now.end, ..*self }
            }
            (false, _, true) if is_recent(ended) => {
                Self { before: self.before.start..ended, now: ended..self.now.end, ..*self }
            }
            _ => self.clone(),
        }
    }
}

/// The mean time between records of a pattern, in seconds.
fn interval(pattern: &LogPattern) -> f64 {
    pattern.last.since(pattern.first).as_secs_f64() / pattern.count.saturating_sub(1).max(1) as f64
}

/// How often a pattern came.
struct Seen<'a> {
    logs: &'a Logs,
    before: f64,
    now: f64,
    /// Whether it came at all before, also longer ago than rates are known for.
    known: bool,
    /// Whether it was there before anything that is known of, so that nobody can say since when.
    ever: bool,
    rows_now: Vec<u32>,
    onset: Option<Timestamp>,
    words: Words,
    example: &'a str,
    /// How its beat is broken, where it had one.
    broken: Option<(Rhythm, Broken)>,
}

/// What is abnormal about a pattern.
#[derive(Debug, Clone)]
struct Judged {
    change: LogChange,
    score: f64,
    /// How its beat is broken, for what is told by that.
    broken: Option<(Rhythm, Broken)>,
    /// The value that most records are about, for what is told by that.
    focus: Option<Focus>,
}

impl Judged {
    fn of(change: LogChange, score: f64) -> Self {
        Self { change, score, broken: None, focus: None }
    }

    fn some(change: LogChange, score: f64) -> Option<Self> {
        Some(Self::of(change, score))
    }
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
        let ever = known && windows.compares && !windows.is_usual;
        let text = |row: &u32| logs.lines.get(*row as usize).map(|l| words(&l.text));
        let latest = rows_now.iter().rev().take(READ_WORDS).filter_map(text).max().unwrap_or(Words::Plain);
        let words = words(example).max(words(&pattern.template)).max(latest);
        let times = windows.compares.then(|| Times::of(pattern, logs));
        let broken = times.and_then(|times| {
            let rhythm = Rhythm::of(&times, windows.before.end)?;
            Some((rhythm, rhythm.broken(&times, &windows.now)?))
        });
        Self { logs, before, now, known, ever, rows_now, onset, words, example, broken }
    }

    /// What is abnormal about it and how much, if anything.
    fn judge(&self, pattern: &LogPattern, logs: &Logs, windows: &Windows) -> Option<Judged> {
        if self.now < 1.0 {
            return self.silence(pattern, windows);
        }
        let severe = pattern.level >= Some(Level::Error) || self.words > Words::Plain;
        let strength = self.strength(pattern.level);
        if !windows.compares {
            let repeated = self.now >= 50.0 && self.now >= 0.3 * logs.total_lines as f64;
            return match (severe, repeated) {
                (true, _) => Judged::some(LogChange::Severe, strength * NOT_COMPARED),
                (false, true) => Judged::some(LogChange::Repeated, 0.3),
                _ => None,
            };
        }
        if !self.known {
            let change = if severe { LogChange::Severe } else { LogChange::New };
            return Judged::some(change, strength);
        }
        if severe && !windows.is_usual {
            return Judged::some(LogChange::Severe, strength * NOT_COMPARED);
        }
        if severe {
            // As often as before is noise, however it reads.
            let low = if self.words == Words::Alarm { 0.28 } else { 0.2 };
            let grown = self.grown(windows, dispersion(pattern, &windows.before, 1));
            return Judged::some(LogChange::Severe, low + (strength - low).max(0.0) * grown);
        }
        if self.is_burst(pattern, windows) {
            return Judged::some(LogChange::Burst, strength);
        }
        if let Some((rhythm, broken)) = self.broken {
            let far = matches!(broken, Broken::Late { gap, .. } if gap >= FAR_TOO_LATE * rhythm.period);
            return Some(Judged { broken: self.broken, ..Judged::of(LogChange::OffBeat, if far { 0.4 } else { 0.3 }) });
        }
        if let Some(focus) = focus::find(pattern, logs, &windows.before, &windows.now) {
            return Some(Judged { focus: Some(focus), ..Judged::of(LogChange::Focused, 0.3) });
        }
        let repeated = self.now >= 50.0 && self.now >= 0.5 * logs.total_lines as f64;
        if repeated { Judged::some(LogChange::Repeated, 0.15) } else { None }
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

    /// It comes far more often, and never came as often before: what rushes now and then, and is no failure, is no news.
    fn is_burst(&self, pattern: &LogPattern, windows: &Windows) -> bool {
        let clusters = dispersion(pattern, &windows.before, LONGEST);
        if self.now < MIN_COUNT || self.grown(windows, clusters) < 1.0 {
            return false;
        }
        let window = 1000.0 * seconds(&windows.now).min(seconds(&windows.before) / 2.0);
        peak(pattern, &windows.now, window) >= MIN_PEAK * peak(pattern, &windows.before, window)
    }

    /// From 0, no more frequent than before, to 1, beyond doubt; `clusters` is the pattern's [`dispersion`].
    fn grown(&self, windows: &Windows, clusters: f64) -> f64 {
        let (t1, t2) = (seconds(&windows.before).max(1.0), seconds(&windows.now).max(1.0));
        let ratio = (self.now / t2) / ((self.before + 0.5) / t1);
        if ratio < 1.5 || self.now < 2.0 {
            return 0.0;
        }
        let chance = log_chance(self.before, t1, self.now, t2) / clusters;
        let sure = (chance / CHANCE.ln()).clamp(0.0, 1.0);
        if ratio < MIN_RATIO || self.now < MIN_COUNT { sure * 0.5 } else { sure }
    }

    /// It came on a beat or evenly before, several times were due now, and none came.
    fn silence(&self, pattern: &LogPattern, windows: &Windows) -> Option<Judged> {
        let (t1, t2) = (seconds(&windows.before), seconds(&windows.now));
        if pattern.last >= windows.now.start {
            return None;
        }
        let score = |due: f64| match due {
            d if d >= MISSED_MANY => 0.45,
            d if d >= MISSED => 0.35,
            _ => 0.3,
        };
        // A beat says sooner than a rate that something is missing.
        if let Some((rhythm, Broken::Late { gap, .. })) = self.broken {
            let score = score(gap / rhythm.period);
            return Some(Judged { broken: self.broken, ..Judged::of(LogChange::Silence, score) });
        }
        if self.before < FEWEST_BEFORE || t1 < 1.0 {
            return None;
        }
        let due = self.before / t1 * t2 / dispersion(pattern, &windows.before, LONGEST);
        let quarter = (windows.before.end.0 - windows.before.start.0) / 4;
        let even = (0..4).all(|i| {
            let start = windows.before.start.0 + i * quarter;
            share(pattern, &(Timestamp(start)..Timestamp(start + quarter))) >= 0.08 * self.before
        });
        if even && due >= MISSED { Judged::some(LogChange::Silence, score(due)) } else { None }
    }

    fn finding(&self, pattern: &LogPattern, judged: Judged, source: &str, evidence: Id<Evidence>) -> Option<Finding> {
        let rows = match &judged.focus {
            Some(focus) => focus.rows.clone(),
            None if self.rows_now.is_empty() => pattern.rows.last().copied().into_iter().collect(),
            None => self.rows_now.clone(),
        };
        let unit = rows.first().and_then(|r| self.logs.lines.get(*r as usize)?.unit.clone());
        let count = self.now.round() as u64;
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let shown = short(self.example.lines().next().unwrap_or(""), 160);
        let Judged { change, score, broken, focus } = judged;
        let what = match change {
            LogChange::New => format!("new, {times}"),
            LogChange::Burst => format!("{times}, {:.0} times before", self.before),
            LogChange::Silence => format!("no more, {:.0} times before", self.before),
            LogChange::Repeated => format!("over and over, {times}"),
            LogChange::Severe if self.known => format!("severe, {times}, {:.0} times before", self.before),
            LogChange::Severe => format!("severe, {times}"),
            LogChange::Focused => focus.map_or("mostly one value".to_owned(), |f| {
                format!("{:.0} % with {}, {:.0} % before", 100.0 * f.now, short(&f.value, 60), 100.0 * f.before)
            }),
            LogChange::OffBeat => broken.map_or("off its beat".to_owned(), |(rhythm, broken)| told(&rhythm, &broken)),
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
        finding.onset = match broken {
            Some((_, Broken::Late { due, .. })) => Some(due),
            Some((_, Broken::Other { since })) => Some(since),
            None if self.ever => None,
            None => self.onset,
        };
        (!finding.cites.is_empty()).then_some(finding)
    }
}

/// How a beat is broken, for a person.
fn told(rhythm: &Rhythm, broken: &Broken) -> String {
    let span = |millis: f64| match millis / 1000.0 {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 600.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    };
    let before = format!("every {} before", span(rhythm.period));
    match broken {
        Broken::Late { gap, .. } => format!("none for {}, {before}", span(*gap)),
        Broken::Other { .. } => format!("off its beat, {before}"),
    }
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
