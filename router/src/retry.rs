//! How often more is tried than was asked: a few times for one request, out of budgets that are shares of all requests,
//! so that neither retries nor hedges can multiply an outage.

use std::sync::atomic::{AtomicI64, Ordering};

/// A bucket that each request fills by a tenth of a try.
///
/// Source: Google SRE book, "Handling Overload": a retry budget of 10 % of requests.
#[derive(Debug)]
pub struct RetryBudget(Bucket);

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget::new()
    }
}

impl RetryBudget {
    /// A full bucket.
    pub fn new() -> RetryBudget {
        RetryBudget(Bucket::full(RETRY_BURST * TRY))
    }

    /// A request has come.
    pub fn earn(&self) {
        self.0.add(TRY / 10);
    }

    /// Takes one try, if there is one.
    pub fn spend(&self) -> bool {
        self.0.take()
    }
}

/// A bucket that each request fills by its route's share of a hedge.
///
/// Source: Dean and Barroso, "The Tail at Scale" (2013): hedging after the 95th percentile costs about 5 % more work.
#[derive(Debug)]
pub struct HedgeBudget {
    bucket: Bucket,
    share: f64,
}

impl HedgeBudget {
    /// A full bucket; `share` of all requests may be hedged, 0 to 1.
    pub fn new(share: f64) -> HedgeBudget {
        let share = share.clamp(0.0, 1.0);
        HedgeBudget { bucket: Bucket::full(if share > 0.0 { HEDGE_BURST * TRY } else { 0 }), share }
    }

    /// The share of all requests that may be hedged.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// A request has come.
    pub fn earn(&self) {
        self.bucket.add((self.share * TRY as f64) as i64);
    }

    /// Takes one hedge, if there is one.
    pub fn spend(&self) -> bool {
        self.bucket.take()
    }

    /// Gives a hedge back that found no room.
    pub fn give_back(&self) {
        self.bucket.add(TRY);
    }
}

/// Tries that may be taken, in millionths.
#[derive(Debug)]
struct Bucket {
    level: AtomicI64,
    most: i64,
}

impl Bucket {
    fn full(most: i64) -> Bucket {
        Bucket { level: AtomicI64::new(most), most }
    }

    fn add(&self, millionths: i64) {
        let add = |level: i64| (level < self.most).then_some(self.most.min(level + millionths));
        // `Err` means that the bucket is full.
        let _ = self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    fn take(&self) -> bool {
        let take = |level: i64| (level >= TRY).then_some(level - TRY);
        self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// The most tries of one request, over all its steps, hedges included.
pub const MAX_ATTEMPTS: usize = 4;

/// One try, in the bucket's unit.
const TRY: i64 = 1_000_000;
/// As many retries may come at once, so that one dead replica under load is no outage.
const RETRY_BURST: i64 = 100;
/// As many hedges may come at once.
const HEDGE_BURST: i64 = 10;

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

    #[test]
    fn hedges_are_a_small_burst_and_then_their_share_of_the_requests() {
        let budget = HedgeBudget::new(0.05);
        assert_eq!((0..1_000).filter(|_| budget.spend()).count(), 10);
        let spent = (0..1_000).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(spent.count(), 50);
        budget.give_back();
        assert!(budget.spend() && !budget.spend());
    }

    #[test]
    fn no_share_is_no_hedge() {
        let budget = HedgeBudget::new(0.0);
        budget.earn();
        budget.give_back();
        assert!(!budget.spend());
    }
}
