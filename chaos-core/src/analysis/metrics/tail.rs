//! Thresholds from the data: what is exceeded only with a given risk, by the law of what lies beyond a high threshold
//! (peaks over threshold: Siffer, Fouque, Termier, Largouët, "Anomaly detection in streams with extreme value
//! theory", KDD 2017), fitted by probability-weighted moments (Hosking and Wallis, Technometrics 29, 1987), which need
//! no search. Knows numbers only.

use super::robust;

/// Values that tell what the tail is like; with fewer, spreads have to do.
const FEWEST: usize = 500;
/// The part of the values below the threshold, and how many must lie above.
const HIGH: f64 = 0.98;
const PEAKS: usize = 10;
/// The shape is kept where the moments exist and the estimate is sound.
const SHAPES: (f64, f64) = (-0.5, 0.45);

/// The value that one in `1 / risk` exceeds; `None` of fewer than 500 values. Not less than the 98 % quantile.
/// Reorders its argument, and takes finite values.
pub(super) fn exceeded_by(values: &mut [f64], risk: f64) -> Option<f64> {
    let n = values.len();
    if n < FEWEST {
        return None;
    }
    let threshold = robust::quantile(values, HIGH)?;
    let mut peaks: Vec<f64> = values.iter().map(|v| v - threshold).filter(|y| *y > 0.0).collect();
    peaks.sort_by(f64::total_cmp);
    let k = peaks.len();
    if k < PEAKS {
        return Some(threshold + peaks.last().copied().unwrap_or(0.0));
    }
    let of = |i: usize| 1.0 - (i as f64 + 0.65) / k as f64;
    let a0 = peaks.iter().sum::<f64>() / k as f64;
    let a1 = peaks.iter().enumerate().map(|(i, y)| of(i) * y).sum::<f64>() / k as f64;
    let shape = (2.0 - a0 / (a0 - 2.0 * a1)).clamp(SHAPES.0, SHAPES.1);
    // The mean of the law is scale / (1 - shape).
    let scale = a0 * (1.0 - shape);
    let rarer = risk * n as f64 / k as f64;
    let beyond = if shape.abs() < 1e-6 { -scale * rarer.ln() } else { scale / shape * (rarer.powf(-shape) - 1.0) };
    Some(threshold + if beyond.is_finite() { beyond.max(0.0) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread over 0 to 1, ends excluded.
    fn ranks(n: usize) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| (i as f64 + 0.5) / n as f64)
    }

    #[test]
    fn the_tail_of_an_exponential_law_is_as_calculated() {
        let mut values: Vec<f64> = ranks(5000).map(|u| -(1.0 - u).ln()).collect();
        let got = exceeded_by(&mut values, 1e-4).unwrap();
        assert!((got - 9.21).abs() < 0.7, "{got}");
    }

    #[test]
    fn a_heavy_tail_reaches_further_and_a_bounded_one_ends() {
        let mut heavy: Vec<f64> = ranks(5000).map(|u| (1.0 - u).powf(-0.4)).collect();
        let got = exceeded_by(&mut heavy, 1e-5).unwrap();
        assert!((60.0..160.0).contains(&got), "{got}");
        let mut even: Vec<f64> = ranks(5000).collect();
        let got = exceeded_by(&mut even, 1e-5).unwrap();
        assert!((0.99..1.02).contains(&got), "{got}");
    }

    #[test]
    fn few_values_have_no_tail_and_constants_end_where_they_are() {
        assert_eq!(exceeded_by(&mut [1.0; 499], 1e-4), None);
        assert_eq!(exceeded_by(&mut [1.0; 500], 1e-4), Some(1.0));
        assert_eq!(exceeded_by(&mut [1e150; 500], 1e-4), Some(1e150));
    }
}
