//! Where the level of a series changed for good, over the whole of it: binary segmentation (Scott and Knott, 1974)
//! by medians, since `detect` tells only the one change that an incident is about.

use super::{Point, level, points, robust, season::Season};
use crate::model::{Series, Timestamp};

/// Changes that are told of one series.
const MOST: usize = 20;
/// Samples of a stretch at least, and its part of the series.
const FEWEST: usize = 8;
const PART: usize = 50;
/// How many times the spread around both levels the difference is at least, and the normal deviate of the rank-sum
/// test. A part of the series is split only where two levels explain most of its variance.
const APART: f64 = 3.0;
const SURE: f64 = 5.0;

/// A change of level.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChangePoint {
    /// Time of the first sample at the new level.
    pub at: Timestamp,
    /// Median from the change before to here.
    pub before: f64,
    /// Median from here to the next change.
    pub after: f64,
}

/// The changes of level, in order of time; where the series has a season, of what is left when that is taken off, around
/// the median of the whole. Samples may come in any order; NaN and infinities are missing samples; of
/// a constant series, or one of few samples, there are none.
#[must_use]
pub fn change_points(series: &Series) -> Vec<ChangePoint> {
    let points = off_season(points(series));
    let side = FEWEST.max(points.len() / PART);
    let mut cuts = vec![0, points.len()];
    while cuts.len() < MOST + 2 {
        let parts = cuts.windows(2).filter_map(|w| split(&points, w[0], w[1], side));
        let next: Vec<usize> = parts.take(MOST + 2 - cuts.len()).collect();
        if next.is_empty() {
            break;
        }
        cuts.extend(next);
        cuts.sort_unstable();
    }
    let median = |part: &[Point]| robust::median(&mut values(part)).unwrap_or(0.0);
    let of = |w: &[usize]| ChangePoint {
        at: Timestamp::from_millis(points[w[1]].at),
        before: median(&points[w[0]..w[1]]),
        after: median(&points[w[1]..w[2]]),
    };
    cuts.windows(3).map(of).collect()
}

fn off_season(points: Vec<Point>) -> Vec<Point> {
    let Some(season) = Season::of(&points) else { return points };
    let center = robust::median(&mut values(&points)).unwrap_or(0.0);
    season.without(&points, center)
}

fn values(points: &[Point]) -> Vec<f64> {
    points.iter().map(|p| p.value).collect()
}

fn split(points: &[Point], from: usize, to: usize, side: usize) -> Option<usize> {
    let part = &points[from..to];
    let cut = level::best_split(part).filter(|c| (side..=part.len().saturating_sub(side)).contains(c))?;
    let (mut before, mut after) = (values(&part[..cut]), values(&part[cut..]));
    let (a, b) = (robust::median(&mut before)?, robust::median(&mut after)?);
    let spread = robust::deviation(&mut before, a).max(robust::deviation(&mut after, b));
    let sure = robust::rank_sum(&before, &after).abs() >= SURE.min(0.8 * (3.0 * side as f64).sqrt());
    (sure && (b - a).abs() > APART * spread).then_some(from + cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl IntoIterator<Item = f64>) -> Series {
        let values: Vec<f64> = values.into_iter().collect();
        Series { at: (0..values.len() as i64).map(|i| i * 1000).collect(), values, ..Series::default() }
    }

    fn wave(i: u32) -> f64 {
        f64::from(i * 7919 % 13) / 13.0
    }

    #[test]
    fn each_new_level_is_told_with_its_time() {
        let step = |i: u32| f64::from(10 * u32::from(i >= 100) + 5 * u32::from(i >= 200));
        let got = change_points(&series((0..300).map(|i| step(i) + wave(i))));
        assert_eq!(got.iter().map(|c| c.at.0).collect::<Vec<_>>(), [100_000, 200_000]);
        assert!((got[0].after - got[1].before).abs() < 1e-9 && got[1].after > got[1].before);
    }

    #[test]
    fn days_and_nights_are_no_changes_and_a_higher_week_is_one() {
        let day = |i: u32| f64::from(50 * u32::from(i % 24 >= 8 && i % 24 < 18)) + wave(i);
        assert_eq!(change_points(&series((0..24 * 14).map(day))), []);
        let higher = |i: u32| day(i) + 30.0 * f64::from(u32::from(i >= 24 * 9));
        let got = change_points(&series((0..24 * 14).map(higher)));
        assert_eq!(got.iter().map(|c| c.at.0 / 1000).collect::<Vec<_>>(), [24 * 9], "{got:?}");
    }

    #[test]
    fn what_stays_as_it_is_has_no_change() {
        for s in [
            series([]),
            series([1.0]),
            series([5.0; 500]),
            series((0..500).map(wave)),
            series((0..500).map(f64::from)),
            series([f64::NAN, f64::INFINITY, 1e18, -1e18, 1e300].into_iter().cycle().take(90)),
        ] {
            assert_eq!(change_points(&s), [], "{:?}", &s.values[..s.values.len().min(6)]);
        }
    }
}
