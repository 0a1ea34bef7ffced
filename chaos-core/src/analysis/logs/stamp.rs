//! Reads the times that log headers have, by hand: a general parser per line would cost more than all the rest.
//! A time without a zone counts as UTC.

use super::{
    cursor::{Cursor, DAY, days},
    header::Frame,
};
use crate::model::Timestamp;

/// A way to write a time; each is told from the others by its punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `2026-11-24T08:15:30.250Z`, `2026/11/24 08:15:30,250 +0100`
    Iso,
    /// `Nov 24 08:15:30`
    Bsd,
    /// `24/Nov/2026:08:15:30 +0000`
    Access,
    /// `Tue Nov 24 08:15:30.123456 2026`
    Ctime,
    /// `2026-11-24-08.15.30.250000`
    Dotted,
    /// `11-24 08:15:30.250`, `11.24 08:15:30`
    MonthDay,
    /// `1124 08:15:30.250000`
    Glog,
    /// `261124 081530`, `20261124 081530`
    Digits,
    /// `26/11/24 08:15:30`
    ShortYear,
    /// `20261124-08:15:30:250`, `20261124T08:15:30`
    Packed,
    /// `24 Nov 2026 08:15:30.250`
    DayFirst,
    /// `Nov 24, 2026 8:15:30 AM`
    HalfDay,
    /// `08:15:30.250`, a time of day
    Clock,
    /// `1795508130`, `1795508130.250`, or in milli-, micro- or nanoseconds
    Epoch,
    /// `   12.345678]`, seconds since boot
    SinceBoot,
}

impl Form {
    /// The time and what follows it; `None` when the text does not begin with one. Times without a year get it from
    /// the frame, those since boot are known where the boot's is.
    pub(super) fn read<'a>(self, text: &'a [u8], frame: &Frame) -> Option<(Timestamp, &'a [u8])> {
        match self {
            Self::Iso => iso(text),
            Self::Bsd => bsd(text, frame.reference),
            Self::Access => access(text),
            Self::Ctime => ctime(text),
            Self::Dotted => dotted(text),
            Self::MonthDay => month_day(text, frame.reference),
            Self::Glog => glog(text, frame.reference),
            Self::Digits => digits(text),
            Self::ShortYear => short_year(text),
            Self::Packed => packed(text),
            Self::DayFirst => day_first(text),
            Self::HalfDay => half_day(text),
            Self::Clock => clock(text, frame.reference),
            Self::Epoch => seconds(text),
            Self::SinceBoot => {
                let (millis, rest) = since_boot(text)?;
                Some((Timestamp::from_millis(frame.boot?.0.saturating_add(millis)), rest))
            }
        }
    }
}

/// `2026-11-24T08:15:30.250Z`, `2026-11-24 08:15:30,250 +0100`, `2026/11/24 08:15:30`: the time and what follows.
pub(super) fn iso(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let year = c.digits(4)?;
    let separator = *c.0.first().filter(|b| matches!(b, b'-' | b'/'))?;
    c.byte(separator)?;
    let month = c.digits(2)?;
    c.byte(separator)?;
    let day = c.digits(2)?;
    c.byte(b'T').or_else(|| c.byte(b' '))?;
    let clock = c.clock()?;
    let zone = c.zone();
    Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock - zone), c.0))
}

/// `Nov 24 08:15:30`, in the last year that does not put it after `reference`: a log is written before it is read.
/// Two days are allowed for clocks and time zones.
pub(super) fn bsd(text: &[u8], reference: Timestamp) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let month = c.month()?;
    c.byte(b' ')?;
    let day = if c.byte(b' ').is_some() { c.digits(1)? } else { c.number().filter(|d| *d <= 31)? };
    c.byte(b' ')?;
    // Cisco and some rsyslog templates put the year here.
    let mut with_year = c;
    if let Some(year) = with_year.digits(4)
        && with_year.byte(b' ').is_some()
    {
        let clock = with_year.clock()?;
        return Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock), with_year.0));
    }
    let clock = c.clock()?;
    Some((without_year(month, day, clock, reference)?, c.0))
}

