//! The batcher against a fixed window: one engine that takes whole batches, Poisson arrivals, a batch takes
//! `8 + 0.5 b` ms and holds at most 64, so that load 1 is 64 requests in 40 ms.

use super::*;
use crate::mix::mix;

const MOST: usize = 64;
const CAPACITY_PER_S: f64 = 1_600.0;

fn batch_us(rows: usize) -> u64 {
    8_000 + 500 * rows as u64
}

/// How requests fared.
struct Fared {
    /// Of those answered, in milliseconds, sorted.
    times_ms: Vec<f64>,
    /// Share of all that were answered by their deadline.
    on_time: f64,
}

impl Fared {
    fn ms(&self, share: f64) -> f64 {
        self.times_ms[((self.times_ms.len() - 1) as f64 * share) as usize]
    }
}

/// Arrival times in microseconds.
fn poisson(load: f64, count: u64, seed: u64) -> Vec<u64> {
    let unit = |n: u64| (mix(seed ^ mix(n)) >> 11) as f64 / (1u64 << 53) as f64;
    let mut at = 0.0;
    let gap = |n: u64| -libm::log(1.0 - unit(n)) * 1e6 / (load * CAPACITY_PER_S);
    (0..count)
        .map(|n| {
            at += gap(n);
            at as u64
        })
        .collect()
}

/// Lets requests come, each with this much time if it tells that, and counts who is answered within it.
fn fare(arrivals: &[u64], hold_us: u64, limit_ms: u64, tells: bool) -> Fared {
    let mut batcher = Batcher::new(BatchRules { max_batch: MOST, max_cost: None, hold_us });
    let mut times_ms = Vec::new();
    let mut working: Option<(u64, Batch<u64>)> = None;
    let mut coming = arrivals.iter().copied().peekable();
    loop {
        let held = batcher.held_until().map(|until| until.0);
        let ends = working.as_ref().map(|(ends, _)| *ends);
        let Some(now) = [coming.peek().copied(), ends, held].into_iter().flatten().min() else { break };
        let tick = Tick(now);
        if ends == Some(now)
            && let Some((_, batch)) = working.take()
        {
            times_ms.extend(batch.rows.iter().map(|row| (now - row.who) as f64 / 1e3));
            batcher.end(batch.number, Ended::Done, tick);
        } else if coming.peek() == Some(&now) {
            coming.next();
            let deadline = tells.then(|| tick.plus_ms(limit_ms));
            batcher.join(Item { deadline, ..Item::default() }, tick, || now);
        }
        while let Some(called) = batcher.call(tick) {
            if let Called::Go(batch) = called {
                working = Some((now + batch_us(batch.rows.len()), batch));
            }
        }
    }
    times_ms.sort_by(f64::total_cmp);
    let in_time = times_ms.iter().filter(|ms| **ms <= limit_ms as f64).count();
    Fared { on_time: in_time as f64 / arrivals.len() as f64, times_ms }
}

const WINDOW_US: u64 = 10_000;

#[test]
fn alone_a_request_does_not_wait_for_company() {
    for seed in 1..=3 {
        let arrivals = poisson(0.05, 20_000, seed);
        let (ours, window) = (fare(&arrivals, 0, 1_000, false), fare(&arrivals, WINDOW_US, 1_000, false));
        let (ours, window) = (ours.ms(0.5), window.ms(0.5));
        assert!(window - ours >= 8.0, "p50 {ours:.1} ms, with the window {window:.1}");
    }
}

#[test]
fn a_window_is_never_better_by_more_than_a_fiftieth_where_the_engine_is_busy() {
    for load in [0.3, 0.5, 0.9, 0.97] {
        for seed in 1..=3 {
            let arrivals = poisson(load, 200_000, seed);
            let (ours, window) = (fare(&arrivals, 0, 1_000, false), fare(&arrivals, WINDOW_US, 1_000, false));
            let (ours, window) = (ours.ms(0.99), window.ms(0.99));
            assert!(ours <= 1.02 * window, "load {load}: p99 {ours:.1} ms, with the window {window:.1}");
        }
    }
}

#[test]
fn under_overload_those_whom_it_can_serve_are_served_in_time() {
    for seed in 1..=3 {
        let arrivals = poisson(1.2, 60_000, seed);
        let (ours, window) = (fare(&arrivals, 0, 240, true), fare(&arrivals, WINDOW_US, 240, false));
        let (ours, window) = (ours.on_time, window.on_time);
        assert!(ours >= 0.75 && window < 0.1, "{ours:.3} on time, with the window {window:.3}");
    }
}
