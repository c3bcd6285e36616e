//! Prefix caches over eight replicas: sessions go where their turns are, and yet all replicas have their share.

use super::*;
use sluice_router::BLOCK_TOKENS;
use sluice_sim::Event;

/// Every request goes to one pool of eight replicas, whose caches hold all that is said.
fn world_of(balancer: &str, prefix_tokens: u64) -> World {
    let mut spec = pool("8b-h100", 8, 64, 4_096);
    spec.line.balancer = sluice_router::balancer(balancer).expect("a known balancer").pick;
    spec.line.prefix_tokens = prefix_tokens;
    spec.capacity.prefix_tokens = prefix_tokens;
    World { is_conversational: true, ..world(spec) }
}

/// Conversations of ten turns, each of which brings 600 to 3,000 tokens; `rate` begin each second.
fn conversations(world: &World, rate: f64) -> (Vec<Sample>, Totals) {
    let prompts: Vec<Asked> = (0..97).map(|n| roomy(600 + 25 * n, 60 + 3 * n)).collect();
    let asked = arrivals::Asked {
        seed: 5,
        rate: Some(rate),
        turns: Some(10),
        think_s: 6.0,
        requests: Some(4_000),
        ..arrivals::Asked::default()
    };
    let mut plan = arrivals::plan(&asked).expect("it says when to send");
    carry_out_plan(world, prompts, &mut *plan)
}

/// A prompt for an expert whose context is large.
fn roomy(input: u32, output: u32) -> Asked {
    let mut asked = asked(1.0, input, output);
    let mut fleet = (*asked.ask.fleet).clone();
    fleet.experts[0].context_tokens = 200_000;
    fleet.experts[0].price.cached_input = fleet.experts[0].price.input / 2;
    asked.ask.fleet = Arc::new(fleet);
    asked
}

fn share_of_oracle(totals: &Totals) -> f64 {
    totals.cached[0] as f64 / totals.oracle[0] as f64
}

fn unevenness(totals: &Totals) -> f64 {
    let tokens = &totals.tokens[0];
    let mean = tokens.iter().sum::<u64>() as f64 / tokens.len() as f64;
    *tokens.iter().max().expect("eight") as f64 / mean
}

/// Sessions a second that eight replicas without caches can just answer: all turns queue at one replica at once, and the
/// middle of the run tells its rate.
fn saturating_rate() -> f64 {
    let (samples, _) = conversations(&world_of("p2c", 0), 0.5);
    let mut alone = sluice_sim::Pool::new(Profile::named("8b-h100").expect("a known profile").capacity);
    for sample in &samples {
        alone.submit(sample.n, sample.input_tokens, sample.output_tokens).expect("it fits");
    }
    let mut ends: Vec<u64> = Vec::new();
    for event in alone.step(u64::MAX / 2) {
        if let Event::Finished { at, .. } = event {
            ends.push(at);
        }
    }
    let (from, to) = (ends.len() / 5, ends.len() * 4 / 5);
    let requests_per_s = (to - from) as f64 * 1e9 / (ends[to] - ends[from]) as f64;
    8.0 * requests_per_s / 10.0
}

#[test]
fn eight_replicas_hold_nine_tenths_of_what_one_cache_of_their_size_would_and_share_the_work() {
    let full = saturating_rate();
    for load in [0.5, 0.8, 1.0] {
        let (samples, totals) = conversations(&world_of("prefix", 2_000_000), load * full);
        assert!(samples.iter().all(Sample::is_ok), "load {load}");
        let (share, unevenness) = (share_of_oracle(&totals), unevenness(&totals));
        println!("load {load}: {share:.3} of the oracle's hits, most tokens {unevenness:.3} times the mean");
        assert!(share >= 0.90, "load {load}: {share:.3} of the oracle's hits");
        assert!(unevenness <= 1.15, "load {load}: {unevenness:.3}");
        let cached: u64 = samples.iter().map(|sample| u64::from(sample.cached_tokens)).sum();
        assert_eq!(cached, totals.cached[0], "samples say the same");
    }
    let (_, blind) = conversations(&world_of("round_robin", 2_000_000), 0.8 * full);
    println!("{full:.3} sessions/s; one after the other: {:.3}", share_of_oracle(&blind));
    assert!(share_of_oracle(&blind) < 0.5, "who doesn't know of caches finds less in them");
}

#[test]
fn a_turn_needs_no_work_for_what_was_said_before_and_costs_less() {
    let mut small = pool("8b-h100", 1, 8, 8);
    small.capacity.prefix_tokens = 100_000;
    small.line.prefix_tokens = 100_000;
    let world = World { is_conversational: true, ..world(small) };
    let turn = |at: u64| Planned { at: at * SECOND, prompt: 0, session: Some(3), ..Planned::default() };
    let alone = Planned { at: 90 * SECOND, ..Planned::default() };
    let (samples, _) = carry_out(&world, vec![roomy(1_000, 100)], vec![turn(0), turn(20), turn(40), alone]);
    let cached: Vec<u32> = samples.iter().map(|sample| sample.cached_tokens).collect();
    let blocks = |tokens: u32| tokens / BLOCK_TOKENS * BLOCK_TOKENS;
    assert_eq!(cached, [0, blocks(1_100), blocks(2_200), 0]);
    let input: Vec<u32> = samples.iter().map(|sample| sample.input_tokens).collect();
    assert_eq!(input, [1_000, 2_100, 3_200, 1_000]);
    // 0.1 USD per million tokens, half of that for cached ones, 0.2 for the answer.
    for (sample, (input, cached)) in samples.iter().zip(input.iter().zip(&cached)) {
        let cost = i64::from(*input) * 100 - i64::from(*cached) * 50 + 100 * 200;
        assert_eq!(sample.cost_nanousd, Some(cost));
    }
}

#[test]
fn a_replica_that_comes_back_has_lost_its_cache() {
    let mut small = pool("8b-h100", 1, 8, 8);
    small.capacity.prefix_tokens = 100_000;
    small.line.prefix_tokens = 100_000;
    let outage = Outage { pool: 0, replica: None, from: 10 * SECOND, until: Some(11 * SECOND) };
    let world = World { is_conversational: true, outages: vec![outage], ..world(small) };
    let turn = |at: u64| Planned { at: at * SECOND, prompt: 0, session: Some(3), ..Planned::default() };
    let (samples, _) = carry_out(&world, vec![roomy(1_000, 100)], vec![turn(0), turn(60), turn(90)]);
    let cached: Vec<bool> = samples.iter().map(|sample| sample.cached_tokens > 0).collect();
    assert_eq!(cached, [false, false, true]);
}
