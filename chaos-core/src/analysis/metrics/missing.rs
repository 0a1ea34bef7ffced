//! It was reported and is no more.

use std::ops::Range;

use super::{Anomaly, Sight, rows};
use crate::model::{Change, Timestamp};

/// The silence up to the end of the window, if there is one.
pub(super) fn find(sight: &Sight<'_>, observed: &Range<Timestamp>) -> Option<Anomaly> {
    let last = sight.now.last().or(sight.usual.last())?;
    let (first, end) = (sight.usual.first()?, sight.usual.last()?);
    if sight.usual.len() < 5 {
        return None;
    }
    let interval = end.seconds_since(first) / (sight.usual.len() - 1) as f64;
    let silent = observed.end.0.saturating_sub(last.at.max(observed.start.0)) as f64 / 1000.0;
    (silent > (5.0 * interval).max(10.0)).then(|| Anomaly {
        change: Change::Missing,
        before: sight.before(),
        after: last.value,
        onset: Some(Timestamp::from_millis(last.at)),
        rows: rows(std::slice::from_ref(last)),
        score: 0.5,
        slope: None,
        exhausted_after: None,
    })
}
