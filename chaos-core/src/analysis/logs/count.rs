//! Counts records over time in bounded space: intervals of one second whose width doubles when the time that they
//! span outgrows [`MAX_INTERVALS`].

use std::collections::VecDeque;

use crate::model::{Histogram, Timestamp};

/// Intervals of one histogram.
const MAX_INTERVALS: usize = 120;

/// A histogram that grows at both ends. Intervals begin at multiples of their width, so that two can be added.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    width: i64,
    start: i64,
    counts: VecDeque<u32>,
}

impl Default for Counter {
    fn default() -> Self {
        Self { width: 1000, start: 0, counts: VecDeque::new() }
    }
}

impl Counter {
    /// Counts `n` records at `at`.
    pub(super) fn add(&mut self, at: Timestamp, n: u32) {
        let at = Timestamp::from_millis(at.0).0;
        if self.counts.is_empty() {
            self.start = at.div_euclid(self.width) * self.width;
        }
        loop {
            let index = (at - self.start).div_euclid(self.width);
            let last = self.counts.len() as i64 - 1;
            if index.max(last) - index.min(0) < MAX_INTERVALS as i64 {
                for _ in index..0 {
                    self.counts.push_front(0);
                    self.start -= self.width;
                }
                let index = index.max(0) as usize;
                if index >= self.counts.len() {
                    self.counts.resize(index + 1, 0);
                }
                self.counts[index] = self.counts[index].saturating_add(n);
                return;
            }
            self.widen();
        }
    }

    /// Adds all that the other counted.
    pub(super) fn merge(&mut self, other: Self) {
        while self.width < other.width {
            self.widen();
        }
        for (at, n) in other.finish().intervals().filter(|(_, n)| *n > 0) {
            self.add(at, n);
        }
    }

    fn widen(&mut self) {
        let mut wider = Self { width: self.width * 2, start: 0, counts: VecDeque::new() };
        wider.start = self.start.div_euclid(wider.width) * wider.width;
        for (i, n) in self.counts.iter().enumerate() {
            let index = ((self.start + i as i64 * self.width - wider.start) / wider.width) as usize;
            wider.counts.resize(wider.counts.len().max(index + 1), 0);
            wider.counts[index] = wider.counts[index].saturating_add(*n);
        }
        *self = wider;
    }

    pub(super) fn finish(self) -> Histogram {
        Histogram {
            start: Timestamp::from_millis(self.start),
            width_ms: self.width.unsigned_abs(),
            counts: self.counts.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_the_size_is_bounded(times in prop::collection::vec(prop_oneof![0i64..500_000, any::<i64>()], 1..50)) {
            let mut counter = Counter::default();
            for t in &times {
                counter.add(Timestamp(*t), 1);
            }
            let h = counter.clone().finish();
            prop_assert!(h.counts.len() <= MAX_INTERVALS);
            prop_assert_eq!(h.counts.iter().sum::<u32>() as usize, times.len());
            counter.merge(counter.clone());
            prop_assert_eq!(counter.finish().counts.iter().sum::<u32>() as usize, 2 * times.len());
        }
    }

    #[test]
    fn the_width_is_the_smallest_that_fits() {
        let mut counter = Counter::default();
        for t in [100_000, 0, 250_000] {
            counter.add(Timestamp(t), 1);
        }
        assert_eq!(counter.finish().width_ms, 4000);
    }
}
