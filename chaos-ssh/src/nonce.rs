//! Words that nobody else says.

use std::hash::{BuildHasher, RandomState};

/// 32 letters and digits, different each time, and not to be guessed by a shell's start-up files.
pub(crate) fn nonce() -> String {
    // The standard library's own randomness: keyed anew for each process, counted on within it.
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
