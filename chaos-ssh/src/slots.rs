//! How many sessions a server allows on one connection (OpenSSH's `MaxSessions`, 10 by default). It does not tell: it
//! refuses one too many, and from then on the others wait for their turn.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// After this long without a refusal one more than the learnt limit is tried: a session that was just ending when
/// another was refused must not count for ever.
const FORGET: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    used: usize,
    limit: usize,
    refused: Option<Instant>,
}

/// The right to one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state.lock().expect("no panic while held").used -= 1;
        self.0.freed.notify_one();
    }
}

impl Slots {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { used: 0, limit: usize::MAX, refused: None };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    /// Waits for a slot.
    pub(crate) async fn take(self: &Arc<Self>) -> Slot {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state.lock().expect("no panic while held");
                if state.used >= state.limit && state.refused.is_some_and(|at| at.elapsed() > FORGET) {
                    state.limit = state.used + 1;
                    state.refused = Some(Instant::now());
                }
                if state.used < state.limit {
                    state.used += 1;
                    return Slot(self.clone());
                }
            }
            // A session that ends wakes one; the time is for the limit to be forgotten.
            let _ = tokio::time::timeout(FORGET, freed).await;
        }
    }

    /// Gives a slot back that the server refused; the limit is what is in use without it. Gives that limit.
    pub(crate) fn refused(self: &Arc<Self>, slot: Slot) -> usize {
        let limit = {
            let mut state = self.state.lock().expect("no panic while held");
            state.limit = state.limit.min(state.used - 1).max(1);
            state.refused = Some(Instant::now());
            state.limit
        };
        drop(slot);
        limit
    }

    /// Whether all that is allowed is in use.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state.lock().expect("no panic while held");
        state.used >= state.limit
    }

    /// How many sessions were allowed when one was last refused.
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.state.lock().expect("no panic while held").limit).filter(|limit| *limit < usize::MAX)
    }
}
