//! A target whose clock says another time than ours. Which of the two is wrong nobody can tell from here, but a host that
//! lives by another time than those around it is not well.

use crate::model::{Body, Citation, Finding, Observation, Signal};

/// The finding's name, for the catalogue.
pub(super) const DIFFERS: &str = "target.clock_differs";
const SCORE: f64 = 0.9;
/// In seconds. Clocks that nobody sets drift by less than that in a month.
const LEAST: f64 = 30.0;

/// The finding that the clocks differ. It cites when the target booted, which is counted back from its clock.
pub(super) fn find(seen: &Observation) -> Option<Finding> {
    let ahead = seen.facts.clock_ahead_s;
    if ahead.abs() < LEAST {
        return None;
    }
    let (id, _) = seen.evidence.iter().find(
        |(_, e)| matches!(&e.body, Body::Metric(series) if series.name == "system.boot_time" && !series.at.is_empty()),
    )?;
    let way = if ahead > 0.0 { "ahead of" } else { "behind" };
    let summary = format!("the target's clock is {} {way} ours", span(ahead.abs()));
    let finding =
        Finding::new(Signal::Other { name: DIFFERS.into() }, summary, [Citation { evidence: id, rows: 0..1 }]);
    Some(Finding { score: SCORE, ..finding })
}

fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, Facts, Ledger, Series, Timestamp};

    #[test]
    fn clocks_that_differ_by_what_no_drift_makes_are_a_finding() {
        let mut seen = Observation {
            facts: Facts::default(),
            baseline: None,
            observed: Timestamp(0)..Timestamp(9000),
            evidence: Ledger::default(),
        };
        seen.facts.clock_ahead_s = -7260.0;
        assert!(find(&seen).is_none(), "there is nothing to cite");
        let series = Series {
            name: "system.boot_time".to_owned(),
            at: vec![1000, 2000],
            values: vec![1.7e9; 2],
            ..Series::default()
        };
        seen.evidence.push(Evidence { source: "/proc".into(), body: Body::Metric(series), gaps: Vec::new() });
        for (ahead, said) in [
            (0.0, None),
            (12.5, None),
            (-29.9, None),
            (45.0, Some("the target's clock is 45 s ahead of ours")),
            (-7260.0, Some("the target's clock is 2.0 h behind ours")),
            (-1800.0, Some("the target's clock is 30 min behind ours")),
            (259_199.2, Some("the target's clock is 3.0 days ahead of ours")),
        ] {
            seen.facts.clock_ahead_s = ahead;
            let found = find(&seen);
            assert_eq!(found.as_ref().map(|f| f.summary.as_str()), said);
            assert!(found.is_none_or(|f| f.cites.iter().all(|c| seen.holds(c))));
        }
    }
}
