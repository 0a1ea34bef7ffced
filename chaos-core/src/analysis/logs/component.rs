//! What loggers write between the time and the message: a level, a process, a thread, the logger's or program's name.

use super::header::{Header, level_near_start, tag, tagged};
use crate::model::Level;

/// Words in lower case that may stand before a level; where there are more, the level is a word of the message.
const WORDS: usize = 1;
/// Bytes of a thread's or request's name in brackets.
const NAME: usize = 300;

/// Reads what follows a time.
pub(super) fn component(rest: &str) -> Header<'_> {
    let rest = rest.trim_start();
    if let Some(found) = letter(rest) {
        return found;
    }
    let titled = titled(rest);
    if let Some((level, begin, end)) = titled.or_else(|| level_near_start(rest))
        && is_prefix(&rest[..begin])
        && !rest[end..].trim_matches([' ', ':', '-', ']', '|', '\t', ',']).is_empty()
    {
        let before = &rest[..end];
        let after = rest[end..].trim_start_matches([' ', ':', '-', ']', '|', '\t', ',']);
        // nginx: `[error] 12#34: message`.
        let (pid, after) = match after.split_once(' ') {
            Some((word, message)) if is_process(word) => (word.split('#').next(), message),
            _ => (process(before), after),
        };
        let (unit, message) = match titled {
            Some(_) => column(after),
            None => context(after),
        };
        // A name with nothing behind it is the message.
        let (unit, message) = if message.is_empty() { (None, after) } else { (unit, message) };
        let unit = unit.or_else(|| program(before));
        let unit = unit.map(Into::into);
        return Header { level: Some(level), unit, message: message.into(), ..Header::default() }.from(pid);
    }
    match rest.split_once(' ') {
        // rsyslog's ISO format: `host tag[pid]: message`.
        Some((host, after)) if !host.ends_with(':') && tag(after).is_some() => tagged(after),
        _ => tagged(rest),
    }
}

/// `1702  2395 D tag: message`, the `threadtime` of logcat: process, thread, and the level as a letter.
fn letter(rest: &str) -> Option<Header<'_>> {
    let (mut pid, mut numbers) = (None, 0);
    let mut rest = rest;
    while let Some((number, after)) = rest.split_once(' ').filter(|(n, _)| is_number(n)) {
        pid = pid.or(Some(number));
        numbers += 1;
        rest = after.trim_start();
    }
    let level = match rest.as_bytes() {
        [b'V', b' ', ..] => Level::Trace,
        [b'D', b' ', ..] => Level::Debug,
        [b'I', b' ', ..] => Level::Info,
        [b'W', b' ', ..] => Level::Warning,
        [b'E', b' ', ..] => Level::Error,
        [b'F', b' ', ..] => Level::Critical,
        _ => return None,
    };
    if numbers < 2 {
        return None;
    }
    let (unit, message) = rest[2..].split_once(": ").unwrap_or(("", &rest[2..]));
    let unit = (!unit.is_empty()).then(|| unit.trim_end().into());
    let header = Header { level: Some(level), unit, message: message.trim_start().into(), ..Header::default() };
    Some(header.from(pid))
}

/// `12#34:`, process and thread.
fn is_process(word: &str) -> bool {
    word.strip_suffix(':').and_then(|w| w.split_once('#')).is_some_and(|(p, t)| is_number(p) && is_number(t))
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.len() <= 9 && word.bytes().all(|b| b.is_ascii_digit())
}

/// A level in lower or mixed case that stands first and in a column of its own: `Info      component   message`.
fn titled(rest: &str) -> Option<(Level, usize, usize)> {
    let end = rest.bytes().position(|b| matches!(b, b' ' | b'\t'))?;
    let wide = rest[end..].starts_with("  ") || rest[end..].starts_with('\t');
    let level = super::header::level_word(&rest.as_bytes()[..end], true)?;
    let in_capitals = !rest[..end].bytes().any(|b| b.is_ascii_lowercase());
    (wide && !in_capitals).then_some((level, 0, end))
}

/// A name in a column of its own, and the message.
fn column(rest: &str) -> (Option<&str>, &str) {
    match rest.find("  ").or_else(|| rest.find('\t')) {
        Some(end) if is_name(&rest[..end]) => (Some(&rest[..end]), rest[end..].trim_start()),
        _ => (None, rest),
    }
}

/// Whether all before a level is part of the header.
fn is_prefix(before: &str) -> bool {
    let is_word = |w: &&str| w.bytes().any(|b| b.is_ascii_lowercase()) && w.bytes().all(|b| b.is_ascii_alphabetic());
    before.split(' ').filter(is_word).count() <= WORDS
}

/// The process in what stands before a level: `[123]`, or a number by itself.
fn process(before: &str) -> Option<&str> {
    let bracketed = before.split_once('[').and_then(|(_, after)| Some(after.split_once(']')?.0));
    bracketed.filter(|p| is_number(p)).or_else(|| before.split(' ').find(|w| is_number(w)))
}

/// The program in what stands before a level: `host app[5]: ERROR`.
fn program(before: &str) -> Option<&str> {
    before.split(' ').find_map(|w| tag(w).map(|(unit, ..)| unit)).filter(|u| u.bytes().any(|b| b.is_ascii_lowercase()))
}

