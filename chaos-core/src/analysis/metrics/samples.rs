//! How unusual each sample of a series is, compared with the whole of it, before and after: by its value, and by the
//! course around it. The course is judged by the distance to the one most like it elsewhere in the series (a matrix
//! profile without normalisation: Yeh et al., "Matrix Profile I", ICDM 2016; Keogh, Lin and Fu, "HOT SAX: finding the
//! most unusual time series subsequence", ICDM 2005). What is unusual is told by the other strongest places of the
//! same series, so that no unit, no period and no threshold has to be known.
//!
//! # Behavior
//! - Of an episode only the strongest sample has a score, so that it is one alert: places are a twenty-fifth of the
//!   series apart at least. All others have 0.
//! - Timestamps may come in any order and several times; samples without one, NaN, infinities and values beyond
//!   ±1e150 are missing and have 0.
//! - A constant series, and one of fewer than 30 samples, has no unusual sample.
//! - Of more than 20,000 samples, the courses are those of means; the cost is quadratic up to there, and linear
//!   beyond.

use super::{LARGEST, robust};

/// Scores from here on are alerts.
pub const ALERT: f64 = 0.5;
/// Samples that tell what is usual.
const FEWEST: usize = 30;
/// Points of which courses are compared.
const MOST: usize = 20_000;
/// Length of a course, and distance of alerts, as parts of the series; and what they are at least.
const COURSE: usize = 250;
const APART: usize = 25;
const SHORTEST: usize = 4;
/// How many spreads a value or a course must stand out from the other strongest ones.
const VALUE: f64 = 4.0;
const SHAPE: f64 = 1.0;
/// The spread is at least this part of the typical one: those of noise are all alike.
const ALIKE: f64 = 0.5;
/// Values further from the middle, in spreads, make no difference to a course.
const FAR: f64 = 50.0;

/// For each row a score from 0 to 1; from [`ALERT`] on a person would want to know. `at` has each row's milliseconds
/// since the epoch, where they are known.
#[must_use]
pub fn sample_scores(at: &[Option<i64>], values: &[f64]) -> Vec<f64> {
    let mut scores = vec![0.0; values.len()];
    let rows = at.iter().zip(values).enumerate();
    let mut known: Vec<(i64, usize)> =
        rows.filter(|(_, (_, v))| v.abs() <= LARGEST).filter_map(|(row, (at, _))| Some(((*at)?, row))).collect();
    known.sort_unstable();
    let ordered: Vec<f64> = known.iter().map(|(_, row)| values[*row]).collect();
    let Some(scaled) = scaled(&ordered) else { return scores };
    let apart = (scaled.len() / APART).max(SHORTEST + 1);
    let by_value: Vec<f64> = scaled.iter().map(|x| x.abs()).collect();
    let mut places = judged(&by_value, apart, VALUE);
    places.extend(judged(&by_course(&scaled), apart, SHAPE));
    places.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut taken: Vec<usize> = Vec::new();
    for (place, times) in places {
        if times > 0.0 && taken.iter().all(|t| t.abs_diff(place) >= apart) {
            taken.push(place);
            scores[known[place].1] = if times.is_finite() { times / (1.0 + times) } else { 1.0 };
        }
    }
    scores
}

/// The values in spreads from their middle; `None` where there are too few, or all are the same.
fn scaled(values: &[f64]) -> Option<Vec<f64>> {
    if values.len() < FEWEST {
        return None;
    }
    let mut sorted = values.to_vec();
    let middle = robust::median(&mut sorted)?;
    let mut spread = robust::quantile(&mut sorted, 0.95)? - robust::quantile(&mut sorted, 0.05)?;
    if spread <= 0.0 {
        // Mostly one value: what counts is how far the others are away from it.
        let mut away: Vec<f64> = values.iter().map(|v| (v - middle).abs()).filter(|d| *d > 0.0).collect();
        spread = robust::median(&mut away)?;
    }
    let usable = spread > 0.0 && spread.is_finite();
    usable.then(|| values.iter().map(|v| (v - middle) / spread).collect())
}

/// For each sample how far the course around it is from the one most like it.
fn by_course(scaled: &[f64]) -> Vec<f64> {
    let block = scaled.len().div_ceil(MOST);
    let mean = |b: &[f64]| b.iter().map(|x| x.clamp(-FAR, FAR)).sum::<f64>() / b.len() as f64;
    let points: Vec<f64> = scaled.chunks(block).map(mean).collect();
    let length = (points.len() / COURSE).max(SHORTEST);
    let distances = nearest(&points, length);
    let last = distances.len().saturating_sub(1);
    let around = |i: usize| distances.get((i / block).saturating_sub(length / 2).min(last)).copied().unwrap_or(0.0);
    (0..scaled.len()).map(around).collect()
}

