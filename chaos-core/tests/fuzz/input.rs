//! Splits bytes into a text and choices: the text first, so that a seed is a file that people can read.

/// Bytes at the end that are choices.
const CHOICES: usize = 8;

/// A text and what is to be done with it.
pub(super) struct Input<'a> {
    pub(super) text: &'a [u8],
    choices: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let (text, choices) = data.split_at(data.len().saturating_sub(CHOICES));
        Self { text, choices }
    }

    /// A number below `below`, which is at most 256; 0 where no choice is left.
    pub(super) fn pick(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        usize::from(*first) % below
    }

    pub(super) fn flag(&mut self) -> bool {
        self.pick(2) == 1
    }

    /// A place in the text.
    pub(super) fn place(&mut self) -> usize {
        self.text.len() * self.pick(256) / 255
    }
}
