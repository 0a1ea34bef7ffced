//! What is counted of one pattern, and how patterns whose templates became the same text are made one.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{count::Counter, severe::Words, survey::Mined, templates::Tree, values::Values};
use crate::model::{Level, LogPattern, Timestamp};

/// Records of one shape.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) level: Option<Level>,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) counter: Counter,
    pub(super) words: Words,
    /// Records in the baseline.
    pub(super) before: u64,
    /// The first record's number in the stream, from 0.
    pub(super) seq: u64,
    /// The first record's first line.
    pub(super) example: Box<str>,
}

/// The template of each pattern.
pub(super) fn texts(patterns: &[Pattern], tree: &Tree) -> Vec<String> {
    (0..patterns.len()).map(|i| tree.template(i as u32)).collect()
}

/// Patterns under their templates, and the place of each there: two templates can have become the same text by what
/// varied in each.
pub(super) fn merge(patterns: Vec<Pattern>, texts: Vec<String>) -> (Vec<(String, Pattern)>, Vec<u32>) {
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut merged: Vec<(String, Pattern)> = Vec::new();
    let mut rename = Vec::with_capacity(patterns.len());
    for (pattern, template) in patterns.into_iter().zip(texts) {
        let next = merged.len() as u32;
        let index = *known.entry(template.clone()).or_insert(next);
        rename.push(index);
        match merged.get_mut(index as usize) {
            Some((_, into)) => into.merge(pattern),
            None => merged.push((template, pattern)),
        }
    }
    (merged, rename)
}

impl Pattern {
    pub(super) fn new(at: Timestamp, words: Words) -> Self {
        Self {
            level: None,
            count: 0,
            first: at,
            last: at,
            counter: Counter::default(),
            words,
            before: 0,
            seq: 0,
            example: Box::default(),
        }
    }

    pub(super) fn count(&mut self, at: Timestamp, level: Option<Level>, from: Option<Timestamp>) {
        self.count += 1;
        self.level = self.level.max(level);
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        if from.is_none_or(|from| at >= from) {
            self.counter.add(at, 1);
        }
    }

    /// Adds what the other counted, which came later.
    pub(super) fn merge(&mut self, other: Self) {
        self.before += other.before;
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            (self.first, self.last, self.seq) = (other.first, other.last, other.seq);
            self.example.clone_from(&other.example);
        }
        self.words = self.words.max(other.words);
        self.seq = self.seq.min(other.seq);
        self.count += other.count;
        self.level = self.level.max(other.level);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.counter.merge(other.counter);
    }

    pub(super) fn mined(self, template: String, values: Vec<Values>) -> Mined {
        Mined {
            id: id(&template),
            template,
            level: self.level,
            count: self.count,
            before: self.before,
            seq: self.seq,
            span: self.first..self.last,
            histogram: self.counter.finish(),
            words: self.words,
            example: self.example.into(),
            values,
        }
    }

    pub(super) fn finish(self, template: String, sample: Vec<u32>) -> LogPattern {
        LogPattern {
            id: id(&template),
            template,
            level: self.level,
            count: self.count,
            first: self.first,
            last: self.last,
            histogram: self.counter.finish(),
            rows: Vec::new(),
            sample,
        }
    }
}

/// The same for the same template in every run.
pub(super) fn id(template: &str) -> String {
    Sha256::digest(template.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}
