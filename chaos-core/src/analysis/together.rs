//! Which log findings began together with which metric findings, and what came first. Pure; says when, never why: what
//! comes first need not be the cause, and where metrics change all the time something always comes together.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::model::{Finding, Id, Ledger, LogChange, Signal, Timestamp};

/// Milliseconds that the two may lie apart.
const NEAR: i64 = 10_000;
/// Metrics are sampled about once a second: what is nearer than that counts as at once.
const AT_ONCE: i64 = 1_000;

/// A log finding and a metric finding that began together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// The log's.
    pub log: Id<Finding>,
    /// The metric's.
    pub metric: Id<Finding>,
    /// How many milliseconds after the metric's change the records began; negative where they came first.
    pub lag_ms: i64,
    /// The chance that a moment of the observed window lies as near to the onset of some metric finding, 0 to 1: near 1
    /// it says nothing that they came together.
    pub by_chance: f64,
}

impl Together {
    /// What came first; `None` where they are nearer than sampling can tell.
    #[must_use]
    pub fn first(&self) -> Option<Id<Finding>> {
        match self.lag_ms {
            lag if lag >= AT_ONCE => Some(self.metric),
            lag if lag <= -AT_ONCE => Some(self.log),
            _ => None,
        }
    }
}

/// All pairs whose onsets lie within `observed` and at most ten seconds apart, the nearest first, then by their ids.
/// Findings without an onset, and what is told only for coming over and over, are in none.
#[must_use]
pub fn together(findings: &Ledger<Finding>, observed: &Range<Timestamp>) -> Vec<Together> {
    let onsets = |of: fn(&Signal) -> bool| {
        let found = findings.iter().filter(move |(_, f)| of(&f.signal));
        found.filter_map(|(id, f)| Some((id, f.onset.filter(|t| observed.contains(t))?.0)))
    };
    let metrics: Vec<(Id<Finding>, i64)> = onsets(|s| matches!(s, Signal::Metric { .. })).collect();
    let mut times: Vec<i64> = metrics.iter().map(|(_, at)| *at).collect();
    times.sort_unstable();
    let mut pairs = Vec::new();
    for (log, at) in onsets(|s| matches!(s, Signal::Log { change, .. } if *change != LogChange::Repeated)) {
        for (metric, then) in &metrics {
            let lag_ms = at.saturating_sub(*then);
            if (-NEAR..=NEAR).contains(&lag_ms) {
                let by_chance = covered(&times, lag_ms.abs().max(AT_ONCE), observed);
                pairs.push(Together { log, metric: *metric, lag_ms, by_chance });
            }
        }
    }
    pairs.sort_by_key(|p| (p.lag_ms.abs(), p.log, p.metric));
    pairs
}

/// The share of the window that lies within `distance` of one of the times, which are in order.
fn covered(times: &[i64], distance: i64, window: &Range<Timestamp>) -> f64 {
    let length = window.end.0.saturating_sub(window.start.0);
    let mut until = window.start.0;
    let mut sum = 0_i64;
    for at in times {
        let (from, to) = (at.saturating_sub(distance).max(until), at.saturating_add(distance).min(window.end.0));
        sum = sum.saturating_add(to.saturating_sub(from).max(0));
        until = until.max(to);
    }
    if length > 0 { (sum as f64 / length as f64).clamp(0.0, 1.0) } else { 1.0 }
}

#[cfg(test)]
#[path = "tests/together.rs"]
mod tests;
