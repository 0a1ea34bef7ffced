//! Agents of others that a run had.

use serde::{Deserialize, Serialize};

/// A plugin that is an agent of a run: recorded, so that a replay can tell whether the same one is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginUsed {
    /// Its name as an agent.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}
