//! At or next to a known limit, whatever it was before: a full disk was full in the baseline too.

use super::{Anomaly, Sight, robust, rows, run};
use crate::model::{Change, Timestamp};

/// The lasting stretch at the limit, if there is one.
pub(super) fn find(sight: &Sight<'_>) -> Option<Anomaly> {
    let limit = sight.profile.limit?;
    let run = run::longest(sight.now, |p| p.value >= limit);
    if !run::lasts(run, sight) {
        return None;
    }
    let mut values: Vec<f64> = run.iter().map(|p| p.value).collect();
    let after = robust::median(&mut values)?;
    let beyond = ((after - limit) / (1.0 - limit)).clamp(0.0, 1.0);
    let as_before = sight.before().is_some_and(|b| b >= limit);
    Some(Anomaly {
        change: Change::Saturated,
        before: sight.before(),
        after,
        onset: run.first().filter(|_| !as_before).map(|p| Timestamp::from_millis(p.at)),
        rows: rows(run),
        score: if as_before { 0.5 + 0.2 * beyond } else { 0.6 + 0.4 * beyond },
        slope: None,
        exhausted_after: None,
    })
}
