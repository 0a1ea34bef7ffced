//! Faults that are injected on purpose: a typestate in which no fault starts before its revert is armed on the
//! target, and whoever holds a started fault holds the means to revert it.
//!
//! A scenario is no agent: it alone gets the [`Transport`], and no agent but the reporter learns of it.

mod script;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{FaultId, Recovery},
    transport::Transport,
};

pub use script::{Script, ScriptFile, ScriptScenario, ScriptState, ScriptStatus};

/// A fault that can be injected.
#[async_trait]
pub trait Scenario: Send + Sync {
    /// Its name: `cpu_spike`.
    fn name(&self) -> &str;
    /// Its arguments, for a person.
    fn args(&self) -> String;
    /// The fault of the catalogue that a right diagnosis names.
    fn causes(&self) -> FaultId;
    /// Arms the revert on the target. After this, the target reverts by itself at the latest after
    /// [`Armed::fires_in`], whatever happens to us; nothing has been injected yet.
    async fn arm(&self, target: Arc<dyn Transport>) -> Result<Box<dyn Armed>>;
}

/// A fault whose revert is armed.
#[async_trait]
pub trait Armed: Send {
    /// In how long the target reverts by itself.
    fn fires_in(&self) -> Duration;
    /// Starts the fault. The revert is handed back even when starting failed half-way.
    async fn start(self: Box<Self>) -> (Box<dyn Injected>, Result<()>);
    /// Takes the armed revert back without a fault having been started.
    async fn disarm(self: Box<Self>) -> Recovery;
}

/// A fault that was started, or may have been.
#[async_trait]
pub trait Injected: Send {
    /// Ends the fault and compares the target's state with what it was before.
    async fn revert(self: Box<Self>) -> Recovery;
}
