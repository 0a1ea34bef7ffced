//! The season of a series: the period with which it repeats itself, found from the data, and what is usual at each
//! phase of it. The period is the lag of the highest autocorrelation after the first fall (Box and Jenkins, "Time
//! Series Analysis", 1970), read off at its multiples to be exact; what is usual is the median of the phase, so that
//! one odd day does not count.

use super::{Point, robust};

/// Samples and whole periods that tell of a season.
const FEWEST: usize = 200;
const PERIODS: usize = 4;
/// Points whose autocorrelation is calculated, and the most phases of a period.
const MOST: usize = 4000;
const MOST_PHASES: usize = 2016;
/// Points of a period at least.
const SHORTEST: usize = 8;
/// The least autocorrelation at the period, and how far below it the course must have been in between.
const ALIKE: f64 = 0.4;
const FALL: f64 = 0.2;
/// A shorter period is taken rather than a longer one that is hardly better.
const AS_GOOD: f64 = 0.9;
/// The part of the variation that the phases must explain.
const EXPLAINED: f64 = 0.5;
/// Values further from the middle, in spreads, make no difference to the period.
const FAR: f64 = 10.0;
/// People and timers live by days and weeks: a period this close to one is one. Milliseconds.
const CALENDAR: [i64; 2] = [86_400_000, 7 * 86_400_000];
const CLOSE: f64 = 0.02;

/// What is usual at each phase of a period.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Season {
    /// Milliseconds.
    period: i64,
    origin: i64,
    usual: Vec<f64>,
}

impl Season {
    /// The season of points in order of time, if they have one.
    pub(super) fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        let span = last.at.checked_sub(first.at)?;
        if points.len() < FEWEST || span <= 0 {
            return None;
        }
        let mut steps: Vec<f64> = points.windows(2).map(|w| w[1].seconds_since(&w[0]) * 1000.0).collect();
        let step = robust::median(&mut steps)?.max(1.0);
        let bin = step.max(span as f64 / MOST as f64);
        let course = even(points, bin);
        let lag = period(&course)?;
        let exact = lag * bin;
        let near = CALENDAR.into_iter().find(|c| (exact - *c as f64).abs() <= CLOSE * *c as f64);
        let period = near.unwrap_or(exact as i64);
        let phases = ((period as f64 / step).round() as usize).clamp(SHORTEST, MOST_PHASES);
        let mut season = Self { period, origin: first.at, usual: vec![0.0; phases] };
        season.learn(points)?;
        season.explains(points).then_some(season)
    }

    /// The points less what is usual at their phase, around `center`. A peak that comes a little early or late is the
    /// usual one: of the phase and its neighbours the value that fits best is taken.
    pub(super) fn without(&self, points: &[Point], center: f64) -> Vec<Point> {
        points.iter().map(|p| Point { value: p.value - self.expected(p) + center, ..*p }).collect()
    }

    fn expected(&self, point: &Point) -> f64 {
        let (phases, at) = (self.usual.len(), self.phase(point.at));
        let near = [at, (at + 1) % phases, (at + phases - 1) % phases].map(|p| self.usual[p]);
        near.into_iter().min_by(|a, b| (a - point.value).abs().total_cmp(&(b - point.value).abs())).unwrap_or(0.0)
    }

    /// What is usual at this time.
    pub(super) fn usual_at(&self, at: i64) -> f64 {
        self.usual[self.phase(at)]
    }

    fn phase(&self, at: i64) -> usize {
        let into = at.saturating_sub(self.origin).rem_euclid(self.period) as f64 / self.period as f64;
        ((into * self.usual.len() as f64) as usize).min(self.usual.len() - 1)
    }

    fn learn(&mut self, points: &[Point]) -> Option<()> {
        let mut of: Vec<Vec<f64>> = vec![Vec::new(); self.usual.len()];
        for point in points {
            of[self.phase(point.at)].push(point.value);
        }
        let mut all: Vec<f64> = points.iter().map(|p| p.value).collect();
        let middle = robust::median(&mut all)?;
        for (usual, values) in self.usual.iter_mut().zip(&mut of) {
            *usual = robust::median(values).unwrap_or(middle);
        }
        Some(())
    }

    fn explains(&self, points: &[Point]) -> bool {
        let mut values: Vec<f64> = points.iter().map(|p| p.value).collect();
        let Some(middle) = robust::median(&mut values) else { return false };
        let most = FAR * robust::scale(&mut values, middle);
        let sum = |of: &dyn Fn(&Point) -> f64| points.iter().map(|p| of(p).clamp(-most, most).powi(2)).sum::<f64>();
        let left = sum(&|p| p.value - self.usual[self.phase(p.at)]);
        left <= (1.0 - EXPLAINED) * sum(&|p| p.value - middle)
    }
}

/// The points at even distances of `bin` milliseconds as means, less their median, in spreads; where there are none,
/// the one before stands.
fn even(points: &[Point], bin: f64) -> Vec<f64> {
    let Some(first) = points.first() else { return Vec::new() };
    let mut values: Vec<f64> = points.iter().map(|p| p.value).collect();
    let middle = robust::median(&mut values).unwrap_or(0.0);
    let spread = robust::scale(&mut values, middle).max(f64::MIN_POSITIVE);
    let place = |p: &Point| (p.at.saturating_sub(first.at) as f64 / bin) as usize;
    let mut sums = vec![(0.0, 0.0); points.last().map_or(0, place) + 1];
    for point in points {
        let (sum, n) = &mut sums[place(point)];
        *sum += ((point.value - middle) / spread).clamp(-FAR, FAR);
        *n += 1.0;
    }
    let mut before = 0.0;
    let mean = |(sum, n): (f64, f64)| {
        if n > 0.0 {
            before = sum / n;
        }
        before
    };
    sums.into_iter().map(mean).collect()
}

