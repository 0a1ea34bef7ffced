//! A new level that lasts. The usual level is the baseline's median; a new one is a lasting stretch beyond five
//! standard deviations, or a smaller shift of many samples that the rank-sum test is sure of.

use super::{APART_MS, Anomaly, Point, Sight, robust, rows, run, score};
use crate::model::{Change, Timestamp};

/// Standard deviations beyond which a sample is unusual.
const UNUSUAL: f64 = 5.0;
/// How often a usual sample may be called unusual, where there is enough history to tell.
const RISK: f64 = 1e-4;
/// How much farther than many the last of two samples must lie.
const FAR: f64 = 2.0;
/// Points on each side of a split at least.
pub(super) const SIDE: usize = 5;
/// Normal deviate from which a shift within the noise is believed.
const SURE: f64 = 5.0;

/// The lasting change of level, if there is one.
pub(super) fn find(sight: &Sight<'_>) -> Option<Anomaly> {
    if sight.usual.is_empty() || sight.profile.event {
        return None;
    }
    let (run, sign) = stretch(sight);
    if run::lasts(run, sight) && stands_apart(sight, run, sign) {
        return anomaly(sight, run, sign);
    }
    within_noise(sight)
}

/// The same of two samples, as many as there are of what is asked rarely of a slow host: both are beyond what is usual,
/// the last one far.
pub(super) fn of_two(sight: &Sight<'_>) -> Option<Anomaly> {
    let [first, second] = sight.now else { return None };
    if sight.usual.is_empty() || second.at.saturating_sub(first.at) < APART_MS {
        return None;
    }
    let sign = (second.value - sight.center).signum();
    let margin = sight.profile.notable.max(FAR * UNUSUAL * sight.scale);
    let away = |p: &Point| sign * (p.value - sight.center);
    (away(first) > margin && away(second) > FAR * margin).then(|| anomaly(sight, sight.now, sign)).flatten()
}

/// The longest stretch beyond what is usual, and 1 if it lies above, -1 if below.
pub(super) fn stretch<'a>(sight: &Sight<'a>) -> (&'a [Point], f64) {
    let stretch = |sign: f64| {
        let margin = sight.profile.floor.max(sight.margin(sign, UNUSUAL, RISK));
        run::longest(sight.now, |p| sign * (p.value - sight.center) > margin)
    };
    let (up, down) = (stretch(1.0), stretch(-1.0));
    if up.len() >= down.len() { (up, 1.0) } else { (down, -1.0) }
}

/// Whether the bulk after lies beyond the bulk before.
fn stands_apart(sight: &Sight<'_>, run: &[Point], sign: f64) -> bool {
    let signed = |points: &[Point]| points.iter().map(|p| sign * p.value).collect::<Vec<_>>();
    let low = robust::quantile(&mut signed(run), 0.25);
    let high = robust::quantile(&mut signed(sight.usual), 0.9);
    low > high
}

fn anomaly(sight: &Sight<'_>, run: &[Point], sign: f64) -> Option<Anomaly> {
    let mut values: Vec<f64> = run.iter().map(|p| p.value).collect();
    let after = robust::median(&mut values)?;
    let difference = sign * (after - sight.center);
    if difference <= sight.profile.floor {
        return None;
    }
    let (change, weight) = if sign > 0.0 { (Change::LevelUp, 1.0) } else { (Change::LevelDown, sight.profile.fall) };
    Some(Anomaly {
        change,
        before: sight.before(),
        after,
        onset: run.first().map(|p| Timestamp::from_millis(p.at)),
        rows: rows(run),
        score: weight * score(difference, sight.profile.notable),
        slope: None,
        exhausted_after: None,
    })
}

/// A shift by less than the noise of single samples, seen in many of them.
fn within_noise(sight: &Sight<'_>) -> Option<Anomaly> {
    if sight.usual.len() < 15 || sight.now.len() < 15 {
        return None;
    }
    let from = best_split(sight.now).unwrap_or(0);
    let run = &sight.now[from..];
    let values = |points: &[Point]| points.iter().map(|p| p.value).collect::<Vec<_>>();
    let (before, mut after) = (values(sight.usual), values(run));
    let sure = robust::rank_sum(&before, &after);
    let difference = robust::median(&mut after)? - sight.center;
    if sure.abs() < SURE || difference.abs() < sight.profile.notable.max(2.5 * sight.scale) || run.len() < 10 {
        return None;
    }
    anomaly(sight, run, difference.signum())
}

/// Where two constant levels explain the points best (least squares), when they explain at least six tenths of the
/// variance and each side has a tenth of the points and five at least. The maximum of the CUSUM statistic.
pub(super) fn best_split(points: &[Point]) -> Option<usize> {
    best_cut(points, 0.6)
}

/// The same, when the levels explain at least this part of the variance.
pub(super) fn best_cut(points: &[Point], explained: f64) -> Option<usize> {
    let n = points.len();
    let side = (n / 10).max(SIDE);
    if n < 2 * side {
        return None;
    }
    // Offsets from the first value keep the sums exact for large counters.
    let origin = points[0].value;
    let total: f64 = points.iter().map(|p| p.value - origin).sum();
    let mean = total / n as f64;
    let variance: f64 = points.iter().map(|p| (p.value - origin - mean).powi(2)).sum();
    let (mut left, mut best) = (0.0, (0.0, 0));
    for (i, point) in points.iter().enumerate().take(n - side) {
        left += point.value - origin;
        let k = i + 1;
        if k >= side {
            let (a, b) = (k as f64, (n - k) as f64);
            let gain = a * b / n as f64 * (left / a - (total - left) / b).powi(2);
            if gain > best.0 {
                best = (gain, k);
            }
        }
    }
    (variance > 0.0 && best.0 >= explained * variance).then_some(best.1)
}
