//! Runs the fuzz targets without a fuzzer: on their seeds, on seeds that are changed at random, from a constant and from
//! the time of day. `CHAOS_FUZZ_RUNS` sets how many changed inputs each target gets; an input that fails is printed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use super::fuzz::TARGETS;

/// Changed inputs of each target, half from the constant and half from the time.
const RUNS: usize = 200;
/// Bytes of an input.
const LONGEST: usize = 4096;
/// Pieces that formats are made of.
const PIECES: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b"\xff",
    b"\xe2\x80",
    "é\u{202e}".as_bytes(),
    b"{\"",
    b"\":",
    b"\\\"",
    b"\\u0000",
    b"[[[[[[[[",
    b"<34>1 ",
    b"-1",
    b"1e999",
    b"NaN",
    b"99999999999999999999",
    b"0000-00-00T00:00:00Z",
    b"%",
    b"|",
    b"`",
    b"E\nF 1 1\n",
    b",",
];

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(bytes.len() + 1);
        from..(from + self.below(40)).min(bytes.len())
    }

    /// One to eight changes: bytes overwritten, doubled, moved, taken out, put in.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len() + 1);
            let range = self.range(bytes);
            let piece = match self.below(5) {
                0 => vec![self.below(256) as u8],
                1 => PIECES[self.below(PIECES.len())].to_vec(),
                2 => bytes[range].to_vec(),
                3 => other[self.range(other)].to_vec(),
                _ => {
                    bytes.drain(range);
                    continue;
                }
            };
            let end = if self.below(2) == 0 { at } else { (at + piece.len()).min(bytes.len()) };
            bytes.splice(at..end, piece);
        }
        bytes.truncate(LONGEST);
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|p| std::fs::read(p).unwrap()).collect()
}

fn check(target: &str, run: fn(&[u8]), input: &[u8]) {
    if let Err(why) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        eprintln!("{target} fails on b\"{}\"", input.escape_ascii());
        resume_unwind(why);
    }
}

#[test]
fn readers_keep_their_promises_on_seeds_and_changed_seeds() {
    let runs = std::env::var("CHAOS_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(RUNS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    eprintln!("the random inputs begin with {now}");
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        check(target, run, b"");
        seeds.iter().for_each(|seed| check(target, run, seed));
        for start in [20_261_124, now] {
            let mut random = Random(start);
            for _ in 0..runs / 2 {
                let mut input = seeds[random.below(seeds.len())].clone();
                let other = random.below(seeds.len());
                random.change(&mut input, &seeds[other]);
                check(target, run, &input);
            }
        }
    }
}
