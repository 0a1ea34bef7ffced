use proptest::prelude::*;

use super::*;

const NOW: Range<Timestamp> = Timestamp(300_000)..Timestamp(400_000);

fn times(at: impl IntoIterator<Item = i64>) -> Times {
    Times::new(at.into_iter().collect(), 1)
}

/// Every `step` milliseconds, up to `end`.
fn every(step: i64, end: i64) -> Vec<i64> {
    (0..).map(|i| i * step).take_while(|t| *t < end).collect()
}

fn judged(times: &Times) -> Option<Broken> {
    Rhythm::of(times, NOW.start)?.broken(times, &NOW)
}

/// Numbers from 0 to 1 that are the same in every run.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn a_beat_that_goes_on_is_not_broken() {
    let mut next = random(1);
    for step in [1_000, 10_000, 30_000] {
        let jittered = every(step, 400_000).into_iter().map(|t| t + (next() * 0.1 * step as f64) as i64);
        let times = times(jittered);
        let rhythm = Rhythm::of(&times, NOW.start).unwrap();
        assert!((rhythm.period - step as f64).abs() < 0.1 * step as f64, "{rhythm:?}");
        assert_eq!(rhythm.broken(&times, &NOW), None, "{step}");
    }
}

#[test]
fn a_beat_that_had_ended_before_is_no_news() {
    let burst = (0..10).map(|i| 120_000 + i * 1_000);
    assert_eq!(judged(&times(burst.clone())), None);
    assert_eq!(judged(&times(burst.chain([350_000]))), None);
}

#[test]
fn a_beat_that_stops_is_late_from_when_the_next_was_due() {
    let stopped = times(every(10_000, 330_000));
    assert_eq!(judged(&stopped), Some(Broken::Late { due: Timestamp(330_000), gap: 80_000.0 }));
    let before = times(every(10_000, 300_000));
    assert_eq!(judged(&before), Some(Broken::Late { due: Timestamp(300_000), gap: 110_000.0 }));
}

#[test]
fn a_beat_that_pauses_is_late_and_one_missed_beat_is_not() {
    let without =
        |from: i64, to: i64| times(every(10_000, 400_000).into_iter().filter(move |t| !(from..to).contains(t)));
    assert_eq!(judged(&without(320_000, 350_000)), Some(Broken::Late { due: Timestamp(320_000), gap: 40_000.0 }));
    assert_eq!(judged(&without(320_000, 330_000)), None);
}

#[test]
fn a_moment_in_which_a_fast_beat_stands_still_is_no_news() {
    let without = |to: i64| times(every(1_000, 400_000).into_iter().filter(move |t| !(320_000..to).contains(t)));
    assert_eq!(judged(&without(323_000)), None);
    assert_eq!(judged(&times(every(1_000, 396_000))), None);
    assert_eq!(judged(&without(330_000)), Some(Broken::Late { due: Timestamp(320_000), gap: 11_000.0 }));
}

#[test]
fn a_beat_of_another_period_is_told_from_where_it_begins() {
    let mut at = every(10_000, 301_000);
    at.extend((1..15).map(|i| 300_000 + i * 6_500));
    assert_eq!(judged(&times(at)), Some(Broken::Other { since: Timestamp(306_500) }));
}

#[test]
fn several_records_a_beat_are_one() {
    let at = every(10_000, 330_000).into_iter().flat_map(|t| [t, t + 3, t + 40]);
    assert!(matches!(judged(&times(at)), Some(Broken::Late { due, .. }) if due.0 == 330_000));
}

#[test]
fn what_shows_no_beat_has_none() {
    let two_steps: Vec<i64> = (0..40).map(|i| i / 2 * 15_000 + i % 2 * 5_000).collect();
    for at in [vec![], vec![7], vec![5; 30], every(60_000, 300_000), two_steps] {
        assert_eq!(Rhythm::of(&times(at.clone()), NOW.start), None, "{at:?}");
    }
    // Known by the half minute only.
    assert_eq!(Rhythm::of(&Times::new(every(60_000, 1_000_000), 30_000), Timestamp(1_000_000)), None);
}

/// Of how many of 2000 series whose gaps are `gap(mean, random)` it is said that their beat is broken.
fn alarms(mut gap: impl FnMut(f64, &mut dyn FnMut() -> f64) -> f64) -> u32 {
    let mut next = random(7);
    let mut alarms = 0;
    for run in 0..2_000 {
        let mean = 2_000.0 * f64::from(1 + run % 20);
        let mut at = Vec::new();
        let mut t = 0.0;
        while t < 400_000.0 {
            at.push(t as i64);
            t += gap(mean, &mut next).max(1.0);
        }
        alarms += u32::from(judged(&times(at)).is_some());
    }
    alarms
}

#[test]
fn what_comes_at_random_is_hardly_ever_off_its_beat() {
    let poisson = alarms(|mean, next| -(1.0 - next()).ln() * mean);
    assert!(poisson <= 2, "{poisson}");
}

#[test]
fn a_rough_beat_is_hardly_ever_off_its_beat() {
    for rough in [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5] {
        // About normal: the sum of twelve.
        let got = alarms(|mean, next| mean * (1.0 + rough * ((0..12).map(|_| next()).sum::<f64>() - 6.0)));
        assert!(got <= 2, "{rough}: {got}");
    }
}

/// A beat with some of it missing, and times besides.
fn beats_and_strays() -> impl Strategy<Value = Vec<i64>> {
    let strays = prop::collection::vec(0i64..400_000, 0..3);
    (2_000i64..40_000, 0i64..400_000, 0i64..100_000, strays).prop_map(|(step, from, length, strays)| {
        let kept = every(step, 400_000).into_iter().filter(|t| !(from..from + length).contains(t));
        kept.chain(strays).collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_and_the_epoch_do_not_matter(
        (at, shuffled) in beats_and_strays().prop_flat_map(|at| (Just(at.clone()), Just(at).prop_shuffle())),
        shift in -1_000_000_000_000i64..1_000_000_000_000,
    ) {
        let in_order = judged(&times(at.clone()));
        prop_assert_eq!(judged(&times(shuffled)), in_order);
        let moved = times(at.iter().map(|t| t + shift));
        let by = |t: Timestamp| Timestamp(t.0 + shift);
        let later = Rhythm::of(&moved, by(NOW.start)).and_then(|r| r.broken(&moved, &(by(NOW.start)..by(NOW.end))));
        let want = in_order.map(|b| match b {
            Broken::Late { due, gap } => Broken::Late { due: by(due), gap },
            Broken::Other { since } => Broken::Other { since: by(since) },
        });
        prop_assert_eq!(later, want);
    }

    #[test]
    fn no_times_are_too_odd(at in prop::collection::vec(any::<i64>(), 0..40), from in any::<i64>(), to in any::<i64>()) {
        let times = times(at);
        if let Some(rhythm) = Rhythm::of(&times, Timestamp(from)) {
            let _ = rhythm.broken(&times, &(Timestamp(from)..Timestamp(to)));
        }
    }
}
