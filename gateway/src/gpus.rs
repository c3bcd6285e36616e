//! The minutes of pools on GPUs of one's own: who works in them, and what is booked when they are over.

use crate::app::App;
use crate::observe::Event;
use crate::record::{Minute, Record};
use sluice_router::{NanoUsd, Occupancy, PoolMinute, Price, Tick};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Every pool on GPUs of one's own that there was since the start, by its name: a reload goes on with it.
#[derive(Default)]
pub(crate) struct GpuPools {
    /// When the gateway's clock was at 0, in microseconds since 1970: time is taken from that clock, so that it never runs
    /// backwards.
    zero_us: u64,
    pools: Mutex<BTreeMap<String, Gpus>>,
}

struct Gpus {
    occupancy: Arc<Mutex<Occupancy>>,
    /// Whose they are.
    expert: String,
    /// By which prices, as they are in force.
    price_version: String,
}

impl Gpus {
    fn new(now_us: u64) -> Gpus {
        let occupancy = Arc::new(Mutex::new(Occupancy::new(now_us)));
        Gpus { occupancy, expert: String::new(), price_version: String::new() }
    }
}

/// A pool as a configuration has it.
struct Known<'a> {
    pool: &'a str,
    expert: &'a str,
    replicas: usize,
    price: Price,
    price_version: &'a str,
}

/// A try's part of a pool, from its beginning to its end. One that is dropped is charged nothing.
pub(crate) struct Occupied {
    occupancy: Arc<Mutex<Occupancy>>,
    zero_us: u64,
    ticket: u64,
    /// The latest time that is known.
    begun_us: u64,
}

impl GpuPools {
    /// No pool yet, by a clock that has this tick at this wall time.
    pub(crate) fn new(now: Tick, unix_ms: i64) -> GpuPools {
        let now_us = u64::try_from(unix_ms).unwrap_or(0).saturating_mul(1_000);
        GpuPools { zero_us: now_us.saturating_sub(now.0), ..GpuPools::default() }
    }

    /// A try begins at a pool with this price; nothing unless that is one of GPUs of one's own.
    pub(crate) fn begin(&self, pool: &str, price: &Price, now: Tick) -> Option<Occupied> {
        if !price.is_own() {
            return None;
        }
        let begun_us = self.zero_us.saturating_add(now.0);
        // One that is not known yet costs nothing before it is, and then nobody is charged for it.
        let new = || Gpus::new(begun_us);
        let occupancy = self.lock().entry(pool.to_owned()).or_insert_with(new).occupancy.clone();
        let ticket = lock(&occupancy).begin(begun_us);
        Some(Occupied { occupancy, zero_us: self.zero_us, ticket, begun_us })
    }

