//! Records of `key=value` pairs, as Go's loggers write: `time=… level=error msg="…" err="…"`. A line that names no
//! message is none.

use std::borrow::Cow;

use super::{
    header::{Frame, Header, level_word, time},
    stamp::Form,
};

/// Pairs that are looked at.
const MOST: usize = 64;

/// Reads a line that begins with a pair.
pub(super) fn parse<'a>(line: &'a str, frame: &Frame) -> Option<Header<'a>> {
    let mut header = Header::default();
    let (mut message, mut error) = (None, None);
    let mut rest = line;
    for _ in 0..MOST {
        let Some((key, value, after)) = pair(rest) else { break };
        rest = after;
        match key {
            "time" | "ts" | "timestamp" | "t" if header.at.is_none() => {
                if let Some((form, at, _)) = time(value, &[Form::Iso, Form::Epoch], frame) {
                    // The time goes on to the end of the line, as everywhere.
                    header = header.timed(form, at, &line[value.as_ptr() as usize - line.as_ptr() as usize..]);
                }
            }
            "level" | "lvl" | "severity" => header.level = level_word(value.as_bytes(), true),
            "msg" | "message" => message = Some(value),
            "err" | "error" => error = Some(value),
            "logger" | "service" | "component" if header.unit.is_none() => header.unit = Some(value.into()),
            _ => {}
        }
    }
    let message = match (message?, error) {
        (message, Some(error)) if !error.is_empty() && error != "nil" && !message.contains(error) => {
            format!("{message} error={error}").into()
        }
        (message, _) => Cow::Borrowed(message),
    };
    let told = header.at.is_some() || header.level.is_some();
    header.message = message;
    told.then_some(header)
}

/// The first pair, without the quotes around its value, and what follows.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start_matches(' ');
    let (key, rest) = text.split_once('=')?;
    let is_key = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@');
    if key.is_empty() || !key.bytes().all(is_key) {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(' ').unwrap_or(rest.len());
        return Some((key, &rest[..end], &rest[end..]));
    };
    let mut escaped = false;
    let end = quoted.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    })?;
    Some((key, &quoted[..end], &quoted[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Level, Timestamp};

    fn read(line: &str) -> Option<Header<'_>> {
        parse(line, &Frame::default())
    }

    #[test]
    fn pairs_are_read() {
        let h = read(r#"time="2026-11-24T08:15:30Z" level=error msg="dial \"db\": refused" attempt=3 component=api"#)
            .unwrap();
        assert_eq!(h.at, Timestamp::parse("2026-11-24T08:15:30Z"));
        assert_eq!(
            (h.level, h.unit.as_deref(), &*h.message),
            (Some(Level::Error), Some("api"), r#"dial \"db\": refused"#)
        );
        let h = read("ts=1795508130.25 lvl=warn msg=slow err=eof").unwrap();
        assert_eq!(
            (h.at.map(|t| t.0), h.level, &*h.message),
            (Some(1_795_508_130_250), Some(Level::Warning), "slow error=eof")
        );
        assert_eq!(read("level=error oops"), None);
        assert_eq!(read("a=1 msg=hello"), None);
        assert_eq!(read("it is x=5"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(time=|msg=|level=|\"|\\\\|=| |a|é|2026-11-24T08:15:30Z){0,12}") {
            let _ = read(&text);
        }
    }
}
