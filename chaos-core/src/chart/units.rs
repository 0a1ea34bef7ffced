//! Values as people read them, and the ticks of axes. Knows units and time, nothing of drawing.

use crate::model::Timestamp;

/// A value in its UCUM unit for a person: `98 %`, `512 MiB/s`, `3 processes`.
#[must_use]
pub fn human(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return "no value".to_owned();
    }
    let scale = Scale::of(value.abs(), unit);
    let scaled = value / scale.divisor;
    match scale.suffix.as_str() {
        "" => number(scaled),
        _ if scale.countable && number(scaled) == "1" => format!("1{}", singular(unit)),
        suffix => format!("{}{suffix}", number(scaled)),
    }
}

/// By what to divide the values of one axis, and what to write behind them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    pub(crate) divisor: f64,
    pub(crate) suffix: String,
    /// Whether the suffix names what is counted: ` operations/s`.
    pub(crate) countable: bool,
}

impl Scale {
    /// The scale on which `largest` reads well.
    pub(crate) fn of(largest: f64, unit: &str) -> Self {
        let plain = |divisor: f64, suffix: &str| Self { divisor, suffix: suffix.to_owned(), countable: false };
        match unit {
            "1" => plain(0.01, " %"),
            "" => plain(1.0, ""),
            "s" if largest < 1e-3 => plain(1e-6, " µs"),
            "s" if largest < 1.0 => plain(1e-3, " ms"),
            "By" | "By/s" => {
                const PREFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
                let power = PREFIXES.iter().skip(1).take_while({
                    let mut left = largest;
                    move |_| {
                        left /= 1024.0;
                        left >= 1.0
                    }
                });
                let power = power.count();
                let per = if unit == "By/s" { "/s" } else { "" };
                plain(1024f64.powi(power as i32), &format!(" {}B{per}", PREFIXES[power]))
            }
            _ => match unit.strip_prefix('{').and_then(|u| u.split_once('}')) {
                Some((noun, rest)) => {
                    Self { divisor: 1.0, suffix: format!(" {}{rest}", plural(noun)), countable: true }
                }
                None => plain(1.0, &format!(" {unit}")),
            },
        }
    }
}

fn singular(unit: &str) -> String {
    format!(" {}", unit.replacen(['{', '}'], "", 2))
}

fn plural(noun: &str) -> String {
    match noun {
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ if noun.ends_with('y') => format!("{}ies", &noun[..noun.len() - 1]),
        _ => format!("{noun}s"),
    }
}

/// A number with about three significant digits: `0.04`, `12.5`, `340`, `12.3k`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let (divisor, suffix) = match size {
        _ if size >= 1e15 => return format!("{value:.1e}"),
        _ if size >= 1e12 => (1e12, "T"),
        _ if size >= 1e9 => (1e9, "G"),
        _ if size >= 1e6 => (1e6, "M"),
        _ if size >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let v = value / divisor;
    let digits = match v.abs() {
        a if a >= 99.95 => 0,
        a if a >= 9.995 => 1,
        a if a >= 0.0995 || a == 0.0 => 2,
        a if a >= 0.000_995 => 4,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{v:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let text = if text == "-0" { "0" } else { text };
    format!("{text}{suffix}")
}

/// Round values between `low` and `high`, at most about `wanted` + 1 of them. Empty for a degenerate range.
pub(crate) fn value_ticks(low: f64, high: f64, wanted: u32) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return Vec::new();
    }
    let step = nice_step(span / f64::from(wanted.max(1)));
    let first = (low / step).ceil();
    // A step far below the resolution of `low` would never get from one tick to the next.
    if !step.is_normal() || !first.is_finite() || first.abs() > 1e12 {
        return vec![low, high];
    }
    (0..=u64::from(wanted) * 3)
        .map(|i| (first + i as f64) * step)
        .take_while(|v| *v <= high + step * 1e-9)
        .map(|v| if v.abs() < step * 1e-9 { 0.0 } else { v })
        .collect()
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `raw`.
pub(crate) fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|m| m * power).find(|s| *s >= raw * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// Round UTC times within `start..=end` with their labels; the date is part of them when days differ.
pub(crate) fn time_ticks(start: Timestamp, end: Timestamp, wanted: i64) -> Vec<(Timestamp, String)> {
    const STEPS: [i64; 20] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    ];
    let span = end.0.saturating_sub(start.0);
    if span <= 0 {
        return Vec::new();
    }
    let fits = |step: &&i64| span / (**step * 1000) <= wanted;
    let step = STEPS.iter().find(fits).map_or(span / wanted.max(1), |s| s * 1000).max(1);
    let first = start.0.div_euclid(step).saturating_add(1).saturating_mul(step);
    let first = if start.0 % step == 0 { start.0 } else { first };
    (0..=wanted + 1)
        .map(|i| first.saturating_add(i.saturating_mul(step)))
        .take_while(|t| *t <= end.0)
        .map(|t| (Timestamp(t), time_label(Timestamp(t), step, start.day() != end.day())))
        .collect()
}

fn time_label(at: Timestamp, step_ms: i64, with_date: bool) -> String {
    let text = at.to_string();
    let (date, _) = text.split_once('T').unwrap_or((&text, ""));
    let time = at.time_of_day();
    let short = if step_ms < 60_000 { time.as_str() } else { time.get(..5).unwrap_or(&time) };
    match with_date {
        true if step_ms >= 86_400_000 => date.to_owned(),
        true => format!("{} {short}", date.get(date.len().saturating_sub(5)..).unwrap_or(date)),
        false => short.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_say_them() {
        for (value, unit, want) in [
            (0.983, "1", "98.3 %"),
            (1.0, "1", "100 %"),
            (0.0, "1", "0 %"),
            (1536.0, "By", "1.5 KiB"),
            (3.2e9, "By/s", "2.98 GiB/s"),
            (1.0, "{process}", "1 process"),
            (12.0, "{process}", "12 processes"),
            (412.0, "{operation}/s", "412 operations/s"),
            (0.25, "s", "250 ms"),
            (f64::NAN, "1", "no value"),
            (f64::MAX, "By", "1.6e290 EiB"),
            (12.34, "C", "12.3 C"),
        ] {
            assert_eq!(human(value, unit), want, "{value} {unit}");
        }
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(value_ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        for (low, high) in [(0.0, 0.0), (1e300, 1e300), (-1e308, 1e308), (1e16, 1e16 + 4.0), (0.0, 5e-324)] {
            assert!(value_ticks(low, high, 5).len() <= 16, "{low} {high}");
        }
        let at = |s: &str| Timestamp::parse(s).unwrap();
        let ticks = time_ticks(at("2026-11-24T10:00:05Z"), at("2026-11-24T10:01:05Z"), 6);
        assert_eq!(ticks.first().unwrap().1, "10:00:10");
        assert_eq!(ticks.len(), 6);
        assert_eq!(time_ticks(at("2026-11-24T23:50:00Z"), at("2026-11-25T00:20:00Z"), 6)[0].1, "11-24 23:50");
        assert!(time_ticks(Timestamp(i64::MIN), Timestamp(i64::MAX), 6).len() <= 8);
    }
}
