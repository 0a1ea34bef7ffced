//! The shape of a line: all of it but for its numbers, as a hash. Lines of one shape have their messages in one pattern
//! and, unless a letter within a number says otherwise (`E1124`), their headers at the same places, counted from their
//! numbers, so that only the first of them have to be read (see `recall`).
//!
//! Works on blocks of 64 bytes with a bit for each byte, since most of the time that a line costs goes by here.

use memchr::memchr_iter;

/// Longer lines have no shape.
pub(super) const LONGEST: usize = 1024;
/// Nor have lines with more numbers.
pub(super) const MOST_NUMBERS: usize = 64;
const BLOCK: usize = 64;
/// A byte more than the longest line, which ends its last number.
const BLOCKS: usize = LONGEST / BLOCK + 1;
/// Eight bytes can be read from everywhere.
const PADDED: usize = BLOCKS * BLOCK + 8;

/// Where a line's numbers stand: its runs of letters, digits and `_` that have a digit.
#[derive(Debug)]
pub(super) struct Numbers {
    /// From here to there, in order.
    runs: [(u16, u16); MOST_NUMBERS],
    count: usize,
    /// A bit for each, in order: whether it has letters.
    pub mixed: u64,
}

impl Numbers {
    pub(super) fn runs(&self) -> &[(u16, u16)] {
        &self.runs[..self.count]
    }
}

/// Finds the shapes of lines.
#[derive(Debug)]
pub(super) struct Shaper {
    /// The line, and zeros behind it.
    line: Box<[u8; PADDED]>,
    numbers: Numbers,
}

impl Default for Shaper {
    fn default() -> Self {
        let numbers = Numbers { runs: [(0, 0); MOST_NUMBERS], count: 0, mixed: 0 };
        Self { line: Box::new([0; PADDED]), numbers }
    }
}

impl Shaper {
    /// A hash of the line without its numbers, and where those stand. A number counts by whether it has letters, and
    /// by its length where that says what it is: next to `:`, `-`, `/` and `+`, as in times, addresses and UUIDs, with
    /// six or eight digits, as in dates, and with ten or more, as in times since 1970. The status of an HTTP request
    /// counts by its value.
    pub(super) fn shape(&mut self, text: &[u8]) -> Option<(u64, &Numbers)> {
        if text.len() > LONGEST {
            return None;
        }
        let Self { line, numbers } = self;
        let count = text.len() / BLOCK + 1;
        line[..text.len()].copy_from_slice(text);
        line[text.len()..count * BLOCK + 8].fill(0);
        let (mut digit, mut run, mut value) = ([0; BLOCKS], [0; BLOCKS], [0; BLOCKS]);
        for (i, block) in line.as_chunks::<BLOCK>().0.iter().take(count).enumerate() {
            (digit[i], run[i]) = classes(block);
        }
        fill(&digit[..count], &run[..count], &mut value);
        // Where numbers begin and end, in turn.
        let mut edges = [0; 2 * MOST_NUMBERS];
        let (mut found, mut before) = (0, 0);
        for (i, value) in value[..count].iter().enumerate() {
            let mut changes = value ^ (value << 1 | before >> 63);
            before = *value;
            if found + changes.count_ones() as usize > edges.len() {
                return None;
            }
            while changes != 0 {
                edges[found] = (i * BLOCK) as u16 + changes.trailing_zeros() as u16;
                found += 1;
                changes &= changes - 1;
            }
        }
        (numbers.count, numbers.mixed) = (found / 2, 0);
        let (mut hash, mut last, mut before) = (Terms::default(), 0, 0);
        for (i, [start, end]) in edges[..found].as_chunks::<2>().0.iter().enumerate() {
            numbers.runs[i] = (*start, *end);
            let (start, end) = (usize::from(*start), usize::from(*end));
            hash.take(line, last, start, before);
            last = end;
            let is_mixed = has_letters(&digit, start, end);
            numbers.mixed |= u64::from(is_mixed) << i;
            let length = if has_length(&line[..], start, end, is_mixed) { end - start } else { 0 };
            before = length << 2 | usize::from(is_mixed) << 1 | 1;
        }
        hash.take(line, last, text.len(), before);
        let mut hash = hash.sum;
        for (_, status) in statuses(text) {
            hash = mix(hash, u64::from_le_bytes([status[0], status[1], status[2], 1, 0, 0, 0, 0]));
        }
        Some((hash, numbers))
    }
}

