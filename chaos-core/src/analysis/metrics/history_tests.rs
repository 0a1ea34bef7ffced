//! Simulated series with much history: weeks with their seasons, long baselines, and what moves in another way.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

const MINUTES: i64 = 300_000;
const DAY: i64 = 288;

/// Even in -1 to 1, without a pattern (SplitMix64).
fn noise(i: i64) -> f64 {
    let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z >> 40) as f64 / f64::from(1u32 << 23) - 1.0
}

/// Near enough to a normal distribution.
fn gauss(i: i64) -> f64 {
    (0..6).map(|k| noise(i * 6 + k)).sum::<f64>() / 2f64.sqrt()
}

fn series(step: i64, n: i64, value: impl Fn(i64) -> f64) -> Series {
    let (at, values) = (0..n).map(|i| (i * step, value(i))).unzip();
    Series { name: "requests".into(), unit: "{request}/s".into(), at, values, ..Series::default() }
}

/// Compared with all before row `split`.
fn since(split: i64, step: i64, one: &Series) -> Vec<Anomaly> {
    let span = |r: Range<i64>| Timestamp(r.start * step)..Timestamp(r.end * step);
    detect(one, Some(&span(0..split)), &span(split..one.at.len() as i64))
}

fn whole(one: &Series) -> Vec<Anomaly> {
    detect(one, None, &(Timestamp(0)..Timestamp(i64::MAX)))
}

fn changes(found: &[Anomaly]) -> Vec<Change> {
    found.iter().map(|a| a.change).collect()
}

/// An hour of backup each night at two.
fn backup(i: i64) -> f64 {
    if (24..36).contains(&(i % DAY)) { 80.0 } else { 5.0 }
}

#[test]
fn a_backup_each_night_is_usual_and_a_night_without_is_not() {
    let nightly = |i: i64| backup(i) + noise(i);
    let weeks = series(MINUTES, 21 * DAY, nightly);
    assert_eq!(since(20 * DAY, MINUTES, &weeks), []);
    assert_eq!(whole(&weeks), []);
    let gap = 20 * DAY..20 * DAY + 50;
    let failed = series(MINUTES, 21 * DAY, |i| if gap.contains(&i) { 5.0 + noise(i) } else { nightly(i) });
    for found in [since(20 * DAY, MINUTES, &failed), whole(&failed)] {
        assert!(matches!(changes(&found)[..], [Change::Dip | Change::LevelDown]), "{found:?}");
        // The first samples of the hour could be those of one that comes a little later.
        let first = found[0].onset.unwrap().0 / MINUTES - 20 * DAY;
        assert!((24..=26).contains(&first), "{first}");
        assert!((found[0].before.unwrap() - 80.0).abs() < 3.0 && (found[0].after - 5.0).abs() < 3.0, "{found:?}");
        assert!(found[0].score >= 0.3, "{found:?}");
    }
}

#[test]
fn the_morning_is_no_trend_where_mornings_are_known() {
    let day = |i: i64| 500.0 - 400.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).cos() + 10.0 * noise(i);
    let morning = 13 * DAY + 30;
    assert_eq!(since(morning, MINUTES, &series(MINUTES, morning + 80, day)), []);
    let twice = |i: i64| if i >= morning + 20 { 2.0 * day(i) } else { day(i) };
    let found = since(morning, MINUTES, &series(MINUTES, morning + 80, twice));
    assert!(found.iter().any(|a| a.score >= 0.3), "{found:?}");
}

#[test]
fn what_swings_more_or_less_is_a_change_of_variance() {
    for (width, change) in [(12.0, Change::VarianceUp), (0.1, Change::VarianceDown)] {
        let swings = |i: i64| 100.0 + if i < 300 { 1.5 } else { 1.5 * width } * gauss(i);
        let found = since(200, 1000, &series(1000, 400, swings));
        assert_eq!(changes(&found), if width > 1.0 { vec![change] } else { vec![] }, "narrow noise does not matter");
        let swings = |i: i64| 100.0 + if i < 300 { 40.0 } else { 40.0 * width.min(4.0) } * gauss(i);
        let one = series(1000, 400, swings);
        for found in [since(200, 1000, &one), whole(&one)] {
            assert_eq!(changes(&found), [change], "{found:?}");
            let onset = found[0].onset.unwrap().0;
            assert!((280_000..=320_000).contains(&onset), "{onset}");
        }
    }
}

