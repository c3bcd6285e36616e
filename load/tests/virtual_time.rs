//! A gateway's pools in virtual time: what the law says, what the gateway's rules say, and the same by seed.

use sluice_load::virtual_time::{Arrival, Asked, Length, Open, Outage, PoolSpec, Source, Totals, World, run};
use sluice_load::{End, FaultKind, Planned, Sample};
use sluice_router::{
    Ask, Certificate, Expert, ExpertSignal, Fleet, Kind, LineRules, NanoUsd, Needs, OutOfDomain, Pool, Price,
    Privacy, Route, Signals, WhenNone,
};
use sluice_sim::Profile;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

/// `small` is cheap and mostly capable, `big` is the dear reference; one pool each.
fn fleet() -> Arc<Fleet> {
    let expert = |name: &str, price: i64| Expert {
        name: name.to_owned(),
        kind: Kind::General,
        domains: vec![],
        languages: vec![],
        keywords: vec![],
        context_tokens: 8_192,
        max_output_tokens: 1_024,
        features: vec![],
        out_of_domain: OutOfDomain::Allow,
        privacy: Privacy::Private,
        region: None,
        price: Price { input: price, cached_input: price, output: 2 * price },
    };
    let pool = |name: &str, expert: usize| Pool { name: name.to_owned(), expert };
    Arc::new(Fleet {
        experts: vec![expert("small", 100_000_000), expert("big", 2_000_000_000)],
        pools: vec![pool("small-pool", 0), pool("big-pool", 1)],
    })
}

fn route() -> Arc<Route> {
    Arc::new(Route {
        name: "auto".to_owned(),
        experts: vec![0, 1],
        reference: 1,
        quality_floor: 0.9,
        confidence: 0.95,
        latency_per_s: NanoUsd::ZERO,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: 0.0,
        pinned: false,
        certificate: Some(Certificate {
            lambda: 1e-6,
            floor: 0.9,
            confidence: 0.95,
            method: "normal".to_owned(),
            rows: 1_000,
            lower_bound: 0.0,
            quality_ratio: 0.95,
            saved_pct: 50.0,
            data: String::new(),
        }),
    })
}

/// A prompt that `small` is this likely to answer well.
fn asked(p_small: f64, input: u32, output: u32) -> Asked {
    let signal =
        |p_capable| Some(ExpertSignal { p_capable, p_lower: p_capable, output_tokens: f64::from(output) });
    let signals = Signals { experts: vec![signal(p_small), signal(0.9)], ..Signals::default() };
    let needs = Needs { prompt_tokens: input, prompt_bytes: 4 * input, ..Needs::default() };
    Asked {
        ask: Ask { fleet: fleet(), route: route(), signals, needs, pools: vec![] },
        lengths: vec![Length { input, output }; 2],
        grades: vec![Some(p_small), Some(0.9)],
    }
}

fn pool(profile: &str, replicas: usize, max_concurrency: u32, max_queue: usize) -> PoolSpec {
    let balancer = sluice_router::balancer("p2c").unwrap().pick;
    PoolSpec {
        line: LineRules { replicas, max_concurrency, max_queue, balancer },
        capacity: Profile::named(profile).unwrap().capacity,
        engine_queue: 1_024,
        first_token_timeout: 30 * SECOND,
    }
}

fn world(small: PoolSpec) -> World {
    World {
        pools: vec![small, pool("70b-4xh100", 2, 64, 1_000)],
        outages: vec![],
        seed: 7,
        deadline: 600 * SECOND,
        tells_deadline: false,
    }
}

/// Requests every `every` nanoseconds, of prompts in turn.
fn evenly(count: u64, every: u64, prompts: usize) -> Vec<Arrival> {
    let arrival = |n: u64| Arrival {
        n,
        planned: Planned { at: n * every, prompt: n as usize % prompts, ..Planned::default() },
    };
    (0..count).map(arrival).collect()
}

fn carry_out(world: &World, prompts: &mut [Asked], arrivals: Vec<Arrival>) -> (Vec<Sample>, Totals) {
    let mut samples = Vec::new();
    let totals = run(world, prompts, &mut Open(arrivals.into_iter()), &mut |sample| samples.push(sample));
    assert_eq!(samples.len() as u64, totals.sent, "each request ends once");
    samples.sort_by_key(|sample| sample.n);
    (samples, totals)
}