/// Whether a number here is another than a longer or shorter one. No branches: they would be hard to foretell.
pub(super) fn has_length(line: &[u8], from: usize, to: usize, is_mixed: bool) -> bool {
    const TELLING: u64 = 1 << 6 | 1 << 8 | u64::MAX << 10;
    static IS_NEAR: [bool; 256] = {
        let mut table = [false; 256];
        table[b':' as usize] = true;
        table[b'-' as usize] = true;
        table[b'/' as usize] = true;
        table[b'+' as usize] = true;
        table
    };
    let near = |at: usize| IS_NEAR[usize::from(line.get(at).copied().unwrap_or(0))];
    // Before the first byte there is none; that itself is one of the number.
    near(from.saturating_sub(1)) | near(to) | (!is_mixed & (TELLING >> (to - from).min(63) & 1 == 1))
}

/// A hash as a sum of terms, each of its place and of eight bytes: none has to wait for the one before it.
#[derive(Debug, Default)]
struct Terms {
    sum: u64,
    place: u64,
}

impl Terms {
    /// Goes on with what stands between two numbers, and with what the number before it counts as.
    fn take(&mut self, line: &[u8; PADDED], from: usize, to: usize, before: usize) {
        // No text makes up for another length or number before it.
        let mut seed = self.place ^ ((before << 16 | (to - from)) as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let mut at = from;
        loop {
            self.place = self.place.wrapping_add(0xA076_1D64_78BD_642F);
            let mut word = [0; 8];
            word.copy_from_slice(&line[at..at + 8]);
            let word = u64::from_le_bytes(word);
            let left = to - at;
            if left <= 8 {
                // A shift by all bits is none.
                let part = if left == 0 { 0 } else { word & u64::MAX >> (64 - 8 * left) };
                self.sum = self.sum.wrapping_add(mix(seed, part));
                return;
            }
            self.sum = self.sum.wrapping_add(mix(seed, word));
            seed = self.place;
            at += 8;
        }
    }
}

/// Whether not all of a number is digits.
fn has_letters(digit: &[u64; BLOCKS], start: usize, end: usize) -> bool {
    let (first, last) = (start / BLOCK, (end - 1) / BLOCK);
    let from = u64::MAX << (start % BLOCK);
    let to = u64::MAX >> (BLOCK - 1 - (end - 1) % BLOCK);
    if first == last {
        return !digit[first] & from & to != 0;
    }
    !digit[first] & from != 0 || !digit[last] & to != 0 || digit[first + 1..last].iter().any(|digit| *digit != u64::MAX)
}

/// What may be the statuses of HTTP requests, and where they stand: three digits behind a quote and a space.
pub(super) fn statuses(line: &[u8]) -> impl Iterator<Item = (usize, [u8; 3])> {
    memchr_iter(b'"', line).filter_map(|quote| match line.get(quote + 1..)? {
        [_, _, _, _, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => None,
        [b' ', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => Some((quote + 2, [*a, *b, *c])),
        _ => None,
    })
}

/// A hash of a text as it is.
pub(super) fn hash(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = words.iter().fold(text.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(hash, u64::from_le_bytes(last))
}

/// A hash of the letters within the numbers that begin before `end`: what stands for a run of digits there is one mark.
pub(super) fn letters(line: &[u8], numbers: &Numbers, end: usize) -> u64 {
    let mut hash = 0;
    let mut mixed = numbers.mixed;
    while mixed != 0 {
        let (from, to) = numbers.runs()[mixed.trailing_zeros() as usize];
        mixed &= mixed - 1;
        if usize::from(from) >= end {
            break;
        }
        let mut last = 0;
        for b in &line[usize::from(from)..usize::from(to)] {
            let mark = if b.is_ascii_digit() { b'0' } else { *b };
            if mark != b'0' || last != b'0' {
                hash = mix(hash, u64::from(mark));
            }
            last = mark;
        }
        hash = mix(hash, 1);
    }
    hash
}

/// A multiplication folded to its half, as in wyhash (Wang Yi).
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word ^ 0x2545_F491_4F6C_DD1D) * 0x9E37_79B9_7F4A_7C15;
    (product as u64) ^ ((product >> 64) as u64)
}

/// Which bytes are digits, and which are letters, digits or `_`.
fn classes(block: &[u8; BLOCK]) -> (u64, u64) {
    let (mut digit, mut run) = ([0; BLOCK], [0; BLOCK]);
    for (i, b) in block.iter().enumerate() {
        digit[i] = u8::from(b.wrapping_sub(b'0') < 10);
        run[i] = digit[i] | u8::from((b | 0x20).wrapping_sub(b'a') < 26) | u8::from(*b == b'_');
    }
    (gather(&digit), gather(&run))
}

/// 64 bytes of 0 or 1 as bits.
fn gather(flags: &[u8; BLOCK]) -> u64 {
    let bits = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    flags.as_chunks::<8>().0.iter().enumerate().fold(0, |all, (i, eight)| all | bits(eight) << (8 * i))
}

/// The runs that have a seed, whole.
fn fill(seeds: &[u64], runs: &[u64], filled: &mut [u64; BLOCKS]) {
    let mut carry = 0;
    for (i, (seed, run)) in seeds.iter().zip(runs).enumerate() {
        filled[i] = up(seed | (carry & run), *run);
        carry = filled[i] >> 63;
    }
    carry = 0;
    for (i, (seed, run)) in seeds.iter().zip(runs).enumerate().rev() {
        let down = down(seed | (carry << 63 & run), *run);
        filled[i] |= down;
        carry = down & 1;
    }
}

/// Spreads bits upwards within runs, as an addition carries them.
fn up(seed: u64, run: u64) -> u64 {
    run & (run.wrapping_add(seed) ^ run) | seed
}

/// Spreads bits downwards within runs, in steps that double (Kogge and Stone, 1973).
fn down(mut seed: u64, mut run: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        seed |= run & (seed >> by);
        run &= run >> by;
    }
    seed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the hash is of, byte by byte, and where the numbers stand.
    fn plain(line: &[u8]) -> (Vec<u8>, Vec<(u16, u16)>, Vec<bool>) {
        let is_run = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let is_near = |b: Option<&u8>| b.is_some_and(|b| b":-/+".contains(b));
        let (mut out, mut runs, mut mixed) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0;
        while at < line.len() {
            let n = line[at..].iter().take_while(|b| is_run(b)).count();
            let run = &line[at..at + n.max(1)];
            if run.iter().any(u8::is_ascii_digit) {
                let is_mixed = !run.iter().all(u8::is_ascii_digit);
                let near = is_near(at.checked_sub(1).map(|i| &line[i])) || is_near(line.get(at + n));
                let length = if near || (!is_mixed && (n == 6 || n == 8 || n >= 10)) { n } else { 0 };
                out.extend([0, u8::from(is_mixed), length as u8]);
                runs.push((at as u16, (at + n) as u16));
                mixed.push(is_mixed);
            } else {
                out.extend_from_slice(run);
            }
            at += n.max(1);
        }
        (out, runs, mixed)
    }

    fn of(line: &str) -> u64 {
        Shaper::default().shape(line.as_bytes()).unwrap().0
    }

    #[test]
    fn numbers_make_no_difference_and_all_else_does() {
        assert_eq!(of("took 15 ms, id a1b2"), of("took 9 ms, id 9zzz0"));
        assert_ne!(of("took 15 ms"), of("took 1f ms"));
        assert_ne!(of("took 15 ms"), of("toot 15 ms"));
        assert_ne!(of("took 15 ms"), of("took 15  ms"));
        assert_ne!(of("at 08:15"), of("at 8:15"));
        assert_ne!(of("at 1795508130"), of("at 179550813"));
        assert_ne!(of("\"GET /\" 200 5"), of("\"GET /\" 502 5"));
        assert_eq!(of("\"GET /\" 2000 5"), of("\"GET /\" 5020 5"));
    }

    #[test]
    fn what_is_too_long_has_no_shape() {
        let mut shaper = Shaper::default();
        for n in [0, 1, 63, 64, 65, 127, 128, LONGEST - 1, LONGEST] {
            for b in [b'x', b'7', b' '] {
                let line = vec![b; n];
                let runs: Vec<(u16, u16)> = if b == b'7' && n > 0 { vec![(0, n as u16)] } else { Vec::new() };
                assert_eq!(shaper.shape(&line).map(|(_, numbers)| numbers.runs()), Some(&runs[..]), "{n} of {b}");
            }
        }
        assert!(shaper.shape(&[b'x'; LONGEST + 1]).is_none());
        assert!(shaper.shape("1 ".repeat(MOST_NUMBERS).as_bytes()).is_some());
        assert!(shaper.shape("1 ".repeat(MOST_NUMBERS + 1).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn letters_within_numbers_count_and_digits_do_not(a in "[ -~é]{0,80}", digits in prop::collection::vec(0u8..10, 80)) {
            let mut next = digits.iter();
            let other: String =
                a.chars().map(|c| if c.is_ascii_digit() { char::from(b'0' + next.next().unwrap_or(&0)) } else { c }).collect();
            let of = |line: &str| {
                let mut shaper = Shaper::default();
                shaper.shape(line.as_bytes()).map(|(_, numbers)| letters(line.as_bytes(), numbers, line.len()))
            };
            prop_assert_eq!(of(&a), of(&other));
            let (_, runs, mixed) = plain(a.as_bytes());
            let has_lower = runs.iter().zip(&mixed).any(|((from, to), mixed)| {
                *mixed && a.as_bytes()[usize::from(*from)..usize::from(*to)].iter().any(u8::is_ascii_lowercase)
            });
            prop_assert_eq!(of(&a) != of(&a.to_ascii_uppercase()), has_lower && runs.len() <= MOST_NUMBERS);
        }

        #[test]
        fn two_lines_have_one_shape_when_they_differ_in_numbers_only(
            a in "[a-c0-2_ .:é]{0,200}", b in "[a-c0-2_ .:é]{0,3}", at in 0usize..200, long in "[ -~]{0,3}",
        ) {
            let mut other = a.clone();
            let at = (0..=at.min(a.len())).rev().find(|i| a.is_char_boundary(*i)).unwrap_or(0);
            let end = (at + long.len()..=a.len()).find(|i| a.is_char_boundary(*i)).unwrap_or(at);
            other.replace_range(at..end.max(at), &b);
            let mut shaper = Shaper::default();
            let mut of = |line: &str| {
                let (text, runs, mixed) = plain(line.as_bytes());
                let found = shaper.shape(line.as_bytes());
                assert_eq!(found.is_some(), runs.len() <= MOST_NUMBERS);
                let (hash, numbers) = found?;
                assert_eq!(numbers.runs(), &runs);
                assert!(mixed.iter().enumerate().all(|(i, mixed)| *mixed == (numbers.mixed >> i & 1 == 1)));
                Some((hash, text))
            };
            if let (Some(a), Some(other)) = (of(&a), of(&other)) {
                prop_assert_eq!(a.0 == other.0, a.1 == other.1);
            }
        }
    }
}