    /// From now on there are these; others that there were cost nothing any more.
    fn set(&self, known: &[Known<'_>], now: Tick) {
        let now_us = self.zero_us.saturating_add(now.0);
        let mut pools = self.lock();
        for (pool, gpus) in &mut *pools {
            if !known.iter().any(|known| known.pool == pool) {
                lock(&gpus.occupancy).set(now_us, 0, NanoUsd::ZERO);
            }
        }
        for known in known {
            let gpus = pools.entry(known.pool.to_owned()).or_insert_with(|| Gpus::new(now_us));
            known.expert.clone_into(&mut gpus.expert);
            known.price_version.clone_into(&mut gpus.price_version);
            let replicas = u32::try_from(known.replicas).unwrap_or(u32::MAX);
            lock(&gpus.occupancy).set(now_us, replicas, NanoUsd(known.price.replica_hour));
        }
    }

    /// What is to be booked of each pool.
    fn take(&self, take: impl Fn(&mut Occupancy) -> Vec<PoolMinute>) -> Vec<Minute> {
        let pools = self.lock();
        let of_pool = |(pool, gpus): (&String, &Gpus)| {
            let minutes = take(&mut lock(&gpus.occupancy));
            let booked = minutes.into_iter().map(|minute| Minute {
                pool: pool.clone(),
                expert: gpus.expert.clone(),
                start_ms: minute.start_ms,
                bill: minute.bill,
                charged: minute.charged,
                price_version: gpus.price_version.clone(),
            });
            booked.collect::<Vec<_>>()
        };
        pools.iter().flat_map(of_pool).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Gpus>> {
        lock(&self.pools)
    }
}

impl Occupied {
    /// The try ends. Returns what it is charged: what its tokens cost, or its part of the pool where that is less.
    pub(crate) fn end(mut self, now: Tick, of_tokens: NanoUsd) -> NanoUsd {
        self.begun_us = self.zero_us.saturating_add(now.0);
        lock(&self.occupancy).end(self.ticket, self.begun_us, of_tokens)
    }
}

impl Drop for Occupied {
    /// After an end it changes nothing.
    fn drop(&mut self) {
        lock(&self.occupancy).end(self.ticket, self.begun_us, NanoUsd::ZERO);
    }
}

/// A panic under the lock can't leave a minute half-changed in a way that hides: its sums are checked where it is booked.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks which pools there are, with how many replicas, at which prices.
pub(crate) fn look(app: &App) {
    let live = app.live();
    let experts = &live.rules.snapshot.fleet.experts;
    let known = live.lanes.iter().map(|lane| Known {
        pool: &lane.config.name,
        expert: &experts[lane.config.expert].name,
        replicas: lane.members().len(),
        price: experts[lane.config.expert].price,
        price_version: &live.rules.versions.config,
    });
    let own: Vec<Known<'_>> = known.filter(|known| known.price.is_own()).collect();
    app.gpus.set(&own, app.clock.now());
}

/// Books each minute that is over, until the gateway ends.
pub(crate) async fn keep(app: Arc<App>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        look(&app);
        let now_us = app.gpus.zero_us.saturating_add(app.clock.now().0);
        book(&app, app.gpus.take(|occupancy| occupancy.take_done(now_us))).await;
    }
}

/// Books what is left, when no request runs any more.
pub(crate) async fn finish(app: &App) {
    let now_us = app.gpus.zero_us.saturating_add(app.clock.now().0);
    book(app, app.gpus.take(|occupancy| occupancy.finish(now_us))).await;
}

async fn book(app: &App, minutes: Vec<Minute>) {
    for minute in minutes {
        app.observe.emit(Event::PoolMinute {
            pool: &minute.pool,
            bill: minute.bill,
            charged: minute.charged,
        });
        app.journal.record(Record::Minute(minute)).await;
    }
}

/// How late a minute may be booked, and a replica that joins or leaves be counted.
const EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn known(pool: &str, replicas: usize) -> Known<'_> {
        // 3 USD an hour: 50,000,000 nano-USD a minute.
        let price = Price { replica_hour: 3_000_000_000, ..Price::default() };
        Known { pool, expert: "own", replicas, price, price_version: "c0ffee" }
    }

    fn done(pools: &GpuPools, now_us: u64) -> Vec<(String, i64, i64, i64)> {
        let minutes = pools.take(|occupancy| occupancy.take_done(pools.zero_us + now_us));
        minutes
            .into_iter()
            .map(|minute| (minute.pool, minute.start_ms, minute.bill.0, minute.charged.0))
            .collect()
    }

    #[test]
    fn minutes_are_booked_by_pool_when_the_last_try_in_them_has_ended() {
        // A gateway whose clock is at 5 s, a minute after 1970 began.
        let pools = GpuPools::new(Tick(5 * S), 60_000);
        pools.set(&[known("a", 1), known("b", 2)], Tick(5 * S));
        let price = known("a", 1).price;
        let try_of_a = pools.begin("a", &price, Tick(35 * S)).expect("on own GPUs");
        assert!(pools.begin("a", &Price::default(), Tick(35 * S)).is_none(), "of a vendor");
        assert_eq!(done(&pools, 66 * S), [("b".to_owned(), 60_000, 100_000_000, 0)]);
        // Half of the first minute and 6 s of the next.
        assert_eq!(try_of_a.end(Tick(71 * S), NanoUsd(i64::MAX)), NanoUsd(30_000_000));
        assert_eq!(done(&pools, 71 * S), [("a".to_owned(), 60_000, 50_000_000, 25_000_000)]);
        // The configuration has one of them no longer.
        pools.set(&[known("b", 2)], Tick(95 * S));
        let expected =
            [("a".to_owned(), 120_000, 25_000_000, 5_000_000), ("b".to_owned(), 120_000, 100_000_000, 0)];
        assert_eq!(done(&pools, 125 * S), expected);
        assert_eq!(done(&pools, 185 * S), [("b".to_owned(), 180_000, 100_000_000, 0)]);
    }

    #[test]
    fn a_try_that_is_dropped_is_charged_nothing_and_holds_no_minute_up() {
        let pools = GpuPools::new(Tick(0), 0);
        pools.set(&[known("a", 1)], Tick(0));
        drop(pools.begin("a", &known("a", 1).price, Tick(30 * S)));
        assert_eq!(done(&pools, 60 * S), [("a".to_owned(), 0, 50_000_000, 0)]);
    }
}