/// `[thread] logger - message`, `logger: message`, `module.name [request 1 - -] message`: the logger, and the message.
fn context(rest: &str) -> (Option<&str>, &str) {
    // Spring Boot: `12 --- [thread] logger : message`.
    let rest = match rest.split_once(" --- ") {
        Some((pid, after)) if is_number(pid) => after,
        _ => rest,
    };
    let (inside, named) = match bracket(rest) {
        Some((inside, after)) => (Some(inside), after.trim_start()),
        None => (None, rest),
    };
    // A thread alone: `[main] - message`.
    // Where it says something, it is part of the message.
    let is_said = |inside: &str| inside.contains(' ') && !inside.bytes().any(|b| b.is_ascii_digit() || b == b'-');
    if inside.is_some_and(is_said) {
        return (None, rest);
    }
    if let (Some(inside), Some(message)) = (inside, named.strip_prefix("- ")) {
        return (Some(inside), message.trim_start());
    }
    let end = named.bytes().position(|b| matches!(b, b' ' | b':')).unwrap_or(named.len());
    let (name, after) = named.split_at(end);
    if !is_logger(name) {
        return (None, rest);
    }
    let after_space = || after.trim_start().strip_prefix("- ").or_else(|| after.trim_start().strip_prefix(": "));
    if let Some(message) = after.strip_prefix(": ").or_else(after_space) {
        return (Some(name), message.trim_start());
    }
    match bracket(after.trim_start()) {
        Some((request, message)) if inside.is_none() && !is_said(request) => {
            (Some(name), message.trim_start_matches([':', ' ']))
        }
        _ => (None, rest),
    }
}

/// What stands in a pair of brackets that the text begins with, and what follows them and a space.
fn bracket(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('[') {
        return None;
    }
    let mut depth = 0u32;
    for (i, b) in text.bytes().enumerate().take(NAME) {
        match b {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..i], text[i + 1..].strip_prefix(' ')?));
        }
    }
    None
}

/// A name as loggers have it, with dots or in capitals within; an error's own name is part of the message.
fn is_logger(name: &str) -> bool {
    let inner = || name.as_bytes().windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    let dotted = || name.bytes().any(|b| matches!(b, b'.' | b'$')) && !name.ends_with('.');
    let is_error = ["Error", "Exception", "Failure", "Warning", "Panic"].iter().any(|e| name.ends_with(e));
    is_name(name) && (dotted() || inner()) && !is_error
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'-' | b'/' | b'@');
    name.len() >= 2 && name.bytes().all(allowed) && name.as_bytes()[0].is_ascii_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_message_is_told_from_it() {
        let l = |level| Some(level);
        for (rest, level, unit, pid, message) in [
            (" INFO  [main] o.a.h.App: Created 5", l(Level::Info), "o.a.h.App", None, "Created 5"),
            (
                "- INFO  [Peer[myid=1]/0:0:2181:Fast@774] - Time out 5",
                l(Level::Info),
                "Peer[myid=1]/0:0:2181:Fast@774",
                None,
                "Time out 5",
            ),
            ("WARN 1 --- [nio-8080-exec-1] c.e.demo.Api   : slow 5", l(Level::Warning), "c.e.demo.Api", None, "slow 5"),
            ("1702  2395 D Power: low 5", l(Level::Debug), "Power", Some(1702), "low 5"),
            ("25746 INFO nova.api [req-1 - -] done 5", l(Level::Info), "nova.api", Some(25746), "done 5"),
            ("Info                  CBS    Loaded stack v6", l(Level::Info), "CBS", None, "Loaded stack v6"),
            ("host app[5]: ERROR gone", l(Level::Error), "app", Some(5), "gone"),
            ("host app[5]: it was an ERROR of ours", None, "app", Some(5), "it was an ERROR of ours"),
            ("ERROR java.lang.OutOfMemoryError: heap", l(Level::Error), "", None, "java.lang.OutOfMemoryError: heap"),
            ("ERROR [42P01] no such table", l(Level::Error), "", None, "[42P01] no such table"),
            ("12 V rail: undervoltage", None, "", None, "12 V rail: undervoltage"),
            (
                "ERROR db.users [deadlock detected] retrying",
                l(Level::Error),
                "",
                None,
                "db.users [deadlock detected] retrying",
            ),
            (
                "ERROR [disk full] writer.go: cannot flush",
                l(Level::Error),
                "",
                None,
                "[disk full] writer.go: cannot flush",
            ),
            ("ERROR issue#42: boom", l(Level::Error), "", None, "issue#42: boom"),
            ("WARN  cache: miss", l(Level::Warning), "", None, "cache: miss"),
        ] {
            let h = component(rest.trim_start_matches(['-', ' ']));
            assert_eq!(
                (h.level, h.unit.as_deref().unwrap_or(""), h.pid, &*h.message),
                (level, unit, pid, message),
                "{rest}"
            );
        }
    }

    #[test]
    fn brackets_that_do_not_close_are_no_names() {
        for text in ["", "[", "[a", "]", "[[a]", "[]", "[] ", "é[", "[é] x"] {
            let _ = component(&format!("ERROR {text}"));
            assert!(bracket(text).is_none_or(|(inside, _)| text.contains(inside)), "{text}");
        }
    }
}