#[test]
fn drifts_and_bursts_that_were_always_there_are_no_change_of_variance() {
    let mut wrong = Vec::new();
    for seed in 0..40 {
        let mut level = 0.0;
        let mut walk: Vec<f64> = Vec::new();
        for i in 0..400 {
            level = 0.98 * level + gauss(seed * 1000 + i);
            walk.push(100.0 + 5.0 * level);
        }
        let heavy: Vec<f64> = (0..400).map(|i| 20.0 * gauss(seed * 1000 + i).exp()).collect();
        for values in [walk, heavy] {
            let one = series(1000, 400, |i| values[i as usize]);
            let all = since(200, 1000, &one).into_iter().chain(whole(&one));
            wrong.extend(all.filter(|a| matches!(a.change, Change::VarianceUp | Change::VarianceDown)));
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_stuck_value_is_a_flatline_whatever_the_season() {
    let day = |i: i64| 500.0 - 400.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).cos() + 10.0 * noise(i);
    let stuck = |i: i64| if i >= 10 * DAY + 50 { 420.5 } else { day(i) };
    let found = since(10 * DAY, MINUTES, &series(MINUTES, 11 * DAY, stuck));
    assert_eq!(changes(&found), [Change::Flatline], "{found:?}");
    assert_eq!((found[0].onset, found[0].after), (Some(Timestamp((10 * DAY + 50) * MINUTES)), 420.5));
}

#[test]
fn bursts_as_large_as_ever_are_usual_where_the_history_is_long() {
    // Each burst lasts ten samples, and they are rare: by spreads each would be a new level.
    let bursts = |i: i64| 20.0 + noise(i) + if i % 197 < 10 && noise(i / 197) > 0.3 { 60.0 } else { 0.0 };
    assert_eq!(since(3000, 1000, &series(1000, 3035, bursts)).iter().filter(|a| a.score >= 0.5).count(), 0);
    let higher = |i: i64| bursts(i) + if i >= 3010 { 200.0 } else { 0.0 };
    assert_eq!(changes(&since(3000, 1000, &series(1000, 3035, higher))), [Change::LevelUp]);
}

#[test]
fn large_counters_holes_and_disorder_are_defined() {
    let big = series(MINUTES, 10 * DAY, |i| 1e18 + 1e12 * backup(i));
    assert_eq!(since(9 * DAY, MINUTES, &big), []);
    let mut holes = series(MINUTES, 10 * DAY, |i| if i % 3 == 0 { f64::NAN } else { backup(i) });
    assert_eq!(since(9 * DAY, MINUTES, &holes), []);
    holes.at.reverse();
    holes.values.reverse();
    assert_eq!(since(9 * DAY, MINUTES, &holes), []);
    let ends = Series { at: vec![i64::MIN, 0, i64::MAX], values: vec![1.0, f64::INFINITY, 2.0], ..Series::default() };
    assert_eq!(whole(&ends), []);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..9.0, any::<f64>(), Just(1e18), Just(-1e150), Just(f64::NAN), Just(f64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_repeated_course_gives_sound_anomalies(
        course in prop::collection::vec(value(), 8..40), odd in value(), times in 8..30usize, step in 1..100_000i64,
    ) {
        let n = (course.len() * times) as i64;
        let mut one = series(step, n, |i| course[i as usize % course.len()]);
        let late = one.values.len() - course.len() / 2;
        one.values[late..].fill(odd);
        for found in [since(n * 3 / 4, step, &one), whole(&one)] {
            for a in &found {
                prop_assert!(a.rows.start < a.rows.end && i64::from(a.rows.end) <= n, "{:?}", a);
                prop_assert!((0.0..=1.0).contains(&a.score) && a.after.is_finite(), "{:?}", a);
                prop_assert!(a.before.is_none_or(f64::is_finite), "{:?}", a);
            }
        }
        for c in change_points(&one) {
            prop_assert!(c.before.is_finite() && c.after.is_finite());
        }
    }
}
