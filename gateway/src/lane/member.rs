//! One replica of a pool in service: its address and its engine, for as long as anybody uses it.

use crate::batch::Batches;
use crate::config::PoolConfig;
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
    /// Its batches, where its engine takes them whole.
    pub(crate) batches: Option<Arc<Batches>>,
    /// Cancelled when it has left its pool.
    pub(crate) left: CancellationToken,
    is_heard: AtomicBool,
}

impl Member {
    /// One whose engine batches by itself.
    #[cfg(test)]
    pub(crate) fn new(address: String, engine: Arc<dyn Engine>) -> Arc<Member> {
        Member::of(address, engine, None)
    }

    /// One of a pool whose requests are grouped for it, where that has rules for it.
    pub(crate) fn of_pool(config: &PoolConfig, address: String, engine: Arc<dyn Engine>) -> Arc<Member> {
        let batches = config.window.map(|rules| Batches::new(&config.name, engine.clone(), rules));
        Member::of(address, engine, batches)
    }

    fn of(address: String, engine: Arc<dyn Engine>, batches: Option<Arc<Batches>>) -> Arc<Member> {
        let (left, is_heard) = (CancellationToken::new(), AtomicBool::new(false));
        Arc::new(Member { address, engine, batches, left, is_heard })
    }

    /// True the first time: whoever gets it listens to the replica's reports.
    pub(crate) fn begin_hearing(&self) -> bool {
        !self.is_heard.swap(true, Ordering::Relaxed)
    }
}
