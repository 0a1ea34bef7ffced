use proptest::prelude::*;

use super::*;
use crate::model::Change;

const OBSERVED: Range<Timestamp> = Timestamp(100_000)..Timestamp(200_000);

fn finding(signal: Signal, onset: Option<i64>) -> Finding {
    let mut finding = Finding::new(signal, "", []);
    finding.onset = onset.map(Timestamp);
    finding
}

fn log(change: LogChange, onset: Option<i64>) -> Finding {
    let text = String::new;
    finding(Signal::Log { pattern: text(), template: text(), example: text(), level: None, change, count: 1 }, onset)
}

fn metric(onset: Option<i64>) -> Finding {
    let (name, attributes) = (String::new(), Default::default());
    finding(Signal::Metric { name, attributes, change: Change::LevelUp, before: None, after: 1.0 }, onset)
}

/// `(log, metric, lag)` of each pair.
fn pairs(findings: Vec<Finding>) -> Vec<(usize, usize, i64)> {
    let found = together(&findings.into_iter().collect(), &OBSERVED);
    found.iter().map(|p| (p.log.index(), p.metric.index(), p.lag_ms)).collect()
}

#[test]
fn what_began_within_seconds_is_together_the_nearest_first() {
    let findings = vec![
        log(LogChange::New, Some(152_000)),
        metric(Some(150_000)),
        metric(Some(152_500)),
        log(LogChange::OffBeat, Some(141_000)),
        metric(Some(180_000)),
    ];
    assert_eq!(pairs(findings), [(0, 2, -500), (0, 1, 2_000), (3, 1, -9_000)]);
}

#[test]
fn what_has_no_onset_in_the_window_is_with_nothing() {
    let findings = vec![
        log(LogChange::New, None),
        log(LogChange::New, Some(99_999)),
        log(LogChange::Repeated, Some(150_000)),
        metric(Some(150_000)),
        metric(None),
        metric(Some(99_999)),
    ];
    assert_eq!(pairs(findings), []);
    assert_eq!(pairs(vec![]), []);
    assert_eq!(pairs(vec![log(LogChange::Severe, Some(150_000))]), []);
}

#[test]
fn what_came_first_is_told_where_sampling_can_tell() {
    let first = |lag: i64| {
        let findings = [metric(Some(150_000)), log(LogChange::Severe, Some(150_000 + lag))].into_iter().collect();
        together(&findings, &OBSERVED)[0].first().map(Id::index)
    };
    assert_eq!((first(3_000), first(-3_000), first(400), first(0)), (Some(0), Some(1), None, None));
}

#[test]
fn coming_together_says_little_where_metrics_change_all_the_time() {
    let chance = |step: i64| {
        let metrics = (100_000..200_000).step_by(step as usize).map(|t| metric(Some(t)));
        let findings = metrics.chain([log(LogChange::New, Some(150_000))]).collect();
        together(&findings, &OBSERVED)[0].by_chance
    };
    assert!((chance(50_000) - 0.03).abs() < 1e-9, "{}", chance(50_000));
    assert!((chance(2_000) - 1.0).abs() < 0.02, "{}", chance(2_000));
}

#[test]
fn an_empty_window_holds_nothing() {
    let findings = [metric(Some(5)), log(LogChange::New, Some(5))].into_iter().collect();
    assert_eq!(together(&findings, &(Timestamp(5)..Timestamp(5))), []);
}

proptest! {
    #[test]
    fn the_order_of_the_findings_does_not_matter(
        (all, shuffled) in prop::collection::vec((any::<bool>(), 95_000i64..205_000), 0..30)
            .prop_map(|v| v.into_iter().enumerate().collect::<Vec<_>>())
            .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
    ) {
        let told = |all: &[(usize, (bool, i64))]| {
            let of = |is_log: bool, at| if is_log { log(LogChange::New, Some(at)) } else { metric(Some(at)) };
            let findings = all.iter().map(|(_, (is_log, at))| of(*is_log, *at)).collect();
            let mut pairs: Vec<_> = together(&findings, &OBSERVED)
                .iter()
                .map(|p| (all[p.log.index()].0, all[p.metric.index()].0, p.lag_ms, p.by_chance.to_bits()))
                .collect();
            pairs.sort_unstable();
            pairs
        };
        prop_assert_eq!(told(&all), told(&shuffled));
    }

    #[test]
    fn no_times_are_too_odd(at in prop::collection::vec(any::<i64>(), 0..10), from in any::<i64>(), to in any::<i64>()) {
        let both = at.iter().flat_map(|t| [metric(Some(*t)), log(LogChange::Burst, Some(*t))]);
        for pair in together(&both.collect(), &(Timestamp(from)..Timestamp(to))) {
            prop_assert!((0.0..=1.0).contains(&pair.by_chance) && pair.lag_ms.abs() <= NEAR);
        }
    }
}
