//! How many of something there are, and waiting until there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A count whose members leave by being dropped.
#[derive(Default)]
pub(crate) struct Count {
    members: AtomicUsize,
    left: Notify,
}

impl Count {
    /// One more, until the member is dropped.
    pub(crate) fn join(self: &Arc<Count>) -> Member {
        self.members.fetch_add(1, Ordering::AcqRel);
        Member { count: self.clone() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.load(Ordering::Acquire)
    }

    /// Resolves when there are none.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.len() == 0 {
                return;
            }
            left.await;
        }
    }
}

/// One of a [`Count`].
pub(crate) struct Member {
    count: Arc<Count>,
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.count.members.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.count.left.notify_waiters();
        }
    }
}
