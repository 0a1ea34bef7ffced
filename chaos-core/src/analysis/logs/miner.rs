//! The whole way from bytes to [`Logs`], streaming and in bounded memory: lines, headers, records of several lines,
//! times, patterns, counts and the records that are kept.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{
    count::Counter,
    deep,
    header::{Frame, Header},
    join::join,
    keep::{Keeper, Record},
    lines::Lines,
    mask::{roughly, thoroughly},
    pattern::{Pattern, merge, texts},
    recall::{Known, Reading, Recall, is_special},
    record::Pending,
    severe::{Words, words},
    shape::Shaper,
    stamp::Form,
    survey::{self, Survey},
    tags::{LineTag, Tagger},
    templates::Tree,
    values::values,
};
use crate::model::{Level, LogPattern, Logs, Timestamp};

/// A record that claims to be from before this is absurd: a clock that was not set.
const EARLIEST: i64 = 631_152_000_000; // 1990
const HOUR: i64 = 3_600_000;
/// A record of a live source that arrives this soon was there already.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Mines one log stream. Memory stays below a hundred megabytes whatever comes, and is some ten for most logs.
#[derive(Debug)]
pub struct LogMiner {
    lines: Lines,
    state: State,
}

impl LogMiner {
    /// For a stream that is read around `reference`, which gives year-less times their year.
    #[must_use]
    pub fn new(reference: Timestamp) -> Self {
        Self { lines: Lines::default(), state: State { frame: Frame { reference, boot: None }, ..State::default() } }
    }

    /// When the target booted: the kernel's ring buffer counts from there.
    #[must_use]
    pub fn boot(mut self, at: Timestamp) -> Self {
        self.state.frame.boot = Some(at);
        self
    }

    /// By how many milliseconds the target's clock is ahead of ours: records' own times are set back by that.
    #[must_use]
    pub fn clock_ahead(mut self, millis: i64) -> Self {
        self.state.ahead = millis;
        self
    }

    /// The stream is followed live. A record from more than a day after its arrival is absurd, and histograms begin
    /// `history` before the reference: older records are counted, but don't make all intervals wide.
    #[must_use]
    pub fn live(mut self, history: Duration) -> Self {
        let millis = i64::try_from(history.as_millis()).unwrap_or(i64::MAX);
        self.state.live = Some(Timestamp::from_millis(self.state.frame.reference.0.saturating_sub(millis)));
        self
    }

    /// No record is kept but for samples: for [`Self::survey`], which gives an account of all of them.
    #[must_use]
    pub fn counting(mut self) -> Self {
        self.state.keeper = Keeper::of_samples();
        self
    }

    /// From now on [`Self::take_tags`] gives what became of each line.
    #[must_use]
    pub fn tag_lines(mut self) -> Self {
        self.state.tagger = Some(Tagger::default());
        self
    }

    /// What became of the lines whose records are complete, in order and one for each line: all lines of what was
    /// pushed, once [`Self::cut`] was called. Nothing unless [`Self::tag_lines`] was.
    pub fn take_tags(&mut self) -> Vec<LineTag> {
        self.state.tagger.as_mut().map(Tagger::take).unwrap_or_default()
    }

    /// What comes next is another file, read around `reference`: no record and no time goes on from here.
    pub fn next_file(&mut self, reference: Timestamp) {
        self.cut();
        let state = &mut self.state;
        (state.frame.reference, state.stamped, state.backwards) = (reference, None, 0);
    }

    /// All that came so far is what is usual: [`Self::survey`] compares with it what comes from here on. Patterns
    /// go on, so that the two are told apart by the same templates.
    pub fn baseline_ends(&mut self) {
        self.cut();
        self.state.baseline_ends();
    }

    /// Takes bytes as they were received, cut anywhere.
    pub fn push(&mut self, received_at: Timestamp, bytes: &[u8]) {
        self.state.bytes += bytes.len() as u64;
        let state = &mut self.state;
        self.lines.push(bytes, |line| state.line(received_at, line));
        state.received = received_at;
    }

    /// What comes next does not go on where this broke off: a line without its end is taken as it is.
    pub fn cut(&mut self) {
        let state = &mut self.state;
        let received = state.received;
        self.lines.finish(|line| state.line(received, line));
        self.state.flush();
    }

    /// Records so far, but for the last one, which may go on.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.state.records
    }

    /// Takes what another miner mined, as if it had come after what this one did: a stream may be mined in parts, side
    /// by side. Templates, counts, times and histograms are those of the whole as long as no more than 3,000 texts are
    /// told apart, and kept records and samples are as good as the whole's. Tags that the other gave have no meaning
    /// here.
    pub fn merge(&mut self, mut other: Self) {
        self.cut();
        other.cut();
        self.state.merge(other.state);
    }

    /// Ends the stream.
    #[must_use]
    pub fn finish(mut self) -> Logs {
        self.cut();
        self.state.finish()
    }

    /// Ends the stream, with an account of the whole of it in place of kept records.
    #[must_use]
    pub fn survey(mut self) -> Survey {
        self.cut();
        self.state.survey()
    }
}

