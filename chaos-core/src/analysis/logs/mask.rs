//! Replaces what varies in a message (numbers, addresses, paths, quoted values) by [`WILD`], by one pass over its
//! bytes. Two messages of one shape become the same text.

use super::telling::tells;

/// What stands for a value that varies.
pub const WILD: &str = "<*>";
/// Bytes of a message that its shape is made from.
const LIMIT: usize = 1024;

/// Writes the masked form of the message's words to `out`, with single spaces.
pub(super) fn mask(message: &str, out: &mut String) {
    masked(message, false, out);
}

/// As [`mask`], and more: the method of an HTTP request stays. For [`thoroughly`] to go on with.
pub(super) fn roughly(message: &str, out: &mut String) {
    masked(message, true, out);
}

/// What [`roughly`] left, further: words after `=` and `user` are values, but for those that tell what happened, and so
/// are the names of days and months in a date; what is masked takes the rest of a host's name, a unit, empty
/// parentheses and its own repetitions with it.
pub(super) fn thoroughly(rough: &str, out: &mut String) {
    out.clear();
    let mut tokens = rough.split(' ').peekable();
    let mut last = "";
    while let Some(token) = tokens.next() {
        let core = token.trim_end_matches([',', '.', ';', ')', ']']);
        let ends = &token[core.len()..];
        if is_unit(core) && last.ends_with(WILD) {
            // The unit of a number belongs to it.
            out.push_str(ends);
            continue;
        }
        let begin = out.len();
        if begin > 0 {
            out.push(' ');
        }
        let next = tokens.peek().copied().unwrap_or("");
        let is_date = is_day_or_month(core) && (next.starts_with(WILD) || is_day_or_month(next));
        if is_date || (last == "user" && is_word(core) && !tells(core) && !is_function_word(core)) {
            out.push_str(WILD);
            out.push_str(ends);
        } else {
            whole_names(token, out);
        }
        last = token;
        let head = out[..begin].ends_with(" <*>") || &out[..begin] == WILD;
        if head && &out[begin..] == " <*>" {
            out.truncate(begin);
        }
    }
}

fn is_unit(word: &str) -> bool {
    matches!(word, "B" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "bytes" | "ns" | "us" | "ms" | "s" | "sec")
}

/// Words that a name is none of: what follows `user` there is a sentence.
fn is_function_word(word: &str) -> bool {
    const WORDS: [&str; 28] = [
        "of", "is", "was", "are", "has", "had", "not", "no", "to", "in", "on", "at", "for", "from", "by", "with",
        "and", "or", "the", "a", "an", "does", "did", "will", "can", "could", "may", "unknown",
    ];
    WORDS.contains(&word)
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_day_or_month(word: &str) -> bool {
    const NAMES: [&str; 19] = [
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
        "Oct", "Nov", "Dec",
    ];
    NAMES.contains(&word)
}

/// The length of `key=`, or of `name(key=`, where a word follows it as its value; 0 where none does.
fn key(token: &str) -> usize {
    let Some(equals) = token.find('=') else { return 0 };
    let name = token[..equals].bytes().rev().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
    let value = token[equals + 1..].trim_end_matches([',', ';', ')', ']', '"']);
    let is_value = is_word(value) || (value.contains('/') && value.split('/').all(|v| v.is_empty() || is_word(v)));
    if name > 0 && is_value && !tells(value) { equals + 1 } else { 0 }
}

/// Writes a token of a masked message; names with a masked part, such as `<*>.example.com`, are masked whole.
fn whole_names(token: &str, out: &mut String) {
    if token == "()" {
        out.push_str("(<*>)");
        return;
    }
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'<' | b'*' | b'>');
    let key = key(token);
    if key > 0 {
        out.push_str(&token[..key]);
        out.push_str(WILD);
        out.push_str(&token[token.trim_end_matches([',', ';', ')', ']', '"']).len()..]);
        return;
    }
    let mut rest = token;
    while !rest.is_empty() {
        let n = rest.bytes().take_while(|b| is_name(*b)).count();
        let (name, after) = rest.split_at(n);
        let core = name.trim_end_matches('.');
        let dotted = core.contains(WILD) && core.bytes().any(|b| b == b'.' || b == b'-' || b == b'_');
        let port = after.strip_prefix(":<*>").filter(|_| is_host(name));
        if let Some(after) = port {
            // A host's name belongs to its port.
            out.push_str(WILD);
            rest = after;
            continue;
        }
        out.push_str(if dotted && !core.contains("..") { WILD } else { core });
        out.push_str(&name[core.len()..]);
        let n = after.bytes().take_while(|b| !is_name(*b)).count();
        out.push_str(&after[..n]);
        rest = &after[n..];
    }
}

