//! Statistics that a few wild samples can't move. Knows numbers only. All take finite values.

/// The median; `None` of nothing. Reorders its argument.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan, 1996).
pub(super) fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = q.clamp(0.0, 1.0) * last as f64;
    let low = place.floor() as usize;
    let (_, &mut below, above) = values.select_nth_unstable_by(low.min(last), f64::total_cmp);
    let next = above.iter().copied().fold(f64::INFINITY, f64::min);
    let part = place - low as f64;
    Some(if part > 0.0 && next.is_finite() { below + (next - below) * part } else { below })
}

/// An estimate of the standard deviation: the larger of the scaled median absolute deviation (which sees the bulk)
/// and the scaled distance of the 5 % and 95 % quantiles (which sees regular bursts).
pub(super) fn scale(values: &mut [f64], center: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let spread = quantile(values, 0.95).unwrap_or(center) - quantile(values, 0.05).unwrap_or(center);
    deviation(values, center).max(spread / 3.29)
}

/// The median absolute deviation, scaled to the standard deviation of a normal distribution.
pub(super) fn deviation(values: &mut [f64], center: f64) -> f64 {
    let mut apart: Vec<f64> = values.iter().map(|v| (v - center).abs()).collect();
    1.4826 * median(&mut apart).unwrap_or(0.0)
}

/// Kendall's tau-a between order and value, -1 to 1: the statistic of the trend test of Mann (1945).
pub(super) fn tau(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 2 {
        return 0.0;
    }
    let mut sum = 0i64;
    for (i, a) in values.iter().enumerate() {
        for b in &values[i + 1..] {
            sum += i64::from(b > a) - i64::from(b < a);
        }
    }
    sum as f64 / (n * (n - 1) / 2) as f64
}

/// The slope of Theil (1950) and Sen (1968): the median of the slopes of all pairs; times in seconds.
pub(super) fn slope(samples: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(samples.len() * samples.len() / 2);
    for (i, (t, v)) in samples.iter().enumerate() {
        slopes.extend(samples[i + 1..].iter().filter(|(u, _)| u > t).map(|(u, w)| (w - v) / (u - t)));
    }
    median(&mut slopes).filter(|s| s.is_finite())
}

/// How sure it is that the second sample lies higher than the first: the normal deviate of the rank-sum test of Mann
/// and Whitney (1947), with ties in the middle.
pub(super) fn rank_sum(before: &[f64], after: &[f64]) -> f64 {
    let (n, m) = (before.len() as f64, after.len() as f64);
    if n < 1.0 || m < 1.0 {
        return 0.0;
    }
    let mut sorted = before.to_vec();
    sorted.sort_by(f64::total_cmp);
    let wins: f64 = after
        .iter()
        .map(|v| (sorted.partition_point(|b| b < v) + sorted.partition_point(|b| b <= v)) as f64 / 2.0)
        .sum();
    (wins - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}
