//! Cumulative counters as growth per second. Owns which series are counters by their name, and what a reset is.
//!
//! # Behavior
//! - A counter that fell was reset: how far it had come is not known, so the sample is missing (NaN), as is the first.
//! - Rows keep their places, whatever the order of their times; of several at one time the last counts, and the
//!   others are missing. A row without a time or a finite value is missing, and the growth goes on past it.
//! - Beyond 2^53 a counter's own steps are coarser than 1, and so is its growth; that is all that is lost.

use super::LARGEST;

/// Whether the name says so: OpenMetrics has cumulative counters end in `_total`.
#[must_use]
pub fn is_counter(name: &str) -> bool {
    name.ends_with("_total")
}

/// For each row the growth per second since the row before it in time. `at` has each row's milliseconds since the
/// epoch, where they are known.
#[must_use]
pub fn growth(at: &[Option<i64>], values: &[f64]) -> Vec<f64> {
    let mut rates = vec![f64::NAN; values.len()];
    let rows = at.iter().zip(values).enumerate();
    let mut known: Vec<(i64, usize)> =
        rows.filter(|(_, (_, v))| v.abs() <= LARGEST).filter_map(|(row, (at, _))| Some(((*at)?, row))).collect();
    known.sort_unstable();
    let last_at_each = known.chunk_by(|a, b| a.0 == b.0).filter_map(<[_]>::last);
    let mut before: Option<(i64, f64)> = None;
    for (at, row) in last_at_each {
        let value = values[*row];
        if let Some((then, last)) = before.filter(|(_, last)| value >= *last) {
            rates[*row] = (value - last) * 1000.0 / at.saturating_sub(then) as f64;
        }
        before = Some((*at, value));
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(at: &[Option<i64>], values: &[f64]) -> Vec<Option<f64>> {
        growth(at, values).into_iter().map(|v| Some(v).filter(|v| v.is_finite())).collect()
    }

    #[test]
    fn growth_is_per_second_and_a_reset_is_missing() {
        let at = [0, 2000, 4000, 5000, 6000].map(Some);
        let got = shown(&at, &[5.0, 15.0, 3.0, 13.0, 13.0]);
        assert_eq!(got, [None, Some(5.0), None, Some(10.0), Some(0.0)]);
    }

    #[test]
    fn order_duplicates_and_holes_are_defined() {
        let at = [Some(3000), Some(0), Some(1000), Some(1000), None, Some(2000)];
        let got = shown(&at, &[30.0, 0.0, 999.0, 10.0, 7.0, f64::NAN]);
        assert_eq!(got, [Some(10.0), None, None, Some(10.0), None, None]);
        assert_eq!(shown(&[], &[]), []);
        assert_eq!(shown(&[Some(1)], &[1.0]), [None]);
        assert_eq!(shown(&[Some(i64::MIN), Some(i64::MAX)], &[0.0, 1.0]).len(), 2);
    }

    #[test]
    fn large_counters_still_grow() {
        let got = shown(&[Some(0), Some(1000)], &[1e18, 1e18 + 4096.0]);
        assert_eq!(got, [None, Some(4096.0)]);
    }
}
