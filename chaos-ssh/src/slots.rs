//! How many sessions a server allows on one connection (OpenSSH's `MaxSessions`, 10 by default). It does not tell: it
//! refuses one too many, and from then on the others wait for their turn, first come, first served.

use std::{
    collections::BTreeSet,
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
    next: u64,
    waiting: BTreeSet<u64>,
}

impl State {
    fn take(&mut self, number: u64) -> bool {
        if self.used >= self.limit && self.refused.is_some_and(|at| at.elapsed() > FORGET) {
            self.limit = self.used + 1;
            self.refused = Some(Instant::now());
        }
        let first = self.waiting.first().is_none_or(|first| *first >= number);
        let may = first && self.used < self.limit;
        self.used += usize::from(may);
        may
    }
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    slots: Arc<Slots>,
    number: u64,
}

/// The right to one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state.lock().expect("no panic while held").used -= 1;
        self.0.freed.notify_waiters();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.slots.state.lock().expect("no panic while held").waiting.remove(&self.number);
        self.slots.freed.notify_waiters();
    }
}

impl Turn {
    /// Waits for a slot. The place is kept: a refused one is waited for in front of all who came later.
    pub(crate) async fn take(&mut self) -> Slot {
        loop {
            // Made before the look, so that what is freed in between is not missed.
            let mut freed = std::pin::pin!(self.slots.freed.notified());
            freed.as_mut().enable();
            {
                let mut state = self.slots.state.lock().expect("no panic while held");
                if state.take(self.number) {
                    state.waiting.remove(&self.number);
                    drop(state);
                    // The next one may have room too.
                    self.slots.freed.notify_waiters();
                    return Slot(self.slots.clone());
                }
                state.waiting.insert(self.number);
            }
            // A session that ends wakes all; the time is for the limit to be forgotten.
            let _ = tokio::time::timeout(FORGET, freed).await;
        }
    }
}

impl Slots {
    pub(crate) fn new() -> Arc<Self> {
        let state = State { used: 0, limit: usize::MAX, refused: None, next: 0, waiting: BTreeSet::new() };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    /// A place in the queue.
    pub(crate) fn queue(self: &Arc<Self>) -> Turn {
        let mut state = self.state.lock().expect("no panic while held");
        state.next += 1;
        Turn { slots: self.clone(), number: state.next }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_first_even_after_a_refusal() {
        let slots = Slots::new();
        let held = slots.queue().take().await;
        let mut first = slots.queue();
        let refused = first.take().await;
        assert_eq!(slots.refused(refused), 1);
        assert!(slots.is_full());
        let order = Arc::new(Mutex::new(Vec::new()));
        let noted = order.clone();
        let one = tokio::spawn(async move {
            let slot = first.take().await;
            noted.lock().unwrap().push(1);
            drop(slot);
        });
        tokio::task::yield_now().await;
        let (mut second, noted) = (slots.queue(), order.clone());
        let two = tokio::spawn(async move {
            let slot = second.take().await;
            noted.lock().unwrap().push(2);
            drop(slot);
        });
        tokio::task::yield_now().await;
        drop(held);
        one.await.unwrap();
        two.await.unwrap();
        assert_eq!(*order.lock().unwrap(), [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_tried_again_after_a_while() {
        let slots = Slots::new();
        let _held = slots.queue().take().await;
        let mut turn = slots.queue();
        let refused = turn.take().await;
        slots.refused(refused);
        let started = Instant::now();
        let _more = turn.take().await;
        assert!(started.elapsed() >= FORGET);
    }
}
