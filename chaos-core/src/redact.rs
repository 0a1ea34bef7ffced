//! Takes secrets out of text that came from a target, before it is stored or shown. Owns what looks like a
//! secret; knows nothing of where the text goes.
//!
//! Rules are deliberately broader than exact: a word too many that reads `[redacted]` costs little, a password in
//! a report costs much. Plain numbers, hashes and paths are left alone. Everything works on bytes with ASCII
//! boundaries, so that text in any encoding keeps its other bytes.

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use regex::bytes::{Captures, Regex};

/// What stands in place of a secret.
const MARK: &[u8] = b"[redacted]";
/// Applying the rules again must change nothing; more rounds than this are never needed in practice.
const ROUNDS: usize = 4;
/// A private key of 16,384 bits has some 210 lines; a block that never ends must not swallow a log.
const PEM_LINES: u32 = 400;
/// So many short lines in a row are no longer part of a key.
const PEM_MISSES: u32 = 8;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

/// One look tells nearly every line from those that need a second one.
static SUSPECT: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?-u)(?i:passw|passphrase|pwd|secret|token|(?:api|access|private|signing)[_-]?key|authorization|bearer|basic |cookie)|://[^\s/]*@|A(?:KIA|SIA|BIA|CCA)|gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|xapp-|hooks\.slack|eyJ|AIza|sk[-_]|PRIVATE KEY",
    )
});

/// A name of a secret with what separates it from its value, up to and with the value's opening quote.
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i-u)(passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|private|signing)[_-]?key)\d*(?:\\*["'])?\]?\s*(?:=>|:=|=|:)\s*(\\*["'])?"#,
    )
});

/// The same as an option with a space: `--password x`.
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i-u)(?:^|[\s"'])--?[a-z0-9-]*(?:password|passwd|passphrase|secret|token|api-?key|access-?key)\s+(\\*["'])?"#,
    )
});

/// Headers that carry credentials, with the scheme where it is there.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?i-u)((?:proxy-)?authorization|(?:set-)?cookie)(?:\\*["'])?\s*(?:=>|=|:)\s*(\\*["'])?((?:basic|bearer|token|negotiate|digest|ntlm|aws4-hmac-sha256)\s+)?"#,
    )
});

/// A scheme without its header.
static SCHEME: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i-u)\b(?:basic|bearer)\s+([A-Za-z0-9._~+/=-]{8,})"));

/// `scheme://user:password@host`.
static USERINFO: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?i-u)[a-z][a-z0-9+.-]*://[^\s/:@"'<>]*:([^\s/"'<>]+)@"#));

/// Credentials that are known by their own form.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?-u)\b(?:A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}\b",
        r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        r"|gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat)-[A-Za-z0-9_.-]{16,}",
        r"|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}",
        r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
        r"|AIza[A-Za-z0-9_-]{35}|sk_live_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{20,})",
    ))
});

/// Slack's incoming webhooks: the path is the secret.
static WEBHOOK: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?i-u)hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([^\s"'<>\\]+)"#));

static PEM_BEGIN: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"));
static PEM_END: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u)-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"));
static LONG_BASE64: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u)[A-Za-z0-9+/=]{40,}"));

/// Replaces what looks like a secret in one line by `[redacted]` and keeps the rest. Idempotent.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match redact_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        // Cuts are at ASCII characters only, so the text stays valid.
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn redact_bytes(line: &[u8]) -> Cow<'_, [u8]> {
    if !SUSPECT.is_match(line) {
        return Cow::Borrowed(line);
    }
    let mut now = Cow::Borrowed(line);
    for _ in 0..ROUNDS {
        let next = one_round(&now);
        if *next == *now {
            break;
        }
        now = Cow::Owned(next);
    }
    now
}

/// All rules look at the same text, so that none takes the name away by which another knows a secret: in
/// `--api-key password: x` the first takes `password:` for a value.
fn one_round(line: &[u8]) -> Vec<u8> {
    let mut spans = pem_spans(line);
    spans.extend(group_spans(&SHAPES, 0, line, |_| true));
    spans.extend(group_spans(&WEBHOOK, 1, line, |_| true));
    spans.extend(group_spans(&USERINFO, 1, line, |_| true));
    spans.extend(header_spans(line));
    spans.extend(group_spans(&SCHEME, 1, line, looks_random));
    spans.extend(value_spans(&FLAG, line, 1, |_| true));
    spans.extend(value_spans(&KEY, line, 2, |c| is_key(line, c)));
    replace(line, spans)
}

