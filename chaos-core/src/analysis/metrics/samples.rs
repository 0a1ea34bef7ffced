//! How unusual each sample of a series is, compared with the whole of it, before and after: by its value, and by the
//! course around it at three lengths. What is unusual is told by the other strongest places of the same series, so
//! that no unit, no period and no threshold has to be known.
//!
//! The strongest samples of stretches are block maxima, whose logarithm follows a law with a place and a spread
//! (Fréchet's; Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, ch. 3). How far a sample is
//! beyond the typical one, in spreads, is comparable between value and course, so their mean says how unusual it is.
//!
//! # Behavior
//! - Of an episode only its beginning has a score, so that it is one alert, however long it lasts: another one begins
//!   where what is unusual has ebbed away before and rises again, a sixtieth of the series away at least. All others
//!   have 0.
//! - An episode begins a little before its strongest sample, by a 150th of the series: there the courses begin that
//!   show it.
//! - At most seven alerts are given of one series; further episodes score below.
//! - Timestamps may come in any order and several times; samples without one, NaN, infinities and values beyond
//!   ±1e150 are missing and have 0.
//! - A constant series, and one of fewer than 30 samples, has no unusual sample.
//! - The cost is that of sorting, and of comparing the courses of 5000 points, means where there are more samples.

use std::collections::VecDeque;

use super::{LARGEST, course::by_course, robust};

/// Scores from here on are alerts.
pub const ALERT: f64 = 0.5;
/// Alerts of one series.
const MOST_ALERTS: usize = 7;
/// Samples that tell what is usual.
const FEWEST: usize = 30;
/// As parts of the series: the lengths of the courses, the blocks whose maxima are compared, the distance of alerts, and
/// how far around an alert counts as the same.
const COURSES: [usize; 3] = [500, 250, 125];
const BLOCK: usize = 25;
const APART: usize = 60;
const AROUND: usize = 150;
/// The least distance of alerts, in samples.
const LEAST_APART: usize = 5;
/// How many spreads, in the mean of value and courses, are an alert.
const UNUSUAL: f64 = 0.3;
/// How far it must rise from the lowest on the way to anything stronger, in the same unit, to be an episode of its own.
const RISE: f64 = 0.25;
/// The spread of the logarithms of maxima is at least this: those of noise are all alike.
const ALIKE: f64 = 0.9;
/// What one look counts at most, in spreads: no single one decides how the places rank.
const CAP: f64 = 8.0;
/// Strengths beyond make no difference.
const FAR: f64 = 1e9;

/// Something unusual in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// Row at which it begins.
    pub from: usize,
    /// Row of its strongest sample.
    pub peak: usize,
    /// How unusual, 0 to 1; from [`ALERT`] on a person would want to know.
    pub score: f64,
}

/// For each row a score from 0 to 1; from [`ALERT`] on a person would want to know. `at` has each row's milliseconds
/// since the epoch, where they are known.
#[must_use]
pub fn sample_scores(at: &[Option<i64>], values: &[f64]) -> Vec<f64> {
    let mut scores = vec![0.0; values.len()];
    for episode in episodes(at, values) {
        scores[episode.from] = episode.score;
    }
    scores
}

/// The unusual places of a series, the most unusual first, with those that are no alert. No two begin at one row.
#[must_use]
pub fn episodes(at: &[Option<i64>], values: &[f64]) -> Vec<Episode> {
    let rows = at.iter().zip(values).enumerate();
    let mut known: Vec<(i64, usize)> =
        rows.filter(|(_, (_, v))| v.abs() <= LARGEST).filter_map(|(row, (at, _))| Some(((*at)?, row))).collect();
    known.sort_unstable();
    let ordered: Vec<f64> = known.iter().map(|(_, row)| values[*row]).collect();
    let Some(scaled) = scaled(&ordered) else { return Vec::new() };
    let part = |parts: usize| (scaled.len() / parts).max(LEAST_APART);
    let around = scaled.len() / AROUND;
    let mut looks = vec![scaled.iter().map(|x| x.abs()).collect::<Vec<f64>>()];
    looks.extend(COURSES.map(|parts| by_course(&scaled, parts)));
    let (mut exact, mut wide) = (vec![0.0; scaled.len()], vec![0.0; scaled.len()]);
    for look in &mut looks {
        judge(look, part(BLOCK));
        let weight = 1.0 / (COURSES.len() + 1) as f64;
        exact.iter_mut().zip(&*look).for_each(|(sum, x)| *sum += weight * x);
        wide.iter_mut().zip(largest_around(look, around)).for_each(|(sum, x)| *sum += weight * x);
    }
    let found = places(&wide, part(APART)).into_iter().filter(|p| rise(&wide, *p) >= RISE).enumerate();
    let episode = |(n, place): (usize, usize)| {
        let end = (place + 2 * around + 1).min(exact.len());
        let peak = (place..end).max_by(|a, b| exact[*a].total_cmp(&exact[*b]).then(b.cmp(a))).unwrap_or(place);
        let times = wide[place] / UNUSUAL;
        // A value beyond all others can be endlessly far.
        let score = if times.is_finite() { times / (1.0 + times) } else { 1.0 };
        let score = if n < MOST_ALERTS { score } else { score.min(0.98 * ALERT) };
        Episode { from: known[place].1, peak: known[peak].1, score }
    };
    found.map(episode).collect()
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
    usable.then(|| values.iter().map(|v| ((v - middle) / spread).clamp(-FAR, FAR)).collect())
}

