//! Headers in forms that `header` does not know: a time that stands behind other fields, and what loggers put between
//! the level and the message. For a whole log that somebody asks about, where a field in front of every message makes
//! a template of every value of it.

use std::borrow::Cow;

use super::{
    header::{self, Frame, Header, component},
    stamp::{self, Cursor},
};
use crate::model::{Level, Timestamp};

/// Bytes and words in which a time is looked for.
const NEAR: usize = 160;
const WORDS: usize = 6;

/// Reads a line as [`header::parse`], then further.
pub(super) fn parse<'a>(line: &'a str, frame: &Frame) -> Header<'a> {
    let mut read = header::parse(line, frame);
    if read.at.is_none()
        && let Some(found) = month_day(line, frame).or_else(|| behind(line))
    {
        read = found;
    }
    if read.at.is_some()
        && let Cow::Borrowed(message) = read.message
        && let Some((unit, rest)) = context(message)
    {
        read.unit = Some(unit.into());
        read.message = rest.into();
    }
    read
}

/// A time behind a few words without one.
fn behind(line: &str) -> Option<Header<'_>> {
    let mut at = 0;
    for _ in 0..WORDS {
        let rest = line.get(at..)?;
        let found = stamp::iso(rest.as_bytes()).or_else(|| dotted(rest.as_bytes()));
        if let Some((time, after)) = found {
            return Some(Header { at: Some(time), ..component(header::text(line, after)) });
        }
        at += rest.find(' ').filter(|n| at + n < NEAR)? + 1;
    }
    None
}

/// `2026-11-24-08.15.30.250000`, as IBM's loggers write.
fn dotted(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let head = text.get(..19)?;
    let is_it = head[10] == b'-' && head[13] == b'.' && head[16] == b'.';
    if !is_it {
        return None;
    }
    let mut iso = [0; 19];
    iso.copy_from_slice(head);
    (iso[10], iso[13], iso[16]) = (b'T', b':', b':');
    let (time, _) = stamp::iso(&iso)?;
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = &fraction[fraction.iter().take_while(|b| b.is_ascii_digit()).count()..];
    }
    Some((time, rest))
}

/// `11-24 08:15:30.250  1702  2395 D tag: message`, the `threadtime` of logcat, or the same without process and thread.
fn month_day<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut c = Cursor(line.as_bytes());
    let month = c.digits(2).filter(|m| (1..=12).contains(m))?;
    c.byte(b'-')?;
    let day = c.digits(2)?;
    c.byte(b' ')?;
    let rest = header::text(line, c.0);
    let end = rest.find(' ').filter(|n| *n <= 16)?;
    let (at, _) =
        stamp::bsd(format!("{} {day:02} {}", NAMES[month as usize - 1], &rest[..end]).as_bytes(), frame.reference)?;
    let mut rest = rest[end..].trim_start();
    let mut pid = None;
    while let Some((number, after)) = rest.split_once(' ').filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit())) {
        pid = pid.or(number.parse().ok());
        rest = after.trim_start();
    }
    let level = match rest.as_bytes() {
        [b'V', b' ', ..] => Level::Trace,
        [b'D', b' ', ..] => Level::Debug,
        [b'I', b' ', ..] => Level::Info,
        [b'W', b' ', ..] => Level::Warning,
        [b'E', b' ', ..] => Level::Error,
        [b'F', b' ', ..] => Level::Critical,
        _ => return Some(Header { at: Some(at), ..component(rest) }),
    };
    let (unit, message) = rest[2..].split_once(": ").unwrap_or(("", &rest[2..]));
    let unit = (!unit.is_empty()).then(|| unit.trim_end().into());
    Some(Header { at: Some(at), level: Some(level), unit, pid, message: message.into(), ignore: false })
}

/// `module.name [request 1 - -] message`: the module, and the message.
fn context(message: &str) -> Option<(&str, &str)> {
    let (unit, rest) = message.split_once(" [")?;
    let is_name = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_');
    if !unit.contains('.') || unit.ends_with('.') || !unit.bytes().all(is_name) {
        return None;
    }
    let (_, message) = rest.split_once("] ")?;
    Some((unit, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame { reference: Timestamp::parse("2026-11-24T12:00:00Z").unwrap(), boot: None }
    }

    #[test]
    fn a_time_is_found_behind_other_fields() {
        for (line, level, unit, message) in [
            ("11-24 08:15:30.250  1702  2395 W Power: low 5", Level::Warning, Some("Power"), "low 5"),
            ("app.log 2026-11-24 08:15:30.250 25 INFO a.b.c [req-1 - -] done 5", Level::Info, Some("a.b.c"), "done 5"),
            ("179 rack 2026-11-24-08.15.30.250000 rack RAS KERNEL FATAL gone 5", Level::Critical, None, "gone 5"),
        ] {
            let got = parse(line, &frame());
            assert_eq!((got.level, got.unit.as_deref(), &*got.message), (Some(level), unit, message), "{line}");
            assert_eq!(got.at.unwrap().0 / 1000, Timestamp::parse("2026-11-24T08:15:30Z").unwrap().0 / 1000, "{line}");
        }
    }

    #[test]
    fn what_has_no_time_is_as_it_was() {
        for line in ["", "a b c", "11-24", "11-24 xx", "2026-11-24-", "é 11", "x [y] z"] {
            assert_eq!(parse(line, &frame()), header::parse(line, &frame()), "{line}");
        }
    }
}
