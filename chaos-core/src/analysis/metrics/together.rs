//! Which changes happened together, and in which order. Pure: times of onsets in, groups out; it knows nothing of what
//! changed. That one came before another is no proof that it was the cause.

use std::time::Duration;

use super::robust;
use crate::model::{Series, Timestamp};

/// Onsets belong together when one follows the other within so many sampling intervals, or at least this long: a
/// change takes a while to show elsewhere, and onsets are only known to within a few samples.
const INTERVALS: u32 = 3;
const LEAST: Duration = Duration::from_secs(15);
/// From the first to the last of a group it takes at most so many of those times, so that a long chain is no group.
const LONGEST: u32 = 4;

/// When something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Onset {
    /// Which of the caller's things: a series, or a finding. Of several onsets of one subject within a group the first
    /// counts.
    pub subject: usize,
    /// When it began to change.
    pub at: Timestamp,
    /// Time between its samples: how exact `at` is.
    pub interval: Duration,
}

/// One of those that changed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Follower {
    /// The caller's thing.
    pub subject: usize,
    /// Milliseconds after the first of the group.
    pub lag_ms: u64,
    /// Whether that is more than a sampling interval, so that the order is known.
    pub ordered: bool,
}

/// Changes that happened together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Together {
    /// When the first began.
    pub from: Timestamp,
    /// Two at least, in order of time.
    pub members: Vec<Follower>,
}

/// The typical time between the samples of a series, whatever their order; zero of fewer than two.
#[must_use]
pub fn interval(series: &Series) -> Duration {
    let mut at = series.at.clone();
    at.sort_unstable();
    at.dedup();
    let mut steps: Vec<f64> = at.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64).collect();
    Duration::from_millis(robust::median(&mut steps).map_or(0, |ms| ms as u64))
}

/// Groups of at least two subjects whose changes began together, in order of time. Onsets may come in any order.
#[must_use]
pub fn together(onsets: &[Onset]) -> Vec<Together> {
    let mut sorted = onsets.to_vec();
    sorted.sort_by_key(|o| (o.at, o.subject));
    let mut groups: Vec<Vec<Onset>> = Vec::new();
    for onset in sorted {
        match groups.last_mut().filter(|g| belongs(g, &onset)) {
            Some(group) => group.push(onset),
            None => groups.push(vec![onset]),
        }
    }
    groups.iter().filter_map(|g| group(g)).collect()
}

fn belongs(group: &[Onset], next: &Onset) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return false };
    let tolerance = LEAST.max(last.interval.max(next.interval).saturating_mul(INTERVALS));
    next.at.since(last.at) <= tolerance && next.at.since(first.at) <= tolerance.saturating_mul(LONGEST)
}

fn group(onsets: &[Onset]) -> Option<Together> {
    let first = onsets.first()?;
    let mut members: Vec<Follower> = Vec::new();
    for onset in onsets {
        if members.iter().all(|m| m.subject != onset.subject) {
            let lag = onset.at.since(first.at);
            let ordered = lag > first.interval.max(onset.interval);
            let lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
            members.push(Follower { subject: onset.subject, lag_ms, ordered });
        }
    }
    (members.len() > 1).then_some(Together { from: first.at, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn onset(subject: usize, seconds: i64, interval: u64) -> Onset {
        Onset { subject, at: Timestamp(seconds * 1000), interval: Duration::from_secs(interval) }
    }

    fn shown(groups: &[Together]) -> Vec<Vec<(usize, u64, bool)>> {
        let of = |g: &Together| g.members.iter().map(|m| (m.subject, m.lag_ms / 1000, m.ordered)).collect();
        groups.iter().map(of).collect()
    }

    #[test]
    fn what_follows_soon_is_together_with_its_lag() {
        let all = [onset(2, 112, 1), onset(0, 100, 1), onset(1, 101, 1), onset(3, 400, 1)];
        let groups = together(&all);
        assert_eq!(shown(&groups), [[(0, 0, false), (1, 1, false), (2, 12, true)]]);
        assert_eq!(groups[0].from, Timestamp(100_000));
    }

    #[test]
    fn how_soon_depends_on_how_often_samples_come() {
        assert_eq!(together(&[onset(0, 0, 1), onset(1, 600, 1)]), []);
        assert_eq!(shown(&together(&[onset(0, 0, 300), onset(1, 600, 300)])), [[(0, 0, false), (1, 600, true)]]);
    }

    #[test]
    fn a_series_that_changes_twice_is_not_together_with_itself() {
        assert_eq!(together(&[onset(0, 0, 1), onset(0, 5, 1)]), []);
        assert_eq!(together(&[]), []);
    }

    #[test]
    fn a_long_chain_is_more_than_one_group() {
        let chain: Vec<Onset> = (0..40).map(|i| onset(i, 10 * i as i64, 1)).collect();
        let groups = together(&chain);
        assert!(groups.len() > 3 && groups.iter().all(|g| g.members.len() <= 7), "{groups:?}");
    }

    #[test]
    fn the_interval_is_the_typical_one() {
        let of = |at: &[i64]| interval(&Series { at: at.to_vec(), ..Series::default() }).as_millis();
        assert_eq!((of(&[5000, 0, 1000, 2000, 2000, 3000]), of(&[7]), of(&[])), (1000, 0, 0));
    }

    #[test]
    fn times_at_the_ends_of_time_are_no_panic() {
        let at = |ms| Onset { subject: ms as usize & 1, at: Timestamp(ms), interval: Duration::MAX };
        assert!(together(&[at(i64::MIN), at(i64::MAX), at(0)]).len() <= 2);
    }
}
