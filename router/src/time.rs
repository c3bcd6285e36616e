//! Instants of the gateway's monotonic clock, told from outside.

use serde::{Deserialize, Serialize};

/// Microseconds on a monotonic clock whose zero is arbitrary but fixed for a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

impl Tick {
    /// Microseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub fn since_us(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub fn since_ms(self, earlier: Tick) -> f64 {
        self.since_us(earlier) as f64 / 1e3
    }

    /// The instant `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Tick {
        Tick(self.0.saturating_add(ms.saturating_mul(1000)))
    }
}
