//! Who pays for the minutes of a pool on GPUs of one's own.
//!
//! A pool costs the same whether or not it works. Each moment's cost belongs to the requests that run then, in equal parts:
//! a replica's to each, where there are as many replicas as requests. A request is charged for its tokens at the price of
//! a full replica, but never more than its parts; what is left of a minute, the time without work and what a half-empty
//! replica does not earn, is idle. So for every minute charges and idle add up to the bill exactly, and what a request is
//! charged is known when it ends.
//!
//! Source of the equal parts and of the clock that counts them at constant cost for each event: processor sharing, A.
//! Parekh, R. Gallager, "A generalized processor sharing approach to flow control in integrated services networks",
//! IEEE/ACM Trans. Netw. 1 (1993).

#[cfg(test)]
mod tests;

use crate::price::NanoUsd;
use crate::split::split;
use std::collections::BTreeMap;

/// One pool's requests and minutes. Times are microseconds since 1970 and never run backwards: an earlier one counts as
/// the latest that was told.
#[derive(Debug, Clone)]
pub struct Occupancy {
    now_us: u64,
    replicas: u32,
    replica_hour: i64,
    /// What one request that has always run would have had of the cost, in [`PARTS`].
    served: u128,
    /// What the minute that runs has cost so far, with what the last bill left below a nano-USD, in nano-USD times
    /// microseconds an hour.
    cost: u128,
    runs: BTreeMap<u64, Run>,
    next: u64,
    /// By their number since 1970: the minute that runs, and those in which requests ran that have not ended.
    minutes: BTreeMap<u64, Open>,
}

/// A request that runs.
#[derive(Debug, Clone)]
struct Run {
    /// Where `served` stood when it began, or when the minute that runs did.
    since: u128,
    /// Its parts of minutes that are over, in nano-USD.
    parts: Vec<(u64, i64)>,
}

/// A minute that may still change.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    bill: i64,
    charged: i64,
    /// Requests that have a part of it and have not ended.
    waits_for: usize,
    is_over: bool,
}

/// A minute of a pool, as it is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolMinute {
    /// Its start, in milliseconds since 1970.
    pub start_ms: i64,
    /// What it cost.
    pub bill: NanoUsd,
    /// What requests were charged of it, at most the bill.
    pub charged: NanoUsd,
}

impl PoolMinute {
    /// What nobody was charged for, at least 0.
    pub fn idle(&self) -> NanoUsd {
        self.bill - self.charged
    }
}

impl Occupancy {
    /// A pool without replicas, from now on.
    pub fn new(now_us: u64) -> Occupancy {
        Occupancy {
            now_us,
            replicas: 0,
            replica_hour: 0,
            served: 0,
            cost: 0,
            runs: BTreeMap::new(),
            next: 0,
            minutes: BTreeMap::from([(now_us / MINUTE_US, Open::default())]),
        }
    }

    /// From now on the pool has so many replicas, each at so much an hour: at least 0, at most a million USD.
    pub fn set(&mut self, now_us: u64, replicas: u32, replica_hour: NanoUsd) {
        self.advance(now_us);
        (self.replicas, self.replica_hour) = (replicas, replica_hour.0.max(0));
    }

    /// A request begins. Returns its number.
    pub fn begin(&mut self, now_us: u64) -> u64 {
        self.advance(now_us);
        let ticket = self.next;
        self.next += 1;
        self.runs.insert(ticket, Run { since: self.served, parts: Vec::new() });
        ticket
    }

    /// A request ends. Returns what it is charged: `most`, or its parts of the pool's cost where those are less. Nothing for
    /// one that does not run.
    pub fn end(&mut self, ticket: u64, now_us: u64, most: NanoUsd) -> NanoUsd {
        self.advance(now_us);
        let Some(mut run) = self.runs.remove(&ticket) else { return NanoUsd::ZERO };
        for (minute, _) in &run.parts {
            if let Some(open) = self.minutes.get_mut(minute) {
                open.waits_for -= 1;
            }
        }
        run.parts.push((self.minute(), part(self.served - run.since)));
        let whole = run.parts.iter().map(|(_, part)| part).sum();
        let charge = most.0.clamp(0, whole);
        let weights: Vec<u128> = run.parts.iter().map(|(_, part)| u128::from(part.unsigned_abs())).collect();
        // No share is above its part: it would have to be rounded up beyond a whole number.
        for ((minute, _), share) in run.parts.iter().zip(split(charge, &weights)) {
            if let Some(open) = self.minutes.get_mut(minute) {
                open.charged += share;
            }
        }
        NanoUsd(charge)
    }