#[derive(Debug, Default)]
struct State {
    frame: Frame,
    ahead: i64,
    live: Option<Timestamp>,
    received: Timestamp,
    /// Time of the last record that had one, and when that was received.
    stamped: Option<(Timestamp, Timestamp)>,
    backwards: u32,
    pending: Pending,
    shape: Shape,
    shaper: Shaper,
    recall: Recall,
    tree: Tree,
    patterns: Vec<Pattern>,
    keeper: Keeper,
    unit: Option<Arc<str>>,
    records: u64,
    bytes: u64,
    tagger: Option<Tagger>,
    rough: String,
    /// Records of the baseline, where there is one.
    usual: Option<u64>,
    /// Whether a record had a time of its own.
    timed: bool,
}

/// What is known of a pending record by the shape of its only line.
#[derive(Debug, Default, Clone, Copy)]
enum Shape {
    #[default]
    Unknown,
    /// How it is read; its pattern is to be learnt.
    Read(u64, Reading),
    /// It is of this pattern.
    Of(u32),
}

impl State {
    fn line(&mut self, received: Timestamp, line: &[u8]) {
        let text = match std::str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        if text.trim().is_empty() {
            self.tag(Tagger::blank);
            return;
        }
        let (header, shape) = self.read(&text);
        if header.ignore {
            self.tag(Tagger::goes_on);
            return;
        }
        if self.pending.goes_on_with(&header, self.timed) {
            self.pending.append(&header.message);
            self.shape = Shape::Unknown;
            self.tag(Tagger::goes_on);
            return;
        }
        self.flush();
        self.tag(Tagger::begins);
        // Which day and zone a time of day is of is a guess; when a followed stream gave it is known.
        let is_guess = self.live.is_some() && matches!(header.stamp, Some((Form::Clock, _)));
        let at = self.time(header.at.filter(|_| !is_guess), received);
        let same = self.unit.as_deref() == header.unit.as_deref();
        if !same {
            self.unit = header.unit.as_deref().map(Into::into);
        }
        let p = &mut self.pending;
        p.begin(at, &header, self.unit.clone());
        self.shape = shape;
    }

