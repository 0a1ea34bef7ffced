//! What a whole log consists of: its templates with how often, how severe, since when, whether more or less often,
//! what is new against a baseline, and what asks for attention. Pure; made by [`super::LogMiner::survey`].

use std::ops::Range;

use serde::Serialize;

use super::{
    alert::{Ranks, Weight, asks, weigh},
    mask::mask,
    severe::{Words, words},
    tags::LineTag,
    values::Values,
};
use crate::model::{Histogram, Level, Timestamp};

/// Bytes of an example.
const EXAMPLE: usize = 400;
/// Fewer records tell no trend.
const FEWEST: u64 = 8;
/// How many times as many records one half of the time must have, and how unlikely by chance (standard deviations).
const RATIO: f64 = 1.5;
const SURE: f64 = 4.0;

/// An account of a log.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// Records: lines, where no record has several.
    pub records: u64,
    /// Bytes that were read, without the baseline's.
    pub bytes: u64,
    /// Records of the baseline, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_records: Option<u64>,
    /// Times of the first and the last record; none where no record has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Range<Timestamp>>,
    /// The most frequent first; of equally frequent ones the earliest in the stream.
    pub templates: Vec<Template>,
    /// Templates of the baseline that did not come any more, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
    /// For each pattern of a tag, its template.
    #[serde(skip)]
    places: Vec<Option<u32>>,
    #[serde(skip)]
    ranks: Ranks,
}

/// Records of one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Template {
    /// Derived from the text, so that it is the same in every run.
    pub id: String,
    /// What stays the same, with `<*>` for what varies.
    pub template: String,
    /// How many records.
    pub count: u64,
    /// The most severe level of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Whether it asks for attention, see [`Survey::is_alert`], at that level.
    pub alert: bool,
    /// Time of the first; none where no record has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Time of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Whether it becomes more frequent; none where that can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// How many records of the baseline, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_count: Option<u64>,
    /// Whether there was a baseline without it.
    pub new: bool,
    /// The first record's first line without its header.
    pub example: String,
    /// What stands at each place that varies, by a sample of the records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Values>,
    /// When they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    #[serde(skip)]
    weight: Weight,
    #[serde(skip)]
    seq: u64,
}

/// A template that is no more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gone {
    /// As [`Template::id`].
    pub id: String,
    /// As [`Template::template`].
    pub template: String,
    /// How many records of the baseline.
    pub baseline_count: u64,
}

/// How the second half of the time compares with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Half as many again, and not by chance.
    Rising,
    /// About as many, for all that can be told.
    Steady,
    /// The same the other way round.
    Falling,
}

/// A pattern as the miner gives it.
pub(super) struct Mined {
    pub(super) id: String,
    pub(super) template: String,
    pub(super) level: Option<Level>,
    pub(super) count: u64,
    pub(super) before: u64,
    pub(super) seq: u64,
    pub(super) span: Range<Timestamp>,
    pub(super) histogram: Histogram,
    pub(super) words: Words,
    pub(super) example: String,
    pub(super) values: Vec<Values>,
}

/// What the miner knows about the stream.
pub(super) struct Whole {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) usual: Option<u64>,
    pub(super) timed: bool,
}

impl Survey {
    /// `places` has for each pattern of a tag its index in `mined`.
    pub(super) fn new(whole: &Whole, mined: Vec<Mined>, places: Vec<u32>) -> Self {
        let present = || mined.iter().filter(|m| m.count > 0);
        let span = present().map(|m| m.span.start).min().zip(present().map(|m| m.span.end).max());
        let span = span.filter(|_| whole.timed).map(|(start, end)| start..end);
        let (mut templates, mut gone) = (Vec::new(), Vec::new());
        for (index, m) in (0u32..).zip(mined) {
            match m.count {
                0 => gone.push(Gone { id: m.id, template: m.template, baseline_count: m.before }),
                _ => templates.push((index, Template::new(m, whole.usual.is_some(), span.as_ref()))),
            }
        }
        let mut ranks = Ranks::default();
        templates.iter().for_each(|(_, t)| ranks.count(t.level, t.count));
        templates.iter_mut().for_each(|(_, t)| t.alert = t.asks(t.level, ranks));
        templates.sort_by_key(|(_, t)| (std::cmp::Reverse(t.count), t.seq));
        gone.sort_by_key(|g| std::cmp::Reverse(g.baseline_count));
        let mut at = vec![None; places.len()];
        for (place, (index, _)) in (0u32..).zip(&templates) {
            at[*index as usize] = Some(place);
        }
        Self {
            records: whole.records,
            bytes: whole.bytes,
            baseline_records: whole.usual,
            span,
            templates: templates.into_iter().map(|(_, t)| t).collect(),
            gone,
            places: places.into_iter().map(|p| at.get(p as usize).copied().flatten()).collect(),
            ranks,
        }
    }

