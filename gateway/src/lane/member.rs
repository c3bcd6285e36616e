//! One replica of a pool in service: its address and its engine, for as long as anybody uses it.

use sluice_experts::Engine;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// A replica.
pub(crate) struct Member {
    /// Its address.
    pub(crate) address: String,
    /// How it is spoken to.
    pub(crate) engine: Arc<dyn Engine>,
    /// Cancelled when it has left its pool.
    pub(crate) left: CancellationToken,
    is_heard: AtomicBool,
}

impl Member {
    pub(crate) fn new(address: String, engine: Arc<dyn Engine>) -> Arc<Member> {
        let (left, is_heard) = (CancellationToken::new(), AtomicBool::new(false));
        Arc::new(Member { address, engine, left, is_heard })
    }

    /// True the first time: whoever gets it listens to the replica's reports.
    pub(crate) fn begin_hearing(&self) -> bool {
        !self.is_heard.swap(true, Ordering::Relaxed)
    }
}
