//! Wall time to virtual time, and the tasks of a server: the one place of this crate that reads a clock or spawns.

use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Virtual time runs `scale` times as fast as wall time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    scale: f64,
}

impl Clock {
    pub(crate) fn start(scale: f64) -> Clock {
        Clock { start: Instant::now(), scale }
    }

    /// Wall time since the start.
    pub(crate) fn wall(&self) -> Duration {
        self.start.elapsed()
    }

    /// The virtual time that a wall time stands for, in nanoseconds.
    pub(crate) fn to_virtual(self, wall: Duration) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive; saturates after ages"
        )]
        let nanos = (wall.as_secs_f64() * self.scale * 1e9) as u64;
        nanos
    }

    /// The first wall time at which it is `nanos` in virtual time.
    pub(crate) fn to_wall(self, nanos: u64) -> Duration {
        #[allow(clippy::cast_precision_loss, reason = "below 2^53 for a hundred days")]
        let seconds = nanos as f64 / 1e9 / self.scale;
        // Rounded up, so that the event has happened when the wait for it is over.
        Duration::from_secs_f64(seconds.min(1e9)) + Duration::from_nanos(2)
    }

    /// Waits until this wall time.
    pub(crate) async fn until(&self, wall: Duration) {
        tokio::time::sleep_until(self.start + wall).await;
    }
}

/// The wall clock's instant `wait` from now.
pub(crate) fn instant_in(wait: Duration) -> Instant {
    Instant::now() + wait
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

/// Starts a task.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Task {
    #[allow(
        clippy::disallowed_methods,
        reason = "its owner aborts it; nothing here outlives a request and matters"
    )]
    Task(tokio::spawn(work))
}

impl Task {
    /// Waits for its end.
    pub(crate) async fn join(mut self) {
        // A task that panicked has ended too.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
