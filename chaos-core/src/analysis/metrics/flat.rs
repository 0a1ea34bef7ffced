//! It always moved, and now repeats one exact value: what measures it is stuck, or what it measures stands still.
//! Needs what is as measured, without a season taken off.

use super::{Anomaly, Point, robust, rows};
use crate::model::{Change, Timestamp};

/// Samples of one value, and samples that show how it moved before, at least.
const LONG: usize = 30;
/// How often two samples in a row may have been the same before, and how much longer than ever the stretch must be.
const REPEATS: f64 = 0.2;
const LONGER: usize = 5;
/// The part of the samples before that may have had that very value: more, and it is where the series rests.
const RESTING: f64 = 0.1;
/// Stuck is odd, and by itself no harm.
const SCORE: f64 = 0.4;

/// The longest stretch of one value in `now`, if it is not what such a series does. Without `usual` the rest of `now`
/// tells. Zero is never called stuck: nothing to count is usual for a rate.
///
/// It goes on to the end: what moved again is as it was. Moves below `floor` are none.
pub(super) fn find(usual: Option<&[Point]>, now: &[Point], floor: f64) -> Option<Anomaly> {
    let stuck = longest(now);
    let value = stuck.first()?.value;
    let goes_on = stuck.last().map(|p| p.row) == now.last().map(|p| p.row);
    if stuck.len() < LONG || value == 0.0 || !goes_on {
        return None;
    }
    let span = stuck[0].at..=stuck[stuck.len() - 1].at;
    let rest: Vec<Point> = usual.unwrap_or(now).iter().filter(|p| !span.contains(&p.at)).copied().collect();
    if rest.len() < LONG || stuck.len() < LONGER * longest(&rest).len() {
        return None;
    }
    let repeats = rest.windows(2).filter(|w| w[0].value == w[1].value).count() as f64;
    let resting = rest.iter().filter(|p| p.value == value).count() as f64;
    let mut values: Vec<f64> = rest.iter().map(|p| p.value).collect();
    let (low, high) = (robust::quantile(&mut values, 0.05)?, robust::quantile(&mut values, 0.95)?);
    // Elsewhere it is a new level.
    let within = (low..=high).contains(&value);
    let n = rest.len() as f64;
    (within && high - low > floor && repeats <= REPEATS * n && resting <= RESTING * n).then(|| Anomaly {
        change: Change::Flatline,
        before: robust::median(&mut values),
        after: value,
        onset: Some(Timestamp::from_millis(stuck[0].at)),
        rows: rows(stuck),
        score: SCORE,
        slope: None,
        exhausted_after: None,
    })
}

/// The longest stretch of equal values.
fn longest(points: &[Point]) -> &[Point] {
    points.chunk_by(|a, b| a.value == b.value).max_by_key(|c| c.len()).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let of = |(i, value): (usize, f64)| Point { row: i as u32, at: i as i64 * 1000, value };
        values.into_iter().enumerate().map(of).collect()
    }

    fn moving(i: u32) -> f64 {
        f64::from(i * 7919 % 101) + 1.0
    }

    #[test]
    fn one_value_for_long_after_many_is_a_flatline() {
        let all = points((0..120).map(|i| if i < 70 { moving(i) } else { 42.0 }));
        for found in [find(Some(&all[..60]), &all[60..], 0.0), find(None, &all, 0.0)] {
            let found = found.unwrap();
            assert_eq!((found.change, found.after, found.rows), (Change::Flatline, 42.0, 70..120));
            assert_eq!(found.onset, Some(Timestamp(70_000)));
        }
    }

    #[test]
    fn what_rests_now_and_then_or_counts_nothing_is_none() {
        let shapes: [fn(u32) -> f64; 7] = [
            |i| if (40..100).contains(&i) { 42.0 } else { moving(i) },
            |_| 5.0,
            |i| if i < 70 { moving(i) } else { 0.0 },
            |i| if i / 20 % 2 == 0 { moving(i) } else { 42.0 },
            |i| f64::from(i / 10),
            |i| if i < 70 { moving(i) } else { 900.0 },
            |i| if i < 100 { moving(i) } else { 42.0 },
        ];
        for (n, shape) in shapes.into_iter().enumerate() {
            assert_eq!(find(None, &points((0..120).map(shape)), 0.0), None, "shape {n}");
        }
        let small = points((0..120).map(|i| if i < 70 { moving(i) } else { 42.0 }));
        assert_eq!(find(None, &small, 200.0), None);
        assert_eq!(find(Some(&[]), &[], 0.0), None);
    }
}
