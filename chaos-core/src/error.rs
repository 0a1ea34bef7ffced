//! The one error type of the crate. Owns how a failure is said; knows nothing of who fails.
//!
//! A message is one lowercase fragment that says what failed and, where a person can mend it, how. Context
//! says where. An error is serializable, so that a recorded failure replays into the same text.

use std::{error::Error as StdError, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong; each frontend maps it to its own codes in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// What the caller gave is wrong and stays wrong.
    InvalidInput,
    /// What was named does not exist.
    NotFound,
    /// Something else is in the way: a second run, a running fault.
    Conflict,
    /// This target, transport or sink cannot do it.
    Unsupported,
    /// The target or the file system says no: permission, authentication.
    Denied,
    /// Our own rules say no: not read-only, not approved.
    Refused,
    /// The target did not answer. Worth another try.
    Unreachable,
    /// The target is there and has no room right now. Worth another try.
    Busy,
    /// It took longer than it was given.
    Deadline,
    /// Somebody asked for the end.
    Stopped,
    /// More output than the limit allows.
    OutputLimit,
    /// A replay was asked for something that the recording does not hold.
    NotRecorded,
    /// A command on the target ran and failed.
    CommandFailed,
    /// A claim cites evidence that does not exist.
    DanglingCitation,
    /// An agent panicked or broke its contract.
    AgentFailed,
    /// Writing or reading artifacts failed: disk full, not writable, damaged.
    Storage,
    /// A defect of ours.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy)
    }
}

/// What failed, where, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Inner {
    kind: ErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    context: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip)]
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl fmt::Display for Error {
    /// Message, context and the texts of all causes: one line that needs no walk along `source`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        for cause in &self.0.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as _)
    }
}

impl Error {
    /// A new error; `message` is a lowercase fragment that reads after "failed: ".
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), context: Vec::new(), causes: Vec::new(), source: None }))
    }

    /// Adds where it happened, as a named value. Never put a secret here.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.context.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds the underlying error; its texts stay when the error is stored, its type only in this process.
    #[must_use]
    pub fn because(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        let mut next: Option<&dyn StdError> = Some(&cause);
        while let Some(e) = next {
            self.0.causes.push(e.to_string());
            next = e.source();
        }
        self.0.source = Some(Arc::new(cause));
        self
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The message alone, without context and causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// A storage error for `path`: denied and missing keep their own kinds.
    #[must_use]
    pub fn storage(action: &str, path: &std::path::Path, cause: std::io::Error) -> Self {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
            _ => ErrorKind::Storage,
        };
        Self::new(kind, format!("cannot {action}")).with("path", path.display()).because(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_failure_replays_into_the_same_text() {
        let io = std::io::Error::other("no route to host");
        let live = Error::new(ErrorKind::Unreachable, "cannot reach the target").with("host", "db1").because(io);
        let text = serde_json::to_string(&live).unwrap();
        let replayed: Error = serde_json::from_str(&text).unwrap();
        assert_eq!(live.to_string(), replayed.to_string());
        assert_eq!(live.to_string(), "cannot reach the target (host: db1): no route to host");
        assert!(replayed.is_retryable());
    }
}
