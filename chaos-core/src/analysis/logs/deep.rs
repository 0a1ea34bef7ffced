//! Headers in forms that `header` does not know: a time that stands behind other fields, or that may as well be a number
//! of the message. A field that stays in front of every message makes a template of every value of it.

use super::{
    component::component,
    header::{self, Frame, Header, host_and_tag, level_near_start},
    stamp::Form,
};

/// Bytes and words in which a time is looked for.
const NEAR: usize = 160;
const WORDS: usize = 6;

/// Reads a line as [`header::parse`], then further.
pub(super) fn parse<'a>(line: &'a str, frame: &Frame) -> Header<'a> {
    let mut read = header::parse(line, frame);
    if read.at.is_none()
        && let Some(found) = behind(line, frame).or_else(|| counted(line, frame)).or_else(|| time_of_day(line, frame))
    {
        read = found;
        if read.level.is_none() {
            read.level = level_near_start(&read.message).map(|(level, ..)| level);
        }
    }
    read
}

/// A time behind a few words that are no sentence: numbers, dashes, names with digits.
fn behind<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let mut at = 0;
    let (mut fields, mut words) = (0, 0);
    let mut epoch = None;
    for _ in 0..WORDS {
        let rest = line.get(at..)?;
        if let Some((form, time, after)) =
            header::time(rest, &[Form::Iso, Form::Dotted, Form::DayFirst, Form::Bsd], frame)
        {
            let header = match form {
                Form::Bsd => host_and_tag(after.trim_start()),
                _ => component(after),
            };
            // A time without a year is told better by seconds since the epoch before it.
            let header = match epoch.filter(|_| form == Form::Bsd) {
                Some((epoch, at, from)) => Header { also: Some((form, rest)), ..header.timed(epoch, at, from) },
                None => header.timed(form, time, rest),
            };
            // What names the time is no header, and neither is what has nothing behind it.
            let is_named = line[..at].trim_end().ends_with(':') || header.message.is_empty();
            return (fields > 0 && fields >= words && !is_named).then_some(header);
        }
        if let Some((form, time, _)) = header::time(rest, &[Form::Epoch], frame) {
            epoch = epoch.or(Some((form, time, rest)));
        }
        let end = rest.find(' ').filter(|n| at + n < NEAR)?;
        if end == 0 {
            at += 1;
            continue;
        }
        *(if is_field(&rest[..end]) { &mut fields } else { &mut words }) += 1;
        at += end + 1;
    }
    None
}

/// Seconds since the epoch, and the rest. A whole number may as well be part of the message, unless a level follows.
fn counted<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let (form, at, rest) = header::time(line, &[Form::Epoch], frame)?;
    let header = component(rest.trim_start_matches([',', '|', ';', ']', ' ']));
    let is_time = line[..line.len() - rest.len()].contains('.') || header.level.is_some();
    is_time.then(|| header.timed(form, at, line))
}

/// A time of day, where a level follows it.
fn time_of_day<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let (form, at, rest) = header::time(line, &[Form::Clock], frame)?;
    let header = component(rest.trim_start_matches([',', '|', ']', ' ']));
    header.level.is_some().then(|| header.timed(form, at, line))
}

/// A word that is no word of a sentence.
fn is_field(word: &str) -> bool {
    let inner = word.trim_end_matches(['.', ':', ',']);
    word.bytes().any(|b| b.is_ascii_digit())
        || !word.contains(char::is_alphabetic)
        || inner.contains(['.', '_', '/', ':', '@', '|'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Level, Timestamp};

    fn frame() -> Frame {
        Frame { reference: Timestamp::parse("2026-11-24T12:00:00Z").unwrap(), boot: None }
    }

    #[test]
    fn a_time_is_found_behind_other_fields() {
        for (line, level, unit, message) in [
            ("11-24 08:15:30.250  1702  2395 W Power: low 5", Level::Warning, Some("Power"), "low 5"),
            (
                "- 1795508130 2026.11.24 n5 Nov 24 08:15:30 n5/n5 ntpd[7]: warning: low 5",
                Level::Warning,
                Some("ntpd"),
                "warning: low 5",
            ),
            ("1795508130.250 120 INFO a.b: done 5", Level::Info, Some("a.b"), "done 5"),
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
        for line in [
            "",
            "    started 2026-11-24 08:00:00",
            "mail_check: 2026-11-24 08:00:00 failed",
            "a.b 2026-11-24 08:00:00",
            "1365301360 exceptions",
            "a b c",
            "11-24",
            "11-24 xx",
            "2026-11-24-",
            "é 11",
            "x [y] z",
        ] {
            assert_eq!(parse(line, &frame()), header::parse(line, &frame()), "{line}");
        }
    }
}
