//! A steady growth or decline up to the end of the window: Mann–Kendall says whether, Theil–Sen how fast.

use std::time::Duration;

use super::{Anomaly, Point, Sight, robust, rows, score};
use crate::model::{Change, Timestamp};

/// Points that are looked at; more are thinned out by medians of blocks, which costs no precision that matters.
const MOST: usize = 60;
/// Kendall's tau from which the order is one of growth.
const ORDERLY: f64 = 0.7;
/// Samples that tell a trend.
const ENOUGH: usize = 5;
/// What can run out is asked rarely: of a slow host so many tell it too, where they grew by as much as is notable.
const FEW: usize = 3;
/// A limit that is reached within this many seconds is notable by itself.
const SOON: f64 = 1800.0;

struct Line {
    slope: f64,
    /// Signed growth from the first to the last point.
    growth: f64,
}

/// The trend, if there is one: over the whole window, or from a later point on.
pub(super) fn find(sight: &Sight<'_>) -> Option<Anomaly> {
    if sight.profile.event {
        return None;
    }
    let n = sight.now.len();
    [0, n / 6, n / 3, n / 2].into_iter().find_map(|from| {
        let points = &sight.now[from..];
        let line = line(points)?;
        let few = points.len() < ENOUGH;
        if few && !(sight.profile.exhaustible && line.growth > 0.0) {
            return None;
        }
        let least = if few { sight.profile.notable } else { sight.profile.floor }.max(4.0 * sight.scale);
        (line.growth.abs() > least && moved(sight, points, line.growth)).then(|| anomaly(sight, points, &line))
    })
}

/// Whether the end lies beyond what is usual: coming back to it from elsewhere is not what is wrong.
fn moved(sight: &Sight<'_>, points: &[Point], growth: f64) -> bool {
    sight.usual.is_empty()
        || points.last().is_some_and(|p| {
            let away = (p.value - sight.center) * growth.signum();
            away > sight.profile.floor.max(0.5 * growth.abs())
        })
}

fn anomaly(sight: &Sight<'_>, points: &[Point], line: &Line) -> Anomaly {
    let last = points[points.len() - 1].value;
    let (change, weight) =
        if line.growth > 0.0 { (Change::TrendUp, 1.0) } else { (Change::TrendDown, sight.profile.fall) };
    let left = (sight.profile.exhaustible && line.slope > 0.0).then(|| ((1.0 - last) / line.slope).max(0.0));
    let mut far = score(line.growth.abs(), sight.profile.notable);
    if let Some(seconds) = left {
        far = far.max(score(SOON, seconds));
    }
    Anomaly {
        change,
        before: sight.before(),
        after: last,
        onset: points.first().map(|p| Timestamp::from_millis(p.at)),
        rows: rows(points),
        score: far * weight * if as_before(sight, line.slope) { 0.5 } else { 1.0 },
        slope: Some(line.slope),
        exhausted_after: left.filter(|s| *s < 1e9).map(Duration::from_secs_f64),
    }
}

/// What grew as fast before is the host's own way, for all that can be told.
pub(super) fn as_before(sight: &Sight<'_>, slope: f64) -> bool {
    let usual = (sight.usual.len() >= ENOUGH).then(|| line(sight.usual)).flatten();
    usual.is_some_and(|u| u.slope * slope > 0.0 && u.slope.abs() > 0.5 * slope.abs())
}

/// The line through the points, where they do follow one.
fn line(points: &[Point]) -> Option<Line> {
    let samples = thinned(points);
    if samples.len() < FEW {
        return None;
    }
    let mut values: Vec<f64> = samples.iter().map(|(_, v)| *v).collect();
    let tau = robust::tau(&values);
    // Few samples are in order by chance: up to seven must be so without exception.
    if tau.abs() < if samples.len() < 8 { 0.95 } else { ORDERLY } {
        return None;
    }
    let slope = robust::slope(&samples)?;
    let mut around: Vec<f64> = samples.iter().map(|(t, v)| v - slope * t).collect();
    let offset = robust::median(&mut around)?;
    let center = robust::median(&mut values)?;
    let mut residual: Vec<f64> = samples.iter().map(|(t, v)| (v - offset - slope * t).abs()).collect();
    let mut spread: Vec<f64> = values.iter().map(|v| (v - center).abs()).collect();
    // A step is in order too, and a line explains only half of it.
    let (residual, spread) = (robust::median(&mut residual)?, robust::median(&mut spread)?);
    let (first, last) = (samples[0].0, samples[samples.len() - 1].0);
    (residual <= 0.3 * spread && slope != 0.0).then_some(Line { slope, growth: slope * (last - first) })
}

/// Seconds from the first point, and value; at most [`MOST`].
fn thinned(points: &[Point]) -> Vec<(f64, f64)> {
    let Some(origin) = points.first() else { return Vec::new() };
    points
        .chunks(points.len().div_ceil(MOST))
        .map(|block| {
            let mut values: Vec<f64> = block.iter().map(|p| p.value).collect();
            let middle = block[block.len() / 2].seconds_since(origin);
            (middle, robust::median(&mut values).unwrap_or(origin.value))
        })
        .collect()
}