/// For each course of `length` points its distance to the nearest one that does not overlap it.
fn nearest(points: &[f64], length: usize) -> Vec<f64> {
    let courses = (points.len() + 1).saturating_sub(length);
    let mut best = vec![f64::INFINITY; courses];
    for lag in length..courses {
        let square = |i: usize| (points[i] - points[i + lag]).powi(2);
        let mut sum: f64 = (0..length).map(square).sum();
        for i in 0..courses - lag {
            if i > 0 {
                sum += square(i + length - 1) - square(i - 1);
            }
            best[i] = best[i].min(sum);
            best[i + lag] = best[i + lag].min(sum);
        }
    }
    best.into_iter().map(|s| if s.is_finite() { s.max(0.0).sqrt() } else { 0.0 }).collect()
}

/// The strongest places, `apart` from each other, and how many `spreads` each stands out from the others.
fn judged(strengths: &[f64], apart: usize, spreads: f64) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..strengths.len()).collect();
    order.sort_unstable_by(|a, b| strengths[*b].total_cmp(&strengths[*a]).then(a.cmp(b)));
    let mut near = vec![false; strengths.len()];
    let mut places = Vec::new();
    for place in order {
        if !near[place] {
            places.push(place);
            near[place.saturating_sub(apart)..(place + apart + 1).min(strengths.len())].fill(true);
        }
    }
    let mut all: Vec<f64> = places.iter().map(|p| strengths[*p]).collect();
    let typical = robust::median(&mut all).unwrap_or(0.0);
    let spread = robust::deviation(&mut all, typical).max(ALIKE * typical).max(1e-9);
    places.into_iter().map(|p| (p, (strengths[p] - typical) / spread / spreads)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alerts(values: &[f64]) -> Vec<usize> {
        let at: Vec<_> = (0..values.len() as i64).map(|i| Some(i * 1000)).collect();
        let scores = sample_scores(&at, values);
        (0..scores.len()).filter(|i| scores[*i] >= ALERT).collect()
    }

    fn noise(i: usize) -> f64 {
        // SplitMix64: nothing in it comes again.
        let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 40) as f64 / (1u64 << 24) as f64
    }

    fn day(i: usize) -> f64 {
        (i as f64 / 96.0 * std::f64::consts::TAU).sin() * 10.0 + noise(i)
    }

    #[test]
    fn a_value_out_of_the_ordinary_is_one_alert() {
        let mut values: Vec<f64> = (0..1000).map(day).collect();
        values[500..503].fill(90.0);
        let found = alerts(&values);
        assert!(found.len() <= 2 && found.iter().any(|f| (498..505).contains(f)), "{found:?}");
    }

    #[test]
    fn a_usual_value_at_an_unusual_time_is_one_too() {
        let mut values: Vec<f64> = (0..2000).map(day).collect();
        values[1000..1030].fill(5.0);
        let found = alerts(&values);
        assert!(!found.is_empty() && found.iter().all(|f| (960..1070).contains(f)), "{found:?}");
    }

    #[test]
    fn what_goes_on_as_ever_has_none() {
        assert_eq!(alerts(&(0..2000).map(noise).collect::<Vec<_>>()), [0; 0]);
        assert_eq!(alerts(&(0..2000).map(|i| f64::from(i % 20)).collect::<Vec<_>>()), [0; 0]);
        assert_eq!(alerts(&[7.0; 500]), [0; 0]);
        assert_eq!(alerts(&[7.0]), [0; 0]);
        assert_eq!(alerts(&[]), [0; 0]);
    }

    #[test]
    fn rows_that_are_no_samples_score_nothing_and_order_makes_no_difference() {
        let mut values: Vec<f64> = (0..400).map(day).collect();
        values[200] = 1e18;
        let at: Vec<Option<i64>> = (0..400).map(Some).collect();
        let want = sample_scores(&at, &values);
        assert!(want[200] >= ALERT);
        let (mut turned_at, mut turned): (Vec<_>, Vec<_>) = (at.clone(), values.clone());
        turned_at.reverse();
        turned.reverse();
        let mut got = sample_scores(&turned_at, &turned);
        got.reverse();
        assert_eq!(got, want);
        let (mut gaps_at, mut gaps) = (at, values);
        gaps_at.extend([None, Some(5), Some(6)]);
        gaps.extend([9e9, f64::NAN, f64::INFINITY]);
        let got = sample_scores(&gaps_at, &gaps);
        assert_eq!((&got[..400], &got[400..]), (&want[..], &[0.0; 3][..]));
    }

    #[test]
    fn a_long_series_is_judged_by_means() {
        let mut values: Vec<f64> = (0..50_000).map(day).collect();
        values[30_000..30_400].fill(5.0);
        let found = alerts(&values);
        assert!(found.iter().any(|f| (29_500..30_900).contains(f)), "{found:?}");
    }

    proptest! {
        #[test]
        fn scores_are_parts_of_one(values in prop::collection::vec(prop_oneof![any::<f64>(), -5.0..5.0], 0..200)) {
            let at: Vec<Option<i64>> = (0..values.len() as i64).map(|i| (i % 17 != 0).then_some(i * i % 101)).collect();
            let scores = sample_scores(&at, &values);
            prop_assert_eq!(scores.len(), values.len());
            prop_assert!(scores.iter().all(|s| (0.0..=1.0).contains(s)));
        }
    }
}