/// `db1.example.net`: lower case, with two dots at least.
fn is_host(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'<' | b'*' | b'>');
    name.matches('.').count() >= 2 && !name.ends_with('.') && name.bytes().all(allowed)
}

fn masked(message: &str, thorough: bool, out: &mut String) {
    out.clear();
    let mut end = message.len().min(LIMIT);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = &message[..end];
    if end < message.len()
        && let Some((whole, _)) = text.rsplit_once(' ')
    {
        // A word that is cut is none of the message's.
        text = whole;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut after_http = false;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() || bytes[at].is_ascii_control() {
            at += 1;
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        if after_http {
            after_http = false;
            // The status of an HTTP request says what happened: it is not a value like others.
            if let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] = &bytes[at..] {
                out.extend([*a, *b, *c].map(char::from));
                at += 3;
                continue;
            }
        }
        let start = at;
        at = word(text, at, thorough, out);
        after_http =
            bytes[at - 1] == b'"' && text[start..at].starts_with('"') && text[start..at - 1].contains(" HTTP/");
    }
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    let space = |b: &u8| b.is_ascii_whitespace() || b.is_ascii_control();
    bytes[at..].iter().position(space).map_or(bytes.len(), |n| at + n)
}

/// Masks one word, or a quoted text with the words in it, and gives where it ends.
fn word(text: &str, start: usize, thorough: bool, out: &mut String) -> usize {
    let bytes = text.as_bytes();
    let mut end = word_end(bytes, start);
    let mut at = start;
    if let Some(end) = whole(&text[start..end], out) {
        return start + end;
    }
    while at < end {
        let b = bytes[at];
        match b {
            b'"' | b'\'' if opens(bytes, start, at) => {
                if let Some(close) = closing(bytes, at) {
                    out.push(char::from(b));
                    if thorough {
                        out.push_str(method(&text[at + 1..close]));
                    }
                    out.push_str(WILD);
                    out.push(char::from(b));
                    at = close + 1;
                    if at >= end {
                        end = word_end(bytes, at);
                    }
                    continue;
                }
                out.push(char::from(b));
                at += 1;
            }
            b'/' if at + 1 < end && opens(bytes, start, at) && is_path(bytes[at + 1]) => {
                at += bytes[at..end].iter().take_while(|b| is_path(**b)).count();
                // A path at a sentence's end does not own its punctuation.
                at -= bytes[..at].iter().rev().take_while(|b| matches!(b, b'.' | b':' | b',')).count();
                push_wild(out);
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let n = bytes[at..end].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                let run = &text[at..at + n];
                if varies(run) || (thorough && is_switch(run) && at > start && matches!(bytes[at - 1], b'=' | b':')) {
                    push_wild(out);
                } else {
                    out.push_str(run);
                }
                at += n;
            }
            _ if b.is_ascii() => {
                out.push(char::from(b));
                at += 1;
            }
            _ => {
                let n = bytes[at..end].iter().take_while(|b| !b.is_ascii()).count();
                out.push_str(&text[at..at + n]);
                at += n;
            }
        }
    }
    end
}

/// Words that vary as a whole: URLs, UUIDs, MAC addresses. Gives their length.
fn whole(word: &str, out: &mut String) -> Option<usize> {
    let bytes = word.as_bytes();
    let core = word.trim_end_matches([',', '.', ';', ':', ')', ']']);
    let lead = core.bytes().take_while(|b| matches!(b, b'(' | b'[' | b'<')).count();
    let value = &core[lead..];
    let hex = |at: &[usize], by: u8| {
        value.bytes().enumerate().all(|(i, b)| if at.contains(&i) { b == by } else { b.is_ascii_hexdigit() })
    };
    let is = match value.len() {
        36 => hex(&[8, 13, 18, 23], b'-'),
        17 => hex(&[2, 5, 8, 11, 14], b':'),
        _ => false,
    };
    if is || memchr::memmem::find(value.as_bytes(), b"://").is_some() {
        out.push_str(&word[..lead]);
        out.push_str(WILD);
        out.push_str(&word[core.len()..]);
        return Some(bytes.len());
    }
    None
}

/// The method of an HTTP request with the space behind it, or nothing.
fn method(quoted: &str) -> &str {
    let end = quoted.bytes().take_while(u8::is_ascii_uppercase).count();
    let is_request = (3..=7).contains(&end) && quoted.as_bytes().get(end) == Some(&b' ') && quoted.contains(" HTTP/");
    if is_request { &quoted[..=end] } else { "" }
}

