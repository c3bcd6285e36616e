//! How often a request is tried: a few times, out of a budget of a tenth of all requests, so that retries can't multiply
//! an outage.

use std::sync::atomic::{AtomicI64, Ordering};

/// A bucket that each request fills by a tenth of a try.
///
/// Source: Google SRE book, "Handling Overload": a retry budget of 10 % of requests.
#[derive(Debug)]
pub struct RetryBudget {
    tenths: AtomicI64,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget::new()
    }
}

impl RetryBudget {
    /// A full bucket.
    pub fn new() -> RetryBudget {
        RetryBudget { tenths: AtomicI64::new(BURST_TENTHS) }
    }

    /// A request has come.
    pub fn earn(&self) {
        let add = |tenths: i64| (tenths < BURST_TENTHS).then_some(tenths + 1);
        // `Err` means that the bucket is full.
        let _ = self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes one try, if there is one.
    pub fn spend(&self) -> bool {
        let take = |tenths: i64| (tenths >= TRY_TENTHS).then_some(tenths - TRY_TENTHS);
        self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// The most tries of one request, over all its steps.
pub const MAX_ATTEMPTS: usize = 4;

const TRY_TENTHS: i64 = 10;
/// As many tries may come at once, so that one dead replica under load is no outage.
const BURST_TENTHS: i64 = 100 * TRY_TENTHS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_a_burst_and_then_a_tenth_of_the_requests() {
        let budget = RetryBudget::new();
        let burst = (0..1_000).filter(|_| budget.spend()).count();
        assert_eq!(burst, 100);
        let spent = (0..1_000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(spent.count(), 100);
    }
}
