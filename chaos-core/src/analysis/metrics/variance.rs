//! The level is as before, but it swings more, or less, from sample to sample. Differences of neighbours are compared,
//! so that a slow drift is no change; by ranks, as Levene's test is made robust (Brown and Forsythe, 1974).

use super::{Anomaly, Point, Sight, level, robust, rows, score};
use crate::model::{Change, Timestamp};

/// Samples that tell how it swings, before and after.
const BEFORE: usize = 60;
const AFTER: usize = 30;
/// How many times larger or smaller the typical difference must be, the normal deviate of the rank-sum test, and how
/// many times wider or narrower the range.
const TIMES: f64 = 3.0;
const SURE: f64 = 6.0;
const WIDER: f64 = 2.0;
/// An unsteady series is a symptom rather than what is wrong.
const WEIGHT: f64 = 0.6;

/// The change of variance up to the end of the window, if there is one. `before` and `after` of the anomaly are how
/// wide the middle nine tenths of the samples lie.
pub(super) fn find(sight: &Sight<'_>) -> Option<Anomaly> {
    if sight.usual.len() < BEFORE || sight.now.len() < AFTER || sight.profile.event {
        return None;
    }
    let from = split(sight.now).filter(|from| sight.now.len() - from >= AFTER).unwrap_or(0);
    let run = &sight.now[from..];
    let (before, after) = (differences(sight.usual), differences(run));
    let (small, large) = (robust::median(&mut before.clone())?, robust::median(&mut after.clone())?);
    let sure = robust::rank_sum(&before, &after);
    let (was, is) = (width(sight.usual)?, width(run)?);
    let up = large > TIMES * small && sure >= SURE && is > WIDER * was;
    let down = small > TIMES * large && sure <= -SURE && was > WIDER * is;
    let apart = (is - was).abs();
    (up || down).then_some(apart).filter(|apart| *apart > sight.profile.floor).map(|apart| Anomaly {
        change: if up { Change::VarianceUp } else { Change::VarianceDown },
        before: Some(was),
        after: is,
        onset: run.first().map(|p| Timestamp::from_millis(p.at)),
        rows: rows(run),
        score: WEIGHT * score(apart, sight.profile.notable) * if up { 1.0 } else { sight.profile.fall },
        slope: None,
        exhausted_after: None,
    })
}

/// Without a baseline: where in the window the size of the differences changed.
pub(super) fn split(points: &[Point]) -> Option<usize> {
    let mut sizes = differences(points);
    // A few jumps are not what is looked for.
    let most = robust::quantile(&mut sizes.clone(), 0.95)?;
    sizes.iter_mut().for_each(|s| *s = s.min(most));
    let size = |(p, s): (&Point, f64)| Point { value: s, ..*p };
    let swings: Vec<Point> = points.iter().skip(1).zip(sizes).map(size).collect();
    level::best_cut(&swings, EXPLAINED).map(|cut| cut + 1)
}

/// The part of the variance of the differences' sizes that two levels must explain.
const EXPLAINED: f64 = 0.2;

fn differences(points: &[Point]) -> Vec<f64> {
    points.windows(2).map(|w| (w[1].value - w[0].value).abs()).collect()
}

fn width(points: &[Point]) -> Option<f64> {
    let mut values: Vec<f64> = points.iter().map(|p| p.value).collect();
    Some(robust::quantile(&mut values, 0.95)? - robust::quantile(&mut values, 0.05)?)
}