    /// The template that a line of the same stream ended up in; `None` of a line that is part of no record.
    #[must_use]
    pub fn template(&self, tag: LineTag) -> Option<&Template> {
        self.templates.get(self.position(tag)?)
    }

    /// Where in [`Survey::templates`] that template is.
    #[must_use]
    pub fn position(&self, tag: LineTag) -> Option<usize> {
        let place = self.places.get(tag.pattern()? as usize).copied().flatten()?;
        Some(place as usize)
    }

    /// Whether a line's record asks for attention: it is an error by its level or, where it has none, by its words;
    /// or its words say what does not happen on a host that is well. Not so a line of a dump (a register and its
    /// value), which belongs to an alert that stands elsewhere; an error that was corrected; and, as long as it is
    /// nothing new and does not become more frequent, what failed because the wrong thing was asked for.
    #[must_use]
    pub fn is_alert(&self, tag: LineTag) -> bool {
        self.template(tag).is_some_and(|t| t.asks(tag.level(), self.ranks))
    }
}

impl Template {
    fn new(m: Mined, compared: bool, span: Option<&Range<Timestamp>>) -> Self {
        let mut shape = String::new();
        mask(&m.example, &mut shape);
        Self {
            alert: false,
            first: span.map(|_| m.span.start),
            last: span.map(|_| m.span.end),
            trend: span.and_then(|s| trend(&m.histogram, s)),
            baseline_count: compared.then_some(m.before),
            new: compared && m.before == 0,
            histogram: span.map(|_| m.histogram),
            weight: weigh(m.words.max(words(&m.template)), &m.template, &m.example, &shape),
            id: m.id,
            template: m.template,
            count: m.count,
            level: m.level,
            seq: m.seq,
            example: m.example,
            values: m.values,
        }
    }

    fn asks(&self, level: Option<Level>, ranks: Ranks) -> bool {
        asks(self.weight, level, self.new || self.trend == Some(Trend::Rising), ranks)
    }
}

fn trend(histogram: &Histogram, span: &Range<Timestamp>) -> Option<Trend> {
    let half = i64::try_from(histogram.width_ms / 2).unwrap_or(0);
    let middle = span.start.0.midpoint(span.end.0);
    if span.end.0 - span.start.0 < 2 * half.max(1) {
        return None;
    }
    let (mut early, mut late) = (0u64, 0u64);
    for (at, n) in histogram.intervals() {
        *(if at.0.saturating_add(half) <= middle { &mut early } else { &mut late }) += u64::from(n);
    }
    if early + late < FEWEST {
        return None;
    }
    let (early, late) = (early as f64, late as f64);
    let sure = (late - early).abs() / (late + early).sqrt() >= SURE.min((late + early).sqrt());
    Some(match late / early {
        r if sure && r >= RATIO => Trend::Rising,
        r if sure && r <= 1.0 / RATIO => Trend::Falling,
        _ => Trend::Steady,
    })
}

/// A record's first line, cut to what a person needs to recognise it.
pub(super) fn example(line: &str) -> Box<str> {
    let mut end = line.len().min(EXAMPLE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].into()
}

#[cfg(test)]
#[path = "tests/survey.rs"]
mod tests;
