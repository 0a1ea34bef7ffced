//! An incident that this process runs or is about to: what is known of it now, for however many look at it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chaos_core::{
    model::{IncidentId, Status, TargetInfo, Timestamp, TraceEvent},
    transport::Stop,
};
use tokio::sync::watch;

use crate::server::told::Told;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for its turn.
    Queued,
    /// It goes on.
    Running,
    /// It ended so.
    Over(Status),
}

/// The incident.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: IncidentId,
    /// What keeps others off the target.
    pub(crate) key: String,
    pub(crate) target: TargetInfo,
    pub(crate) scenario: Option<String>,
    pub(crate) began: Timestamp,
    /// Asks for its end.
    pub(crate) stop: Stop,
    state: Mutex<State>,
    /// Counts changes, so that nobody misses one.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) told: Told,
    pub(crate) reason: Option<String>,
}

impl Live {
    pub(crate) fn new(
        id: IncidentId,
        key: String,
        target: TargetInfo,
        scenario: Option<String>,
        began: Timestamp,
    ) -> Arc<Self> {
        let state = State { stage: Stage::Queued, told: Told::default(), reason: None };
        Arc::new(Self {
            id,
            key,
            target,
            scenario,
            began,
            stop: Stop::default(),
            state: Mutex::new(state),
            changes: watch::channel(0).0,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half-done in there when somebody panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    /// Hears of changes from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn begin(&self) {
        self.state().stage = Stage::Running;
        self.changed();
    }

    pub(crate) fn event(&self, event: &TraceEvent) {
        self.state().told.push(event);
        self.changed();
    }

    pub(crate) fn end(&self, status: Status, reason: Option<String>) {
        let mut state = self.state();
        state.stage = Stage::Over(status);
        state.reason = reason;
        drop(state);
        self.changed();
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state().stage, Stage::Over(_))
    }

    /// Returns when it is over.
    pub(crate) async fn over(&self) {
        let mut changes = self.watch();
        while !self.is_over() && changes.changed().await.is_ok() {}
    }
}
