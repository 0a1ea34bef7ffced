//! Brace expansion: `{a,b}` and `{1..9}`.

use super::{
    constants::{SOME, UNKNOWN},
    quotes::{closing, closing_backtick, closing_quote},
};

/// Brace expansion: the words that a word multiplies to, at most `most`.
pub(super) fn braces(word: &str, most: usize) -> Vec<String> {
    if !word.contains('{') {
        return vec![word.to_owned()];
    }
    let mut done = Vec::new();
    let mut todo = vec![word.to_owned()];
    while let Some(word) = todo.pop() {
        if done.len() + todo.len() > most {
            return vec![UNKNOWN.to_string()];
        }
        match first_brace(&word) {
            None => done.push(word),
            Some((before, members, after)) => {
                if members.len() > most {
                    return vec![UNKNOWN.to_string()];
                }
                todo.extend(members.iter().rev().map(|m| format!("{before}{m}{after}")));
            }
        }
    }
    done
}

/// The first brace expression outside of quotes that is one: what stands before it, its members, what comes after.
fn first_brace(word: &str) -> Option<(&str, Vec<String>, &str)> {
    let bytes = word.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' => at += 1 + word[at + 1..].find('\'').unwrap_or(word.len() - at - 1),
            b'"' => at += 1 + closing_quote(&word[at + 1..]),
            b'`' => at += 1 + closing_backtick(&word[at + 1..]),
            b'$' if bytes.get(at + 1) == Some(&b'{') => at += 1 + closing(&word[at + 1..], '{', '}'),
            b'$' if bytes.get(at + 1) == Some(&b'(') => at += 1 + closing(&word[at + 1..], '(', ')'),
            b'{' => {
                let end = at + closing(&word[at..], '{', '}');
                let members = word.get(at + 1..end).and_then(members);
                if let Some(members) = members.filter(|_| end < word.len()) {
                    return Some((&word[..at], members, &word[end + 1..]));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn members(inner: &str) -> Option<Vec<String>> {
    let bytes = inner.as_bytes();
    let (mut parts, mut from, mut depth, mut at) = (Vec::new(), 0, 0usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\'' => at += 1 + inner[at + 1..].find('\'').unwrap_or(inner.len() - at - 1),
            b'"' => at += 1 + closing_quote(&inner[at + 1..]),
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(inner[from..at].to_owned());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if !parts.is_empty() {
        parts.push(inner.get(from..).unwrap_or_default().to_owned());
        return Some(parts);
    }
    let mut ends = inner.split("..");
    let (first, last) = (ends.next()?, ends.next()?);
    if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
        let numbers: Vec<String> = match i64::from(last) - i64::from(first) {
            0..=300 => (first..=last).map(|n| n.to_string()).collect(),
            -300..0 => (last..=first).rev().map(|n| n.to_string()).collect(),
            _ => vec![SOME.to_string()],
        };
        return Some(numbers);
    }
    let letter = |s: &str| s.bytes().next().filter(|b| s.len() == 1 && b.is_ascii_alphabetic());
    let (first, last) = (letter(first)?, letter(last)?);
    let range = first.min(last)..=first.max(last);
    Some(range.map(|b| char::from(b).to_string()).collect())
}
