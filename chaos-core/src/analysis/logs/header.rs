//! Takes a line's header apart: when, how severe, who, and the message that is left. Owns the text formats (syslog,
//! kernel ring buffer, nginx, Apache, PostgreSQL, Python, Java); JSON records are read in `json`.

use std::borrow::Cow;

use super::{component::component, cursor::Cursor, json, logfmt, stamp::Form};
use crate::model::{Level, Timestamp};

/// What a record says about itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header<'a> {
    /// Its own time.
    pub at: Option<Timestamp>,
    /// Its severity, by a field or by its words.
    pub level: Option<Level>,
    /// systemd unit, program or component.
    pub unit: Option<Cow<'a, str>>,
    /// Process.
    pub pid: Option<u32>,
    /// The rest.
    pub message: Cow<'a, str>,
    /// Extra lines of a record of the kernel ring buffer (` SUBSYSTEM=pci`): nothing to read.
    pub ignore: bool,
    /// How its time is written, and the line from there on.
    pub(super) stamp: Option<(Form, &'a str)>,
    /// Another time that it has, which only says where the header ends.
    pub(super) also: Option<(Form, &'a str)>,
    /// Where the process stands in the line.
    pub(super) process: Option<&'a str>,
}

impl<'a> Header<'a> {
    /// As it is, with the time that `text` begins with.
    pub(super) fn timed(self, form: Form, at: Timestamp, text: &'a str) -> Self {
        Self { at: Some(at), stamp: Some((form, text)), ..self }
    }

    /// As it is, from the process whose number this is, if it is one.
    pub(super) fn from(self, process: Option<&'a str>) -> Self {
        let pid = process.and_then(|p| p.parse().ok());
        Self { pid, process: process.filter(|_| pid.is_some()), ..self }
    }
}

/// The time that a text begins with, in the first of some forms that fits, and the rest.
pub(super) fn time<'a>(text: &'a str, forms: &[Form], frame: &Frame) -> Option<(Form, Timestamp, &'a str)> {
    forms.iter().find_map(|form| {
        let (at, rest) = form.read(text.as_bytes(), frame)?;
        Some((*form, at, self::text(text, rest)))
    })
}

/// What is needed to read times that are not complete.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frame {
    /// A year-less time is taken to be the last that is not after this one.
    pub reference: Timestamp,
    /// When the target booted, for times since then.
    pub boot: Option<Timestamp>,
}

/// Reads one line.
#[must_use]
pub fn parse<'a>(line: &'a str, frame: &Frame) -> Header<'a> {
    let bytes = line.as_bytes();
    let read = match bytes.first() {
        Some(b'{') => json::parse(line, frame),
        Some(b'<') => priority(line, frame),
        Some(b'[') => bracketed(line, frame),
        Some(b'0'..=b'9') => dated(line, frame).or_else(|| kmsg(line, frame)).or_else(|| access(line, frame)),
        Some(b'A'..=b'Z') => {
            bsd(line, frame).or_else(|| klog(line, frame)).or_else(|| python(line)).or_else(|| half_day(line, frame))
        }
        Some(b'a'..=b'z') => logfmt::parse(line, frame).or_else(|| audit(line, frame)),
        Some(b' ') => kmsg_extra(line),
        _ => None,
    };
    let mut header = read.or_else(|| access(line, frame)).unwrap_or_else(|| Header {
        level: level_near_start(line).map(|(level, ..)| level),
        message: line.into(),
        ..Header::default()
    });
    if header.level.is_none() {
        header.level = level_near_start(&header.message).map(|(level, ..)| level);
    }
    header
}

pub(super) fn text<'a>(line: &'a str, rest: &[u8]) -> &'a str {
    // `rest` is an end of `line`, cut after an ASCII character.
    line.get(line.len() - rest.len()..).unwrap_or("")
}

/// Syslog's eight severities.
pub(super) fn severity(n: i64) -> Level {
    match n & 7 {
        0 => Level::Emergency,
        1 => Level::Alert,
        2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warning,
        5 => Level::Notice,
        6 => Level::Info,
        _ => Level::Debug,
    }
}

