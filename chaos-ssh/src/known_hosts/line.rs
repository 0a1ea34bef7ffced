//! One line of a `known_hosts` file, taken apart as OpenSSH does, oddities included. Knows nothing of keys.

use super::{hashed, pattern};

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// It is the host's.
    None,
    /// It signs hosts' certificates.
    Authority,
    /// It must not be trusted.
    Revoked,
}

/// The parts of a line; `key` is not looked at yet.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) marker: Marker,
    names: &'a [u8],
    pub(super) key: &'a [u8],
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Without the blanks that it begins with.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|b| is_blank(**b)).count()..]
}

/// What stands before a NUL: OpenSSH reads lines as C strings.
pub(super) fn before_nul(text: &[u8]) -> &[u8] {
    text.split(|b| *b == 0).next().unwrap_or_default()
}

impl<'a> Line<'a> {
    /// Takes a line apart; `None` when it says nothing: blank, a comment, an unknown marker, no key.
    pub(super) fn split(line: &'a [u8]) -> Option<Self> {
        let line = trim(line.strip_suffix(b"\n").unwrap_or(line));
        if matches!(line.first(), None | Some(b'#' | 0)) {
            return None;
        }
        let (marker, line) = take_marker(line)?;
        let end = line.iter().position(|b| is_blank(*b) || *b == 0).unwrap_or(line.len());
        let (names, rest) = line.split_at(end);
        // A NUL that ends the names is stepped over like the blank it stands for.
        let key = trim(before_nul(rest.get(1..).unwrap_or_default()));
        if matches!(key.first(), None | Some(b'#')) {
            return None;
        }
        Some(Self { marker, names, key })
    }

    /// Whether the line speaks of `name`, which is in lower case.
    pub(super) fn names(&self, name: &str) -> bool {
        match self.names.first() {
            Some(b'|') => hashed::names(self.names, name.as_bytes()),
            _ => pattern::names(self.names, name.as_bytes()),
        }
    }
}

/// The marker that `line` begins with, and what follows it; `None` for an unknown marker, or two.
fn take_marker(line: &[u8]) -> Option<(Marker, &[u8])> {
    if line.first() != Some(&b'@') {
        return Some((Marker::None, line));
    }
    let text = before_nul(line);
    // OpenSSH looks for a space first, and for a tab only in a line without any.
    let end = text.iter().position(|b| *b == b' ').or_else(|| text.iter().position(|b| *b == b'\t'))?;
    let marker = match &text[1..end] {
        b"cert-authority" => Marker::Authority,
        b"revoked" => Marker::Revoked,
        _ => return None,
    };
    let rest = trim(&line[end..]);
    (rest.first() != Some(&b'@')).then_some((marker, rest))
}
