use proptest::prelude::*;

use super::*;
use crate::model::Histogram;

fn pattern(counts: Vec<u32>) -> LogPattern {
    LogPattern {
        id: String::new(),
        template: String::new(),
        level: None,
        count: counts.iter().map(|n| u64::from(*n)).sum(),
        first: Timestamp(0),
        last: Timestamp(counts.len() as i64 * 1000),
        histogram: Histogram { start: Timestamp(0), width_ms: 1000, counts },
        rows: Vec::new(),
        sample: Vec::new(),
    }
}

fn span(from: i64, to: i64) -> Range<Timestamp> {
    Timestamp(from * 1000)..Timestamp(to * 1000)
}

#[test]
fn clusters_that_are_longer_than_an_interval_show_in_longer_ones() {
    // Eight seconds of two records each, then as long nothing.
    let clustered = pattern((0..160).map(|s| if s / 8 % 2 == 0 { 2 } else { 0 }).collect());
    let even = pattern(vec![1; 160]);
    let whole = span(0, 160);
    assert!((dispersion(&even, &whole, LONGEST) - 1.0).abs() < 1e-9);
    assert!(dispersion(&clustered, &whole, LONGEST) > 5.0);
    assert!(dispersion(&clustered, &whole, 1) < 1.5);
}

#[test]
fn the_peak_is_the_busiest_stretch_of_that_length() {
    let p = pattern(vec![1, 0, 5, 6, 0, 9, 0, 0]);
    for (from, to, window, want) in
        [(0, 8, 1000.0, 9.0), (0, 8, 2000.0, 11.0), (0, 5, 3000.0, 11.0), (6, 8, 2000.0, 0.0)]
    {
        assert!((peak(&p, &span(from, to), window) - want).abs() < 1e-9, "{from} {to} {window}");
    }
}

proptest! {
    #[test]
    fn whatever_was_counted_the_figures_are_sane(
        counts in prop::collection::vec(0u32..2000, 0..130),
        from in any::<i64>(),
        to in any::<i64>(),
        window in 0.0f64..1e9,
    ) {
        let p = pattern(counts);
        let sum = p.count as f64;
        for span in [Timestamp(from)..Timestamp(to), span(0, 130), span(5, 5)] {
            let d = dispersion(&p, &span, LONGEST);
            prop_assert!((1.0..=50.0).contains(&d));
            prop_assert!((0.0..=sum).contains(&peak(&p, &span, window)));
            prop_assert!((-1e-6..=sum + 1e-6).contains(&share(&p, &span)));
        }
    }

    #[test]
    fn a_rate_that_did_not_grow_is_no_surprise(n1 in 0.0f64..1e6, n2 in 0.0f64..1e6, t1 in 1.0f64..1e6, t2 in 1.0f64..1e6) {
        let chance = log_chance(n1, t1, n2, t2);
        prop_assert!(chance <= 0.0);
        if n2 / t2 <= n1 / t1 {
            prop_assert!(chance > -1e-6);
        }
    }
}
