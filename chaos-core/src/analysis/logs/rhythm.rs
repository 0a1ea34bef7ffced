//! Patterns that come on a beat, such as a heartbeat or a timer's job, and whether the beat is broken. A beat has to
//! show itself first: what comes at random, or in clusters, has none, and is judged by its rate alone.

use std::ops::Range;

use crate::model::{LogPattern, Logs, Timestamp};

/// Fewer gaps between beats show no beat.
const FEWEST_GAPS: usize = 6;
/// How far a gap may lie from the period, as a share of it.
const JITTER: f64 = 0.2;
/// One gap in so many may be any: a beat that was missed.
const MISSED: usize = 10;
/// What comes within this share of the period after a beat belongs to it.
const SAME_BEAT: f64 = 0.25;
/// A gap of so many periods is a beat that did not come.
const LATE: f64 = 2.5;
/// The same, against the widest gap that there was before.
const WIDER: f64 = 1.5;
/// Milliseconds that a record may take from where it is written to us, and a host may stand still.
const GRACE: f64 = 3000.0;
/// So many gaps are needed to say that the beat is another one now, and two of three must lie so many times as far from
/// the period as they may: a rough beat passes for a beat now, and just not a moment later.
const OTHER_GAPS: usize = 5;
const FURTHER: f64 = 1.5;

/// When the records of a pattern came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Times {
    /// In order, milliseconds since the epoch.
    at: Vec<i64>,
    /// How exactly that is known, milliseconds.
    resolution: i64,
}

impl Times {
    /// From the kept records where all were kept, else from the histogram.
    pub(super) fn of(pattern: &LogPattern, logs: &Logs) -> Self {
        let rows = pattern.rows.iter().filter_map(|r| logs.lines.get(*r as usize)).map(|l| l.at.0);
        if pattern.rows.len() as u64 == pattern.count {
            return Self::new(rows.collect(), 1);
        }
        let width = i64::try_from(pattern.histogram.width_ms.max(1)).unwrap_or(i64::MAX);
        let counted = pattern.histogram.intervals().filter(|(_, n)| *n > 0);
        Self::new(counted.map(|(t, _)| t.max(pattern.first).min(pattern.last).0).collect(), width)
    }

    fn new(mut at: Vec<i64>, resolution: i64) -> Self {
        at.sort_unstable();
        at.dedup();
        Self { at, resolution }
    }
}

/// A beat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rhythm {
    /// Milliseconds from beat to beat, the median.
    pub(super) period: f64,
    /// How far a gap may lie from that.
    tolerance: f64,
    /// The widest gap.
    widest: f64,
}

/// How a beat is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Broken {
    /// Nothing came for `gap` milliseconds, although it was due from `due` on.
    Late { due: Timestamp, gap: f64 },
    /// It comes at other times than the beat's, from `since` on.
    Other { since: Timestamp },
}

impl Rhythm {
    /// The beat of what came before `end`; `None` where there is none.
    pub(super) fn of(times: &Times, end: Timestamp) -> Option<Self> {
        let known = &times.at[..times.at.partition_point(|t| *t < end.0)];
        // At first by the gaps that are wide: those within a beat are not its period.
        let wide = quantile(&mut gaps(known), 0.9)?;
        let mut gaps = gaps(&beats(known, SAME_BEAT * wide));
        if gaps.len() < FEWEST_GAPS {
            return None;
        }
        let period = quantile(&mut gaps, 0.5)?;
        let resolution = times.resolution as f64;
        let tolerance = (JITTER * period).max(resolution);
        let odd = gaps.iter().filter(|g| (**g - period).abs() > tolerance).count();
        let widest = gaps.iter().copied().fold(0.0, f64::max);
        let is_beat = period > 0.0 && resolution <= JITTER * period && odd <= gaps.len() / MISSED;
        is_beat.then_some(Self { period, tolerance, widest })
    }

    /// How it is broken within `now`, if it is: by the widest gap that reaches into it, the time up to its end included;
    /// else by other gaps than before.
    pub(super) fn broken(&self, times: &Times, now: &Range<Timestamp>) -> Option<Broken> {
        let beats = beats(&times.at, SAME_BEAT * self.period);
        let first = beats.partition_point(|t| *t < now.start.0);
        let reach = &beats[first.saturating_sub(1)..];
        let last = beats.last()?;
        let late = (LATE * self.period).max(WIDER * self.widest);
        if let Some(before) = first.checked_sub(1).and_then(|i| beats.get(i))
            && now.start.0.saturating_sub(*before) as f64 > late + GRACE
        {
            // The beat had ended before: that is no news.
            return None;
        }
        let until = now.end.0.max(*last);
        let ends = reach.iter().skip(1).chain([&until]);
        let (from, gap) = reach.iter().zip(ends).map(|(a, b)| (*a, (b.saturating_sub(*a)) as f64)).max_by(|a, b| {
            // Of equal ones the first.
            a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))
        })?;
        if gap - times.resolution as f64 - GRACE >= late {
            return Some(Broken::Late { due: Timestamp::from_millis(from.saturating_add(self.period as i64)), gap });
        }
        let gaps = gaps(reach);
        let is_odd = |g: &f64| (g - self.period).abs() > FURTHER * self.tolerance;
        let odd = gaps.iter().filter(|g| is_odd(g)).count();
        if gaps.len() < OTHER_GAPS || 3 * odd < 2 * gaps.len() {
            return None;
        }
        let since = gaps.iter().position(is_odd).and_then(|i| reach.get(i + 1))?;
        Some(Broken::Other { since: Timestamp(*since) })
    }
}

/// The first record of each beat: what comes sooner than `within` milliseconds after it belongs to it.
fn beats(times: &[i64], within: f64) -> Vec<i64> {
    let mut beats: Vec<i64> = Vec::new();
    for &at in times {
        if beats.last().is_none_or(|b| at.saturating_sub(*b) as f64 >= within) {
            beats.push(at);
        }
    }
    beats
}

fn gaps(times: &[i64]) -> Vec<f64> {
    times.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64).collect()
}

/// The value below which `share` of the values lie; `None` of none.
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(index).copied()
}

#[cfg(test)]
#[path = "tests/rhythm.rs"]
mod tests;