/// Puts one mark in place of each stretch of spans that touch.
fn replace(text: &[u8], mut spans: Vec<Range<usize>>) -> Vec<u8> {
    spans.sort_by_key(|s| s.start);
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        if span.start > done || done == 0 {
            out.extend_from_slice(&text[done..span.start]);
            out.extend_from_slice(MARK);
        }
        done = done.max(span.end);
    }
    out.extend_from_slice(&text[done..]);
    out
}

fn group_spans(rule: &Regex, group: usize, text: &[u8], is_secret: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    rule.captures_iter(text)
        .filter_map(|c| c.get(group))
        .filter(|m| m.as_bytes() != MARK && is_secret(m.as_bytes()))
        .map(|m| m.range())
        .collect()
}

/// The bodies of private keys that begin on this line, newlines written as `\n` or not.
fn pem_spans(text: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(begin) = PEM_BEGIN.find_at(text, at) {
        let rest = &text[begin.end()..];
        let end = PEM_END.find(rest).map_or(rest.trim_ascii_end().len(), |m| m.start());
        // A quote ends the text that holds the key, such as a field of a JSON record.
        let end = begin.end() + memchr::memchr2(b'"', b'\'', &rest[..end]).unwrap_or(end);
        if end > begin.end() && &text[begin.end()..end] != MARK {
            spans.push(begin.end()..end);
        }
        at = end;
    }
    spans
}

/// The values after what `rule` matches; `quote` is the group that holds the opening quote.
fn value_spans(rule: &Regex, text: &[u8], quote: usize, accept: impl Fn(&Captures<'_>) -> bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(found) = rule.captures_at(text, at) {
        let start = found.get(0).map_or(text.len(), |m| m.end());
        // On from here and not from the value's end: the value may be a name, too, and what is before it tells an option.
        at = start - 1;
        let quote = found.get(quote).map(|m| m.as_bytes());
        let within = spans.last().is_some_and(|s: &Range<usize>| start < s.end);
        if !accept(&found) || (within && quote.is_none()) {
            continue;
        }
        let end = value_end(text, start, quote);
        if is_value(&text[start..end]) {
            spans.push(start..end);
        }
    }
    spans
}

fn header_spans(text: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(found) = HEADER.captures_at(text, at) {
        let start = found.get(0).map_or(text.len(), |m| m.end());
        let quote = found.get(2).map(|m| m.as_bytes());
        let scheme = found.get(3).map_or(&b""[..], |m| m.as_bytes()).trim_ascii();
        let cookie = found.get(1).is_some_and(|m| m.as_bytes().to_ascii_lowercase().ends_with(b"cookie"));
        let whole = cookie || [&b"digest"[..], b"aws4-hmac-sha256"].iter().any(|s| s.eq_ignore_ascii_case(scheme));
        let end = match quote {
            // A cookie or a digest has several parts; all go.
            None if whole => text.len(),
            _ => value_end(text, start, quote),
        };
        at = start;
        if is_value(&text[start..end]) {
            spans.push(start..end);
        }
    }
    spans
}

/// Where a value ends: at its closing quote, at the end of the line when that is missing, else before white space
/// or what separates pairs.
fn value_end(text: &[u8], start: usize, quote: Option<&[u8]>) -> usize {
    let rest = &text[start..];
    let len = match quote {
        Some(quote) if quote.len() > 1 => memchr::memmem::find(rest, quote).unwrap_or(rest.len()),
        Some(quote) => unescaped(rest, quote.first().copied().unwrap_or(b'"')),
        None => {
            let stop = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'&' | b';');
            let end = rest.iter().position(stop).unwrap_or(rest.len());
            let value = &rest[..end];
            if value.starts_with(MARK) && value[MARK.len()..].iter().all(|b| b",)]}\\>.".contains(b)) {
                MARK.len()
            } else {
                end - value.iter().rev().take_while(|b| b",)]}\\>.".contains(b)).count()
            }
        }
    };
    start + len
}

