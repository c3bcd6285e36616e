//! Batches for an engine that takes them whole, through decision, line and batcher, against a fixed window.

use super::overload::{alone, arriving, quantile};
use super::*;
use sluice_load::virtual_time::Window;
use sluice_router::BatchRules;
use sluice_sim::WholeBatch;

/// 64 requests in 40 ms at most: 1,600 a second.
const LAW: WholeBatch = WholeBatch { base_ns: 8_000_000, per_item_ns: 500_000, max_batch: 64 };
const CAPACITY_PER_S: f64 = 1_600.0;
const MS: u64 = 1_000_000;

/// One engine whose batches go at once, or once the oldest of them has waited for 10 ms.
fn engine(is_held: bool) -> World {
    let hold_us = if is_held { 10_000 } else { 0 };
    let rules = BatchRules { max_batch: LAW.max_batch, max_cost: None, hold_us };
    // One batch in work and one that gathers, as the gateway has it; the rest waits in line.
    let spec = pool("8b-a100", 1, 128, 1_000_000);
    let mut spec = PoolSpec { window: Some(Window { rules, law: LAW }), ..spec };
    spec.line.max_queue_bytes = u64::MAX;
    World { pools: vec![spec], ..world(spec) }
}

fn at_load(world: &World, load: f64, requests: f64, seed: u64) -> Vec<Sample> {
    let seconds = requests / (load * CAPACITY_PER_S);
    carry_out_plan(world, alone(), &mut *arriving(load * CAPACITY_PER_S, &[1.0], seconds, seed)).0
}

fn ms(samples: &[Sample], q: f64) -> f64 {
    let took = |sample: &Sample| sample.is_ok().then_some(sample.ended - sample.sent);
    quantile(samples.iter().filter_map(took).collect(), q) * 1e3
}

#[test]
fn at_low_load_nobody_waits_for_company() {
    let (ours, window) = (engine(false), engine(true));
    let [ours, window] = [&ours, &window].map(|world| ms(&at_load(world, 0.05, 10_000.0, 1), 0.5));
    assert!(window - ours >= 8.0, "p50 {ours:.1} ms, with the window {window:.1}");
}

#[test]
fn where_the_engine_is_busy_a_fixed_window_is_no_better() {
    let worlds = [engine(false), engine(true)];
    for load in [0.5, 0.9, 0.97] {
        let [ours, window] = [0, 1].map(|at| ms(&at_load(&worlds[at], load, 60_000.0, 2), 0.99));
        assert!(ours <= 1.02 * window, "load {load}: p99 {ours:.1} ms, with the window {window:.1}");
    }
}

#[test]
fn under_overload_whoever_is_let_in_is_in_time() {
    const LIMIT: u64 = 240 * MS;
    let on_time = |samples: &[Sample]| {
        let in_time = |s: &&Sample| s.is_ok() && s.ended - s.sent <= LIMIT;
        samples.iter().filter(in_time).count() as f64 / samples.len() as f64
    };
    let ours = World { deadline: LIMIT, tells_deadline: true, ..engine(false) };
    let samples = at_load(&ours, 1.2, 30_000.0, 3);
    let window = on_time(&at_load(&engine(true), 1.2, 30_000.0, 3));
    let refused: Vec<u64> =
        samples.iter().filter(|s| !s.is_ok()).map(|sample| sample.ended - sample.sent).collect();
    let at_once = refused.iter().filter(|took| **took == 0).count() as f64 / refused.len() as f64;
    assert!(on_time(&samples) >= 0.75, "{:.3} on time", on_time(&samples));
    assert!(window < 0.1, "{window:.3} on time with the window");
    assert!(at_once >= 0.9, "{at_once:.3} of the refused are told at once");
}

#[test]
fn cancelled_requests_and_an_engine_that_dies_cost_nobody_else_an_answer() {
    let outage = Outage { pool: 0, replica: None, from: 5 * SECOND, until: Some(6 * SECOND) };
    let world = World { outages: vec![outage], ..engine(false) };
    let mut planned = evenly(8_000, SECOND / 800);
    for planned in planned.iter_mut().step_by(10) {
        planned.cancel_after = Some(5 * MS);
    }
    let (samples, _) = carry_out(&world, alone(), planned);
    for (n, sample) in samples.iter().enumerate() {
        let is_hit = (4_900 * MS..40 * SECOND).contains(&sample.sent);
        match (&sample.end, n % 10 == 0) {
            (End::Cancelled, true) | (End::Done, _) => {}
            (end, _) => assert!(is_hit, "{n}, sent at {} ms: {end:?}", sample.sent / MS),
        }
    }
    assert!(samples.iter().filter(|sample| sample.end == End::Cancelled).count() > 500);
}
