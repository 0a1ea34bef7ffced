//! From what a user calls a target to a transport.

use std::sync::Arc;

use chaos_core::{chart::visible, clock::Clock, transport::Transport, transports::Local};

use crate::exit::Failure;

/// Opens the target `name`.
///
/// # Errors
/// `Usage` when that is no kind of target that we know.
pub(super) fn open(name: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, Failure> {
    match name {
        "local" => Ok(Arc::new(Local::new(clock))),
        _ => Err(Failure::usage(format!("unknown target {name:?}; known: local"))),
    }
}

/// What a person calls the target.
pub(super) fn described(name: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match (name, host.trim()) {
        ("local", "") => "this machine".to_owned(),
        ("local", host) => format!("this machine ({})", visible(host)),
        _ => visible(name),
    }
}
