//! What is abnormal in one metric series. Pure: a series and two windows in, anomalies out.
//!
//! Each method has its own file: a lasting change of level, a steady trend, a change of variance, a stuck value, a
//! short spike, a known limit, silence. `profile` says which differences matter for which metric, `season` what is
//! usual at which time, `tail` how far usual samples reach; `robust` holds the statistics. A series may give at most
//! one of level, trend, variance, flatline and spike, one alert for the whole episode, and besides that saturation and
//! silence. `together` groups the onsets of several series.
//!
//! # Behavior
//! - NaN, infinities and values beyond ±1e150 are missing samples; timestamps may come in any order, and of several
//!   samples at one time the last counts.
//! - Fewer than three samples in the observed window give nothing but silence, or a level if two, five seconds apart or
//!   more, are both far beyond what is usual; a constant series nothing but that, or a
//!   limit that is reached.
//! - With fewer than three baseline samples, or without a baseline, the series is its own reference: its best split
//!   into before and after, else its own median. Two samples do where they say the same and lie five seconds apart or
//!   more: what is asked rarely is asked even more rarely of a slow host. What is near nought on any host that is well
//!   (stolen CPU, stalls, lost packets, dead processes) is then abnormal by its level alone.
//! - Where 200 samples or more before the window (without a baseline, in it) repeat themselves four times or more, the
//!   series is judged by its difference from what is usual at that time of its period; what comes every night is no
//!   anomaly, and what fails to come is one. With shorter histories nothing is assumed.
//! - A baseline of 500 samples sets the thresholds itself, by its tail; a shorter one by its spread.
//! - Cumulative counters are told apart before they come here (`counter`, `prometheus`): a reset is a missing sample.
//! - Bursts shorter than a few samples are nothing, except for events that are never usual (OOM kills).

pub mod counter;
pub mod process;
pub mod prometheus;

mod changes;
mod course;
mod flat;
mod level;
mod limit;
mod missing;
mod profile;
mod robust;
mod run;
mod samples;
mod season;
mod spike;
mod table;
mod tail;
mod together;
mod trend;
mod variance;

use std::{ops::Range, time::Duration};

use crate::model::{Change, Series, Timestamp};

pub use self::{
    changes::{ChangePoint, change_points},
    profile::{has_limit, is_at_rest, is_redundant},
    samples::{ALERT, Episode, episodes, sample_scores},
    table::Table,
    together::{Follower, Onset, Together, interval, together},
};
use self::{profile::Profile, season::Season};

/// Values beyond are no measurements; squares of what is within stay finite.
const LARGEST: f64 = 1e150;
/// The fewest samples that tell what is usual.
const FEWEST: usize = 3;
/// How far apart two are at least to tell it too, in milliseconds.
const APART_MS: i64 = 5000;

/// One thing abnormal about one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    /// In what way.
    pub change: Change,
    /// Typical value before, in the series' unit; where there is a season, at that time of it. Of a change of
    /// variance, how wide the middle nine tenths of the samples lay.
    pub before: Option<f64>,
    /// Typical (for a trend the last) value after; of a change of variance, how wide they lie.
    pub after: f64,
    /// When it began.
    pub onset: Option<Timestamp>,
    /// Rows of the series that show it, end excluded; never empty.
    pub rows: Range<u32>,
    /// How far from usual, 0 to 1; from 0.5 a person would call it abnormal.
    pub score: f64,
    /// For a trend: growth per second.
    pub slope: Option<f64>,
    /// For a trend towards a known limit: how long until it is reached.
    pub exhausted_after: Option<Duration>,
}

/// A finite sample and its row.
#[derive(Debug, Clone, Copy)]
struct Point {
    row: u32,
    at: i64,
    value: f64,
}

impl Point {
    fn seconds_since(&self, other: &Self) -> f64 {
        self.at.saturating_sub(other.at) as f64 / 1000.0
    }
}

/// What the methods work on.
#[derive(Debug)]
struct Sight<'a> {
    profile: Profile,
    /// What is usual, in order of time; may be empty.
    usual: &'a [Point],
    /// What may be abnormal, in order of time.
    now: &'a [Point],
    center: f64,
    /// Standard deviation of what is usual, robustly.
    scale: f64,
    /// Seconds between samples.
    interval: f64,
    /// Whether what is usual is known apart from what is judged, so that its tails may set the thresholds.
    apart: bool,
    /// Whether a season has been taken off.
    seasonal: bool,
}

impl<'a> Sight<'a> {
    fn new(series: &Series, usual: &'a [Point], now: &'a [Point]) -> Self {
        let mut values: Vec<f64> = usual.iter().map(|p| p.value).collect();
        let center = robust::median(&mut values).unwrap_or(0.0);
        let scale = robust::scale(&mut values, center);
        let mut steps: Vec<f64> = now.windows(2).map(|w| w[1].seconds_since(&w[0])).collect();
        let interval = robust::median(&mut steps).unwrap_or(1.0);
        Self {
            profile: Profile::of(series, center, scale),
            usual,
            now,
            center,
            scale,
            interval,
            apart: false,
            seasonal: false,
        }
    }

