//! What became of each line of a stream, in four bytes a line: a template is only final at the stream's end, and by
//! then there may have been a billion lines. Owns which lines belong to one record.

use crate::model::Level;

/// Which record a line became part of. It has its meaning by the survey of the same stream, see
/// [`super::Survey::template`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTag(u32);

/// A line that is part of no record.
const NONE: u32 = u32::MAX;
/// Bits of the pattern; above are those of the level.
const PATTERN: u32 = 24;

const LEVELS: [Level; 9] = [
    Level::Trace,
    Level::Debug,
    Level::Info,
    Level::Notice,
    Level::Warning,
    Level::Error,
    Level::Critical,
    Level::Alert,
    Level::Emergency,
];

impl LineTag {
    fn new(pattern: Option<u32>, level: Option<Level>) -> Self {
        let level = level.map_or(0, |l| 1 + l as u32);
        Self(pattern.map_or(NONE, |p| p | level << PATTERN))
    }

    /// The record's own level; `None` where it has none, and of a line that is part of no record.
    #[must_use]
    pub fn level(self) -> Option<Level> {
        let index = (self.0 >> PATTERN).checked_sub(1)?;
        LEVELS.get(index as usize).copied()
    }

    /// The pattern's number in order of appearance.
    pub(super) fn pattern(self) -> Option<u32> {
        (self.0 != NONE).then_some(self.0 & ((1 << PATTERN) - 1))
    }

    /// Four bytes to keep it by.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// From what [`Self::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }
}

/// Holds the lines of the record that is open until its pattern is known.
#[derive(Debug, Default)]
pub(super) struct Tagger {
    /// Lines of the open record.
    lines: u64,
    /// Blank lines after them: the record's when it goes on, nobody's when it does not.
    blank: u64,
    done: Vec<LineTag>,
}

impl Tagger {
    /// The line is blank.
    pub(super) fn blank(&mut self) {
        self.blank += 1;
    }

    /// The line begins a record; the one before has ended.
    pub(super) fn begins(&mut self) {
        self.lines = 1;
    }

    /// The line belongs to the record that is open, or to none.
    pub(super) fn goes_on(&mut self) {
        if self.lines == 0 {
            self.blank += 1;
        } else {
            self.lines += 1 + std::mem::take(&mut self.blank);
        }
    }

    /// The open record has ended, if there is one.
    pub(super) fn ends(&mut self, pattern: Option<u32>, level: Option<Level>) {
        let tags = |tag, n: &mut u64| std::iter::repeat_n(tag, std::mem::take(n) as usize);
        self.done.extend(tags(LineTag::new(pattern, level), &mut self.lines));
        self.done.extend(tags(LineTag(NONE), &mut self.blank));
    }

    pub(super) fn take(&mut self) -> Vec<LineTag> {
        std::mem::take(&mut self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_survives_its_four_bytes() {
        for level in LEVELS.into_iter().map(Some).chain([None]) {
            let tag = LineTag::new(Some(5_000), level);
            let back = LineTag::from_bytes(tag.to_bytes());
            assert_eq!((back.pattern(), back.level()), (Some(5_000), level));
        }
        let none = LineTag::new(None, Some(Level::Error));
        assert_eq!((none.pattern(), none.level()), (None, None));
    }

    #[test]
    fn blank_lines_belong_to_a_record_that_goes_on() {
        let mut tagger = Tagger::default();
        tagger.blank();
        tagger.ends(None, None);
        tagger.begins();
        tagger.blank();
        tagger.goes_on();
        tagger.blank();
        tagger.ends(Some(7), None);
        let got: Vec<_> = tagger.take().into_iter().map(LineTag::pattern).collect();
        assert_eq!(got, [None, Some(7), Some(7), Some(7), None]);
    }
}
