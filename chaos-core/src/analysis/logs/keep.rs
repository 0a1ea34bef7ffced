//! Decides which records are kept whole: of every pattern its first and last and a sample of all, the severe ones, and
//! the newest of the stream, within bounds that hold for any stream.

use std::{
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::Arc,
};

use crate::model::{Level, LogLine, Timestamp};

/// Records that are kept in the end.
pub const MAX_KEPT: usize = 12_000;
/// Bytes of their texts.
pub const MAX_KEPT_BYTES: usize = 6 << 20;
/// Newest records of the stream, and their bytes.
const NEWEST: usize = 2_000;
const NEWEST_BYTES: usize = 2 << 20;
/// First and last records of a pattern.
const ENDS: usize = 3;
/// First records of a severe pattern, and of all of them together.
const SEVERE: usize = 40;
const SEVERE_ALL: usize = 4_000;

/// Records of a pattern's sample, and of one of many patterns.
const SAMPLE: usize = 32;
const SAMPLE_OF_MANY: usize = 4;

/// A record on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    /// What the sample is drawn by: it has the records with the lowest, so that each has the same chance, and the
    /// sample of a stream is the sample of its parts' samples (bottom-k, Cohen and Kelley, PODC 2007).
    lot: u64,
    seq: u64,
    at: Timestamp,
    level: Option<Level>,
    unit: Option<Arc<str>>,
    pid: Option<u32>,
    pattern: u32,
    text: Box<str>,
}

/// A record as it comes.
pub(super) struct Record<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Option<Level>,
    pub(super) unit: Option<Arc<str>>,
    pub(super) pid: Option<u32>,
    pub(super) pattern: u32,
    pub(super) text: &'a str,
}

#[derive(Debug)]
struct Shelf {
    head: Vec<Arc<Kept>>,
    tail: VecDeque<Arc<Kept>>,
    sample: BinaryHeap<Arc<Kept>>,
    /// All records with lower lots are in the sample.
    limit: u64,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), sample: BinaryHeap::new(), limit: u64::MAX }
    }
}

impl Shelf {
    fn draw(&mut self, kept: Arc<Kept>, size: usize) {
        self.sample.push(kept);
        self.shrink(size);
    }

    fn shrink(&mut self, size: usize) {
        while self.sample.len() > size {
            self.limit = self.sample.pop().map_or(self.limit, |k| k.lot);
        }
    }
}

/// What is kept so far.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    seq: u64,
    shelves: Vec<Shelf>,
    newest: VecDeque<Arc<Kept>>,
    newest_bytes: usize,
    severe: usize,
    only_samples: bool,
}

impl Keeper {
    /// Keeps samples only.
    pub(super) fn of_samples() -> Self {
        Self { only_samples: true, ..Self::default() }
    }

    /// As new, for what comes after a baseline.
    pub(super) fn anew(&self) -> Self {
        Self { only_samples: self.only_samples, ..Self::default() }
    }

    pub(super) fn keep(&mut self, record: Record<'_>, is_severe: bool) {
        let index = record.pattern as usize;
        let lot = lot(self.seq);
        self.seq += 1;
        if index >= self.shelves.len() {
            self.shelves.resize_with(index + 1, Shelf::default);
        }
        let shelf = &mut self.shelves[index];
        let size = if index < 500 { SAMPLE } else { SAMPLE_OF_MANY };
        let is_drawn = lot < shelf.limit;
        if self.only_samples && !is_drawn {
            return;
        }
        // Many patterns share the same memory: each gets less.
        let ends = if index < 1000 { ENDS } else { 1 };
        let text = shortened(record.text, if index < 500 && !self.only_samples { 2048 } else { 1024 });
        let Record { at, level, unit, pid, pattern, .. } = record;
        let kept = Arc::new(Kept { lot, seq: self.seq - 1, at, level, unit, pid, pattern, text });
        if is_drawn {
            shelf.draw(kept.clone(), size);
        }
        if self.only_samples {
            return;
        }
        let more = is_severe && shelf.head.len() < SEVERE && self.severe < SEVERE_ALL;
        if shelf.head.len() < ends || more {
            self.severe += usize::from(shelf.head.len() >= ends);
            shelf.head.push(kept.clone());
        } else {
            if shelf.tail.len() >= ends {
                shelf.tail.pop_front();
            }
            shelf.tail.push_back(kept.clone());
        }
        self.newest_bytes += kept.text.len();
        self.newest.push_back(kept);
        self.forget_old();
    }

