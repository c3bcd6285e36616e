//! Limits of one and of several gateways, by what passes: in memory, in a file and on the servers that answer.

use super::Gates;
use crate::app::Clock;
use crate::error::{Fault, FaultCode, Retry};
use crate::shared::{MemoryShared, Shared, Versioned, tests::Place};
use crate::store::{StoreError, Stored};
use crate::tenants::{Identity, Level, LevelKind, Limits};
use futures::future::{join_all, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// What is known of the visits to a place, and whether it is taken away.
#[derive(Default)]
struct Watch {
    swaps: AtomicUsize,
    is_away: AtomicBool,
}

/// A gateway's way to a place that is watched.
struct Watched {
    inner: Arc<dyn Shared>,
    watch: Arc<Watch>,
}

impl Shared for Watched {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        match self.watch.is_away.load(Ordering::SeqCst) {
            true => Box::pin(ready(Err(StoreError("away".to_owned())))),
            false => self.inner.get(key),
        }
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        self.watch.swaps.fetch_add(1, Ordering::SeqCst);
        self.inner.swap(key, seen, value)
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        self.inner.remove(key, seen)
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        self.inner.list(prefix)
    }
}

/// Checks so many gateways at every kind of place that can be reached from here, each with a way of its own to it. The
/// place's name is printed before, so that a failure shows where it was.
async fn everywhere(count: usize, check: impl AsyncFn(&Watch, Vec<Gates>)) {
    for place in Place::all() {
        eprintln!("limits in {}", place.name);
        let memory: Arc<dyn Shared> = Arc::new(MemoryShared::default());
        let watch = Arc::<Watch>::default();
        let mut gates = Vec::new();
        for n in 0..count {
            let inner = if place.is_common { place.open() } else { memory.clone() };
            // Connected before anybody waits for it.
            inner.get("limit/none").await.expect("reached");
            let way = Arc::new(Watched { inner, watch: watch.clone() });
            gates.push(Gates::new(way, format!("g{n}"), Clock::new()));
        }
        check(&watch, gates).await;
    }
}

fn level(kind: LevelKind, id: &str, limits: Limits) -> Level {
    Level { kind, id: id.to_owned(), budget: None, limits }
}

fn identity(limits: Limits) -> Identity {
    Identity { levels: vec![level(LevelKind::Tenant, "acme", limits)], ..Identity::everybody() }
}

fn requests(per_min: u64) -> Limits {
    Limits { requests_per_min: Some(per_min), ..Limits::default() }
}

fn wait_ms(fault: &Fault) -> u64 {
    match fault.retry {
        Retry::AfterMs(ms) => u64::from(ms),
        Retry::Never => panic!("{fault}"),
    }
}