/// `<34>…`: RFC 5424 when a version follows, else as RFC 3164 has it.
fn priority<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let mut c = Cursor(line.as_bytes());
    c.byte(b'<')?;
    let pri = c.number().filter(|p| *p < 192)?;
    c.byte(b'>')?;
    let rest = text(line, c.0);
    let mut header = match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(rest)?,
        None => bsd(rest, frame).or_else(|| dated(rest, frame)).unwrap_or_else(|| tagged(rest)),
    };
    header.level = Some(severity(pri));
    Some(header)
}

/// RFC 5424 after `<pri>1 `: time host app pid id data message.
fn rfc5424(rest: &str) -> Option<Header<'_>> {
    let mut words = rest.splitn(6, ' ');
    let at = words.next()?;
    let _host = words.next()?;
    let app = words.next()?;
    let pid = words.next()?;
    let _id = words.next()?;
    let body = words.next()?;
    let message = match body.strip_prefix('-') {
        Some(message) => message,
        None => &body[structured_data(body)?..],
    };
    let message = message.trim_start();
    Some(Header {
        at: time(at, &[Form::Iso], &Frame::default()).map(|(_, at, _)| at),
        unit: (app != "-").then(|| app.into()),
        pid: pid.parse().ok(),
        message: message.strip_prefix('\u{feff}').unwrap_or(message).into(),
        ..Header::default()
    })
}

/// Length of `[id key="value"]…`.
fn structured_data(body: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    let bytes = body.as_bytes();
    if bytes.first() != Some(&b'[') {
        return None;
    }
    for (i, b) in bytes.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && bytes.get(i + 1) != Some(&b'[') => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// `Nov 24 08:15:30 host tag[pid]: message`.
fn bsd<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let (form, at, rest) = time(line, &[Form::Bsd], frame)?;
    Some(host_and_tag(rest.strip_prefix(' ')?).timed(form, at, line))
}

/// `host tag[pid]: message`, or without the host.
pub(super) fn host_and_tag(rest: &str) -> Header<'_> {
    let direct = tag(rest);
    let after_host = rest.split_once(' ').map(|(_, r)| r.trim_start());
    match (direct, after_host) {
        (None, Some(after)) if tag(after).is_some() => tagged(after),
        (None, Some(after)) => Header { message: after.into(), ..Header::default() },
        _ => tagged(rest),
    }
}

pub(super) fn tagged(rest: &str) -> Header<'_> {
    let Some((unit, pid, message)) = tag(rest) else { return Header { message: rest.into(), ..Header::default() } };
    let mut message = message;
    // The kernel's own time inside a syslog line: `kernel: [ 12.345678] …`.
    if unit == "kernel"
        && let Some((_, after)) = since_boot(message)
    {
        message = after;
    }
    Header { unit: Some(unit.into()), message: message.into(), ..Header::default() }.from(pid)
}

/// `tag[pid]: message`.
pub(super) fn tag(rest: &str) -> Option<(&str, Option<&str>, &str)> {
    let name = |b: &u8| b.is_ascii_alphanumeric() || b"_./()@-\\".contains(b);
    let end = rest.bytes().position(|b| !name(&b)).filter(|n| (1..=64).contains(n))?;
    let (unit, after) = rest.split_at(end);
    let (pid, after) = match after.strip_prefix('[') {
        Some(after) => {
            let (pid, after) = after.split_once(']')?;
            (Some(pid), after)
        }
        None => (None, after),
    };
    // macOS names the service in whose name a program speaks.
    let after = match after.strip_prefix(" (") {
        Some(service) => service.split_once(')').filter(|(name, _)| name.len() <= 80)?.1,
        None => after,
    };
    let message = after.strip_prefix(':')?;
    (message.is_empty() || message.starts_with(' ')).then(|| (unit, pid, message.strip_prefix(' ').unwrap_or(message)))
}

/// `/dev/kmsg`: `pri,seq,microseconds,flags;message` (Documentation/ABI/testing/dev-kmsg).
fn kmsg<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let mut c = Cursor(line.as_bytes());
    let pri = c.number()?;
    c.byte(b',')?;
    c.number()?;
    c.byte(b',')?;
    let micros = c.number()?;
    c.byte(b',')?;
    let rest = text(line, c.0);
    let message = &rest[rest.find(';').filter(|n| *n <= 64)? + 1..];
    let at = frame.boot.map(|boot| Timestamp::from_millis(boot.0.saturating_add(micros / 1000)));
    let mut header = match pri >> 3 {
        0 => Header { unit: Some("kernel".into()), message: message.into(), ..Header::default() },
        _ => tagged(message),
    };
    if header.message.contains("\\x") {
        header.message = unescaped(&header.message).into();
    }
    Some(Header { at, level: Some(severity(pri)), ..header })
}

