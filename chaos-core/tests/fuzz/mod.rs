//! What reads bytes of a host or of a file, on bytes of any kind. Each target is a function that panics where a reader
//! does not keep what it promises. `fuzz/` runs them under libFuzzer; `changed.rs` on seeds and changes of them, with
//! any toolchain.

#![allow(clippy::unwrap_used)]

mod files;
mod frames;
mod input;
mod logs;
mod metrics;
mod redaction;
mod report;
mod scripts;

#[path = "../../src/agents/reporter/tests/inert.rs"]
mod inert;

/// A target's name, which is that of the folder of its seeds, and what it does with bytes.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 11] = [
    ("lines", logs::lines),
    ("headers", logs::headers),
    ("miner", logs::miner),
    ("survey", logs::survey),
    ("tables", metrics::tables),
    ("samples", metrics::samples),
    ("frames", frames::frames),
    ("redaction", redaction::redaction),
    ("incidents", files::incidents),
    ("report", report::report),
    ("scripts", scripts::scripts),
];
