//! The shape of a line: all of it but for its numbers, as a hash. Lines of one shape have their messages in one pattern
//! and, unless a letter within a number says otherwise (`E1124`), their headers at the same places, so that only the
//! first of them have to be read (see `recall`).
//!
//! Works on blocks of 64 bytes with a bit for each byte, since most of the time that a line costs goes by here.

use memchr::memchr_iter;

/// Longer lines have no shape.
pub(super) const LONGEST: usize = 1024;
const BLOCK: usize = 64;
const BLOCKS: usize = LONGEST / BLOCK;

/// For each byte of eight bits, eight bytes: all ones where the bit is set.
static BYTES: [u64; 256] = {
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut at = 0;
        while at < 8 {
            if bits >> at & 1 == 1 {
                table[bits] |= 0xff << (8 * at);
            }
            at += 1;
        }
        bits += 1;
    }
    table
};

/// A hash of the line in which a run of letters, digits and `_` with a digit in it counts by its length, and by whether
/// it is digits only. The status of an HTTP request counts by its value.
pub(super) fn shape(line: &[u8]) -> Option<u64> {
    if line.len() > LONGEST {
        return None;
    }
    let (whole, rest) = line.as_chunks::<BLOCK>();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let blocks = || whole.iter().chain((!rest.is_empty()).then_some(&last));
    let (mut digit, mut value) = ([0; BLOCKS], [0; BLOCKS]);
    let mut run = [0; BLOCKS];
    let mut count = 0;
    for block in blocks() {
        (digit[count], run[count]) = classes(block);
        count += 1;
    }
    fill(&digit[..count], &run[..count], &mut value);
    let mut hash = line.len() as u64;
    let mut before = 0;
    for (i, block) in blocks().enumerate() {
        // The last byte of a run says whether it has letters.
        let letters = up(value[i] & !digit[i] | (before >> 63 & value[i]), value[i]);
        before = letters;
        let goes_on = value.get(i + 1).map_or(0, |next| next << 63);
        let marks = letters & !(value[i] >> 1 | goes_on);
        let words = if i < whole.len() { BLOCK / 8 } else { rest.len().div_ceil(8) };
        for (j, word) in block.as_chunks::<8>().0.iter().take(words).enumerate() {
            let of = |bits: u64| BYTES[usize::from((bits >> (8 * j)) as u8)];
            let word = u64::from_le_bytes(*word) & !of(value[i]) | of(marks) & u64::from_le_bytes([1; 8]);
            hash = mix(hash, word);
        }
    }
    for (_, status) in statuses(line) {
        hash = mix(hash, u64::from_le_bytes([status[0], status[1], status[2], 1, 0, 0, 0, 0]));
    }
    Some(hash)
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

/// A hash of a text as it is, but for its digits, which are all the same.
pub(super) fn without_digits(text: &[u8]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = 0x80 * ONES;
    let blank = |word: [u8; 8]| {
        let word = u64::from_le_bytes(word);
        let low = word & !HIGH;
        // The high bit of each byte: from `0` on, and not from behind `9` on, and no byte of other characters.
        let is_digit = (low + (0x80 - 0x30) * ONES) & !(low + (0x80 - 0x3a) * ONES) & !word & HIGH;
        word & !((is_digit >> 7) * 0xff)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = words.iter().fold(text.len() as u64, |hash, word| mix(hash, blank(*word)));
    mix(hash, blank(last))
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

/// Spreads bits upwards within runs, in steps that double (Kogge and Stone, 1973).
fn up(mut seed: u64, mut run: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        seed |= run & (seed << by);
        run &= run << by;
    }
    seed
}

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

    /// What the hash is of, byte by byte.
    fn plain(line: &[u8]) -> Vec<u8> {
        let is_run = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let mut out = Vec::new();
        let mut at = 0;
        while at < line.len() {
            let n = line[at..].iter().take_while(|b| is_run(b)).count();
            let run = &line[at..at + n.max(1)];
            if run.iter().any(u8::is_ascii_digit) {
                out.extend(vec![0; run.len() - 1]);
                out.push(u8::from(!run.iter().all(u8::is_ascii_digit)));
            } else {
                out.extend_from_slice(run);
            }
            at += n.max(1);
        }
        out
    }

    #[test]
    fn numbers_make_no_difference_and_all_else_does() {
        let of = |line: &str| shape(line.as_bytes()).unwrap();
        assert_eq!(of("took 15 ms, id a1b2"), of("took 99 ms, id 9zz0"));
        assert_ne!(of("took 15 ms"), of("took 150 ms"));
        assert_ne!(of("took 15 ms"), of("took 1f ms"));
        assert_ne!(of("took 15 ms"), of("toot 15 ms"));
        assert_ne!(of("\"GET /\" 200 5"), of("\"GET /\" 502 5"));
        assert_eq!(of("\"GET /\" 2000 5"), of("\"GET /\" 5020 5"));
        assert_eq!(shape(&[b'x'; LONGEST + 1]), None);
    }

    proptest! {
        #[test]
        fn digits_are_all_the_same(a in "[ -~é]{0,40}", digits in prop::collection::vec(0u8..10, 40)) {
            let mut next = digits.iter();
            let other: String =
                a.chars().map(|c| if c.is_ascii_digit() { char::from(b'0' + next.next().unwrap_or(&0)) } else { c }).collect();
            prop_assert_eq!(without_digits(a.as_bytes()), without_digits(other.as_bytes()));
            let upper = a.to_ascii_uppercase();
            prop_assert_eq!(without_digits(a.as_bytes()) == without_digits(upper.as_bytes()), a == upper);
        }

        #[test]
        fn two_lines_have_one_shape_when_they_differ_in_numbers_only(
            a in "[a-c0-2_ .é]{0,200}", b in "[a-c0-2_ .é]{0,3}", at in 0usize..200,
        ) {
            let mut other = a.clone();
            let at = (0..=at.min(a.len())).rev().find(|i| a.is_char_boundary(*i)).unwrap_or(0);
            let end = (at + b.len()..=a.len()).find(|i| a.is_char_boundary(*i)).unwrap_or(at);
            other.replace_range(at..end.max(at), &b);
            let (a, other) = (a.as_bytes(), other.as_bytes());
            prop_assert_eq!(shape(a) == shape(other), a.len() == other.len() && plain(a) == plain(other));
        }
    }
}
