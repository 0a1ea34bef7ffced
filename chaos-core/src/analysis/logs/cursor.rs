//! Reads digits, clocks, dates and zones from the beginning of a text. Knows no format of a whole time.

/// Milliseconds of a day.
pub(super) const DAY: i64 = 86_400_000;

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
    pub(super) fn fraction(&mut self) -> Option<i64> {
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

    pub(super) fn month(&mut self) -> Option<i64> {
        const NAMES: [&[u8]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let (head, rest) = self.0.split_at_checked(3)?;
        let i = NAMES.iter().position(|n| *n == head)?;
        self.0 = rest;
        Some(i as i64 + 1)
    }

    /// A year of so many digits, month and day, as milliseconds; a year of two digits is one from 1970 to 2069.
    pub(super) fn date(&mut self, year: usize, by: u8) -> Option<i64> {
        let year = self.year(year)?;
        self.byte(by)?;
        let month = self.digits(2)?;
        self.byte(by)?;
        let day = self.digits(2)?;
        Some(days(year, month, day)? * DAY)
    }

    pub(super) fn packed_date(&mut self, year: usize) -> Option<i64> {
        let (year, month, day) = (self.year(year)?, self.digits(2)?, self.digits(2)?);
        Some(days(year, month, day)? * DAY)
    }

    pub(super) fn year(&mut self, digits: usize) -> Option<i64> {
        let year = self.digits(digits)?;
        Some(if digits > 2 { year } else { 1900 + year + 100 * i64::from(year < 70) })
    }

    /// `HH:MM:SS` with a fraction, in milliseconds.
    pub(super) fn clock(&mut self) -> Option<i64> {
        self.clock_by(b':')
    }

    /// `H:M:S`, each of one digit or two, in milliseconds.
    pub(super) fn clock_loosely(&mut self) -> Option<i64> {
        let h = self.number()?;
        self.byte(b':')?;
        let m = self.number()?;
        self.byte(b':')?;
        let s = self.number()?;
        (h < 24 && m < 60 && s <= 60).then(|| ((h * 60 + m) * 60 + s) * 1000)
    }

    pub(super) fn clock_by(&mut self, by: u8) -> Option<i64> {
        let h = self.digits(2)?;
        self.byte(by)?;
        let m = self.digits(2)?;
        self.byte(by)?;
        let s = self.digits(2)?;
        let mut millis = 0;
        if let [b'.' | b',', b'0'..=b'9', ..] = self.0 {
            self.0 = &self.0[1..];
            millis = self.fraction()?;
        }
        (h < 24 && m < 60 && s <= 60).then_some(((h * 60 + m) * 60 + s) * 1000 + millis)
    }

    /// `Z`, `+hh:mm`, `-hhmm`, `+hh`, ` +hhmm`, ` UTC`: milliseconds east of UTC; nothing is UTC.
    pub(super) fn zone(&mut self) -> i64 {
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
        let is_apart = self.0.first() == Some(&b' ');
        let mut after = zone;
        let _ = after.byte(b':');
        if let Some(m) = after.digits(2) {
            (minutes, zone) = (m, after);
        } else if is_apart {
            // `-10` behind a space is a number.
            return 0;
        }
        if hours > 14 || minutes > 59 {
            return 0;
        }
        self.0 = zone.0;
        (hours * 60 + minutes) * 60_000 * if sign == b'-' { -1 } else { 1 }
    }
}

/// Days since the epoch (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
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
