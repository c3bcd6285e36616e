//! Failures on order: what a worker does wrong with its next requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One request's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before anything was answered.
    HangUp,
    /// This HTTP status, 400 to 599, or the gRPC status that stands for it.
    Status(u16),
    /// 429 or `RESOURCE_EXHAUSTED`.
    Busy {
        /// Told as `retry-after` (in whole seconds, rounded up) and `retry-after-ms`.
        retry_after: Option<Duration>,
    },
    /// The connection breaks when this many tokens have been sent.
    BreakAfter {
        /// Tokens sent before.
        tokens: u32,
    },
    /// The stream ends in good order, but without a word of being complete.
    EndAfter {
        /// Tokens sent before.
        tokens: u32,
    },
    /// Nothing more is sent when this many tokens have been; the connection stays open.
    StallAfter {
        /// Tokens sent before; 0 is silence from the start.
        tokens: u32,
    },
    /// The request lies about before it is queued.
    SlowFirst {
        /// How long, in wall time.
        wall: Duration,
    },
}

/// The failures to come. Clones share them, so that a test can order more while the worker runs.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Faults {
    /// None: every request is served.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// One for each of the next requests, in order; the ones after that are served.
    pub fn script(faults: impl IntoIterator<Item = Fault>) -> Faults {
        let orders = Orders { next: faults.into_iter().collect(), always: None };
        Faults(Arc::new(Mutex::new(orders)))
    }

    /// The same for every request.
    pub fn always(fault: Fault) -> Faults {
        Faults(Arc::new(Mutex::new(Orders { next: VecDeque::new(), always: Some(fault) })))
    }

    /// Orders one more for a coming request.
    pub fn push(&self, fault: Fault) {
        self.with(|orders| orders.next.push_back(fault));
    }

    /// From now on this for every request that has no order of its own; `None` serves them.
    pub fn set(&self, always: Option<Fault>) {
        self.with(|orders| orders.always = always);
    }

    /// What becomes of the request that has just come.
    pub(crate) fn take(&self) -> Option<Fault> {
        self.with(|orders| orders.next.pop_front().or(orders.always))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Orders) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_go_first_then_the_rule() {
        let faults = Faults::script([Fault::HangUp]);
        faults.push(Fault::Status(500));
        let shared = faults.clone();
        shared.set(Some(Fault::StallAfter { tokens: 0 }));
        let taken: Vec<_> = (0..4).map(|_| faults.take()).collect();
        let stall = Some(Fault::StallAfter { tokens: 0 });
        assert_eq!(taken, [Some(Fault::HangUp), Some(Fault::Status(500)), stall, stall]);
        shared.set(None);
        assert_eq!(faults.take(), None);
    }
}