/// The period in places, to a part of one.
fn period(course: &[f64]) -> Option<f64> {
    let n = course.len();
    let mean = course.iter().sum::<f64>() / n as f64;
    let course: Vec<f64> = course.iter().map(|v| v - mean).collect();
    let variance = course.iter().map(|v| v * v).sum::<f64>() / n as f64;
    if variance <= 0.0 {
        return None;
    }
    let alike: Vec<f64> = (0..n / 2)
        .map(|lag| course.iter().zip(&course[lag..]).map(|(a, b)| a * b).sum::<f64>() / (n - lag) as f64 / variance)
        .collect();
    let longest = n / PERIODS;
    let mut lowest = 1.0f64;
    let mut tops: Vec<(usize, f64)> = Vec::new();
    for lag in 1..(longest + 2).min(alike.len().saturating_sub(1)) {
        lowest = lowest.min(alike[lag]);
        let top = alike[lag] >= alike[lag - 1] && alike[lag] > alike[lag + 1];
        if lag >= SHORTEST && top && alike[lag] >= ALIKE && lowest <= alike[lag] - FALL {
            tops.push((lag, alike[lag]));
        }
    }
    let best = tops.iter().map(|t| t.1).fold(0.0, f64::max);
    let (lag, _) = tops.into_iter().find(|t| t.1 >= AS_GOOD * best)?;
    let mut exact = lag as f64;
    for times in 2..=(alike.len() / lag) {
        let around = (exact * times as f64).round() as usize;
        let near = around.saturating_sub(2)..(around + 3).min(alike.len());
        let top = near.max_by(|a, b| alike[*a].total_cmp(&alike[*b]));
        // What is rounded may lie beyond what was looked at.
        let Some(top) = top else { break };
        if alike[top] >= ALIKE {
            exact = top as f64 / times as f64;
        }
    }
    Some(exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(step: i64, values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        let of = |(i, value): (usize, f64)| Point { row: i as u32, at: i as i64 * step, value };
        values.into_iter().enumerate().map(of).collect()
    }

    fn noise(i: usize) -> f64 {
        let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z >> 40) as f64 / (1u64 << 24) as f64
    }

    #[test]
    fn a_peak_each_night_is_the_season_of_a_day() {
        let backup = |i: usize| if (24..36).contains(&(i % 288)) { 80.0 } else { 5.0 } + 2.0 * noise(i);
        let all = points(300_000, (0..288 * 14).map(backup));
        let season = Season::of(&all).unwrap();
        assert_eq!(season.period, 86_400_000);
        let left = season.without(&all, 6.0);
        assert!(left.iter().all(|p| (p.value - 6.0).abs() < 3.0));
        // The night without it stands out.
        let quiet = Point { row: 0, at: 288 * 300_000 * 15 + 30 * 300_000, value: 5.0 };
        assert!(season.without(&[quiet], 6.0)[0].value < -60.0);
    }

    #[test]
    fn a_period_between_the_samples_is_exact_enough_for_many_of_it() {
        let all = points(1000, (0..3000).map(|i| (i as f64 / 37.3 * std::f64::consts::TAU).sin() + 0.2 * noise(i)));
        let season = Season::of(&all).unwrap();
        assert!((season.period - 37_300).abs() < 60, "{}", season.period);
    }

    #[test]
    fn four_periods_are_enough_and_any_number_of_them_is() {
        let night = |i: usize| if i % 288 < 12 { 80.0 } else { 5.0 } + noise(i);
        assert_eq!(Season::of(&points(300_000, (0..1152).map(night))).unwrap().period, 86_400_000);
        for n in [1200, 2000, 2900, 3000] {
            let wave = |i: usize| (i as f64 / 10.45 * std::f64::consts::TAU).sin() * 20.0 + noise(i);
            let season = Season::of(&points(1000, (0..n).map(wave)));
            assert!(season.is_some_and(|s| (s.period - 10_450).abs() < 60), "{n}");
        }
    }

    #[test]
    fn a_week_is_found_where_its_days_differ() {
        let day = |i: usize| if i / 24 % 7 < 5 { 50.0 } else { 0.0 } * f64::from(u8::from((8..18).contains(&(i % 24))));
        let season = Season::of(&points(3_600_000, (0..24 * 7 * 6).map(|i| day(i) + noise(i)))).unwrap();
        assert_eq!(season.period, 7 * 86_400_000);
    }

    #[test]
    fn noise_walks_steps_and_short_series_have_none() {
        let mut level = 0.0;
        let walk: Vec<f64> = (0..2000)
            .map(|i| {
                level += noise(i) - 0.5;
                level
            })
            .collect();
        for values in [
            (0..2000).map(noise).collect::<Vec<f64>>(),
            walk,
            (0..2000).map(|i| f64::from(u8::from(i > 900)) + noise(i)).collect(),
            vec![3.0; 2000],
            (0..60).map(|i| (f64::from(i) / 2.0).sin()).collect(),
            vec![],
        ] {
            assert_eq!(Season::of(&points(1000, values.iter().copied())), None);
        }
    }
}
