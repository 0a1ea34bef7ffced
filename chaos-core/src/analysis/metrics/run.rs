//! Stretches of samples beyond a bound. Owns what lasts and what is a moment.

use super::{Point, Sight};

/// Samples that may fall back within a stretch, one after another.
const GAP: usize = 2;

/// The longest stretch in which `beyond` holds, but for at most two samples in a row and a fifth in all.
pub(super) fn longest(points: &[Point], beyond: impl Fn(&Point) -> bool) -> &[Point] {
    let mut best = 0..0;
    let (mut begin, mut end, mut hits) = (0, 0, 0);
    for (i, point) in points.iter().enumerate() {
        if !beyond(point) {
            continue;
        }
        let dense = hits * 5 >= (i - begin) * 4 || i - begin <= GAP;
        if hits == 0 || i - end > GAP || !dense {
            (begin, hits) = (i, 0);
        }
        hits += 1;
        end = i + 1;
        if end - begin > best.len() {
            best = begin..end;
        }
    }
    &points[best]
}

/// Whether a stretch is a state and not a burst: enough samples, and it holds to the end, or for a good part of the
/// window, or for long.
pub(super) fn lasts(run: &[Point], sight: &Sight<'_>) -> bool {
    let all = sight.now.len();
    let fewest = if all >= 15 { 5 } else { all.div_ceil(3).max(2) };
    let (Some(last), Some(end)) = (run.last(), sight.now.last()) else { return false };
    let to_the_end = end.seconds_since(last) <= sight.interval * (GAP as f64 + 0.5);
    run.len() >= fewest && (to_the_end || run.len() * 10 >= all * 3 || run.len() >= 30)
}
