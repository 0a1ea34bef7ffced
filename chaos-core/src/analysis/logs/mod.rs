//! Turns log streams into counted patterns ([`LogMiner`]) and finds what is abnormal in them ([`detect`]).
//!
//! The way of a line: [`Lines`] cuts the bytes, [`parse`] takes the header apart, `mask` and `templates` find its
//! pattern, `count` and `keep` remember it in bounded memory; `rates` and `rhythm` tell
//! [`detect`] what is usual. [`Survey`] is the
//! same for a person who asks about a whole file, `tags` for one who asks about each of its lines, and [`Glance`] for one
//! who can't wait. Redaction has happened before.

mod alert;
mod component;
mod count;
mod cursor;
mod deep;
mod detect;
mod focus;
mod glance;
mod header;
mod join;
mod json;
mod keep;
mod lines;
mod logfmt;
mod mask;
mod miner;
mod pattern;
mod rates;
mod raw;
mod recall;
mod record;
mod rhythm;
mod severe;
mod shape;
mod stamp;
mod survey;
mod tags;
mod telling;
mod templates;
mod values;

pub use detect::detect;
pub use glance::{Glance, Sight, Trouble};
pub use header::{Frame, Header, parse};
pub use keep::{MAX_KEPT, MAX_KEPT_BYTES};
pub use lines::{Lines, MAX_LINE};
pub use mask::WILD;
pub use miner::LogMiner;
pub use raw::raw_logs;
pub use severe::{Words, words};
pub use survey::{Survey, Template, Trend};
pub use tags::LineTag;
pub use templates::MAX_PATTERNS;
pub use values::{Values, values};
