//! The pipeline as its users see it: order, failures on the way, the revert of a fault, recordings and replays.

#![allow(clippy::unwrap_used)]

#[path = "pipeline/support.rs"]
mod support;

#[path = "pipeline/agents.rs"]
mod agents;
#[path = "pipeline/files.rs"]
mod files;
#[path = "pipeline/injection.rs"]
mod injection;
#[path = "pipeline/replays.rs"]
mod replays;
#[path = "pipeline/storage.rs"]
mod storage;