#[test]
fn alone_a_request_takes_what_the_law_says_and_costs_what_the_price_says() {
    let world = world(pool("8b-a100", 1, 8, 8));
    let (samples, _) = carry_out(&world, &mut [asked(0.95, 300, 50)], evenly(1, 0, 1));
    let timing = Profile::named("8b-a100").unwrap().capacity.timing;
    let first = timing.mixed_ns(0, 0, timing.weight(0, 300));
    let sample = &samples[0];
    assert_eq!((sample.first, sample.ended), (Some(first), first + timing.run_ns(1, 301, 49)));
    assert_eq!((sample.end.clone(), sample.who.expert.as_str()), (End::Done, "small"));
    // 300 tokens in and 50 out at 0.1 and 0.2, and at 2 and 4 USD per million.
    assert_eq!((sample.cost_nanousd, sample.baseline_nanousd), (Some(40_000), Some(800_000)));
    assert_eq!((sample.quality, sample.reference_quality), (Some(0.95), Some(0.9)));
}

#[test]
fn each_prompt_goes_where_its_certificate_sends_it() {
    let world = world(pool("8b-a100", 1, 64, 100));
    let mut prompts = [asked(0.95, 100, 20), asked(0.1, 100, 20)];
    let (samples, totals) = carry_out(&world, &mut prompts, evenly(100, SECOND / 10, 2));
    for sample in &samples {
        assert_eq!(sample.who.expert, if sample.planned.prompt == 0 { "small" } else { "big" });
    }
    assert_eq!(totals.dispatched[0], [50]);
    assert_eq!(totals.dispatched[1].iter().sum::<u64>(), 50);
}

#[test]
fn a_full_line_overflows_to_the_next_step() {
    let world = world(pool("8b-l4", 1, 2, 3));
    let (samples, _) = carry_out(&world, &mut [asked(0.95, 100, 100)], evenly(20, 1_000, 1));
    let by = |expert: &str| samples.iter().filter(|sample| sample.who.expert == expert).count();
    assert_eq!((by("small"), by("big")), (5, 15));
}

#[test]
fn a_pool_that_dies_breaks_its_answers_is_left_alone_and_comes_back() {
    let small = pool("8b-a100", 2, 64, 100);
    let outage = Outage { pool: 0, replica: None, from: 10 * SECOND, until: Some(20 * SECOND) };
    let world = World { outages: vec![outage], ..world(small) };
    let (samples, _) = carry_out(&world, &mut [asked(0.95, 100, 100)], evenly(400, SECOND / 10, 1));
    let broken = samples.iter().filter(|sample| !sample.is_ok()).count();
    let kind = |sample: &Sample| matches!(sample.end, End::Failed { kind: FaultKind::Broken, .. });
    assert!(samples.iter().filter(|sample| !sample.is_ok()).all(kind));
    assert!((5..=20).contains(&broken), "{broken} answers were under way");
    let during = |sample: &&Sample| (11 * SECOND..20 * SECOND).contains(&sample.sent);
    assert!(samples.iter().filter(during).all(|sample| sample.is_ok() && sample.who.expert == "big"));
    // An ejection doubles up to 16 s at most by then; a probe each second after it.
    let late = samples.iter().filter(|sample| sample.sent > 38 * SECOND);
    assert!(late.clone().count() > 10);
    assert!(late.clone().all(|sample| sample.who.expert == "small"), "it is used again");
}

#[test]
fn a_cancelled_request_frees_its_place_and_pays_for_what_came() {
    let world = world(pool("8b-l4", 1, 1, 100));
    let mut arrivals = evenly(3, SECOND, 1);
    arrivals[0].planned.cancel_after = Some(3 * SECOND);
    arrivals[1].planned.cancel_after = Some(SECOND / 2);
    let (samples, _) = carry_out(&world, &mut [asked(0.95, 100, 500)], arrivals);
    assert_eq!(samples[0].end, End::Cancelled);
    assert!((40..60).contains(&samples[0].output_tokens), "{} tokens in 3 s", samples[0].output_tokens);
    let paid = 100 * 100 + i64::from(samples[0].output_tokens) * 200;
    assert_eq!((samples[0].cost_nanousd, samples[0].quality), (Some(paid), None));
    assert_eq!((samples[1].end.clone(), samples[1].cost_nanousd), (End::Cancelled, Some(0)), "it waited");
    assert!(samples[2].is_ok() && samples[2].first.unwrap() < 4 * SECOND);
}

