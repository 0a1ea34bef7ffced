//! Reads the times that log headers have, by hand: a general parser per line would cost more than all the rest.
//! A time without a zone counts as UTC.

use crate::model::Timestamp;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Reads a text from its beginning.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn byte(&mut self, wanted: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == wanted).then(|| self.0 = rest)
    }

    /// Exactly `n` digits, `n` below 10.
    pub(super) fn digits(&mut self, n: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(n)?;
        let value = head.iter().try_fold(0, |v, b| b.is_ascii_digit().then(|| v * 10 + i64::from(b - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    /// As many digits as there are, at least one; `None` when the number has no place in an `i64`.
    pub(super) fn number(&mut self) -> Option<i64> {
        let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (head, rest) = self.0.split_at(n);
        if n == 0 {
            return None;
        }
        self.0 = rest;
        head.iter().try_fold(0i64, |v, b| v.checked_mul(10)?.checked_add(i64::from(b - b'0')))
    }

    /// A fraction after `.` or `,`, in milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        let mut millis = 0;
        let mut unit = 100;
        let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        for b in &self.0[..n.min(3)] {
            millis += i64::from(b - b'0') * unit;
            unit /= 10;
        }
        self.0 = &self.0[n..];
        (n > 0).then_some(millis)
    }

    fn month(&mut self) -> Option<i64> {
        const NAMES: [&[u8]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let (head, rest) = self.0.split_at_checked(3)?;
        let i = NAMES.iter().position(|n| *n == head)?;
        self.0 = rest;
        Some(i as i64 + 1)
    }

    /// `HH:MM:SS` with a fraction, in milliseconds.
    fn clock(&mut self) -> Option<i64> {
        let h = self.digits(2)?;
        self.byte(b':')?;
        let m = self.digits(2)?;
        self.byte(b':')?;
        let s = self.digits(2)?;
        let mut millis = 0;
        if let [b'.' | b',', b'0'..=b'9', ..] = self.0 {
            self.0 = &self.0[1..];
            millis = self.fraction()?;
        }
        (h < 24 && m < 60 && s <= 60).then_some(((h * 60 + m) * 60 + s) * 1000 + millis)
    }

    /// `Z`, `+hh:mm`, `-hhmm`, `+hh`, ` +hhmm`, ` UTC`: milliseconds east of UTC; nothing is UTC.
    fn zone(&mut self) -> i64 {
        let text = self.0.strip_prefix(b" ").unwrap_or(self.0);
        for name in [&b"UTC"[..], b"GMT", b"Z"] {
            if let Some(rest) = text.strip_prefix(name)
                && rest.first().is_none_or(|b| !b.is_ascii_alphanumeric())
            {
                self.0 = rest;
                return 0;
            }
        }
        let Some((sign @ (b'+' | b'-'), rest)) = text.split_first().map(|(s, r)| (*s, r)) else { return 0 };
        let mut zone = Cursor(rest);
        let Some(hours) = zone.digits(2) else { return 0 };
        let mut minutes = 0;
        let mut after = zone;
        let _ = after.byte(b':');
        if let Some(m) = after.digits(2) {
            (minutes, zone) = (m, after);
        }
        if hours > 14 || minutes > 59 {
            return 0;
        }
        self.0 = zone.0;
        (hours * 60 + minutes) * 60_000 * if sign == b'-' { -1 } else { 1 }
    }
}

/// Days since the epoch (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
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
    let year = 1970 + reference.0.div_euclid(DAY) * 400 / 146_097;
    let last = (year - 8..=year + 1)
        .filter_map(|y| Some(days(y, month, day)? * DAY + clock))
        .filter(|t| *t <= reference.0.saturating_add(2 * DAY))
        .max()?;
    Some((Timestamp::from_millis(last), c.0))
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
