//! Turns log streams into counted patterns and finds what is abnormal in them.

mod header;
mod json;
mod lines;
mod stamp;

pub use header::{Frame, Header, parse};
pub use lines::{Lines, MAX_LINE};
