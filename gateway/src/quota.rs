//! The pause of a quota that pools share: a 429 from one replica holds for all that use the same account.

use sluice_router::Tick;
use std::sync::atomic::{AtomicU64, Ordering};

/// Until when a quota is used up.
#[derive(Debug, Default)]
pub(crate) struct Quota(AtomicU64);

impl Quota {
    /// Nothing is to be sent until then; a longer pause that runs is kept.
    pub(crate) fn pause(&self, until: Tick) {
        self.0.fetch_max(until.0, Ordering::Relaxed);
    }

    /// When the last pause ends or has ended.
    pub(crate) fn until(&self) -> Tick {
        Tick(self.0.load(Ordering::Relaxed))
    }
}
