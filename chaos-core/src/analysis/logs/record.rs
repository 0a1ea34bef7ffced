//! A record that may go on with the next line: stack traces, and what is indented.

use std::{borrow::Cow, sync::Arc};

use super::header::Header;
use crate::model::{Level, Timestamp};

/// Bytes of a record of several lines; what is beyond is left out.
const MAX_RECORD: usize = 16 << 10;

/// The record that the last line began or went on with.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) open: bool,
    pub(super) at: Timestamp,
    pub(super) level: Option<Level>,
    pub(super) unit: Option<Arc<str>>,
    pub(super) pid: Option<u32>,
    pub(super) text: String,
    traceback: bool,
}

impl Pending {
    pub(super) fn begin(&mut self, at: Timestamp, header: &Header<'_>, unit: Option<Arc<str>>) {
        self.text.clear();
        self.text.push_str(&header.message);
        (self.open, self.at, self.level, self.unit, self.pid) = (true, at, header.level, unit, header.pid);
        self.traceback = header.message.starts_with("Traceback (most recent call last)");
    }

    /// Whether a line belongs to this record: it is indented, or a stack trace goes on. Where nothing has a header
    /// (the stream is not `timed`), a single space is no indentation.
    pub(super) fn goes_on_with(&self, header: &Header<'_>, timed: bool) -> bool {
        let same_writer = header.unit.as_deref() == self.unit.as_deref() && header.pid == self.pid;
        if !self.open || !(header.at.is_none() && header.unit.is_none() || same_writer) {
            return false;
        }
        let m = &*header.message;
        match m.as_bytes().first() {
            Some(b' ') if !timed && !m.starts_with("  ") => false,
            Some(b' ' | b'\t') => true,
            Some(b'a') if self.text.contains("\tat ") => m.starts_with("at "),
            Some(b'C') => m.starts_with("Caused by: "),
            Some(b'T') => m.starts_with("Traceback (most recent call last)") && self.level >= Some(Level::Error),
            Some(_) => self.traceback && header.at.is_none() == self.text.contains("\n  ") && self.text.contains("\n "),
            None => false,
        }
    }

    pub(super) fn append(&mut self, message: &str) {
        // A Python traceback ends with the first line that is not indented.
        self.traceback = message.starts_with("Traceback") || (self.traceback && message.starts_with([' ', '\t']));
        if self.text.len() + message.len() < MAX_RECORD {
            self.text.push('\n');
            self.text.push_str(message);
        }
    }

    pub(super) fn first_line(&self) -> &str {
        self.text.split_once('\n').map_or(&*self.text, |(first, _)| first)
    }

    /// What the record is told by: its first line, and the last one where a stack trace ends with it.
    pub(super) fn message(&self) -> Cow<'_, str> {
        match self.text.rsplit_once('\n') {
            Some((_, last)) if !last.is_empty() && !last.starts_with([' ', '\t']) => {
                format!("{} {last}", self.first_line()).into()
            }
            _ => self.first_line().into(),
        }
    }
}
