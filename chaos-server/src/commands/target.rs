//! From what a user calls a target to a transport.

use std::sync::Arc;

use chaos_core::{chart::visible, clock::Clock, model::TargetInfo, transport::Transport, transports::Local};

use crate::{cli::Target, config::Config, exit::Failure};

/// Opens the target that was named on the command line, or else in the configuration, or else this machine.
///
/// # Errors
/// `Usage` when that can't be a target; or why it can't be reached.
pub(super) async fn open(args: &Target, config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, Failure> {
    match args.target.as_deref().or(config.target.as_deref()).unwrap_or("local") {
        "local" => Ok(Arc::new(Local::new(clock))),
        _ => Err(Failure::usage("not yet")),
    }
}

/// What a person calls the target.
pub(super) fn described(target: &TargetInfo) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match (target.kind.as_str(), host.trim()) {
        ("local", "") => "this machine".to_owned(),
        ("local", host) => format!("this machine ({})", visible(host)),
        _ => visible(&target.name),
    }
}
