//! Where time comes from. One clock serves a whole run: transports stamp what they read with it, the pipeline
//! stamps events and phases, and agents have none.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;

use crate::model::Timestamp;

/// A source of time.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. Never earlier than the time it gave before.
    fn now(&self) -> Timestamp;
    /// Returns after `duration`.
    async fn wait(&self, duration: Duration);
}

/// The machine's clock, read once and then carried on by the monotonic clock: a step of the system clock during
/// a run (NTP, an operator, a suspended VM) can't make time run backwards within it.
#[derive(Debug, Clone)]
pub struct SystemClock {
    wall: Timestamp,
    since: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            wall: Timestamp::from_millis(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)),
            since: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.wall + self.since.elapsed()
    }

    async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