    /// The minutes that are over and in which no request ran that still does, each once; those that cost nothing are left
    /// out.
    pub fn take_done(&mut self, now_us: u64) -> Vec<PoolMinute> {
        self.advance(now_us);
        let done = |open: &Open| open.is_over && open.waits_for == 0;
        self.take(done)
    }

    /// Every minute that is left, the one that runs up to now: for a gateway that ends. Requests that still run are charged
    /// nothing any more.
    pub fn finish(&mut self, now_us: u64) -> Vec<PoolMinute> {
        self.advance(now_us);
        self.runs.clear();
        self.close_minute();
        (self.replicas, self.cost) = (0, 0);
        self.take(|_| true)
    }

    fn take(&mut self, is_done: impl Fn(&Open) -> bool) -> Vec<PoolMinute> {
        let done: Vec<(u64, Open)> =
            self.minutes.iter().filter(|(_, open)| is_done(open)).map(|(at, open)| (*at, *open)).collect();
        self.minutes.retain(|_, open| !is_done(open));
        let booked = done.into_iter().filter(|(_, open)| open.bill > 0);
        booked
            .map(|(minute, open)| PoolMinute {
                start_ms: i64::try_from(minute * (MINUTE_US / 1_000)).unwrap_or(i64::MAX),
                bill: NanoUsd(open.bill),
                charged: NanoUsd(open.charged),
            })
            .collect()
    }

    fn minute(&self) -> u64 {
        self.now_us / MINUTE_US
    }

    /// Lets time pass, and closes each minute that ends in it.
    fn advance(&mut self, now_us: u64) {
        let now_us = now_us.max(self.now_us);
        while self.minute() < now_us / MINUTE_US {
            let end_us = (self.minute() + 1) * MINUTE_US;
            self.pass(end_us);
            self.close_minute();
            self.now_us = end_us;
        }
        self.pass(now_us);
        self.minutes.entry(now_us / MINUTE_US).or_default();
        self.now_us = now_us;
    }

    /// Lets time pass within a minute.
    fn pass(&mut self, until_us: u64) {
        let one = u128::from(until_us - self.now_us) * u128::from(self.replica_hour.unsigned_abs());
        self.cost += one * u128::from(self.replicas);
        let running = self.runs.len() as u128;
        let worked = one * PARTS * u128::from(self.replicas).min(running);
        // Rounded down, so that parts never add up to more than there is. Where nobody runs nobody is served.
        self.served += worked.checked_div(running).unwrap_or(0);
    }

    /// Makes the bill of the minute that runs, and gives each request its part.
    fn close_minute(&mut self) {
        let minute = self.minute();
        let open = self.minutes.entry(minute).or_default();
        // What is below a nano-USD goes to the next bill.
        open.bill = to_i64(self.cost / HOUR_US);
        self.cost %= HOUR_US;
        open.is_over = true;
        open.waits_for = self.runs.len();
        for run in self.runs.values_mut() {
            run.parts.push((minute, part(self.served - run.since)));
            run.since = self.served;
        }
    }
}

/// Parts as whole nano-USD, rounded down.
fn part(served: u128) -> i64 {
    to_i64(served / (PARTS * HOUR_US))
}

fn to_i64(nano: u128) -> i64 {
    i64::try_from(nano).unwrap_or(i64::MAX)
}

const MINUTE_US: u64 = 60_000_000;
const HOUR_US: u128 = 3_600_000_000;
/// How fine a cost is cut where several share it: 2^20 to a nano-USD times a microsecond an hour.
const PARTS: u128 = 1 << 20;