/// ` KEY=value` after a record of `/dev/kmsg`.
fn kmsg_extra(line: &str) -> Option<Header<'_>> {
    let (key, _) = line.strip_prefix(' ')?.split_once('=')?;
    matches!(key, "SUBSYSTEM" | "DEVICE").then(|| Header { ignore: true, ..Header::default() })
}

/// `\x0a` as `/dev/kmsg` writes what is not printable.
fn unescaped(message: &str) -> String {
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.strip_prefix(b"x").and_then(|h| h.get(..2)).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = &after[3..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `[   12.345678] message`: milliseconds since boot, and the message.
fn since_boot(line: &str) -> Option<(i64, &str)> {
    let inner = line.strip_prefix('[')?.trim_start();
    let mut c = Cursor(inner.as_bytes());
    let seconds = c.number()?;
    c.byte(b'.')?;
    let micros = c.digits(6)?;
    // A kernel with CONFIG_PRINTK_CALLER adds `[    T1]`.
    c.byte(b']')?;
    let rest = text(inner, c.0);
    Some((seconds.saturating_mul(1000).saturating_add(micros / 1000), rest.strip_prefix(' ').unwrap_or(rest)))
}

/// What begins with `[`: `dmesg`, Apache's error log, and loggers that put their time in brackets.
fn bracketed<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let inside = line.strip_prefix('[')?;
    if let Some((_, message)) = since_boot(line) {
        let kernel = Header { unit: Some("kernel".into()), message: message.into(), ..Header::default() };
        return Some(match Form::SinceBoot.read(inside.as_bytes(), frame) {
            Some((at, _)) => kernel.timed(Form::SinceBoot, at, inside),
            None => kernel,
        });
    }
    const FORMS: [Form; 7] =
        [Form::Ctime, Form::Iso, Form::Access, Form::Bsd, Form::MonthDay, Form::ShortYear, Form::DayFirst];
    let (form, at, rest) = time(inside, &FORMS, frame)?;
    let end = memchr::memchr(b']', rest.as_bytes()).filter(|n| *n <= 16)?;
    Some(component(&rest[end + 1..]).timed(form, at, inside))
}

/// What begins with a date in digits: the time, then whatever the logger puts before its message.
fn dated<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    const FORMS: [Form; 7] =
        [Form::Iso, Form::MonthDay, Form::ShortYear, Form::Digits, Form::Packed, Form::DayFirst, Form::Dotted];
    let (form, at, rest) = time(line, &FORMS, frame)?;
    Some(component(rest.trim_start_matches([' ', '\t', '|', ':', '-', ']', ','])).timed(form, at, line))
}

/// `Nov 24, 2026 8:15:30 AM org.example.App start`.
fn half_day<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let (form, at, rest) = time(line, &[Form::HalfDay], frame)?;
    Some(component(rest).timed(form, at, line))
}

/// `type=SYSCALL msg=audit(1795508130.250:123): arch=…`, as the Linux audit daemon writes.
fn audit<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let (kind, rest) = line.strip_prefix("type=")?.split_once(" msg=audit(")?;
    let (form, at, after) = time(rest, &[Form::Epoch], frame)?;
    let (_, message) = after.split_once("): ")?;
    Some(Header { unit: Some(kind.into()), message: message.into(), ..Header::default() }.timed(form, at, rest))
}

/// An access log in the common or combined format; the status gives the level.
fn access<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let open = memchr::memmem::find(line.as_bytes().get(..line.len().min(200))?, b" [")?;
    let (form, at, rest) = time(&line[open + 2..], &[Form::Access], frame)?;
    let message = rest.strip_prefix(']')?.trim_start();
    let status = message.rsplit_once("HTTP/").and_then(|(_, r)| r.split(' ').nth(1)?.parse::<u16>().ok());
    let status = status.or_else(|| message.split("\" ").nth(1)?.get(..3)?.parse().ok());
    let level = status.map(|s| if s >= 500 { Level::Error } else { Level::Info });
    Some(Header { level, message: message.into(), ..Header::default() }.timed(form, at, &line[open + 2..]))
}

