//! Budgets among several gateways, ten thousand times over: everything that can go wrong does, and no account is ever
//! wrong. What is simulated and what is checked: `docs/reference/budgets.md`.

mod checks;
mod crashes;
mod draws;
mod journal;
mod reports;
mod requests;
mod rows;
mod store;
mod story;
mod tally;
mod truth;
mod world;

use draws::Draws;
use std::time::Instant;
use story::{Flaw, Story};
use tally::Tally;
use world::World;

fn tell(seed: u64, flaw: Flaw) -> (Result<(), String>, Tally) {
    let mut world = World::new(seed, |draws| Story::new(draws, flaw));
    (world.run(), world.tally)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Which seeds to tell: one alone, or so many.
fn seeds(unless_told: u64) -> std::ops::Range<u64> {
    match number("SLUICE_ESCROW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SLUICE_ESCROW_SEEDS").unwrap_or(unless_told),
    }
}

/// The promise itself.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long the test itself takes is printed; no story knows of it"
)]
fn no_story_overspends_loses_or_doubles_a_nano_dollar() {
    let (begin, seeds) = (Instant::now(), seeds(1_000));
    let count = seeds.end - seeds.start;
    let mut sum = Tally::default();
    for seed in seeds {
        let (result, tally) = tell(seed, Flaw::None);
        if let Err(wrong) = result {
            panic!("seed {seed} {wrong}\n{AGAIN}={seed} {COMMAND}\n{tally:#?}");
        }
        sum.add(&tally);
    }
    println!(
        "{count} seeds, {} steps, {:.1} s: overspend 0, lost 0, double 0",
        sum.steps,
        begin.elapsed().as_secs_f64()
    );
    println!("{sum:#?}");
    if count >= 100 {
        sum.must_have_met_everything();
    }
}

/// Each mistake must be found, or the checks prove nothing.
#[test]
fn every_mistake_that_is_put_in_is_found() {
    let missed = Flaw::ALL.into_iter().filter(|flaw| {
        let found = (0..2_000).filter_map(|seed| tell(seed, *flaw).0.err().map(|wrong| (seed, wrong)));
        let found: Vec<(u64, String)> = found.take(5).collect();
        let first = found.first().map_or("never found", |(_, wrong)| wrong.as_str());
        println!("{flaw:?}: five times in {:?} seeds; {first}", found.last().map(|(seed, _)| seed + 1));
        found.len() < 5
    });
    assert_eq!(missed.collect::<Vec<Flaw>>(), []);
}

/// Requests of all gateways fight over the end of a budget: how much of it is idle while a request that it would cover
/// waits, and is refused for good?
#[test]
fn when_all_is_calm_crumbs_are_left_at_most() {
    let sum = of_stories(200, Story::calm);
    println!(
        "{} of {} refused though left; the most {:?} ppm",
        sum.refused_though_left, sum.refused, sum.stranded_ppm
    );
    assert!(sum.refused > 1_000 && sum.refused_though_left * 1_000 < sum.refused, "{sum:#?}");
    assert!(sum.stranded_ppm.unwrap_or(0) < 50_000, "less than 5 % of any budget: {sum:#?}");
}

/// Those that are refused all the same wait behind one that hopes for what others hold for requests under way.
#[test]
fn when_few_wait_hardly_any_request_is_refused_that_would_fit() {
    let sum = of_stories(500, Story::quiet);
    println!(
        "{} of {} refused though left; the most {:?} ppm",
        sum.refused_though_left, sum.refused, sum.stranded_ppm
    );
    assert!(sum.refused > 1_000 && sum.refused_though_left * 200 < sum.refused, "{sum:#?}");
}

fn of_stories(count: u64, story: fn(&mut Draws) -> Story) -> Tally {
    let mut sum = Tally::default();
    for seed in 0..count {
        let mut world = World::new(seed, story);
        world.run().unwrap_or_else(|wrong| panic!("seed {seed} {wrong}"));
        sum.add(&world.tally);
    }
    sum
}

const AGAIN: &str = "SLUICE_ESCROW_SEED";
const COMMAND: &str = "cargo test -p sluice-router --test escrow_sim no_story -- --nocapture";