    /// How far above the middle (below for a `sign` of -1) a sample is unusual: as often as `risk` where there is
    /// enough history to tell, else so many `spreads`.
    fn margin(&self, sign: f64, spreads: f64, risk: f64) -> f64 {
        let away = |p: &Point| sign * (p.value - self.center);
        let tail = self.apart.then(|| tail::exceeded_by(&mut self.usual.iter().map(away).collect::<Vec<_>>(), risk));
        tail.flatten().unwrap_or(spreads * self.scale)
    }

    fn before(&self) -> Option<f64> {
        (!self.usual.is_empty()).then_some(self.center)
    }
}

/// Finds what is abnormal in `series` within `observed`, compared with `baseline` where there is one.
#[must_use]
pub fn detect(series: &Series, baseline: Option<&Range<Timestamp>>, observed: &Range<Timestamp>) -> Vec<Anomaly> {
    let points = points(series);
    let within = |span: &Range<Timestamp>| {
        let from = points.partition_point(|p| p.at < span.start.0);
        let to = points.partition_point(|p| p.at < span.end.0).max(from);
        &points[from..to]
    };
    let now = within(observed);
    let usual = baseline.map(within).filter(|u| tells_usual(u));
    let mut found = Vec::new();
    if let Some(usual) = usual {
        found.extend(missing::find(&Sight::new(series, usual, now), observed));
    }
    if now.len() < FEWEST {
        found.extend(match usual {
            Some(usual) => level::of_two(&Sight::new(series, usual, now)),
            None => are_apart(now).then(|| never_usual(series, now)).flatten(),
        });
        return found;
    }
    let history = &points[..points.partition_point(|p| p.at < observed.start.0)];
    let season = Season::of(usual.map_or(now, |_| history));
    let floor = Profile::of(series, 0.0, 0.0).floor;
    found.extend(flat::find(usual, now, floor).or_else(|| match (&season, usual) {
        (Some(season), usual) => off_season(series, season, usual.map(|_| history), now),
        (None, Some(usual)) => compared(&Sight { apart: true, ..Sight::new(series, usual, now) }),
        (None, None) => by_itself(series, now, false).or_else(|| never_usual(series, now)),
    }));
    found.extend(limit::find(&Sight::new(series, usual.unwrap_or_default(), now)));
    found
}

/// Whether there are samples enough for [`detect`] to see a change: three in what is observed, and before it what is
/// usual or, where that is not known, as many as it takes to split them into before and after.
#[must_use]
pub fn can_tell(series: &Series, baseline: Option<&Range<Timestamp>>, observed: &Range<Timestamp>) -> bool {
    let points = points(series);
    let within = |span: &Range<Timestamp>| {
        let inside = |p: &&Point| (span.start.0..span.end.0).contains(&p.at);
        points.iter().filter(inside).copied().collect::<Vec<_>>()
    };
    let now = within(observed);
    now.len() >= FEWEST && (now.len() >= 2 * level::SIDE || baseline.is_some_and(|b| tells_usual(&within(b))))
}

/// Whether there are samples enough in what is observed for [`detect`] to look at it at all.
#[must_use]
pub fn is_seen(series: &Series, observed: &Range<Timestamp>) -> bool {
    let mut points = points(series);
    points.retain(|p| (observed.start.0..observed.end.0).contains(&p.at));
    points.len() >= FEWEST || are_apart(&points)
}

/// Two samples, each of which covers a time of its own: a slow host has no more for us.
fn are_apart(points: &[Point]) -> bool {
    matches!(points, [a, b] if b.at.saturating_sub(a.at) >= APART_MS)
}

/// Whether these samples are enough to tell what is usual.
fn tells_usual(points: &[Point]) -> bool {
    let agree = |a: &Point, b: &Point| a.value == b.value && b.at.saturating_sub(a.at) >= APART_MS;
    points.len() >= FEWEST || matches!(points, [a, b] if agree(a, b))
}

/// A trend, a level, a change of variance or a moment, compared with what is usual.
fn compared(sight: &Sight<'_>) -> Option<Anomaly> {
    let level = || level::find(sight).or_else(|| variance::find(sight));
    let Some(trend) = trend::find(sight) else { return level().or_else(|| spike::find(sight)) };
    // What jumps and then settles, as an average of what jumped does, grows all the time, and least of all by that.
    let is_new = trend.slope.is_none_or(|slope| !trend::as_before(sight, slope));
    let settled = is_new.then(|| level::find(sight)).flatten();
    Some(settled.filter(|level| level.score > trend.score).unwrap_or(trend))
}