fn unescaped(text: &[u8], quote: u8) -> usize {
    let mut escaped = false;
    text.iter()
        .position(|&b| {
            let ends = b == quote && !escaped;
            escaped = b == b'\\' && !escaped;
            ends
        })
        .unwrap_or(text.len())
}

/// Whether there is something to hide.
fn is_value(value: &[u8]) -> bool {
    let nothing: &[&[u8]] = &[b"", MARK, b"null", b"none", b"nil", b"true", b"false", b"undefined", b"yes", b"no"];
    !nothing.iter().any(|n| n.eq_ignore_ascii_case(value))
        && !value.iter().all(|b| *b == b'*')
        && !value.starts_with(b"chauthtok") // pam_unix(passwd:chauthtok)
}

/// Whether the name is a secret's: not the file `/etc/passwd:`, not `PWD=/root`.
fn is_key(text: &[u8], found: &Captures<'_>) -> bool {
    let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { return false };
    let before = &text[..whole.start()];
    let word = before.iter().rev().take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
    let path = before[..before.len() - word].ends_with(b"/");
    let directory = name.as_bytes().eq_ignore_ascii_case(b"pwd") && text[whole.end()..].starts_with(b"/");
    !path && !directory
}

/// Tells `Basic dXNlcjpwYXNz` from `Basic functionality`.
fn looks_random(value: &[u8]) -> bool {
    let capitals = value[1..].iter().filter(|b| b.is_ascii_uppercase()).count();
    let capitals = if value.iter().all(|b| !b.is_ascii_lowercase()) { 0 } else { capitals };
    value.iter().any(u8::is_ascii_digit) || value.ends_with(b"=") || capitals > 0 || value.len() >= 24
}

/// Redacts a stream line by line: what [`redact`] does, and private keys that span lines.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Lines left within a private key, 0 outside.
    left: u32,
    misses: u32,
}

impl Redactor {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next line, with or without its line end. Bytes that are no UTF-8 pass as they are.
    pub fn line<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = if self.left > 0 { self.within_key(line) } else { redact_bytes(line) };
        // The line end belongs to the line, whatever was redacted before it.
        let ends = line.len() - line.iter().rev().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        if let Cow::Owned(out) = &mut out
            && !out.ends_with(&line[ends..])
        {
            out.extend_from_slice(&line[ends..]);
        }
        if let Some(begin) = PEM_BEGIN.find_iter(line).last()
            && PEM_END.find_at(line, begin.end()).is_none()
        {
            (self.left, self.misses) = (PEM_LINES, 0);
        }
        out
    }

    fn within_key<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        self.left -= 1;
        if let Some(end) = PEM_END.find(line) {
            self.left = 0;
            let mut out = last_word(&line[..end.start()]).0;
            out.extend_from_slice(&redact_bytes(&line[end.start()..]));
            return Cow::Owned(out);
        }
        let (kept, length) = last_word(line);
        // Inside of JSON the key's text is not at the line's end.
        let long = LONG_BASE64.is_match(&kept);
        self.misses = if length >= 16 || long { 0 } else { self.misses + 1 };
        if self.misses >= PEM_MISSES {
            self.left = 0;
        }
        let kept = LONG_BASE64.replace_all(&kept, MARK).into_owned();
        Cow::Owned(redact_bytes(&kept).into_owned())
    }
}

/// The line with its last word redacted if that can be base64, and that word's length.
fn last_word(line: &[u8]) -> (Vec<u8>, usize) {
    let body = line.trim_ascii_end();
    let base64 = |b: &&u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    let length = body.iter().rev().take_while(base64).count();
    let start = body.len() - length;
    if length == 0 || (start > 0 && !body[start - 1].is_ascii_whitespace()) {
        return (line.to_vec(), 0);
    }
    let mut out = line[..start].to_vec();
    out.extend_from_slice(MARK);
    out.extend_from_slice(&line[body.len()..]);
    (out, length)
}

#[cfg(test)]
mod tests;
