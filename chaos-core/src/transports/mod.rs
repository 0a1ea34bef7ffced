//! The built-in ways to a target. Each file is one; `record` wraps any other.

mod files;
pub mod http;
mod local;
mod record;
mod replay;

pub use files::Files;
pub use local::Local;
pub(crate) use record::{Entry, Recorder};
pub use replay::Replay;