    /// Reads a line's header, or recalls how lines of its shape are read.
    fn read<'a>(&mut self, text: &'a str) -> (Header<'a>, Shape) {
        let shaped = if is_special(text.as_bytes()) { None } else { self.shaper.shape(text.as_bytes()) };
        let Some((shape, numbers)) = shaped else {
            return (deep::parse(text, &self.frame), Shape::Unknown);
        };
        let known = self.recall.look_up(shape);
        if let Known::Read(reading, pattern) = known
            && let Some(header) = reading.header(text, numbers, &self.frame)
        {
            return (header, Shape::Of(pattern));
        }
        let header = deep::parse(text, &self.frame);
        let reading =
            matches!(known, Known::Again).then(|| Reading::of(text, &header, &self.frame, &mut self.shaper)).flatten();
        (header, reading.map_or(Shape::Unknown, |r| Shape::Read(shape, r)))
    }

    fn tag(&mut self, what: impl FnOnce(&mut Tagger)) {
        if let Some(tagger) = &mut self.tagger {
            what(tagger);
        }
    }

    /// A record's time: its own, or where that is missing or absurd, as long after the last one that had one as it
    /// was received after that.
    fn time(&mut self, own: Option<Timestamp>, received: Timestamp) -> Timestamp {
        let own = own.map(|t| Timestamp::from_millis(t.0.saturating_sub(self.ahead)));
        let sane =
            own.filter(|t| t.0 >= EARLIEST && (self.live.is_none() || t.0 <= received.0.saturating_add(24 * HOUR)));
        let guess = match self.stamped {
            Some((at, then)) => at + received.since(then),
            None => match self.live {
                // What a live source gives at once was there before we came; how long before is not known.
                Some(history) if received.since(self.frame.reference) < AT_ONCE => history,
                _ => received,
            },
        };
        let Some(at) = sane else { return guess };
        // One record from long ago is a clock that stepped; several in a row are the truth.
        if let Some((last, _)) = self.stamped
            && at.0 < last.0.saturating_sub(HOUR)
            && self.backwards < 3
        {
            self.backwards += 1;
            return guess;
        }
        self.backwards = 0;
        self.stamped = Some((at, received));
        self.timed = true;
        at
    }

    /// Counts the pending record.
    fn flush(&mut self) {
        if !std::mem::take(&mut self.pending.open) {
            self.tag(|t| t.ends(None, None));
            return;
        }
        let index = match self.shape {
            Shape::Of(pattern) => pattern,
            _ => self.sort(),
        };
        let p = &self.pending;
        let pattern = &mut self.patterns[index as usize];
        if pattern.count == 0 {
            (pattern.first, pattern.last, pattern.seq) = (p.at, p.at, self.records);
            pattern.example = survey::example(p.first_line());
        }
        pattern.count(p.at, p.level, self.live);
        let severe = p.level >= Some(Level::Error) || pattern.words > Words::Plain;
        self.records += 1;
        if let Some(tagger) = &mut self.tagger {
            tagger.ends(Some(index), p.level);
        }
        let (at, level, unit, pid) = (p.at, p.level, p.unit.clone(), p.pid);
        self.keeper.keep(Record { at, level, unit, pid, pattern: index, text: &p.text }, severe);
    }

    /// The pattern of the pending record, by its text.
    fn sort(&mut self) -> u32 {
        let p = &self.pending;
        roughly(&p.message(), &mut self.rough);
        let was_exact = self.tree.is_exact();
        let index = self.tree.sort(&self.rough, thoroughly);
        if index as usize >= self.patterns.len() {
            let words = if self.tree.is_overflow(index) { Words::Plain } else { words(&p.text) };
            self.patterns.push(Pattern::new(p.at, words));
        }
        if was_exact != self.tree.is_exact() {
            self.recall.forget();
        } else if let Shape::Read(shape, reading) = self.shape {
            self.recall.learn(shape, reading, index);
        }
        index
    }

    fn merge(&mut self, other: Self) {
        let mut places = Vec::with_capacity(other.patterns.len());
        let was_exact = self.tree.is_exact();
        for (theirs, mut pattern) in (0u32..).zip(other.patterns) {
            let index = self.tree.sort(&other.tree.template(theirs), |text, masked| masked.push_str(text));
            pattern.seq += self.records;
            places.push(index);
            match self.patterns.get_mut(index as usize) {
                Some(ours) => ours.merge(pattern),
                None => self.patterns.push(pattern),
            }
        }
        if was_exact != self.tree.is_exact() {
            self.recall.forget();
        }
        self.keeper.merge(&other.keeper, &places);
        self.records += other.records;
        self.bytes += other.bytes;
        self.usual = self.usual.map(|n| n + other.usual.unwrap_or(0)).or(other.usual);
        self.timed |= other.timed;
    }

    fn baseline_ends(&mut self) {
        for pattern in &mut self.patterns {
            pattern.before += std::mem::take(&mut pattern.count);
            (pattern.level, pattern.counter) = (None, Counter::default());
        }
        self.usual = Some(self.usual.unwrap_or(0) + std::mem::take(&mut self.records));
        (self.bytes, self.timed) = (0, false);
        self.keeper = self.keeper.anew();
        self.tagger = self.tagger.is_some().then(Tagger::default);
    }

    /// The patterns under their final templates, and for each pattern of a tag its place there.
    fn settled(patterns: Vec<Pattern>, tree: &Tree) -> (Vec<(String, Pattern)>, Vec<u32>) {
        debug_assert_eq!(tree.len(), patterns.len());
        let (roots, joined) = join(&texts(&patterns, tree));
        merge(patterns, roots.iter().map(|r| joined[*r as usize].clone()).collect())
    }

    fn survey(self) -> Survey {
        let (merged, rename) = Self::settled(self.patterns, &self.tree);
        let samples = self.keeper.samples(&rename);
        let mined = merged.into_iter().zip(samples).map(|((template, p), sample)| {
            let values = values(&template, sample.iter().map(|k| k.text()));
            p.mined(template, values)
        });
        let whole = survey::Whole { records: self.records, bytes: self.bytes, usual: self.usual, timed: self.timed };
        Survey::new(&whole, mined.collect(), rename)
    }

    fn finish(self) -> Logs {
        let (merged, rename) = Self::settled(self.patterns, &self.tree);
        let (lines, samples) = self.keeper.finish(&rename);
        let mut patterns: Vec<LogPattern> =
            merged.into_iter().zip(samples).map(|((template, p), sample)| p.finish(template, sample)).collect();
        for (row, line) in (0u32..).zip(&lines) {
            if let Some(pattern) = patterns.get_mut(line.pattern as usize) {
                pattern.rows.push(row);
            }
        }
        Logs { lines, patterns, total_lines: self.records, total_bytes: self.bytes }
    }
}

#[cfg(test)]
#[path = "tests/miner.rs"]
mod tests;