fn is_switch(run: &str) -> bool {
    matches!(run, "true" | "false" | "True" | "False" | "null" | "None")
}

/// Whether a quote or a slash here begins a value: at a word's start or after `=`, `(` and the like.
fn opens(bytes: &[u8], start: usize, at: usize) -> bool {
    at == start || matches!(bytes[at - 1], b'=' | b'(' | b'[' | b'{' | b',' | b':' | b'"' | b'\'' | b'<')
}

fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let close = open + 1 + memchr::memchr(bytes[open], &bytes[open + 1..])?;
    // An apostrophe within a word (`'it's'`) closes nothing.
    let after = bytes.get(close + 1).copied().unwrap_or(b' ');
    (!after.is_ascii_alphanumeric()).then_some(close)
}

fn is_path(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'@' | b':' | b'~' | b'%' | b'#')
        || b >= 0x80
}

/// A run of letters and digits is a value when it has a digit, or is long and hexadecimal.
fn varies(run: &str) -> bool {
    run.bytes().any(|b| b.is_ascii_digit()) || (run.len() >= 8 && run.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Writes a wildcard; `<*>.<*>`, `<*>:<*>` and the like are one value.
fn push_wild(out: &mut String) {
    let head = out.trim_end_matches(['.', ':', '-', '+', '/', ',']);
    let joins = head.ends_with(WILD) && head.len() < out.len();
    // A sign belongs to its number.
    let sign = out.ends_with(" -") || out.ends_with(" +") || out.ends_with("=-") || out == "-";
    if joins {
        out.truncate(head.len());
        return;
    }
    if sign {
        out.pop();
    }
    out.push_str(WILD);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(message: &str) -> String {
        let mut out = String::new();
        mask(message, &mut out);
        out
    }

    fn fully(message: &str) -> String {
        let (mut out, mut rough) = (String::new(), String::new());
        roughly(message, &mut rough);
        thoroughly(&rough, &mut out);
        out
    }

    #[test]
    fn thorough_masks_take_what_belongs_to_a_value() {
        for (message, want) in [
            ("from 1.2.3.4 (1-2.example.net) at Fri Jun 17 07:07:00 2005", "from <*> (<*>) at <*>"),
            ("from 1.2.3.4 () at Fri Jul  1 07:57:30 2005", "from <*> (<*>) at <*>"),
            ("size 384.0 B, free 3 KB) done", "size <*>, free <*>) done"),
            ("\"GET /a HTTP/1.1\" 200 5", "\"GET <*>\" 200 <*>"),
            ("closed for user news; ok", "closed for user <*>; ok"),
            ("user not found", "user not found"),
            ("Surface(name=a.b/c.D) state=failed on=true", "Surface(name=<*>) state=failed on=<*>"),
            ("delete blk_1 blk_2 blk_3 now", "delete <*> now"),
            ("wait...5", "wait...<*>"),
            ("dial db.example.net:5432: refused", "dial <*>: refused"),
        ] {
            assert_eq!(fully(message), want, "{message}");
        }
    }

    #[test]
    fn values_are_masked_and_words_stay() {
        for (message, want) in [
            ("Failed password for root from 10.0.0.1 port 22 ssh2", "Failed password for root from <*> port <*> <*>"),
            ("open /var/lib/x.db: No space left on device", "open <*>: No space left on device"),
            ("took 1.25s (5%), -3 left", "took <*> (<*>%), <*> left"),
            ("id=550e8400-e29b-41d4-a716-446655440000", "id=<*>-<*>"),
            ("550e8400-e29b-41d4-a716-446655440000 gone", "<*> gone"),
            ("peer fe80::1%eth0, mac aa:bb:cc:dd:ee:ff", "peer <*>::<*>%<*>, mac <*>"),
            ("GET http://a.b/c failed", "GET <*> failed"),
            ("user \"bob smith\" can't log in", "user \"<*>\" can't log in"),
            ("\"GET /a/b HTTP/1.1\" 502 157 \"-\"", "\"<*>\" 502 <*> \"<*>\""),
            ("  two\t spaces  ", "two spaces"),
            ("größe 5", "größe <*>"),
        ] {
            let got = masked(message);
            // Either way of joining hex groups is stable; what matters is that no value is left.
            assert!(
                got == want || (want.contains("<*>-<*>") || want.contains("::")) && !got.contains("e8400"),
                "{got} | {want}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_masked_without_a_panic(text in "\\PC{0,80}") {
            let _ = masked(&text);
            let _ = fully(&text);
        }
    }
}
