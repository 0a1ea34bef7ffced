//! Files of samples, and what is unusual in samples of any kind.

use chaos_core::{
    agents::{metrics_json, parse_metrics_file, parse_metrics_json},
    analysis::metrics::{Table, change_points, detect, prometheus, sample_scores},
    model::{Body, Evidence, Facts, Observation, Series, Timestamp},
};

use super::input::Input;

/// A file is an error or series with as many times as values, and what is read can be written and read again.
pub(super) fn tables(data: &[u8]) {
    let mut input = Input::new(data);
    let name = ["m/x.csv", "m/x.json", "m/x.prom", "x"][input.pick(4)];
    let text = String::from_utf8_lossy(input.text);
    if let Ok(table) = Table::parse("x", &text) {
        assert!(table.columns.len() <= 256 && table.names.len() == table.columns.len());
        assert!(table.at.len() == table.written.len());
        assert!(table.columns.iter().all(|c| c.len() == table.at.len()));
        assert!(table.series().iter().all(|s| s.at.len() == s.values.len()));
    }
    for sample in prometheus::parse(&text) {
        assert!(!sample.name.is_empty() && text.contains(&sample.name));
    }
    let Ok(series) = parse_metrics_file(name, &text, Timestamp(1_795_521_600_000)) else { return };
    for s in &series {
        assert_eq!(s.at.len(), s.values.len(), "{s:?}");
    }
    let evidence = |s: &Series| Evidence { source: "x".into(), body: Body::Metric(s.clone()), gaps: Vec::new() };
    let seen = Observation {
        facts: Facts::default(),
        baseline: None,
        observed: Timestamp(0)..Timestamp(1),
        evidence: series.iter().map(evidence).collect(),
    };
    let written = metrics_json(&seen);
    let read = parse_metrics_json(&written).unwrap();
    let again = Observation { evidence: read.series.iter().map(evidence).collect(), ..seen };
    assert_eq!(metrics_json(&again), written);
}

/// Samples from bytes: mostly near each other, some at the ends of what numbers can be. A byte tells how the next
/// time and value are made.
fn samples_of(bytes: &[u8]) -> (Vec<i64>, Vec<f64>) {
    let (mut at, mut value) = (0_i64, 0.0_f64);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Some((how, after)) = rest.split_first() {
        rest = after;
        let mut word = || {
            let (head, tail) = rest.split_at(rest.len().min(8));
            rest = tail;
            let mut all = [0; 8];
            all[..head.len()].copy_from_slice(head);
            all
        };
        value = match how & 15 {
            0 => f64::from_le_bytes(word()),
            1 => f64::NAN,
            2 => f64::INFINITY,
            3 => 1e150,
            4 => -1e150,
            5 => f64::MIN_POSITIVE / 4.0,
            6 => -value,
            7 => value * 1000.0,
            8 => 0.0,
            9 => 1.0,
            10 => value,
            n => f64::from(n) - 12.0 + f64::from(how >> 4) / 16.0,
        };
        at = match how >> 4 {
            0 => i64::from_le_bytes(word()),
            1 => i64::MAX,
            2 => i64::MIN,
            3 => at,
            4 => at.saturating_sub(1500),
            _ => at.saturating_add(1000),
        };
        times.push(at);
        values.push(value);
    }
    (times, values)
}

/// Scores are from 0 to 1, one a sample, and the same in any order of the samples; what is found lies in the series.
pub(super) fn samples(data: &[u8]) {
    let mut input = Input::new(data);
    let (at, values) = samples_of(&input.text[..input.text.len().min(3000)]);
    let known: Vec<Option<i64>> = at.iter().map(|t| (t % 7 != 6).then_some(*t)).collect();
    let scores = sample_scores(&known, &values);
    assert_eq!(scores.len(), values.len());
    assert!(scores.iter().all(|s| (0.0..=1.0).contains(s)), "{scores:?}");
    assert!(scores.iter().zip(&known).zip(&values).all(|((s, at), v)| *s == 0.0 || at.is_some() && v.is_finite()));
    // Alerts are a twenty-fifth of the samples apart.
    assert!(scores.iter().filter(|s| **s > 0.0).count() <= 26, "{scores:?}");
    let (name, unit) =
        [("system.memory.utilization", "1"), ("system.network.errors", "{error}/s"), ("x", "By"), ("", "")]
            [input.pick(4)];
    let series = Series { name: name.into(), unit: unit.into(), at, values, ..Series::default() };
    let points = change_points(&series);
    assert!(points.len() <= 20 && points.is_sorted_by_key(|p| p.at));
    assert!(points.iter().all(|p| p.before.is_finite() && p.after.is_finite()), "{points:?}");
    let middle = series.at.get(series.at.len() / 2).copied().unwrap_or(0);
    let spans = [
        Timestamp(0)..Timestamp(middle),
        Timestamp(middle)..Timestamp(i64::MAX),
        Timestamp(i64::MIN)..Timestamp(i64::MAX),
        Timestamp(middle)..Timestamp(0),
    ];
    for baseline in [None, Some(&spans[0]), Some(&spans[2])] {
        for observed in &spans {
            for a in detect(&series, baseline, observed) {
                assert!(a.rows.start < a.rows.end && a.rows.end as usize <= series.values.len(), "{a:?}");
                assert!((0.0..=1.0).contains(&a.score) && a.after.is_finite(), "{a:?}");
                assert!(a.before.is_none_or(f64::is_finite) && a.slope.is_none_or(f64::is_finite), "{a:?}");
            }
        }
    }
    in_any_order(&series, &known, &scores);
}

fn in_any_order(series: &Series, known: &[Option<i64>], scores: &[f64]) {
    let mut distinct = series.at.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // Of several samples at one time the last counts, or their order decides: only then does it matter.
    if distinct.len() < series.at.len() {
        return;
    }
    let mut reversed = series.clone();
    reversed.at.reverse();
    reversed.values.reverse();
    assert_eq!(change_points(series), change_points(&reversed));
    let known: Vec<_> = known.iter().rev().copied().collect();
    let again: Vec<f64> = sample_scores(&known, &reversed.values).into_iter().rev().collect();
    assert_eq!(again, scores);
    let all = Timestamp(i64::MIN)..Timestamp(i64::MAX);
    let found = |s: &Series| detect(s, None, &all).into_iter().map(|a| (a.change, a.onset, a.after, a.score));
    assert!(found(series).eq(found(&reversed)));
}
