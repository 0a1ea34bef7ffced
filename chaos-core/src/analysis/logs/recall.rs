//! Remembers how lines of one shape are read: where their time, level, program and message stand, and which pattern
//! they are of. What is recalled is what reading anew would give, but where a line has several times of which one is
//! none (a 31st of November): that may be read as if it were one.

use std::borrow::Cow;

use super::{
    deep,
    header::{Frame, Header},
    shape::{Numbers, Shaper, has_length, letters, statuses},
    stamp::Form,
};
use crate::model::Level;

/// Shapes that are remembered, a power of two.
const MOST: usize = 1 << 14;

/// A place in all lines of a shape, counted from their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// This number, from 1; 0 is the line's start.
    number: u8,
    /// Counted from the number's first byte; else from behind its last.
    is_within: bool,
    offset: u16,
}

impl Place {
    /// Where `at` is in a line with such numbers.
    fn of(at: usize, numbers: &Numbers) -> Self {
        let begun = numbers.runs().iter().take_while(|(from, _)| usize::from(*from) < at).count();
        let (is_within, base) = match begun.checked_sub(1).map(|i| numbers.runs()[i]) {
            Some((from, to)) if at < usize::from(to) => (true, from),
            Some((_, to)) => (false, to),
            None => (false, 0),
        };
        Self { number: begun as u8, is_within, offset: at as u16 - base }
    }

    /// Where it is in another line.
    fn at(self, numbers: &Numbers) -> usize {
        let base = match usize::from(self.number).checked_sub(1).map(|i| numbers.runs()[i]) {
            Some((from, to)) => {
                if self.is_within {
                    from
                } else {
                    to
                }
            }
            None => 0,
        };
        usize::from(base) + usize::from(self.offset)
    }
}

/// From here to there.
type Part = (Place, Place);

/// How lines of one shape are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    time: Option<(Form, Place)>,
    /// Another time, which has to be one too.
    also: Option<(Form, Place)>,
    level: Option<Level>,
    unit: Option<Part>,
    pid: Option<Part>,
    message: Part,
    /// A hash of the letters in numbers before the message: there they tell too (`E1124`).
    letters: u64,
}

/// A shape that was seen, at first only that it was.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    shape: u64,
    read: Option<(Reading, u32)>,
}

/// Whether what a line says depends on its numbers: JSON, syslog with a priority, the kernel's ring buffer.
pub(super) fn is_special(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    matches!(line.first(), Some(b'{' | b'<')) || line.get(digits) == Some(&b',')
}

/// The shapes that were seen lately.
#[derive(Debug, Default)]
pub(super) struct Recall {
    seen: Vec<Seen>,
}

/// What is known of a shape.
pub(super) enum Known {
    /// Nothing that helps.
    New,
    /// It was seen before: what reading it gives is worth learning.
    Again,
    /// How it is read, and its pattern.
    Read(Reading, u32),
}

impl Recall {
    /// What is known of a shape; from now on it was seen.
    pub(super) fn look_up(&mut self, shape: u64) -> Known {
        if self.seen.is_empty() {
            self.seen = vec![Seen::default(); MOST];
        }
        let seen = &mut self.seen[shape as usize % MOST];
        if seen.shape != shape {
            *seen = Seen { shape, read: None };
            return Known::New;
        }
        match seen.read {
            Some((reading, pattern)) => Known::Read(reading, pattern),
            None => Known::Again,
        }
    }

    pub(super) fn learn(&mut self, shape: u64, reading: Reading, pattern: u32) {
        // All may have been forgotten since it was seen.
        if let Some(seen) = self.seen.get_mut(shape as usize % MOST)
            && seen.shape == shape
        {
            seen.read = Some((reading, pattern));
        }
    }

    /// Patterns are not what they were.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }
}

