//! A first look at a log, made to be fast rather than complete: how many lines at which levels, from when to when, and
//! which of them tell of trouble, with their patterns. A line is counted by its shape; only the first ones of a shape
//! are read, and of their numbers nothing is kept.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use serde::Serialize;

use super::{
    deep,
    header::Frame,
    join::join,
    lines::Lines,
    mask::{roughly, thoroughly},
    pattern::id,
    recall::{Known, Reading, Recall, is_special},
    severe::{Words, words},
    shape::Shaper,
    survey::example,
    templates::Tree,
};
use crate::model::{Level, Timestamp};

/// In place of a pattern's number: the line tells of no trouble.
const PLAIN: u32 = u32::MAX;
/// Every so many lines the time is read, so that a log's last one is known even where it ends without.
const EVERY: u64 = 256;

/// Messages' shapes that are remembered.
const MAX_REMEMBERED: usize = 20_000;

/// Takes a first look at a stream. Memory stays below some ten megabytes whatever comes.
#[derive(Debug)]
pub struct Glance {
    lines: Lines,
    state: State,
}

/// What a first look at a log shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sight {
    /// Lines that are not blank; a stack trace has many.
    pub lines: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Times of the first and the last line, as near as one line in 256 tells where those have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Range<Timestamp>>,
    /// How many lines of each level that there is.
    pub levels: BTreeMap<Level, u64>,
    /// How many lines say no level.
    pub without_level: u64,
    /// Lines that are errors by their level, or trouble by their words: the most frequent first; of equally frequent
    /// ones the earliest.
    pub troubles: Vec<Trouble>,
}

/// Lines of one pattern that tell of trouble.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trouble {
    /// Derived from the template: that of [`super::Template::id`], where the pattern's lines are records.
    pub id: String,
    /// What stays the same, with `<*>` for what varies.
    pub template: String,
    /// The most severe level of a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// How many lines.
    pub count: u64,
    /// The first line's number, from 1, blank lines included; where there are several files, as if they were one.
    pub first_line: u64,
    /// The last one's.
    pub last_line: u64,
    /// The first line without its header.
    pub example: Arc<str>,
}

impl Glance {
    /// At a stream that is read around `reference`, which gives year-less times their year.
    #[must_use]
    pub fn new(reference: Timestamp) -> Self {
        let state = State { frame: Frame { reference, boot: None }, ..State::default() };
        Self { lines: Lines::default(), state }
    }

    /// What comes next is another file, read around `reference`.
    pub fn next_file(&mut self, reference: Timestamp) {
        self.cut();
        self.state.frame.reference = reference;
    }

    /// Takes bytes as they were received, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.state.bytes += bytes.len() as u64;
        let state = &mut self.state;
        self.lines.push(bytes, |line| state.line(line));
    }

    fn cut(&mut self) {
        let state = &mut self.state;
        self.lines.finish(|line| state.line(line));
        let last = std::mem::take(&mut state.last_line);
        state.time(&String::from_utf8_lossy(&last));
    }

    /// Ends the stream.
    #[must_use]
    pub fn finish(mut self) -> Sight {
        self.cut();
        self.state.finish()
    }
}

#[derive(Debug, Default)]
struct State {
    frame: Frame,
    shaper: Shaper,
    recall: Recall,
    tree: Tree,
    /// Whether messages of a shape tell of trouble.
    telling: HashMap<u64, bool>,
    troubles: Vec<Counted>,
    levels: [u64; 9],
    number: u64,
    blank: u64,
    without_level: u64,
    bytes: u64,
    span: Option<Range<Timestamp>>,
    /// The last one that is not indented.
    last_line: Vec<u8>,
    rough: String,
}

#[derive(Debug, Clone)]
struct Counted {
    level: Option<Level>,
    count: u64,
    lines: Range<u64>,
    example: Arc<str>,
}

