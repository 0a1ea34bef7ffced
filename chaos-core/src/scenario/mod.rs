//! Faults that are injected on purpose: a typestate in which no fault starts before its revert is armed on the
//! target, and whoever holds a started fault holds the means to revert it.
//!
//! A scenario is no agent: it alone gets the [`Transport`], and no agent but the reporter learns of it.

mod files;
mod inject;
mod script;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{AgentName, Ask, Command, FaultId, Recovery},
    transport::{Request, Transport},
};

pub use files::{FAIR_GAME, FileState, ScriptFile, install, is_fair_game, mark_as_fair_game, verify};
pub use inject::ScriptScenario;
pub use script::{Script, ScriptState, ScriptStatus};

/// How long one command may take: `stop` waits for processes to end, and a machine in trouble is slow.
const WITHIN: Duration = Duration::from_secs(60);

/// Runs a command on the target, as root where that can be had.
async fn call(target: &Arc<dyn Transport>, command: Command) -> Result<String> {
    let command = Command { elevate: target.capabilities().elevate, ..command };
    let ask = Ask::Run(command);
    let request = Request { agent: AgentName::new("Coordinator"), ask, within: WITHIN, max_bytes: 1 << 20 };
    let output = target.open(&request).await?.output(1 << 20).await;
    output.text()
}

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
    /// How long [`Injected::revert`] may take, counted from now. A target that its own fault cuts off has to revert
    /// by itself before it can be asked.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
    /// Ends the fault and compares the target's state with what it was before.
    async fn revert(self: Box<Self>) -> Recovery;
}