#[test]
fn what_is_late_fails_by_the_deadline_and_by_the_patience_for_a_first_token() {
    let world_of = |deadline, first_token_timeout| {
        let small = PoolSpec { first_token_timeout, ..pool("8b-l4", 1, 64, 100) };
        World { deadline, ..world(small) }
    };
    let code = |sample: &Sample| match &sample.end {
        End::Failed { code, .. } => code.clone(),
        other => panic!("{other:?}"),
    };
    let (samples, _) =
        carry_out(&world_of(5 * SECOND, 30 * SECOND), &mut [asked(0.95, 100, 500)], evenly(1, 0, 1));
    assert_eq!((code(&samples[0]).as_str(), samples[0].ended), ("deadline_exceeded", 5 * SECOND));
    // 28,000 prompt tokens take ten seconds; the other expert answers instead, and both are paid.
    let mut long = asked(0.95, 5_000, 50);
    long.lengths[0].input = 28_000;
    let (samples, _) = carry_out(&world_of(600 * SECOND, SECOND), &mut [long], evenly(1, 0, 1));
    assert_eq!((samples[0].is_ok(), samples[0].who.expert.as_str()), (true, "big"));
    assert_eq!(samples[0].cost_nanousd, Some(5_000 * 100 + 5_000 * 2_000 + 50 * 4_000));
}

/// So many at a time, each after another's end.
struct Closed {
    left: u64,
    at_once: u64,
}

impl Source for Closed {
    fn next(&mut self) -> Option<Arrival> {
        self.at_once = self.at_once.checked_sub(1)?;
        self.left -= 1;
        Some(Arrival { n: self.left, planned: Planned::default() })
    }

    fn after(&mut self, ended: &Sample) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        Some(Arrival { n: self.left, planned: Planned { at: ended.ended + SECOND, ..Planned::default() } })
    }
}

#[test]
fn a_closed_loop_sends_when_one_has_ended() {
    let world = world(pool("8b-a100", 1, 64, 100));
    let (mut samples, mut source) = (Vec::new(), Closed { left: 40, at_once: 4 });
    let totals = run(&world, &mut [asked(0.95, 50, 50)], &mut source, &mut |sample| samples.push(sample));
    assert_eq!((totals.sent, totals.most_open), (40, 4));
    assert!(samples.iter().all(Sample::is_ok));
    let ends: Vec<u64> = samples.iter().map(|sample| sample.ended + SECOND).collect();
    assert!(samples.iter().filter(|sample| sample.sent > 0).all(|sample| ends.contains(&sample.sent)));
}

/// Poisson arrivals of a mixed load with overflow, an outage and cancellations.
fn busy_hour(seed: u64) -> (u64, Totals) {
    let outage = Outage { pool: 0, replica: Some(1), from: 20 * SECOND, until: Some(40 * SECOND) };
    let world = World { outages: vec![outage], seed, ..world(pool("8b-l4", 3, 8, 16)) };
    let mut prompts: Vec<Asked> =
        (0..50).map(|n| asked(f64::from(n) / 50.0, 50 + 13 * n, 20 + 7 * n)).collect();
    let (mut state, mut at) = (seed, 0);
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 31)
    };
    let arrivals = (0..3_000).map(|n| {
        at += (-(1.0 - draw()).ln() * 50e6) as u64;
        let cancel_after = (draw() < 0.05).then_some(SECOND);
        let planned = Planned { at, prompt: (draw() * 50.0) as usize, cancel_after, ..Planned::default() };
        Arrival { n, planned }
    });
    let (samples, totals) = carry_out(&world, &mut prompts, arrivals.collect());
    let mut digest = DefaultHasher::new();
    for sample in &samples {
        (sample.n, sample.sent, sample.first, sample.last, sample.ended).hash(&mut digest);
        (sample.output_tokens, sample.cost_nanousd, sample.baseline_nanousd, &sample.who).hash(&mut digest);
    }
    let ok = samples.iter().filter(|sample| sample.is_ok()).count();
    assert!((2_000..3_000).contains(&ok), "{ok} of 3000");
    (digest.finish(), totals)
}

#[test]
fn the_same_seed_gives_the_same_samples_and_another_others() {
    let (digest, totals) = busy_hour(1);
    assert_eq!((digest, &totals), (busy_hour(1).0, &busy_hour(1).1));
    assert_ne!(digest, busy_hour(2).0);
}