/// Turns strengths into how many spreads each is beyond the typical strongest one of its surroundings.
fn judge(strengths: &mut [f64], apart: usize) {
    let mut maxima: Vec<f64> = places(strengths, apart).into_iter().map(|p| strengths[p]).collect();
    let typical = robust::median(&mut maxima).unwrap_or(0.0).max(1e-6);
    let beyond = |strength: f64| (strength / typical).max(1e-3).ln();
    let mut logarithms: Vec<f64> = maxima.iter().map(|m| beyond(*m)).collect();
    let spread = robust::deviation(&mut logarithms, 0.0).max(ALIKE);
    for strength in strengths {
        *strength = (beyond(*strength) / spread).clamp(0.0, CAP);
    }
}

/// The strongest places, `apart` from each other, strongest first; of equals the first.
fn places(strengths: &[f64], apart: usize) -> Vec<usize> {
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
    places
}

/// How far the strength at a place rises from the lowest on the way to anything stronger, the easier of both ways; of
/// the strongest all of it.
fn rise(strengths: &[f64], place: usize) -> f64 {
    let top = strengths[place];
    let before = lowest_below(top, strengths[..place].iter().rev());
    let after = lowest_below(top, strengths[place..].iter());
    top - before.into_iter().chain(after).fold(0.0, f64::max)
}

/// The lowest strength before the first that is above `top`, if there is such a one.
fn lowest_below<'a>(top: f64, way: impl Iterator<Item = &'a f64>) -> Option<f64> {
    let mut low = top;
    for strength in way {
        if *strength > top {
            return Some(low);
        }
        low = low.min(*strength);
    }
    None
}

/// For each place the largest value at most `reach` away.
fn largest_around(values: &[f64], reach: usize) -> Vec<f64> {
    // Places whose values fall: the first is the largest.
    let mut window: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    let largest = |i: usize| {
        while next < values.len() && next <= i + reach {
            while window.back().is_some_and(|b| values[*b] <= values[next]) {
                window.pop_back();
            }
            window.push_back(next);
            next += 1;
        }
        while window.front().is_some_and(|f| f + reach < i) {
            window.pop_front();
        }
        window.front().map_or(0.0, |f| values[*f])
    };
    (0..values.len()).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The strongest samples of the alerts, in order of time.
    fn alerts(values: &[f64]) -> Vec<usize> {
        let at: Vec<_> = (0..values.len() as i64).map(|i| Some(i * 1000)).collect();
        let all = episodes(&at, values).into_iter().filter(|e| e.score >= ALERT);
        let mut peaks: Vec<usize> = all.map(|e| e.peak).collect();
        peaks.sort_unstable();
        peaks
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
        assert!(matches!(found[..], [peak] if (498..505).contains(&peak)), "{found:?}");
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
        assert!(want[198] >= ALERT, "an episode begins before its peak");
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
    fn what_stays_unusual_is_told_at_its_ends_and_what_comes_again_is_another() {
        let state = |i: usize| if (1200..1900).contains(&i) { 60.0 } else { 0.0 };
        let found = alerts(&(0..3000).map(|i| day(i) + state(i)).collect::<Vec<_>>());
        let near = |at: usize| found[0].abs_diff(at).min(found[found.len() - 1].abs_diff(at)) < 20;
        assert!(found.len() <= 2 && near(1200), "{found:?}");
        let twice = |i: usize| if (1200..1210).contains(&i) || (1800..1810).contains(&i) { 90.0 } else { 0.0 };
        let found = alerts(&(0..3000).map(|i| day(i) + twice(i)).collect::<Vec<_>>());
        assert!(found.len() == 2 && found[1] - found[0] > 550, "{found:?}");
    }

    #[test]
    fn a_series_with_much_in_it_has_few_alerts_and_each_is_one_row() {
        let mut values: Vec<f64> = (0..5000).map(day).collect();
        for at in (300..4900).step_by(600) {
            values[at..at + 5].fill(60.0 + at as f64 / 50.0);
        }
        let at: Vec<_> = (0..5000).map(Some).collect();
        let scores = sample_scores(&at, &values);
        let alerts = scores.iter().filter(|s| **s >= ALERT).count();
        assert!((1..=MOST_ALERTS).contains(&alerts), "{alerts}");
        let all = episodes(&at, &values);
        assert!(all.iter().all(|e| e.from <= e.peak && e.peak - e.from <= 2 * 5000 / AROUND), "{all:?}");
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