/// What is left when the season is taken off, told in the values as they were measured.
fn off_season(series: &Series, season: &Season, history: Option<&[Point]>, now: &[Point]) -> Option<Anomaly> {
    let mut values: Vec<f64> = history.unwrap_or(now).iter().map(|p| p.value).collect();
    let center = robust::median(&mut values)?;
    let left = season.without(now, center);
    let found = match history {
        Some(history) => {
            let usual = season.without(history, center);
            compared(&Sight { apart: true, seasonal: true, ..Sight::new(series, &usual, &left) })
        }
        None => by_itself(series, &left, true),
    }?;
    if matches!(found.change, Change::VarianceUp | Change::VarianceDown) {
        return Some(found);
    }
    let measured = |at: &Point| now.binary_search_by_key(&at.at, |p| p.at).ok().map(|i| now[i]);
    let shown: Vec<Point> = left.iter().filter(|p| found.rows.contains(&p.row)).filter_map(measured).collect();
    let mut usual: Vec<f64> = shown.iter().map(|p| season.usual_at(p.at)).collect();
    let mut seen: Vec<f64> = shown.iter().map(|p| p.value).collect();
    let after = match found.change {
        Change::TrendUp | Change::TrendDown => seen.last().copied(),
        _ => robust::median(&mut seen),
    };
    Some(Anomaly { before: robust::median(&mut usual), after: after.unwrap_or(found.after), ..found })
}

/// Without a baseline: a level that no host has that is well.
fn never_usual(series: &Series, now: &[Point]) -> Option<Anomaly> {
    let mut values: Vec<f64> = now.iter().map(|p| p.value).collect();
    let level = robust::median(&mut values)?;
    let notable = Profile::of(series, 0.0, 0.0).notable;
    let holds = level >= notable && (values.len() >= FEWEST || values.iter().all(|v| *v >= notable));
    (is_at_rest(series) && holds).then(|| Anomaly {
        change: Change::LevelUp,
        before: None,
        after: level,
        onset: None,
        rows: rows(now),
        score: score(level, notable),
        slope: None,
        exhausted_after: None,
    })
}

/// Without a baseline: a trend over the window, a change at the best split, or what stands out from the whole.
fn by_itself(series: &Series, now: &[Point], seasonal: bool) -> Option<Anomaly> {
    let sight = |usual, now| Sight { seasonal, ..Sight::new(series, usual, now) };
    if let Some(found) = trend::find(&sight(&[], now)) {
        return Some(found);
    }
    if let Some(cut) = level::best_split(now) {
        let (before, after) = now.split_at(cut);
        if let Some(found) = level::find(&sight(before, after)) {
            return Some(found);
        }
    }
    // What stands out from the bulk is left out of what is usual, so that it can't hide itself.
    let mut whole = sight(now, now);
    let mut values: Vec<f64> = now.iter().map(|p| p.value).collect();
    whole.scale = robust::deviation(&mut values, whole.center);
    let (run, _) = level::stretch(&whole);
    let span = run.first().map_or(i64::MAX, |p| p.at)..=run.last().map_or(i64::MIN, |p| p.at);
    let usual: Vec<Point> = now.iter().filter(|p| !span.contains(&p.at)).copied().collect();
    let rest = sight(&usual, now);
    let swings = || {
        let (before, after) = now.split_at(variance::split(now)?);
        variance::find(&sight(before, after))
    };
    level::find(&rest).or_else(swings).or_else(|| spike::find(&rest))
}

/// The finite samples in order of time, one for each time.
fn points(series: &Series) -> Vec<Point> {
    let rows = series.at.iter().zip(&series.values).take(u32::MAX as usize - 1).enumerate();
    let mut points: Vec<Point> = rows
        .filter(|(_, (_, v))| v.abs() <= LARGEST)
        .map(|(row, (at, v))| Point { row: row as u32, at: *at, value: *v })
        .collect();
    if !points.is_sorted_by(|a, b| a.at < b.at) {
        points.sort_by_key(|p| (p.at, std::cmp::Reverse(p.row)));
        points.dedup_by_key(|p| p.at);
    }
    points
}

/// The rows from the first to the last of these points.
fn rows(points: &[Point]) -> Range<u32> {
    let first = points.iter().map(|p| p.row).min().unwrap_or(0);
    let last = points.iter().map(|p| p.row).max().unwrap_or(0);
    first..last + 1
}

/// Half at what a person would call abnormal, towards 1 far beyond.
fn score(difference: f64, notable: f64) -> f64 {
    let times = difference / notable;
    if times.is_finite() { (times / (1.0 + times)).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
#[allow(clippy::print_stdout)] // shown on failure, or asked for
mod tests;

#[cfg(test)]
mod history_tests;