#[tokio::test]
async fn what_is_said_to_remain_is_what_passes_and_after_the_delay_the_next_one_does() {
    everywhere(1, async |_, gates| {
        let (gates, acme) = (&gates[0], identity(requests(600)));
        for n in 0..100 {
            gates.enter(&acme).await.unwrap_or_else(|fault| panic!("{n}: {fault}"));
        }
        loop {
            let before = gates.standing(&acme).requests.expect("limited");
            assert_eq!(before.limit, 600);
            match gates.enter(&acme).await {
                Ok(_) if before.remaining > 0 => {}
                // A tenth of a second may have passed between the two.
                Ok(_) => assert!(gates.standing(&acme).requests.expect("limited").remaining <= 1),
                Err(fault) => {
                    assert_eq!((before.remaining, fault.code), (0, FaultCode::RequestsLimited));
                    assert!(fault.detail.contains("600 requests in 1m of tenant acme"), "{fault}");
                    assert!(wait_ms(&fault) <= 100, "one in a tenth of a second: {fault}");
                    tokio::time::sleep(Duration::from_millis(wait_ms(&fault))).await;
                    gates.enter(&acme).await.expect("it waited as told");
                    return;
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn three_gateways_pass_no_more_than_one_limit_and_strand_nothing() {
    everywhere(3, async |watch, gates| {
        let acme = identity(requests(1_200));
        let began = tokio::time::Instant::now();
        let tries = (0..3_000).map(|n| gates[n % 3].enter(&acme));
        let passed = join_all(tries).await.into_iter().filter(Result::is_ok).count() as u64;
        let refilled = began.elapsed().as_millis() as u64 * 1_200 / 60_000;
        assert!(passed <= 1_200 + refilled + 1, "{passed} of 1200, and {refilled} came meanwhile");
        assert!(
            passed >= 1_195,
            "{passed}: shares shrink near the limit, so that nothing to speak of is stranded"
        );
        let visits = watch.swaps.load(Ordering::SeqCst);
        assert!(visits < 300, "{visits} visits for {passed} requests");
    })
    .await;
}

#[tokio::test]
async fn with_room_in_the_share_nobody_is_asked() {
    everywhere(1, async |watch, gates| {
        let acme = identity(requests(1_000_000));
        gates[0].enter(&acme).await.expect("the first one fetches a share");
        let swaps = watch.swaps.load(Ordering::SeqCst);
        for _ in 0..10_000 {
            gates[0].enter(&acme).await.expect("in the share");
        }
        assert_eq!(watch.swaps.load(Ordering::SeqCst), swaps);
    })
    .await;
}

#[tokio::test]
async fn a_share_is_fetched_before_the_last_one_is_used_up() {
    everywhere(1, async |watch, gates| {
        let acme = identity(requests(2_000));
        for _ in 0..60 {
            gates[0].enter(&acme).await.expect("in the first share, of a hundred");
        }
        let before = watch.swaps.load(Ordering::SeqCst);
        gates[0].top_up().await;
        assert_eq!(watch.swaps.load(Ordering::SeqCst), before + 1);
        for _ in 0..90 {
            gates[0].enter(&acme).await.expect("in the second");
        }
        assert_eq!(watch.swaps.load(Ordering::SeqCst), before + 1);
    })
    .await;
}

#[tokio::test]
async fn tokens_are_taken_by_estimate_and_corrected_by_what_was_used() {
    everywhere(1, async |_, gates| {
        let acme = identity(Limits { tokens_per_min: Some(1_000), ..Limits::default() });
        let remaining = || gates[0].standing(&acme).tokens.expect("limited").remaining;
        let is_near = |wanted: u64| {
            let found = remaining();
            assert!((wanted..wanted + 20).contains(&found), "{found}, not {wanted} and what came meanwhile");
        };
        let mut pass = gates[0].enter(&acme).await.expect("no limit on requests");
        gates[0].take_tokens(&acme, &mut pass, 800).await.expect("there are a thousand");
        is_near(200);
        pass.settle(100);
        pass.settle(0);
        is_near(900);
        let mut pass = gates[0].enter(&acme).await.expect("no limit on requests");
        gates[0].take_tokens(&acme, &mut pass, 100).await.expect("there are nine hundred");
        pass.settle(1_500);
        assert_eq!(remaining(), 0, "more was used than there was");
        let mut pass = gates[0].enter(&acme).await.expect("no limit on requests");
        let refused = gates[0].take_tokens(&acme, &mut pass, 10).await.expect_err("in debt");
        assert_eq!(refused.code, FaultCode::TokensLimited);
        assert!((35_000..=37_000).contains(&wait_ms(&refused)), "610 at 1000 a minute: {refused}");
    })
    .await;
}

#[tokio::test]
async fn whoever_is_refused_at_one_level_has_used_nothing_of_the_others() {
    everywhere(1, async |_, gates| {
        let mut acme = identity(Limits { concurrent: Some(5), ..requests(100) });
        acme.levels.push(level(
            LevelKind::Key,
            "acme//k",
            Limits { tokens_per_min: Some(50), ..requests(2) },
        ));
        let taken = async || {
            let mut pass = gates[0].enter(&acme).await?;
            gates[0].take_tokens(&acme, &mut pass, 50).await.map(|()| pass)
        };
        let _first = taken().await.expect("there is room");
        let refused = taken().await.map(drop).expect_err("no tokens");
        assert_eq!(refused.code, FaultCode::TokensLimited);
        assert_eq!(
            gates[0].standing(&acme).requests.expect("limited").remaining,
            1,
            "the key's is the tightest"
        );
        let _second = gates[0].enter(&acme).await.expect("there is one more");
        let refused = gates[0].enter(&acme).await.map(drop).expect_err("no requests");
        assert!(refused.detail.contains("key acme//k"), "{refused}");
        let tenant = identity(requests(100));
        assert_eq!(gates[0].standing(&tenant).requests.expect("limited").remaining, 98);
    })
    .await;
}

#[tokio::test]
async fn no_more_run_at_once_than_the_limit_on_all_gateways_together() {
    everywhere(3, async |_, gates| {
        let acme = identity(Limits { concurrent: Some(10), ..Limits::default() });
        let mut running = Vec::new();
        for n in 0..30 {
            running.extend(gates[n % 3].enter(&acme).await.ok());
        }
        assert_eq!(running.len(), 10);
        let refused = gates[0].enter(&acme).await.map(drop).expect_err("all are in use");
        assert!(refused.detail.contains("10 requests at once of tenant acme"), "{refused}");
        running.pop();
        tokio::time::sleep(Duration::from_millis(60)).await;
        join_all(gates.iter().map(Gates::look_after)).await;
        let again = join_all(gates.iter().map(|gates| gates.enter(&acme))).await;
        assert_eq!(again.into_iter().filter(Result::is_ok).count(), 1, "whichever gateway it is");
        running.clear();
        join_all(gates.iter().map(Gates::look_after)).await;
        for _ in 0..10 {
            running.push(gates[1].enter(&acme).await.expect("all were given back"));
        }
    })
    .await;
}

#[tokio::test]
async fn while_the_place_is_away_each_gateway_passes_its_part_and_tells_it_afterwards() {
    everywhere(2, async |watch, gates| {
        let acme = identity(Limits { concurrent: Some(4), ..requests(60) });
        // The first one comes last, so that it has heard of the other.
        for gates in gates.iter().rev() {
            gates.enter(&acme).await.expect("both have come by");
            gates.look_after().await;
        }
        watch.is_away.store(true, Ordering::SeqCst);
        let mut passed = 0;
        for _ in 0..60 {
            passed += u64::from(gates[0].enter(&acme).await.is_ok());
        }
        assert!((28..=32).contains(&passed), "{passed}: half of sixty");
        let mut running = Vec::new();
        let few = identity(Limits { concurrent: Some(4), ..Limits::default() });
        for _ in 0..5 {
            running.extend(gates[0].enter(&few).await.ok());
        }
        assert_eq!(running.len(), 2, "half of four");
        watch.is_away.store(false, Ordering::SeqCst);
        gates[0].look_after().await;
        let left = gates[1].standing(&acme).requests.expect("limited").remaining;
        assert!(left >= 50, "it has not heard yet: {left}");
        let mut more = 0;
        for _ in 0..60 {
            more += u64::from(gates[1].enter(&acme).await.is_ok());
        }
        assert!(passed + more + 2 <= 61, "{passed} and {more} of sixty");
    })
    .await;
}