/// In the last year that does not put it more than two days after `reference`.
fn without_year(month: i64, day: i64, clock: i64, reference: Timestamp) -> Option<Timestamp> {
    let year = 1970 + reference.0.div_euclid(DAY) * 400 / 146_097;
    // The latest year first: a 29th of February may be eight years back.
    let mut years = (year - 8..=year + 1).rev().filter_map(|y| Some(days(y, month, day)? * DAY + clock));
    years.find(|t| *t <= reference.0.saturating_add(2 * DAY)).map(Timestamp::from_millis)
}

/// As IBM's loggers write.
fn dotted(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let date = c.date(4, b'-')?;
    c.byte(b'-')?;
    let clock = c.clock_by(b'.')?;
    Some((Timestamp::from_millis(date + clock), c.0))
}

/// The `threadtime` of logcat, and the same with a dot.
fn month_day(text: &[u8], reference: Timestamp) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let month = c.digits(2).filter(|m| (1..=12).contains(m))?;
    c.byte(b'-').or_else(|| c.byte(b'.'))?;
    let day = c.digits(2)?;
    c.byte(b' ')?;
    let clock = c.clock()?;
    Some((without_year(month, day, clock, reference)?, c.0))
}

/// As Google's logging libraries and Kubernetes write, after the letter of the level.
fn glog(text: &[u8], reference: Timestamp) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let month = c.digits(2).filter(|m| (1..=12).contains(m))?;
    let day = c.digits(2)?;
    c.byte(b' ')?;
    let clock = c.clock()?;
    Some((without_year(month, day, clock, reference)?, c.0))
}

fn digits(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let date = match text.iter().take_while(|b| b.is_ascii_digit()).count() {
        6 => c.packed_date(2)?,
        8 => c.packed_date(4)?,
        _ => return None,
    };
    c.byte(b' ')?;
    let (h, m, s) = (c.digits(2)?, c.digits(2)?, c.digits(2)?);
    let ends = c.0.first().is_none_or(|b| !b.is_ascii_digit());
    (h < 24 && m < 60 && s <= 60 && ends).then(|| (Timestamp::from_millis(date + ((h * 60 + m) * 60 + s) * 1000), c.0))
}

/// As log4j writes where nothing else is set.
fn short_year(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let date = c.date(2, b'/').or_else(|| c.date(2, b'-'))?;
    c.byte(b' ')?;
    let clock = c.clock()?;
    Some((Timestamp::from_millis(date + clock), c.0))
}

fn packed(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let date = c.packed_date(4)?;
    c.byte(b'-').or_else(|| c.byte(b'T')).or_else(|| c.byte(b' '))?;
    let mut clock = c.clock_loosely()?;
    if let [b':' | b'.' | b',', b'0'..=b'9', ..] = c.0 {
        c.0 = &c.0[1..];
        clock += c.fraction()?;
    }
    let zone = c.zone();
    Some((Timestamp::from_millis(date + clock - zone), c.0))
}

/// As Redis writes.
fn day_first(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let day = c.digits(2)?;
    c.byte(b' ')?;
    let month = c.month()?;
    c.byte(b' ')?;
    let year = c.digits(4)?;
    c.byte(b' ')?;
    let clock = c.clock()?;
    Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock), c.0))
}

/// As `java.util.logging` writes.
fn half_day(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let month = c.month()?;
    c.byte(b' ')?;
    let day = c.number()?;
    c.byte(b',')?;
    c.byte(b' ')?;
    let year = c.digits(4)?;
    c.byte(b' ')?;
    let clock = c.clock_loosely()?;
    c.byte(b' ')?;
    let afternoon = match c.0 {
        [b'A', b'M', ..] => 0,
        [b'P', b'M', ..] => DAY / 2,
        _ => return None,
    };
    Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock % (DAY / 2) + afternoon), &c.0[2..]))
}

/// On the last day that does not put it more than an hour after `reference`.
fn clock(text: &[u8], reference: Timestamp) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let clock = c.clock()?;
    let today = reference.0.div_euclid(DAY) * DAY + clock;
    let late = today > reference.0.saturating_add(DAY / 24);
    Some((Timestamp::from_millis(today - DAY * i64::from(late)), c.0))
}