    /// Takes what another kept, as if it had come later; its pattern `i` is pattern `places[i]` here.
    pub(super) fn merge(&mut self, other: &Self, places: &[u32]) {
        let offset = self.seq;
        let moved = |kept: &Arc<Kept>| {
            let k = &**kept;
            let pattern = places.get(k.pattern as usize).copied().unwrap_or(0);
            let (unit, text) = (k.unit.clone(), k.text.clone());
            Arc::new(Kept {
                lot: k.lot,
                seq: k.seq + offset,
                at: k.at,
                level: k.level,
                unit,
                pid: k.pid,
                pattern,
                text,
            })
        };
        for (shelf, place) in other.shelves.iter().zip(places) {
            let index = *place as usize;
            if index >= self.shelves.len() {
                self.shelves.resize_with(index + 1, Shelf::default);
            }
            let ours = &mut self.shelves[index];
            // What both had at their ends: the first of the one, the last of the other.
            let (first, more) = shelf.head.split_at(shelf.head.len().min(ENDS.saturating_sub(ours.head.len())));
            ours.head.extend(first.iter().map(moved));
            ours.tail.extend(more.iter().chain(&shelf.tail).map(moved));
            while ours.tail.len() > ENDS.max(more.len()) {
                ours.tail.pop_front();
            }
            ours.limit = ours.limit.min(shelf.limit);
            ours.sample.extend(shelf.sample.iter().map(moved));
            let limit = ours.limit;
            ours.sample.retain(|k| k.lot < limit);
            ours.shrink(SAMPLE);
        }
        self.newest.extend(other.newest.iter().map(moved));
        self.newest_bytes += other.newest_bytes;
        self.severe += other.severe;
        self.seq += other.seq;
        self.forget_old();
    }

    fn forget_old(&mut self) {
        while self.newest.len() > NEWEST || self.newest_bytes > NEWEST_BYTES {
            let Some(old) = self.newest.pop_front() else { break };
            self.newest_bytes -= old.text.len();
        }
    }

    /// The sample of each pattern when they are renumbered by `rename`, in order of arrival.
    pub(super) fn samples(&self, rename: &[u32]) -> Vec<Vec<Arc<Kept>>> {
        let count = rename.iter().max().map_or(0, |most| *most as usize + 1);
        let mut samples: Vec<Vec<Arc<Kept>>> = vec![Vec::new(); count];
        let mut limits = vec![u64::MAX; count];
        for (shelf, index) in self.shelves.iter().zip(rename) {
            samples[*index as usize].extend(shelf.sample.iter().cloned());
            let limit = &mut limits[*index as usize];
            *limit = shelf.limit.min(*limit);
        }
        for (sample, limit) in samples.iter_mut().zip(limits) {
            // Beyond, some of the joined patterns have all of theirs and others have not.
            sample.retain(|k| k.lot < limit);
        }
        for sample in &mut samples {
            sample.sort_unstable_by_key(|k| k.lot);
            sample.truncate(SAMPLE);
            sample.sort_unstable_by_key(|k| k.seq);
        }
        samples
    }

    /// The kept records in order of arrival, their patterns renumbered by `rename`, and for each pattern the rows of its
    /// sample.
    pub(super) fn finish(self, rename: &[u32]) -> (Vec<LogLine>, Vec<Vec<u32>>) {
        let samples = self.samples(rename);
        let mut kept: BTreeMap<u64, (Arc<Kept>, usize)> = BTreeMap::new();
        let ends: Vec<&Arc<Kept>> = self
            .shelves
            .iter()
            .flat_map(|s| {
                s.head.first().into_iter().chain(s.tail.back().or(s.head.last().filter(|_| s.head.len() > 1)))
            })
            .collect();
        // Each pattern keeps its ends, whatever the others need.
        let all: usize = ends.iter().map(|k| k.text.len()).sum();
        let share = if all <= MAX_KEPT_BYTES { usize::MAX } else { (MAX_KEPT_BYTES / ends.len().max(1)).max(160) };
        let mut bytes = 0;
        for k in ends {
            bytes += k.text.len().min(share);
            kept.insert(k.seq, (k.clone(), share));
        }
        let severe_and_drawn =
            self.shelves.iter().flat_map(|s| s.head.iter().chain(&s.tail)).chain(samples.iter().flatten());
        let rest = severe_and_drawn.chain(self.newest.iter().rev());
        for k in rest {
            if kept.len() >= MAX_KEPT {
                break;
            }
            if bytes + k.text.len() <= MAX_KEPT_BYTES && !kept.contains_key(&k.seq) {
                bytes += k.text.len();
                kept.insert(k.seq, (k.clone(), usize::MAX));
            }
        }
        let rows: BTreeMap<u64, u32> = kept.keys().copied().zip(0..).collect();
        let drawn = |sample: &Vec<Arc<Kept>>| sample.iter().filter_map(|k| rows.get(&k.seq).copied()).collect();
        let drawn = samples.iter().map(drawn).collect();
        (kept.into_values().map(|(k, limit)| k.line(limit, rename)).collect(), drawn)
    }
}

/// A number's place in the lottery: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn lot(seq: u64) -> u64 {
    let z = seq.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Kept {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn line(&self, limit: usize, rename: &[u32]) -> LogLine {
        LogLine {
            at: self.at,
            level: self.level,
            unit: self.unit.as_deref().map(str::to_owned),
            pid: self.pid,
            text: shortened(&self.text, limit).into(),
            pattern: rename.get(self.pattern as usize).copied().unwrap_or(0),
        }
    }
}

/// At most about `limit` bytes of a text, with a mark that says how much is missing.
fn shortened(text: &str, limit: usize) -> Box<str> {
    if text.len() <= limit {
        return text.into();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…[cut, {} bytes]", &text[..end], text.len() - end).into()
}
