//! Charts in characters, for a terminal: a course in one line, and a small area chart. Knows nothing of colors.

use super::units::human;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values from 0 up in one line, a character each; nothing that is there is as low as nothing. What is not finite or
/// below 0 is drawn as 0.
#[must_use]
pub fn spark(values: &[f64]) -> String {
    let sane = |v: f64| if v.is_finite() { v.max(0.0) } else { 0.0 };
    let most = values.iter().copied().map(sane).fold(0.0, f64::max);
    let cell = |v: f64| match sane(v) {
        0.0 => ' ',
        v => EIGHTHS[((v / most * 8.0).ceil() as usize).clamp(1, 8)],
    };
    values.iter().copied().map(cell).collect()
}

/// The values from left to right as `rows` lines of at most `columns` characters, each column the highest of its
/// values, with the highest and the lowest value of all in `unit` beside. Values that are not finite are left out;
/// without a finite one it is empty.
#[must_use]
pub fn area(values: &[f64], unit: &str, columns: usize, rows: usize) -> String {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let (columns, rows) = (columns.clamp(1, values.len().max(1)), rows.max(1));
    if low > high {
        return String::new();
    }
    let peak = |c: usize| {
        let part = &values[c * values.len() / columns..(c + 1) * values.len() / columns];
        part.iter().copied().filter(|v| v.is_finite()).reduce(f64::max)
    };
    // Halves keep the difference of the largest numbers finite.
    let height = |v: f64| match high / 2.0 - low / 2.0 {
        0.0 => 4,
        span => 1 + ((v / 2.0 - low / 2.0) / span * (rows * 8 - 1) as f64).round() as usize,
    };
    let heights: Vec<Option<usize>> = (0..columns).map(|c| peak(c).map(height)).collect();
    let labels = [human(high, unit), human(low, unit)];
    let wide = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for row in (0..rows).rev() {
        let label = match row {
            r if r + 1 == rows => &*labels[0],
            0 => &*labels[1],
            _ => "",
        };
        let cells = heights.iter().map(|h| EIGHTHS[h.unwrap_or(0).saturating_sub(row * 8).min(8)]);
        let line = format!("{label:>wide$} │{}", cells.collect::<String>());
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_shows_the_least_that_is_there() {
        assert_eq!(spark(&[0.0, 1.0, 500.0, 1000.0, f64::NAN, -1.0]), " ▁▄█  ");
        assert_eq!(spark(&[]), "");
    }

    #[test]
    fn an_area_keeps_its_peaks_and_its_gaps() {
        let values = [0.0, 0.0, f64::NAN, f64::NAN, 100.0, 0.0];
        assert_eq!(area(&values, "", 3, 2), "100 │  █\n  0 │▁ █\n");
        assert_eq!(area(&[5.0, 5.0], "", 10, 1), "5 │▄▄\n");
        assert_eq!(area(&[f64::NAN], "", 10, 3), "");
        assert_eq!(area(&[], "", 10, 3), "");
        assert!(area(&[f64::MAX, f64::MIN], "By", 10, 3).contains('█'));
    }
}