/// A number that was seconds, or a fraction of them, since the epoch in the years 2001 to 2128.
fn seconds(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let places = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = c.number()?;
    let mut millis = match places {
        10 => number * 1000,
        13 => number,
        16 => number / 1000,
        19 => number / 1_000_000,
        _ => return None,
    };
    if let [b'.', b'0'..=b'9', ..] = c.0
        && places == 10
    {
        c.0 = &c.0[1..];
        millis += c.fraction()?;
    }
    let ends = matches!(c.0.first(), None | Some(b' ' | b',' | b'|' | b']' | b'\t' | b';' | b':' | b'"'));
    ((1_000_000_000_000..5_000_000_000_000).contains(&millis) && ends).then(|| (Timestamp::from_millis(millis), c.0))
}

/// The kernel's `   12.345678]`: milliseconds since boot.
fn since_boot(text: &[u8]) -> Option<(i64, &[u8])> {
    let mut c = Cursor(text.trim_ascii_start());
    let seconds = c.number()?;
    c.byte(b'.')?;
    let micros = c.digits(6)?;
    c.byte(b']')?;
    Some((seconds.saturating_mul(1000).saturating_add(micros / 1000), c.0))
}

/// `24/Nov/2026:08:15:30 +0000`, as in access logs.
pub(super) fn access(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut c = Cursor(text);
    let day = c.digits(2)?;
    c.byte(b'/')?;
    let month = c.month()?;
    c.byte(b'/')?;
    let year = c.digits(4)?;
    c.byte(b':')?;
    let clock = c.clock()?;
    let zone = c.zone();
    Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock - zone), c.0))
}

/// `Tue Nov 24 08:15:30.123456 2026`, as Apache's error log and `dmesg -T` have it.
pub(super) fn ctime(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (weekday, rest) = text.split_at_checked(4)?;
    if !matches!(weekday, b"Mon " | b"Tue " | b"Wed " | b"Thu " | b"Fri " | b"Sat " | b"Sun ") {
        return None;
    }
    let mut c = Cursor(rest);
    let month = c.month()?;
    c.byte(b' ')?;
    let _ = c.byte(b' ');
    let day = c.number()?;
    c.byte(b' ')?;
    let clock = c.clock()?;
    c.byte(b' ')?;
    let year = c.digits(4)?;
    Some((Timestamp::from_millis(days(year, month, day)? * DAY + clock), c.0))
}

