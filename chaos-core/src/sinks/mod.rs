//! The built-in places for incidents.

mod dir;
mod memory;
mod trace_file;

pub use dir::{Dir, Summary};
pub use memory::Memory;
