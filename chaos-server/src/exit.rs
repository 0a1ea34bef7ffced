//! How the process ends: the exit codes, and the one table from [`ErrorKind`] to them.

use std::process::ExitCode;

use chaos_core::error::{Error, ErrorKind};

use crate::output;

/// What the exit codes mean, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  it went through, whatever the diagnosis
    1  a defect of chaos-handler
    2  wrong usage or configuration, or chaos that nobody confirmed
    3  the target can't be reached, says no, or can't do it
    4  something that was named does not exist
    5  something is in the way: it is running already, or not running
    6  storage: not writable or full (the run still ended and reverted)
    7  there was no evidence: the run failed
    8  a fault is not proven to be reverted
    9  an incident is not what was written (verify)
   10  a plan was not applied to its end, or did not help (apply)
   11  assess: it needs approval
   12  assess: it is dangerous
  129  stopped by SIGHUP
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM or by `chaos-handler stop`";

/// An exit code, see [`HELP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Internal = 1,
    Usage = 2,
    Target = 3,
    NotFound = 4,
    Conflict = 5,
    Storage = 6,
    NoEvidence = 7,
    NotReverted = 8,
    Altered = 9,
    NotResolved = 10,
    NeedsApproval = 11,
    Dangerous = 12,
    Hangup = 129,
    Interrupt = 130,
    Terminate = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidInput | ErrorKind::Refused => Self::Usage,
            ErrorKind::Unsupported
            | ErrorKind::Denied
            | ErrorKind::Unreachable
            | ErrorKind::Busy
            | ErrorKind::Deadline
            | ErrorKind::OutputLimit
            | ErrorKind::CommandFailed
            | ErrorKind::NotRecorded => Self::Target,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Storage => Self::Storage,
            ErrorKind::Stopped => Self::Terminate,
            // A kind that is newer than this table is a defect until it is in it.
            _ => Self::Internal,
        }
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    kind: ErrorKind,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let kind = match exit {
            Exit::Usage => ErrorKind::InvalidInput,
            Exit::Target => ErrorKind::Unsupported,
            Exit::NotFound => ErrorKind::NotFound,
            Exit::Conflict => ErrorKind::Conflict,
            Exit::Storage => ErrorKind::Storage,
            _ => ErrorKind::Internal,
        };
        Self { exit, kind, message: message.into() }
    }

    /// What kind of thing went wrong.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, in one line.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Our own files can't be written or read, whatever the reason: `Denied` and `NotFound` say the same of a target.
    pub(crate) fn storage(error: &Error) -> Self {
        Self::new(Exit::Storage, error.to_string())
    }

    /// Says it in one line on standard error.
    pub(crate) fn say(&self) -> Exit {
        output::note(&format!("error: {}", self.message));
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { exit: error.kind().into(), kind: error.kind(), message: error.to_string() }
    }
}