impl Reading {
    /// How a line was read, if all lines of its shape are read so. Numbers must make no difference: with other digits,
    /// which are a valid time wherever there can be one, and with a message's numbers of other lengths, it has to be
    /// read in the same way.
    pub(super) fn of(line: &str, read: &Header<'_>, frame: &Frame, shaper: &mut Shaper) -> Option<Self> {
        let (shape, numbers) = shaper.shape(line.as_bytes())?;
        let reading = Self::places(line, read, numbers)?;
        let other = other_numbers(line, numbers, reading.message.0.at(numbers))?;
        let (same, numbers) = shaper.shape(other.as_bytes())?;
        debug_assert_eq!(shape, same, "{line:?} and {other:?}");
        let again = Self::places(&other, &deep::parse(&other, frame), numbers)?;
        let same = (reading.time, reading.also) == (again.time, again.also)
            && (reading.level, reading.unit, reading.message) == (again.level, again.unit, again.message)
            && reading.pid == again.pid;
        same.then_some(reading)
    }

    fn places(line: &str, read: &Header<'_>, numbers: &Numbers) -> Option<Self> {
        let start = |part: &str| {
            let at = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
            (at + part.len() <= line.len()).then_some(at)
        };
        let place = |part: &str| {
            let at = start(part)?;
            Some((Place::of(at, numbers), Place::of(at + part.len(), numbers)))
        };
        // What is owned by the header is not as it stands in the line.
        let borrowed = |part: &Cow<'_, str>| match part {
            Cow::Borrowed(text) => place(text),
            Cow::Owned(_) => None,
        };
        if read.ignore || read.at.is_some() != read.stamp.is_some() {
            return None;
        }
        let message = borrowed(&read.message)?;
        // The level is by a status that does not stand where the shape has it.
        if matches!(read.stamp, Some((Form::Access, _))) && statuses(line.as_bytes()).next().is_none() {
            return None;
        }
        let letters = letters(line.as_bytes(), numbers, message.0.at(numbers));
        let unit = match &read.unit {
            Some(unit) => Some(borrowed(unit)?),
            None => None,
        };
        let pid = match read.pid {
            Some(_) => Some(place(read.process?)?),
            None => None,
        };
        let stamp = |stamp: Option<(Form, &str)>| match stamp {
            Some((form, text)) => Some(Some((form, Place::of(start(text)?, numbers)))),
            None => Some(None),
        };
        let (time, also) = (stamp(read.stamp)?, stamp(read.also)?);
        Some(Self { time, also, level: read.level, unit, pid, message, letters })
    }

    /// The level of another line of the shape; `None` when its numbers may say another one.
    pub(super) fn level(&self, line: &[u8], numbers: &Numbers) -> Option<Option<Level>> {
        (letters(line, numbers, self.message.0.at(numbers)) == self.letters).then_some(self.level)
    }

    /// The header of another line of the shape; `None` when that has numbers that can't be read so.
    pub(super) fn header<'a>(&self, line: &'a str, numbers: &Numbers, frame: &Frame) -> Option<Header<'a>> {
        let part = |(from, to): Part| line.get(from.at(numbers)..to.at(numbers));
        if letters(line.as_bytes(), numbers, self.message.0.at(numbers)) != self.letters {
            return None;
        }
        let pid = match self.pid {
            Some(place) => Some(part(place)?),
            None => None,
        };
        let unit = match self.unit {
            Some(place) => Some(part(place)?.into()),
            None => None,
        };
        let header =
            Header { level: self.level, unit, message: part(self.message)?.into(), ..Header::default() }.from(pid);
        if header.pid.is_some() != pid.is_some() {
            return None;
        }
        let read = |(form, at): (Form, Place)| {
            let text = line.get(at.at(numbers)..)?;
            Some((form, form.read(text.as_bytes(), frame)?.0, text))
        };
        let header = match self.also {
            Some(stamp) => Header { also: read(stamp).map(|(form, _, text)| Some((form, text)))?, ..header },
            None => header,
        };
        Some(match self.time {
            Some(stamp) => {
                let (form, at, text) = read(stamp)?;
                header.timed(form, at, text)
            }
            None => header,
        })
    }
}

