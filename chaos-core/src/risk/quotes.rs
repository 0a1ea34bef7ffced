//! Where quotes, substitutions and braces end in a word as it is written.

/// Where the double quote that was opened before closes.
pub(super) fn closing_quote(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return at,
            b'$' if bytes.get(at + 1) == Some(&b'(') => at += 1 + closing(&text[at + 1..], '(', ')'),
            b'$' if bytes.get(at + 1) == Some(&b'{') => at += 1 + closing(&text[at + 1..], '{', '}'),
            b'`' => at += 1 + closing_backtick(&text[at + 1..]),
            _ => {}
        }
        at += 1;
    }
    text.len()
}

pub(super) fn closing_backtick(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '`' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Where what opens with the first byte closes; quotes hide what they hold.
pub(super) fn closing(text: &str, open: char, close: char) -> usize {
    let bytes = text.as_bytes();
    let (open, close) = (open as u8, close as u8);
    let (mut at, mut depth) = (0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' => at += 1 + text[at + 1..].find('\'').unwrap_or(text.len() - at - 1),
            b'"' => {
                // Quotes within quotes of a substitution are found by its own parentheses.
                let mut inside = at + 1;
                let mut deep = 0usize;
                while inside < bytes.len() && (bytes[inside] != b'"' || deep > 0) {
                    match bytes[inside] {
                        b'\\' => inside += 1,
                        b'(' if bytes[inside - 1] == b'$' || deep > 0 => deep += 1,
                        b')' if deep > 0 => deep -= 1,
                        _ => {}
                    }
                    inside += 1;
                }
                at = inside;
            }
            b if b == open => depth += 1,
            b if b == close => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// A text in `$'…'` up to its closing quote, and how many bytes that was.
pub(super) fn ansi(text: &str) -> (String, usize) {
    let mut out: Vec<u8> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'\'' {
        if bytes[at] != b'\\' || at + 1 >= bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let kind = bytes[at + 1];
        at += 2;
        let mut number = |most: usize, radix: u32| {
            let digits: usize = bytes[at..].iter().take(most).take_while(|b| (**b as char).is_digit(radix)).count();
            let value = u32::from_str_radix(text.get(at..at + digits).unwrap_or_default(), radix).unwrap_or(0);
            at += digits;
            value
        };
        match kind {
            b'x' => out.push(number(2, 16) as u8),
            b'0'..=b'7' => {
                at -= 1;
                let digits = bytes[at..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
                out.push(u32::from_str_radix(&text[at..at + digits], 8).unwrap_or(0) as u8);
                at += digits;
            }
            b'u' | b'U' => {
                let c = char::from_u32(number(if kind == b'u' { 4 } else { 8 }, 16)).unwrap_or('\u{FFFD}');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' | b'b' | b'e' | b'E' | b'f' | b'v' => out.push(b' '),
            other => out.push(other),
        }
    }
    (String::from_utf8_lossy(&out).into_owned(), (at + 1).min(text.len()))
}
