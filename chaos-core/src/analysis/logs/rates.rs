//! How often a pattern came in a stretch of time, and whether two rates differ by more than chance. Rates are compared
//! as Poisson rates (conditional on their sum, see Przyborowski and Wilenski, "Homogeneity of results in testing
//! samples from Poisson series", 1940), widened where a pattern comes in clusters anyway.

use std::ops::Range;

use crate::model::{LogPattern, Timestamp};

/// Intervals are looked at in blocks of at most so many.
pub(super) const LONGEST: i64 = 16;
/// Fewer blocks tell nothing of how counts vary.
const FEWEST: i64 = 4;

/// Length of a stretch of time.
pub(super) fn seconds(span: &Range<Timestamp>) -> f64 {
    span.end.since(span.start).as_secs_f64()
}

/// How many records fell into `span`; an interval that lies in it by half counts by half.
pub(super) fn share(pattern: &LogPattern, span: &Range<Timestamp>) -> f64 {
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
pub(super) fn log_chance(n1: f64, t1: f64, n2: f64, t2: f64) -> f64 {
    let (n, p) = (n1 + n2, t2 / (t1 + t2));
    let q = n2 / n;
    if q <= p || n <= 0.0 {
        return 0.0;
    }
    let rest = if q < 1.0 { (1.0 - q) * ((1.0 - q) / (1.0 - p)).ln() } else { 0.0 };
    -n * (q * (q / p).ln() + rest)
}

/// Variance over mean of the counts before, at least 1: how much a pattern comes in clusters. Clusters that are longer
/// than an interval show in longer ones only, so blocks of 1, 2, 4 … up to `longest` intervals are looked at; what few
/// blocks vary by chance is taken off.
pub(super) fn dispersion(pattern: &LogPattern, before: &Range<Timestamp>, longest: i64) -> f64 {
    let width = i64::try_from(pattern.histogram.width_ms.max(1)).unwrap_or(i64::MAX);
    let intervals = before.end.0.saturating_sub(before.start.0).max(0) / width;
    let mut most = 1.0_f64;
    for block in (0..).map(|i| 1_i64 << i).take_while(|b| *b <= longest) {
        let n = intervals / block;
        let (sum, squares) = moments(pattern, before, width.saturating_mul(block));
        if n < FEWEST || sum < 4.0 {
            break;
        }
        let n = n as f64;
        let mean = sum / n;
        // The standard deviation of the ratio for a Poisson series.
        let by_chance = if block == 1 { 0.0 } else { (2.0 / (n - 1.0)).sqrt() };
        most = most.max((squares / n - mean * mean) / mean - by_chance);
    }
    most.min(50.0)
}

/// The sum of the counts of blocks of `length` milliseconds, and the sum of their squares.
fn moments(pattern: &LogPattern, span: &Range<Timestamp>, length: i64) -> (f64, f64) {
    let (mut sum, mut squares) = (0.0, 0.0);
    let (mut block, mut count) = (0, 0.0);
    for (at, n) in pattern.histogram.intervals().filter(|(t, _)| span.contains(t)) {
        let index = at.0.saturating_sub(span.start.0) / length.max(1);
        if index != block {
            squares += count * count;
            (block, count) = (index, 0.0);
        }
        count += f64::from(n);
        sum += f64::from(n);
    }
    (sum, squares + count * count)
}

/// The most records that came within `window` milliseconds, in intervals that begin within `span`.
pub(super) fn peak(pattern: &LogPattern, span: &Range<Timestamp>, window: f64) -> f64 {
    let width = pattern.histogram.width_ms.max(1) as f64;
    let n = (window / width).floor().max(1.0) as usize;
    let counts: Vec<f64> =
        pattern.histogram.intervals().filter(|(t, _)| span.contains(t)).map(|(_, n)| f64::from(n)).collect();
    let mut most = 0.0_f64;
    let mut sum = 0.0;
    for (i, count) in counts.iter().enumerate() {
        sum += count - if i >= n { counts[i - n] } else { 0.0 };
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
#[path = "tests/rates.rs"]
mod tests;
