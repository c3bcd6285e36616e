//! The crate's only clock and sleeper, and the one place that spawns.

use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Nanoseconds since a run began.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts now.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one clock of this crate; everything else is told the time"
    )]
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits until `at` nanoseconds, to the millisecond.
    pub async fn until(&self, at: u64) {
        tokio::time::sleep_until((self.0 + Duration::from_nanos(at)).into()).await;
    }

    /// How long it is until `at`.
    pub fn time_to(&self, at: u64) -> Duration {
        Duration::from_nanos(at.saturating_sub(self.now()))
    }
}

/// Starts a task. It ends by itself, or with its runtime.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    #[allow(clippy::disallowed_methods, reason = "a run waits for all its requests by their samples")]
    tokio::spawn(work)
}