/// The line with a 1 in place of each digit, and with a digit more or less in those numbers of the message whose length
/// makes no other shape; but for the status of an HTTP request.
fn other_numbers(line: &str, numbers: &Numbers, message: usize) -> Option<String> {
    let bytes = line.as_bytes();
    let mut other: Vec<u8> = bytes.iter().map(|b| if b.is_ascii_digit() { b'1' } else { *b }).collect();
    let kept: Vec<usize> = statuses(bytes).map(|(at, _)| at).collect();
    for at in &kept {
        other[*at..at + 3].copy_from_slice(&bytes[*at..at + 3]);
    }
    // From the end on, so that what is still to come stays where it is.
    for (i, (from, to)) in numbers.runs().iter().enumerate().rev() {
        let (from, to) = (usize::from(*from), usize::from(*to));
        let is_mixed = numbers.mixed >> i & 1 == 1;
        if from < message || is_mixed || has_length(bytes, from, to, is_mixed) || kept.contains(&from) {
            continue;
        }
        // Never three, which may be a status.
        let length = if to - from < 5 { 5 } else { 4 };
        other.splice(from..to, std::iter::repeat_n(b'1', length));
    }
    String::from_utf8(other).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        analysis::logs::mask::{roughly, thoroughly},
        model::Timestamp,
    };

    /// Times, each with another of its form.
    const TIMES: [(&str, &str); 22] = [
        ("2026-11-24T08:15:30.250Z ", "2025-01-31T23:59:59.999Z "),
        ("2026-11-24 08:15:30,250 ", "2024-02-29 00:00:00,000 "),
        ("Nov 24 08:15:30 ", "Nov 30 23:59:59 "),
        ("[Tue Nov 24 08:15:30 2026] ", "[Tue Nov 17 18:05:31 2026] "),
        ("[   12.345678] ", "[   99.000001] "),
        ("24/Nov/2026:08:15:30 +0000", "01/Nov/2025:18:25:39 +0000"),
        ("11-24 08:15:30.250  17  23 ", "01-31 23:59:59.999  99  10 "),
        ("E1124 08:15:30.250000   12 a.go:3] ", "E0131 23:59:59.999999   99 a.go:7] "),
        ("E1124 08:15:30.250000   12 a.go:3] ", "I0131 23:59:59.999999   99 a.go:7] "),
        ("2026-11-24 08:15:30 ERROR fooBar1: ", "2025-01-31 23:59:59 ERROR foobar1: "),
        (
            "1.2.3.4 - - [24/Nov/2026:08:15:30 +0000] GET /a HTTP/1.1 200 12",
            "1.2.3.4 - - [24/Nov/2025:08:15:30 +0000] GET /a HTTP/1.1 500 12",
        ),
        ("I20261124 08:15:30.250000 12 a.cc:3] ", "I20250131 23:59:59.999999 99 a.cc:7] "),
        ("261124 081530 ", "250131 235959 "),
        ("26/11/24 08:15:30 ", "25/01/31 23:59:59 "),
        ("20261124-08:15:30:250|", "20250131-23:59:59:999|"),
        ("1795508130 2026.11.24 ", "1663123456 2022.09.14 "),
        ("2026-11-24-08.15.30.250000 ", "2025-01-31-23.59.59.999999 "),
        ("time=2026-11-24T08:15:30Z ", "time=2025-01-31T23:59:59Z "),
        ("08:15:30.250 ", "03:59:59.999 "),
        ("type=A msg=audit(1795508130.250:5): ", "type=A msg=audit(1663123456.999:7): "),
        ("Nov 24, 2026 8:15:30 AM ", "Nov 17, 2025 3:59:59 AM "),
        ("1795508130.250 ", "1663123456.999 "),
    ];

    const PARTS: [&str; 30] = [
        "[",
        "] ",
        "host ",
        "app[12]: ",
        "kernel: ",
        "[12] ",
        "ERROR ",
        "INFO ",
        "D ",
        "Info   ",
        "DEBUG1: ",
        "level=warn ",
        "o.a.B: ",
        "[main] ",
        "- ",
        "550e8400-e29b-41d4-a716-446655440000 ",
        "0x1f ",
        "user bob ",
        "\"GET /a1 HTTP/1.1\" 200 5 ",
        "\"a\" 404 ",
        "/var/x1: ",
        "a=1, ",
        "1.2.3.4:80 ",
        "aa:bb:cc:dd:ee:01 ",
        "x_1 ",
        "12 ms ",
        "é5 ",
        "msg=\"a 5\" ",
        "1 --- [nio-1] a.B : ",
        "12#13: ",
    ];

    fn masked(text: &str) -> String {
        let (mut out, mut rough) = (String::new(), String::new());
        roughly(text, &mut rough);
        thoroughly(&rough, &mut out);
        out
    }

    proptest! {
        #[test]
        fn recalling_gives_what_reading_gives(
            parts in prop::collection::vec(0..TIMES.len() + PARTS.len(), 1..7), digits in prop::collection::vec(0u8..10, 64),
        ) {
            let mut next = digits.iter().cycle();
            let (mut line, mut other) = (String::new(), String::new());
            for part in parts {
                let (one, two) = match TIMES.get(part) {
                    Some((one, two)) => (*one, (*two).to_owned()),
                    None => {
                        let one = PARTS[part - TIMES.len()];
                        let mut other = String::new();
                        for c in one.chars() {
                            let digit = *next.next().unwrap_or(&0);
                            let times = if digit % 3 == 0 { 2 } else { 1 };
                            match c {
                                '0'..='9' => other.extend(std::iter::repeat_n(char::from(b'0' + digit), times)),
                                _ => other.push(c),
                            }
                        }
                        (one, other)
                    }
                };
                line.push_str(one);
                other.push_str(&two);
            }
            let frame = Frame { reference: Timestamp::parse("2026-11-24T12:00:00Z").unwrap(), boot: Some(Timestamp(0)) };
            let read = deep::parse(&line, &frame);
            let (mut shaper, mut others) = (Shaper::default(), Shaper::default());
            let shape = shaper.shape(line.as_bytes()).map(|(shape, _)| shape);
            let (other_shape, numbers) = others.shape(other.as_bytes()).unwrap();
            if shape == Some(other_shape)
                && let Some(reading) = Reading::of(&line, &read, &frame, &mut shaper)
                && let Some(recalled) = reading.header(&other, numbers, &frame)
            {
                prop_assert_eq!(&recalled, &deep::parse(&other, &frame), "{}", line);
                prop_assert_eq!(masked(&recalled.message), masked(&read.message));
            }
        }
    }

    #[test]
    fn usual_lines_are_recalled() {
        let frame = Frame { reference: Timestamp::parse("2026-11-24T12:00:00Z").unwrap(), boot: None };
        let (mut shaper, mut others) = (Shaper::default(), Shaper::default());
        let mut reading = |line: &str| Reading::of(line, &deep::parse(line, &frame), &frame, &mut shaper);
        for (line, other) in [
            ("Nov 24 08:15:30 h sshd[123]: from 10.0.0.1", "Nov 23 09:16:31 h sshd[45]: from 200.1.93.2"),
            ("2026-11-24 08:15:30,250 INFO [main] o.a.B: done 5", "2026-01-31 23:59:59,999 INFO [main] o.a.B: done 77"),
            (
                "1.2.3.4 - - [24/Nov/2026:08:15:30 +0000] \"GET /a/17 HTTP/1.1\" 200 12",
                "10.20.30.40 - - [01/Jan/2026:23:59:59 +0000] \"GET /a/29 HTTP/1.1\" 200 12345",
            ),
            ("plain text 5", "plain text 77"),
        ] {
            let reading = reading(line).unwrap();
            let (_, numbers) = others.shape(other.as_bytes()).unwrap();
            assert_eq!(reading.header(other, numbers, &frame).unwrap(), deep::parse(other, &frame));
        }
        assert!(reading("2026-13-24 08:15:30 INFO what is no time may be one next").is_none());
    }
}
