//! High or low for a moment. A moment is no incident, so its score stays below one half; an event that is never
//! usual is one with its first occurrence.

use super::{Anomaly, Sight, rows, run, score};
use crate::model::{Change, Timestamp};

/// The most that a moment scores.
const MOMENT: f64 = 0.4;
/// Standard deviations beyond which a moment is worth mentioning.
const FAR: f64 = 10.0;
/// How often a usual sample may be so far, where there is enough history to tell.
const RISK: f64 = 1e-5;
/// Samples that are no longer a burst; fewer do where one sample stands for a minute or more.
const FEWEST: usize = 3;

/// The strongest moment, if there is one.
pub(super) fn find(sight: &Sight<'_>) -> Option<Anomaly> {
    if sight.profile.event {
        return event(sight);
    }
    if sight.usual.is_empty() {
        return None;
    }
    let stretch = |sign: f64| {
        let margin = sight.profile.notable.max(sight.margin(sign, FAR, RISK));
        run::longest(sight.now, |p| sign * (p.value - sight.center) > margin)
    };
    let (up, down) = (stretch(1.0), stretch(-1.0));
    let (run, sign) = if up.len() >= down.len() { (up, 1.0) } else { (down, -1.0) };
    if run.len() < if sight.interval >= 60.0 { 1 } else { FEWEST } {
        return None;
    }
    let peak = run.iter().max_by(|a, b| (sign * a.value).total_cmp(&(sign * b.value)))?;
    Some(Anomaly {
        change: if sign > 0.0 { Change::Spike } else { Change::Dip },
        before: sight.before(),
        after: peak.value,
        onset: run.first().map(|p| Timestamp::from_millis(p.at)),
        rows: rows(run),
        // What differs from every period before for several samples is more than a moment.
        score: if sight.seasonal && run.len() >= FEWEST { 1.0 } else { MOMENT }
            * score(sign * (peak.value - sight.center), sight.profile.notable),
        slope: None,
        exhausted_after: None,
    })
}

fn event(sight: &Sight<'_>) -> Option<Anomaly> {
    let hits: Vec<_> = sight.now.iter().copied().filter(|p| p.value > 0.0).collect();
    let peak = hits.iter().map(|p| p.value).fold(0.0, f64::max);
    let first = hits.first()?;
    Some(Anomaly {
        change: Change::Spike,
        before: sight.before(),
        after: peak,
        onset: Some(Timestamp::from_millis(first.at)),
        rows: rows(&hits),
        score: score(peak, sight.profile.notable).max(0.8),
        slope: None,
        exhausted_after: None,
    })
}