impl State {
    fn line(&mut self, line: &[u8]) {
        self.number += 1;
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            if line.trim_ascii().is_empty() {
                self.blank += 1;
                return;
            }
        } else {
            self.last_line.clear();
            self.last_line.extend_from_slice(line);
        }
        if self.span.is_none() || self.number.is_multiple_of(EVERY) {
            self.time(&String::from_utf8_lossy(line));
        }
        let shaped = if is_special(line) { None } else { self.shaper.shape(line) };
        let Some((shape, numbers)) = shaped else {
            let (level, trouble) = self.read(line, None);
            return self.count(level, trouble);
        };
        let learn = match self.recall.look_up(shape) {
            Known::Read(reading, trouble) => {
                if let Some(level) = reading.level(line, numbers) {
                    return self.count(level, trouble);
                }
                None
            }
            Known::Again => Some(shape),
            Known::New => None,
        };
        let (level, trouble) = self.read(line, learn);
        self.count(level, trouble);
    }

    fn count(&mut self, level: Option<Level>, trouble: u32) {
        match level {
            Some(level) => self.levels[level as usize] += 1,
            None => self.without_level += 1,
        }
        if let Some(counted) = self.troubles.get_mut(trouble as usize) {
            counted.level = counted.level.max(level);
            counted.count += 1;
            counted.lines.end = self.number;
        }
    }

    /// A line's level and its pattern among those that tell of trouble; all lines of its shape are like it from now on,
    /// where `learn` is that.
    fn read(&mut self, line: &[u8], learn: Option<u64>) -> (Option<Level>, u32) {
        let text = String::from_utf8_lossy(line);
        let header = deep::parse(&text, &self.frame);
        let is_trouble = !header.ignore && (header.level >= Some(Level::Error) || self.tells(&header.message));
        let was_exact = self.tree.is_exact();
        let trouble = if is_trouble { self.sort(&header.message) } else { PLAIN };
        if was_exact != self.tree.is_exact() {
            self.recall.forget();
        } else if let Some(shape) = learn
            && let Some(reading) = Reading::of(&text, &header, &self.frame, &mut self.shaper)
        {
            self.recall.learn(shape, reading, trouble);
        }
        (header.level, trouble)
    }

    /// Whether a message tells of trouble by its words.
    fn tells(&mut self, message: &str) -> bool {
        let Some((shape, _)) = self.shaper.shape(message.as_bytes()) else { return words(message) > Words::Plain };
        if self.telling.len() >= MAX_REMEMBERED {
            self.telling.clear();
        }
        *self.telling.entry(shape).or_insert_with(|| words(message) > Words::Plain)
    }

    fn sort(&mut self, message: &str) -> u32 {
        roughly(message, &mut self.rough);
        let index = self.tree.sort(&self.rough, thoroughly);
        if index as usize >= self.troubles.len() {
            let lines = self.number..self.number;
            self.troubles.push(Counted { level: None, count: 0, lines, example: Arc::from(&*example(message)) });
        }
        index
    }

    /// Reads the time of a line, if it has one.
    fn time(&mut self, line: &str) {
        if let Some(at) = deep::parse(line, &self.frame).at {
            let span = self.span.get_or_insert(at..at);
            *span = span.start.min(at)..span.end.max(at);
        }
    }

    fn finish(self) -> Sight {
        let texts: Vec<String> = (0..self.troubles.len() as u32).map(|i| self.tree.template(i)).collect();
        let (roots, joined) = join(&texts);
        let mut troubles: BTreeMap<&str, Trouble> = BTreeMap::new();
        for (counted, root) in self.troubles.into_iter().zip(roots) {
            let template = &joined[root as usize];
            let trouble = troubles.entry(template).or_insert_with(|| Trouble {
                id: id(template),
                template: template.clone(),
                level: None,
                count: 0,
                first_line: counted.lines.start,
                last_line: 0,
                example: counted.example,
            });
            trouble.level = trouble.level.max(counted.level);
            trouble.count += counted.count;
            trouble.last_line = trouble.last_line.max(counted.lines.end);
        }
        let mut troubles: Vec<Trouble> = troubles.into_values().collect();
        troubles.sort_by_key(|t| (std::cmp::Reverse(t.count), t.first_line));
        let levels = Level::ALL.into_iter().zip(self.levels).filter(|(_, n)| *n > 0).collect();
        let lines = self.number - self.blank;
        Sight { lines, bytes: self.bytes, span: self.span, levels, without_level: self.without_level, troubles }
    }
}

#[cfg(test)]
#[path = "tests/glance.rs"]
mod tests;
