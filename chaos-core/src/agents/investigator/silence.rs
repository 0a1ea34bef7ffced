//! How much of the observation the target was seen for. One that falls silent, because it has come to a standstill or can't be
//! reached, can't show what came after; what was not seen of it is less surely absent.

use crate::agent::Case;

/// A pause counts from so many milliseconds, and from so many of the usual distances between samples.
const PAUSE_MS: i64 = 10_000;
const PAUSE_SAMPLES: i64 = 5;

/// The part of the observed time, from 0 to 1, in which metrics of the target were seen.
pub(super) fn seen_part(case: &Case) -> f64 {
    let (start, end) = (case.seen.observed.start.0, case.seen.observed.end.0);
    // The one that is sampled most often tells best.
    let best = case.seen.series().map(|(_, s)| &s.at).max_by_key(|at| at.len());
    let Some(at) = best.filter(|_| end > start) else { return 1.0 };
    let mut distances: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    let Some(usual) = distances.get(distances.len() / 2) else { return 1.0 };
    let pause = PAUSE_MS.max(PAUSE_SAMPLES * usual);
    let within = at.iter().copied().filter(|at| (start..end).contains(at));
    let (mut last, mut silent) = (start, 0);
    for at in within.chain([end]) {
        if at - last >= pause {
            silent += at - last;
        }
        last = at;
    }
    1.0 - silent as f64 / (end - start) as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        agents::fixture::case,
        model::{Body, Evidence, Series, Timestamp},
    };

    /// What is seen of 40 s by a series with samples at these seconds.
    fn seen(seconds: impl Iterator<Item = i64>) -> f64 {
        let at: Vec<i64> = seconds.map(|second| second * 1_000).collect();
        let series = Series { name: "a".into(), values: vec![0.0; at.len()], at, ..Series::default() };
        let mut case = case(Vec::new(), &[]);
        let seen = Arc::get_mut(&mut case.seen).unwrap();
        seen.observed = Timestamp(100_000)..Timestamp(140_000);
        seen.evidence =
            [Evidence { source: "x".into(), body: Body::Metric(series), gaps: Vec::new() }].into_iter().collect();
        (seen_part(&case) * 100.0).round() / 100.0
    }

    #[test]
    fn what_is_silent_is_not_seen() {
        assert_eq!(seen(75..140), 1.0);
        assert_eq!(seen((75..121).chain([126, 131, 136])), 1.0, "slow is not silent");
        assert_eq!(seen(75..111), 0.25);
        assert_eq!(seen((75..105).chain(124..140)), 0.5);
        assert_eq!(seen(75..98), 0.0);
        assert_eq!(seen((4..10).map(|n| n * 15)), 1.0, "asked each 15 s");
    }
}
