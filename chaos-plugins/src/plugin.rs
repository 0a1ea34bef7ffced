//! A plugin that is loaded, as an agent: each call gets an instance of its own and ends within its limits.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chaos_core::{
    agent::{Agent, AgentContext, Detector, Diagnosed, Fixer, Probed, ProbingDetector},
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{EventType, Finding, FixPlan, Observation},
};
use wasmtime::Store;

use crate::{
    Limits,
    abi::v0_1_0::Linked,
    call::State,
    engine::Shared,
    grants::Granted,
    inspect::{Inspected, Kind},
};

/// A plugin that is ready to be called. Cheap to clone; between calls nothing of it runs and it has no memory.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) about: Arc<Inspected>,
    pub(crate) granted: Arc<Granted>,
    pub(crate) linked: Linked,
    pub(crate) engine: Shared,
    pub(crate) was_cached: bool,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("about", &self.about).field("granted", &self.granted).finish_non_exhaustive()
    }
}

/// A plugin in the role that it has.
#[derive(Clone)]
pub enum Role {
    /// It finds what is abnormal.
    Detector(Arc<Detector>),
    /// It does, and may ask the target.
    ProbingDetector(Arc<ProbingDetector>),
    /// It proposes what to do.
    Fixer(Arc<Fixer>),
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detector(_) => "Detector",
            Self::ProbingDetector(_) => "ProbingDetector",
            Self::Fixer(_) => "Fixer",
        })
    }
}

impl Plugin {
    /// What it is.
    #[must_use]
    pub fn about(&self) -> &Inspected {
        &self.about
    }

    /// Its name as an agent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.about.manifest.name
    }

    /// The commands that it may run on a target if they are read-only: the first words of each.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        self.granted.commands.iter().map(|words| words.join(" "))
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.granted.limits
    }

    /// Whether it was compiled earlier.
    #[must_use]
    pub fn was_cached(&self) -> bool {
        self.was_cached
    }

    /// As an agent.
    #[must_use]
    pub fn role(&self) -> Role {
        match (self.about.kind, self.about.probes()) {
            (Kind::Detector, false) => Role::Detector(Arc::new(self.clone())),
            (Kind::Detector, true) => Role::ProbingDetector(Arc::new(self.clone())),
            (Kind::Fixer, _) => Role::Fixer(Arc::new(self.clone())),
        }
    }

    /// Runs a detector once.
    ///
    /// # Errors
    /// Why the call failed, or was ended at a limit.
    pub async fn detect(
        &self,
        cx: &AgentContext,
        seen: &Observation,
        host: Option<ReadOnlyHost>,
    ) -> Result<Vec<Finding>> {
        let mut store = self.store(cx, host);
        let call = async { self.linked.detect(&mut store, seen).await };
        let found = self.within(call).await;
        store.data_mut().finish();
        found
    }

    /// Runs a fixer once.
    ///
    /// # Errors
    /// As [`Plugin::detect`].
    pub async fn propose(&self, cx: &AgentContext, input: &Diagnosed) -> Result<FixPlan> {
        let mut store = self.store(cx, None);
        let call = async { self.linked.propose(&mut store, input).await };
        let plan = self.within(call).await;
        store.data_mut().finish();
        if let Ok(plan) = &plan {
            cx.emit_with(EventType::Fix, &plan.summary, plan);
        }
        plan
    }

    fn store(&self, cx: &AgentContext, host: Option<ReadOnlyHost>) -> Store<State> {
        let (version, sha256) = (&self.about.manifest.version, &self.about.sha256);
        cx.emit(EventType::Note, format!("plugin of version {}, SHA-256 {}", version.escape_debug(), &sha256[..16]));
        let state = State::new(self.granted.clone(), cx.clone(), host);
        let mut store = Store::new(self.engine.engine(), state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(self.granted.limits.output_bytes());
        // A plugin that computes lets go at each tick, so that the time limit is looked at.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let _running = self.engine.enter().await?;
        let limit = self.granted.limits.time_ms;
        // Around the host's calls too: while one is pending no epoch ends.
        tokio::time::timeout(Duration::from_millis(u64::from(limit)), call).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Deadline, format!("the plugin ran longer than its limit of {limit} ms")))
        })
    }
}

#[async_trait]
impl Agent<Observation, Vec<Finding>> for Plugin {
    async fn run(&self, cx: &AgentContext, seen: &Observation) -> Result<Vec<Finding>> {
        self.detect(cx, seen, None).await
    }
}

#[async_trait]
impl Agent<Probed, Vec<Finding>> for Plugin {
    async fn run(&self, cx: &AgentContext, input: &Probed) -> Result<Vec<Finding>> {
        self.detect(cx, &input.seen, Some(input.host.clone())).await
    }
}

#[async_trait]
impl Agent<Diagnosed, FixPlan> for Plugin {
    async fn run(&self, cx: &AgentContext, input: &Diagnosed) -> Result<FixPlan> {
        self.propose(cx, input).await
    }
}
