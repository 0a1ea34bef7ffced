//! Line charts as SVG: a metric over time with the baseline, the observed window, an injected fault and the
//! onset marked. Owns how a chart looks; which metrics deserve one is the reporter's business.
//!
//! The geometry is our own and plotters only writes the SVG: its chart layer panics on some degenerate ranges,
//! and has no UTC axis without another dependency. The same input gives the same bytes.

mod draw;
mod points;
mod text;
mod units;

use std::ops::Range;

use crate::model::{Gap, Series, Timestamp};

pub use text::{area, spark};
pub use units::human;
pub(crate) use units::nice_step;

/// What one chart shows.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// Above the chart.
    pub title: String,
    /// UCUM unit of all lines.
    pub unit: String,
    /// At most five are drawn.
    pub lines: Vec<Line<'a>>,
    /// When the target was as usual.
    pub baseline: Option<Range<Timestamp>>,
    /// When something may have been wrong.
    pub observed: Range<Timestamp>,
    /// When a fault of our own was in place.
    pub fault: Option<Range<Timestamp>>,
    /// When the abnormality began.
    pub onset: Option<Timestamp>,
}

/// One line of a chart.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// In the legend.
    pub label: String,
    /// The samples.
    pub series: &'a Series,
    /// Where the samples have known gaps.
    pub gaps: &'a [Gap],
}

/// Draws the chart. Any text and any values are fine; without a single finite sample the chart says so.
#[must_use]
pub fn render(spec: &Spec<'_>) -> String {
    draw::svg(spec)
}

/// Text with what must not reach an XML document or a reader's eye as it is (control characters, bidirectional
/// overrides, invisible marks) written as escapes.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            c if is_hidden(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
