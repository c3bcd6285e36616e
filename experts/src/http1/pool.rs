//! Connections that wait for a call.

use super::connection::Connection;
use hyper::rt::Executor as _;
use hyper_util::rt::TokioExecutor;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// Those of one thread to one address.
pub(super) struct Pool {
    /// How long one is kept that nobody needs.
    idle: Duration,
    /// Of its own thread, so nobody ever waits.
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// With the time at which each is too old; the newest last.
    connections: VecDeque<(Instant, Connection)>,
    /// Whether somebody comes to close them.
    is_looked_after: bool,
}

impl Pool {
    pub(super) fn new(idle: Duration) -> Pool {
        Pool { idle, waiting: Mutex::default() }
    }

    /// The one that was of use last, as it is the likeliest to live; none that the engine has closed.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut waiting = self.waiting();
        let now = from_now(Duration::ZERO);
        while let Some((until, mut connection)) = waiting.connections.pop_back() {
            if until > now && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// For the next call.
    pub(super) fn put(self: Arc<Self>, mut connection: Connection) {
        // Asked when it is taken again; here it would only be a call of the system for most.
        if !connection.read.is_empty() {
            return;
        }
        connection.rest();
        let until = from_now(self.idle);
        let mut waiting = self.waiting();
        waiting.connections.push_back((until, connection));
        if !std::mem::replace(&mut waiting.is_looked_after, true) {
            drop(waiting);
            TokioExecutor::new().execute(look_after(Arc::downgrade(&self), until));
        }
    }

    /// Closes what is too old; when to come again.
    fn close_old(&self) -> Option<Instant> {
        let mut waiting = self.waiting();
        let now = from_now(Duration::ZERO);
        while waiting.connections.front().is_some_and(|(until, _)| *until <= now) {
            waiting.connections.pop_front();
        }
        let next = waiting.connections.front().map(|(until, _)| *until);
        waiting.is_looked_after = next.is_some();
        next
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that are too old, as long as there are any.
async fn look_after(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(later) = pool.upgrade().and_then(|pool| pool.close_old()) else { return };
        next = later;
    }
}

/// By the runtime's clock, which a simulation sets.
fn from_now(later: Duration) -> Instant {
    sleep(later).deadline()
}
