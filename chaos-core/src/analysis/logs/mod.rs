//! Turns log streams into counted patterns ([`LogMiner`]) and finds what is abnormal in them ([`detect`]).
//!
//! The way of a line: [`Lines`] cuts the bytes, [`parse`] takes the header apart, `mask` and `templates` find its
//! pattern, `count` and `keep` remember it in bounded memory. Redaction has happened before.

mod count;
mod detect;
mod header;
mod json;
mod keep;
mod lines;
mod mask;
mod miner;
mod raw;
mod severe;
mod stamp;
mod templates;

pub use detect::detect;
pub use header::{Frame, Header, parse};
pub use keep::{MAX_KEPT, MAX_KEPT_BYTES};
pub use lines::{Lines, MAX_LINE};
pub use mask::WILD;
pub use miner::LogMiner;
pub use raw::raw_logs;
pub use severe::{Words, words};
pub use templates::MAX_PATTERNS;
