//! Decides which records are kept whole: of every pattern its first and last, the severe ones, and the newest of
//! the stream, within bounds that hold for any stream.

use std::{
    collections::{BTreeMap, VecDeque},
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

/// A record on its way.
#[derive(Debug)]
pub(super) struct Kept {
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

#[derive(Debug, Default)]
struct Shelf {
    head: Vec<Arc<Kept>>,
    tail: VecDeque<Arc<Kept>>,
}

/// What is kept so far.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    seq: u64,
    shelves: Vec<Shelf>,
    newest: VecDeque<Arc<Kept>>,
    newest_bytes: usize,
    severe: usize,
}

impl Keeper {
    pub(super) fn keep(&mut self, record: Record<'_>, is_severe: bool) {
        let index = record.pattern as usize;
        // Many patterns share the same memory: each gets less.
        let ends = if index < 1000 { ENDS } else { 1 };
        let text = shortened(record.text, if index < 500 { 4096 } else { 1024 });
        let Record { at, level, unit, pid, pattern, .. } = record;
        let kept = Arc::new(Kept { seq: self.seq, at, level, unit, pid, pattern, text });
        self.seq += 1;
        if index >= self.shelves.len() {
            self.shelves.resize_with(index + 1, Shelf::default);
        }
        let shelf = &mut self.shelves[index];
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
        while self.newest.len() > NEWEST || self.newest_bytes > NEWEST_BYTES {
            let Some(old) = self.newest.pop_front() else { break };
            self.newest_bytes -= old.text.len();
        }
    }

    /// The kept records in order of arrival, their patterns renumbered by `rename`.
    pub(super) fn finish(self, rename: &[u32]) -> Vec<LogLine> {
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
        let rest = self.shelves.iter().flat_map(|s| s.head.iter().chain(&s.tail)).chain(self.newest.iter().rev());
        for k in rest {
            if kept.len() >= MAX_KEPT {
                break;
            }
            if bytes + k.text.len() <= MAX_KEPT_BYTES && !kept.contains_key(&k.seq) {
                bytes += k.text.len();
                kept.insert(k.seq, (k.clone(), usize::MAX));
            }
        }
        kept.into_values().map(|(k, limit)| k.line(limit, rename)).collect()
    }
}

impl Kept {
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
