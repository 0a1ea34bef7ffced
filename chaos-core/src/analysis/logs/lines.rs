//! Cuts a byte stream into lines. Owns what a line is; a line never costs more memory than [`MAX_LINE`].

use memchr::memchr;

/// Bytes of a line that are kept; the rest is counted.
pub const MAX_LINE: usize = 16 << 10;

/// A line splitter for chunks that are cut anywhere. CRLF counts as a line end, NULs around a line (a torn or
/// truncated file) are dropped.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    dropped: usize,
}

impl Lines {
    /// Gives each whole line in `bytes`, together with what was left of earlier chunks, to `each`.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if self.partial.is_empty() && self.dropped == 0 && line.len() <= MAX_LINE {
                each(trimmed(line));
            } else {
                self.hold(line);
                self.finish(&mut each);
            }
        }
        self.hold(rest);
    }

    /// Gives what is left at the end of the stream, a line without its end, to `each`.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if self.dropped > 0 {
            let cut = boundary(&self.partial);
            let missing = self.dropped + self.partial.len() - cut;
            self.partial.truncate(cut);
            self.partial.extend_from_slice(format!("…[cut, {missing} bytes]").as_bytes());
        }
        if !self.partial.is_empty() {
            each(trimmed(&self.partial));
        }
        self.partial.clear();
        self.dropped = 0;
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        let kept = bytes.len().min(room);
        self.partial.extend_from_slice(&bytes[..kept]);
        self.dropped += bytes.len() - kept;
    }
}

/// Without a carriage return at the end and NULs at both.
fn trimmed(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    while let Some(rest) = line.strip_prefix(b"\0") {
        line = rest;
    }
    while let Some(rest) = line.strip_suffix(b"\0") {
        line = rest;
    }
    line
}

/// The end of the last whole UTF-8 character.
fn boundary(bytes: &[u8]) -> usize {
    let continuation = |b: &&u8| **b & 0xC0 == 0x80;
    let tail = bytes.iter().rev().take(3).take_while(continuation).count();
    let lead = bytes.len() - tail;
    match bytes[..lead].last() {
        Some(b) if *b >= 0xC0 => {
            let want = if *b >= 0xF0 { 4 } else { 3 - usize::from(*b < 0xE0) };
            if tail + 1 < want { lead - 1 } else { bytes.len() }
        }
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |l| out.push(l.to_vec()));
        }
        lines.finish(|l| out.push(l.to_vec()));
        out
    }

    #[test]
    fn lines_are_whole_wherever_chunks_are_cut() {
        assert_eq!(split(&[b"a\r\nb", b"c\n\nd\0", b"\0\n\0\0e"]), [&b"a"[..], b"bc", b"", b"d", b"e"]);
    }

    #[test]
    fn a_huge_line_is_cut_and_says_so() {
        let chunk = "é".repeat(5 << 20);
        let mut lines = Lines::default();
        let mut out = Vec::new();
        lines.push(b"x", |_| ());
        for part in chunk.as_bytes().chunks(65_537) {
            lines.push(part, |_| panic!("no line yet"));
            assert!(lines.partial.capacity() <= 2 * MAX_LINE);
        }
        lines.push(b"\nnext\n", |l| out.push(String::from_utf8(l.to_vec()).unwrap()));
        assert!(
            out[0].ends_with(&format!("é…[cut, {} bytes]", chunk.len() + 1 - (MAX_LINE - 1))),
            "{}",
            &out[0][16_000..]
        );
        assert_eq!(out[1], "next");
    }

    proptest! {
        #[test]
        fn the_chunks_make_no_difference(text in prop::collection::vec(prop::sample::select(b"ab\r\n\0\xff".to_vec()), 0..200), at in 0usize..200) {
            let at = at.min(text.len());
            prop_assert_eq!(split(&[&text]), split(&[&text[..at], &text[at..]]));
        }
    }
}