/// `E1124 08:15:30.250000   123 file.go:12] message`, as Kubernetes and glog write.
fn klog<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let level = match line.as_bytes().first()? {
        b'I' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        b'F' => Level::Critical,
        _ => return None,
    };
    let (form, at, rest) = time(&line[1..], &[Form::Glog, Form::Packed], frame)?;
    let (place, message) = rest.split_once("] ")?;
    let header = Header { level: Some(level), message: message.into(), ..Header::default() };
    Some(header.from(place.split_whitespace().next()).timed(form, at, &line[1..]))
}

/// `ERROR:logger:message`, Python's default.
fn python(line: &str) -> Option<Header<'_>> {
    let (level, rest) = line.split_once(':')?;
    let level = level_word(level.as_bytes(), false)?;
    let (name, message) = rest.split_once(':')?;
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    plain.then(|| Header {
        level: Some(level),
        unit: Some(name.into()),
        message: message.trim_start().into(),
        ..Header::default()
    })
}

/// The level by a word; `any_case` where its place already says that it is a level.
pub(super) fn level_word(word: &[u8], any_case: bool) -> Option<Level> {
    if !(3..=11).contains(&word.len()) || (!any_case && word.iter().any(u8::is_ascii_lowercase)) {
        return None;
    }
    let mut upper = [0u8; 11];
    let upper = &mut upper[..word.len()];
    upper.copy_from_slice(word);
    upper.make_ascii_uppercase();
    Some(match &*upper {
        b"TRACE" | b"VERBOSE" => Level::Trace,
        b"DEBUG" | b"FINE" | [b'D', b'E', b'B', b'U', b'G', b'0'..=b'9'] => Level::Debug,
        b"INFO" | b"INFORMATION" | b"LOG" | b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" => Level::Info,
        b"NOTICE" | b"NOTE" => Level::Notice,
        b"WARN" | b"WARNING" => Level::Warning,
        b"ERROR" | b"ERR" | b"SEVERE" => Level::Error,
        b"FATAL" | b"CRIT" | b"CRITICAL" => Level::Critical,
        b"ALERT" | b"PANIC" => Level::Alert,
        b"EMERG" | b"EMERGENCY" => Level::Emergency,
        _ => return None,
    })
}

/// A level among the first words, and where it begins and ends: `ERROR`, `[error]`, `level=error`, `error:`.
pub(super) fn level_near_start(message: &str) -> Option<(Level, usize, usize)> {
    let bytes = message.as_bytes();
    let mut at = 0;
    for _ in 0..6 {
        let start = at + bytes[at..].iter().position(|b| *b != b' ')?;
        let end = bytes[start..].iter().position(|b| *b == b' ').map_or(bytes.len(), |n| start + n);
        let word = &bytes[start..end];
        if word.len() <= 24 {
            let core = word.strip_prefix(b"level=").or_else(|| word.strip_prefix(b"severity=")).unwrap_or(word);
            let inner = core.trim_ascii();
            let inner = inner.strip_suffix(b":").unwrap_or(inner);
            let open = |b: &u8| matches!(b, b'[' | b'(' | b'<' | b'"' | b'|');
            let close = |b: &u8| matches!(b, b']' | b')' | b'>' | b'"' | b'|' | b',');
            let begin = inner.iter().take_while(|b| open(b)).count();
            let tail = inner[begin..].iter().rev().take_while(|b| close(b)).count();
            let name = &inner[begin..inner.len() - tail];
            // Apache: `[core:error]`.
            let name = name.rsplit(|b| *b == b':').next().unwrap_or(name);
            let marked = begin > 0 || word.len() > core.len() || word.ends_with(b":");
            if let Some(level) = level_word(name, marked) {
                return Some((level, start, end));
            }
        }
        if end == bytes.len() {
            return None;
        }
        at = end;
    }
    None
}

#[cfg(test)]
#[path = "tests/header.rs"]
mod tests;
