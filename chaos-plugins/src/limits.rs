//! What one call of a plugin may use. The operator sets it; a plugin can't ask for more.

use serde::{Deserialize, Serialize};

use chaos_core::error::{Error, ErrorKind, Result};

/// The largest memory that an operator can allow, in MiB: what the pool of instances is made for.
pub(crate) const MOST_MEMORY_MB: u32 = 512;
/// The longest time that an operator can allow: the pipeline gives up an agent after 60 s.
const MOST_TIME_MS: u32 = 50_000;
/// Table elements in one table; a table has no size in bytes that a person would know.
pub(crate) const MOST_TABLE_ELEMENTS: usize = 100_000;

/// Limits of one call, all of it: making the instance, the call, and what the host does for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// MiB of memory, all memories together.
    pub memory_mb: u32,
    /// Milliseconds.
    pub time_ms: u32,
    /// KiB that one result, or one call of the host, may hold.
    pub output_kb: u32,
    /// Lines that go to the trace.
    pub log_lines: u32,
    /// Questions to the target.
    pub commands: u32,
}

impl Default for Limits {
    /// 64 MiB, 10 s, 1 MiB, 50 lines, 20 questions.
    fn default() -> Self {
        Self { memory_mb: 64, time_ms: 10_000, output_kb: 1024, log_lines: 50, commands: 20 }
    }
}

impl Limits {
    /// Whether the host can keep them.
    ///
    /// # Errors
    /// `InvalidInput`, with the limit that is out of range.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("memory_mb", self.memory_mb, MOST_MEMORY_MB),
            ("time_ms", self.time_ms, MOST_TIME_MS),
            ("output_kb", self.output_kb, 64 * 1024),
            ("log_lines", self.log_lines, 10_000),
            ("commands", self.commands, 1000),
        ];
        match ranges.iter().find(|(name, value, most)| value > most || (*value == 0 && !name.starts_with(['l', 'c']))) {
            None => Ok(()),
            Some((name, value, most)) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("a plugin's limit {name} is {value}, want 1 to {most}"),
            )),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        (self.memory_mb as usize) << 20
    }

    pub(crate) fn output_bytes(&self) -> usize {
        (self.output_kb as usize) << 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_kept_are_refused_by_name() {
        assert!(Limits::default().check().is_ok());
        assert!(Limits { log_lines: 0, commands: 0, ..Limits::default() }.check().is_ok());
        for (limits, name) in [
            (Limits { memory_mb: 513, ..Limits::default() }, "memory_mb"),
            (Limits { time_ms: 0, ..Limits::default() }, "time_ms"),
            (Limits { output_kb: u32::MAX, ..Limits::default() }, "output_kb"),
        ] {
            assert!(limits.check().unwrap_err().to_string().contains(name), "{name}");
        }
    }
}
