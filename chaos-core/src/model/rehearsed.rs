//! What commands did in a sandbox on the target.

use serde::{Deserialize, Serialize};

/// The outcome of a rehearsal; nothing of it has happened on the target itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rehearsed {
    /// Why there was none, or why it can't be relied on; what else is here is then what was seen until that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unable: Option<String>,
    /// The commands, in their order.
    pub steps: Vec<RehearsedStep>,
    /// What became of files, as far as told.
    pub changes: Vec<FileChange>,
    /// Changes beyond these.
    #[serde(default)]
    pub changes_beyond: u64,
    /// Programs that act on more than files and would have been called, with their arguments.
    pub would_run: Vec<Vec<String>>,
    /// What the rehearsal can't know, and where it ran into its bounds.
    pub limits: Vec<String>,
}

impl Rehearsed {
    /// Whether it was done, and every command succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.unable.is_none() && self.steps.iter().all(|s| s.passed)
    }
}

/// One command of a rehearsal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RehearsedStep {
    /// [`super::Action::id`].
    pub action: String,
    /// The command.
    pub argv: Vec<String>,
    /// Whether it succeeded.
    pub passed: bool,
    /// How it ended: `exit code 1`.
    pub ended: String,
    /// What it printed, its beginning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// A file that a rehearsed command changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileChange {
    /// What happened to it.
    pub kind: FileChangeKind,
    /// Where it is.
    pub path: String,
    /// What it was and is, in words: `12 to 40 bytes`.
    pub detail: String,
    /// The change of a small text, as a unified diff without its header; its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FileChangeKind {
    Deleted,
    Modified,
    Added,
    /// Mode or owner.
    Metadata,
}
