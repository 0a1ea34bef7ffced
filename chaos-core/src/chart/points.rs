//! From samples to what a chart of some hundred pixels can show: fewer points, the extremes kept, gaps kept open.

use std::ops::Range;

use crate::model::{Gap, Series, Timestamp};

/// Points of one series that are kept at most.
pub(crate) const MAX_POINTS: usize = 400;
/// A pause of this many usual intervals is a gap even where no collector says so.
const GAP_INTERVALS: i64 = 4;

/// One unbroken stretch of (milliseconds, value).
pub(crate) type Stretch = Vec<(i64, f64)>;

/// The samples within `window` as unbroken stretches with at most [`MAX_POINTS`] points in all. Where there are
/// more, each of 200 equal intervals keeps its smallest and its largest sample, so that no spike is lost.
pub(crate) fn stretches(series: &Series, gaps: &[Gap], window: &Range<Timestamp>) -> Vec<Stretch> {
    let mut all: Vec<(i64, f64, bool)> = Vec::with_capacity(series.values.len());
    let mut hole = false;
    for (t, v) in series.at.iter().zip(&series.values) {
        if *t < window.start.0 || *t > window.end.0 {
            continue;
        }
        if !v.is_finite() {
            hole = true;
            continue;
        }
        all.push((*t, v.clamp(-1e300, 1e300), hole));
        hole = false;
    }
    all.sort_by_key(|p| p.0);
    mark_pauses(&mut all, gaps);
    let kept = if all.len() > MAX_POINTS { extremes(&all, window) } else { all };
    let mut out: Vec<Stretch> = Vec::new();
    for (t, v, after_gap) in kept {
        match out.last_mut() {
            Some(stretch) if !after_gap => stretch.push((t, v)),
            _ => out.push(vec![(t, v)]),
        }
    }
    out
}

/// Marks the points before which the line must break.
fn mark_pauses(points: &mut [(i64, f64, bool)], gaps: &[Gap]) {
    let mut steps: Vec<i64> = points.windows(2).map(|w| w[1].0.saturating_sub(w[0].0)).filter(|d| *d > 0).collect();
    if steps.is_empty() {
        return;
    }
    let middle = steps.len() / 2;
    let usual = *steps.select_nth_unstable(middle).1;
    for i in 1..points.len() {
        let (before, at) = (points[i - 1].0, points[i].0);
        let said = gaps.iter().any(|g| g.span.start.0 < at && g.span.end.0 > before);
        points[i].2 |= said || at.saturating_sub(before) > usual.saturating_mul(GAP_INTERVALS);
    }
}

fn extremes(points: &[(i64, f64, bool)], window: &Range<Timestamp>) -> Vec<(i64, f64, bool)> {
    let buckets = (MAX_POINTS / 2) as i128;
    let span = i128::from(window.end.0) - i128::from(window.start.0) + 1;
    let bucket = |t: i64| (i128::from(t) - i128::from(window.start.0)) * buckets / span.max(1);
    let mut out = Vec::with_capacity(MAX_POINTS);
    for group in points.chunk_by(|a, b| bucket(a.0) == bucket(b.0)) {
        // A gap inside one interval is narrower than the line is wide; one at its edge stays.
        let broken = group[0].2;
        let low = (0..group.len()).min_by(|a, b| group[*a].1.total_cmp(&group[*b].1)).expect("chunks are not empty");
        let high = (0..group.len()).max_by(|a, b| group[*a].1.total_cmp(&group[*b].1)).expect("chunks are not empty");
        let (first, second) = (low.min(high), low.max(high));
        out.push((group[first].0, group[first].1, broken));
        if second != first {
            out.push((group[second].0, group[second].1, false));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn series(values: Vec<f64>) -> Series {
        Series { at: (0..values.len() as i64).map(|i| i * 1000).collect(), values, ..Series::default() }
    }

    fn whole(s: &Series) -> Range<Timestamp> {
        Timestamp(0)..Timestamp(s.at.last().copied().unwrap_or(0))
    }

    #[test]
    fn a_single_spike_survives_downsampling() {
        let mut values = vec![0.0; 10_000];
        values[7777] = 9.0;
        let s = series(values);
        let out = stretches(&s, &[], &whole(&s));
        assert!(out.iter().map(Vec::len).sum::<usize>() <= MAX_POINTS);
        assert!(out.iter().flatten().any(|p| p.1 == 9.0));
        assert_eq!(out.len(), 1);
    }

    #[test]
    fn lines_break_at_missing_values_pauses_and_known_gaps() {
        let mut s = series(vec![1.0; 30]);
        s.values[5] = f64::NAN;
        assert_eq!(stretches(&s, &[], &whole(&s)).len(), 2);
        for t in &mut s.at[20..] {
            *t += 60_000;
        }
        assert_eq!(stretches(&s, &[], &whole(&s)).len(), 3);
        let why = Error::new(ErrorKind::Unreachable, "gone");
        let gap = Gap { span: Timestamp(10_100)..Timestamp(10_900), why };
        assert_eq!(stretches(&s, &[gap], &whole(&s)).len(), 4);
    }

    #[test]
    fn alternating_holes_stay_within_the_limit() {
        let s = series((0..5000).map(|i| if i % 2 == 0 { f64::NAN } else { f64::from(i) }).collect());
        assert!(stretches(&s, &[], &whole(&s)).iter().map(Vec::len).sum::<usize>() <= MAX_POINTS);
    }
}