/// Seconds since the epoch, or milli-, micro- or nanoseconds when the number is too large for seconds.
pub(super) fn epoch(value: f64) -> Option<Timestamp> {
    let millis = match value.abs() {
        v if v < 1e11 => value * 1e3,
        v if v < 1e14 => value,
        v if v < 1e17 => value / 1e3,
        v if v < 1e20 => value / 1e6,
        _ => return None,
    };
    millis.is_finite().then(|| Timestamp::from_millis(millis.floor() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn times_are_read_in_the_forms_that_logs_have() {
        let want = at("2026-11-24T08:15:30.250Z");
        for text in [
            "2026-11-24T08:15:30.250Z rest",
            "2026-11-24 08:15:30,250 rest",
            "2026/11/24 08:15:30.2501 rest",
            "2026-11-24T09:15:30.250+01:00 rest",
            "2026-11-24 00:15:30.25 -0800 rest",
            "2026-11-24 08:15:30.250 UTC rest",
        ] {
            assert_eq!(iso(text.as_bytes()), Some((want, &b" rest"[..])), "{text}");
        }
        let whole = at("2026-11-24T08:15:30Z");
        assert_eq!(access(b"24/Nov/2026:09:15:30 +0100]"), Some((whole, &b"]"[..])));
        assert_eq!(ctime(b"Tue Nov 24 08:15:30 2026]"), Some((whole, &b"]"[..])));
        assert_eq!(epoch(1_795_508_130.25), epoch(1_795_508_130_250.0));
    }

    #[test]
    fn other_forms_are_read_too() {
        let frame = Frame { reference: at("2026-11-25T00:00:00Z"), boot: Some(at("2026-11-24T08:15:18Z")) };
        for (form, text, millis) in [
            (Form::Dotted, "2026-11-24-08.15.30.250000 rest", 250),
            (Form::MonthDay, "11-24 08:15:30.250 rest", 250),
            (Form::MonthDay, "11.24 08:15:30 rest", 0),
            (Form::Glog, "1124 08:15:30.250000 rest", 250),
            (Form::Digits, "261124 081530 rest", 0),
            (Form::Digits, "20261124 081530 rest", 0),
            (Form::ShortYear, "26/11/24 08:15:30 rest", 0),
            (Form::Packed, "20261124-08:15:30:250 rest", 250),
            (Form::Packed, "20261124T8:15:30 rest", 0),
            (Form::DayFirst, "24 Nov 2026 08:15:30.250 rest", 250),
            (Form::HalfDay, "Nov 24, 2026 8:15:30 AM rest", 0),
            (Form::Clock, "08:15:30.250 rest", 250),
            (Form::Epoch, "1795508130 rest", 0),
            (Form::Epoch, "1795508130.25 rest", 250),
            (Form::Epoch, "1795508130250 rest", 250),
            (Form::SinceBoot, "   12.250000] rest", 250),
        ] {
            let want = Timestamp(at("2026-11-24T08:15:30Z").0 + millis);
            assert_eq!(form.read(text.as_bytes(), &frame), Some((want, &b" rest"[..])), "{text}");
        }
        for (form, text) in [
            (Form::HalfDay, "Nov 24, 2026 8:15:30 XM"),
            (Form::HalfDay, "Nov 24, 2026 9223372036854775807:1:1 AM"),
            (Form::Packed, "20261124-9223372036854775807:1:1 x"),
            (Form::Digits, "261124 0815301"),
            (Form::Digits, "261324 081530"),
            (Form::Epoch, "179550813"),
            (Form::Epoch, "1795508130x"),
            (Form::Epoch, "9999999999999999999 "),
            (Form::SinceBoot, "12] "),
        ] {
            assert_eq!(form.read(text.as_bytes(), &frame), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_of_the_last_day_that_fits() {
        let frame = Frame { reference: at("2026-11-24T00:10:00Z"), boot: None };
        let read = |text: &str| Form::Clock.read(text.as_bytes(), &frame).map(|(t, _)| t.to_string());
        assert_eq!(read("00:05:00 x").as_deref(), Some("2026-11-24T00:05:00.000Z"));
        assert_eq!(read("23:59:59 x").as_deref(), Some("2026-11-23T23:59:59.000Z"));
        let noon = |text: &str| half_day(text.as_bytes()).map(|(t, _)| t.time_of_day());
        assert_eq!(noon("Nov 24, 2026 12:00:01 PM").as_deref(), Some("12:00:01"));
        assert_eq!(noon("Nov 24, 2026 12:00:01 AM").as_deref(), Some("00:00:01"));
    }

    #[test]
    fn a_number_behind_a_time_is_no_zone() {
        let read = |text: &str| {
            iso(text.as_bytes()).map(|(t, rest)| (t.time_of_day(), String::from_utf8_lossy(rest).into_owned()))
        };
        assert_eq!(read("2026-11-24 08:15:30 -10 degrees"), Some(("08:15:30".into(), " -10 degrees".into())));
        assert_eq!(read("2026-11-24 08:15:30 -1000 x"), Some(("18:15:30".into(), " x".into())));
        assert_eq!(read("2026-11-24 08:15:30-10 x"), Some(("18:15:30".into(), " x".into())));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "2026-13-24T08:15:30Z", "2026-02-29T08:15:30Z", "2026-11-24T24:15:30Z", "2026-11-2", "é"] {
            assert_eq!(iso(text.as_bytes()), None, "{text}");
        }
        assert_eq!(bsd(b"Foo 24 08:15:30 x", Timestamp(0)), None);
    }

    #[test]
    fn a_year_less_time_gets_the_last_year_that_is_not_in_the_future() {
        let new_year = at("2027-01-01T00:05:00Z");
        assert_eq!(bsd(b"Dec 31 23:59:59 h", new_year), Some((at("2026-12-31T23:59:59Z"), &b" h"[..])));
        assert_eq!(bsd(b"Jan  1 00:06:00 h", at("2026-12-31T23:00:00Z")).unwrap().0, at("2027-01-01T00:06:00Z"));
        assert_eq!(bsd(b"Feb 29 00:00:00 h", at("2026-03-01T00:00:00Z")).unwrap().0, at("2024-02-29T00:00:00Z"));
        assert_eq!(bsd(b"Mar 14 09:00:00 h", at("2026-11-24T00:00:00Z")).unwrap().0, at("2026-03-14T09:00:00Z"));
    }
}
