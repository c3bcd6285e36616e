//! The whole gateway in a simulated network: its own code on turmoil's sockets and clock, before scripted engines and
//! clients, with faults from a seed. `docs/simulation.md` says how to use it.

mod check;
mod client;
mod engine;
mod faults;
mod journal;
mod net;
pub(crate) mod plant;
mod random;
mod rows;
mod script;
mod world;

use check::{Coverage, breaches, story};
use world::{Outcome, Plan};

/// Seeds of one half of the tests.
const SEEDS: u64 = 160;

/// Runs seeds and fails with the first that breaks a promise.
fn check_seeds(seeds: impl Iterator<Item = u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        let outcome = world::run(Plan::draw(seed));
        assert_kept(&outcome);
        coverage.add(&outcome);
    }
    coverage
}

fn assert_kept(outcome: &Outcome) {
    let seed = outcome.plan.seed;
    let breaches = breaches(outcome);
    let faults: Vec<String> = outcome.plan.faults.iter().map(|fault| format!("{fault:?}")).collect();
    assert!(
        breaches.is_empty(),
        "seed={seed}: {}\nfaults: {}\nreplay: SLUICE_NETSIM_SEED={seed} cargo test -p sluice-gateway --lib netsim::replay",
        breaches.join("\n"),
        faults.join("\n")
    );
}

/// The seeds from here on: as many as `SLUICE_NETSIM_SEEDS` says in each half, or the usual number.
fn half(which: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("SLUICE_NETSIM_SEEDS").ok().map(|text| text.parse().expect("a number"));
    let count = asked.unwrap_or(SEEDS);
    which * count..(which + 1) * count
}

fn check_half(which: u64) {
    let coverage = check_seeds(half(which));
    println!("{coverage:?}");
    for (what, count) in [
        ("whole answers", coverage.complete),
        ("errors before the first byte", coverage.errors),
        ("errors after it", coverage.broken),
        ("clients that left", coverage.left),
        ("lost connections", coverage.lost),
        ("retried requests", coverage.retried),
        ("gRPC requests", coverage.grpc),
    ] {
        assert!(count > 0, "no {what} in {:?}", half(which));
    }
}

#[test]
fn every_promise_holds_in_the_first_half_of_the_seeds() {
    check_half(0);
}

#[test]
fn every_promise_holds_in_the_second_half_of_the_seeds() {
    check_half(1);
}

/// The seed that a failure has named; without one there is nothing to do.
#[test]
fn replay() {
    if let Ok(seed) = std::env::var("SLUICE_NETSIM_SEED") {
        let outcome = world::run(Plan::draw(seed.parse().expect("a number")));
        assert_kept(&outcome);
    }
}

#[test]
fn a_seed_replays_to_the_same_story() {
    for seed in [1, 7, 42, 1_001] {
        let run = || story(&world::run(Plan::draw(seed)));
        let (once, again) = (run(), run());
        for (line, (once, again)) in once.iter().zip(&again).enumerate() {
            assert_eq!(once, again, "seed={seed}, line {line}");
        }
        assert_eq!(once.len(), again.len(), "seed={seed}");
    }
}

#[test]
fn a_permit_freed_with_the_head_of_the_answer_is_found() {
    let found = plant::with(|| (0..20).find(|&seed| !breaches(&world::run(Plan::draw(seed))).is_empty()));
    assert!(found.is_some(), "twenty seeds did not find it");
}
