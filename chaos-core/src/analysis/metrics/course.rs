//! How unlike any other the courses of a series are: the distance of each to the one most like it elsewhere (a matrix
//! profile without normalisation: Yeh et al., "Matrix Profile I", ICDM 2016; Keogh, Lin and Fu, "HOT SAX: finding the
//! most unusual time series subsequence", ICDM 2005). Knows numbers only.

/// Points of which courses are compared: those of longer series are means, so that the cost stays linear.
const MOST: usize = 5000;
/// Points of a course at least.
const SHORTEST: usize = 8;
/// Values further from the middle, in spreads, make no difference to a course.
const FAR: f64 = 50.0;

/// For each sample how far the course around it, a part of the series long (one in `parts`), is from the nearest one
/// that does not overlap it. Of a series too short for two courses, nothing but zeros.
pub(super) fn by_course(scaled: &[f64], parts: usize) -> Vec<f64> {
    let block = scaled.len().div_ceil(MOST).max(1);
    let mean = |b: &[f64]| b.iter().map(|x| x.clamp(-FAR, FAR)).sum::<f64>() / b.len() as f64;
    let points: Vec<f64> = scaled.chunks(block).map(mean).collect();
    let length = (points.len() / parts).max(SHORTEST);
    let distances = nearest(&points, length);
    let last = distances.len().saturating_sub(1);
    let around = |i: usize| distances.get((i / block).saturating_sub(length / 2).min(last)).copied().unwrap_or(0.0);
    (0..scaled.len()).map(around).collect()
}

/// For each course of `length` points its distance to the nearest one that does not overlap it.
fn nearest(points: &[f64], length: usize) -> Vec<f64> {
    let courses = (points.len() + 1).saturating_sub(length);
    let mut best = vec![f64::INFINITY; courses];
    for lag in length..courses {
        let square = |i: usize| (points[i] - points[i + lag]).powi(2);
        let mut sum: f64 = (0..length).map(square).sum();
        for i in 0..courses - lag {
            if i > 0 {
                sum += square(i + length - 1) - square(i - 1);
            }
            best[i] = best[i].min(sum);
            best[i + lag] = best[i + lag].min(sum);
        }
    }
    best.into_iter().map(|s| if s.is_finite() { s.max(0.0).sqrt() } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_course_that_never_comes_again_is_farthest() {
        let mut points: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        points[200..210].reverse();
        let far = by_course(&points, 40);
        let peak = (0..400).max_by(|a, b| far[*a].total_cmp(&far[*b])).unwrap();
        assert!((195..215).contains(&peak), "{peak}");
        assert!(far[..150].iter().all(|d| *d == 0.0));
    }

    #[test]
    fn what_is_too_short_to_compare_has_no_distance() {
        assert_eq!(by_course(&[], 250), [0.0; 0]);
        assert_eq!(by_course(&[1.0, 2.0, 3.0], 250), [0.0; 3]);
        assert_eq!(by_course(&[1.0; 15], 250), [0.0; 15]);
    }

    #[test]
    fn a_long_series_is_compared_by_means() {
        let mut values: Vec<f64> = (0..60_000).map(|i| f64::from(i / 50 % 20)).collect();
        values[30_000..30_500].fill(19.0);
        let far = by_course(&values, 250);
        let peak = (0..far.len()).max_by(|a, b| far[*a].total_cmp(&far[*b])).unwrap();
        assert!((29_700..30_800).contains(&peak), "{peak}");
    }
}
