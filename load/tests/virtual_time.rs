//! A gateway's pools in virtual time: what the law says, what the gateway's rules say, and the same by seed.

use sluice_load::arrivals::{self, Arrivals};
use sluice_load::virtual_time::{Asked, Length, Outage, PoolSpec, Totals, World, run};
use sluice_load::{End, FaultKind, Planned, Sample};
use sluice_router::{
    Ask, Certificate, Expert, ExpertSignal, Fleet, Kind, LimitRule, LineRules, NanoUsd, Needs, Objective,
    OutOfDomain, Pool, Price, Privacy, Route, Signals, WhenNone,
};
use sluice_sim::Profile;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

#[path = "virtual_time/batching.rs"]
mod batching;
#[path = "virtual_time/caches.rs"]
mod caches;
#[path = "virtual_time/overload.rs"]
mod overload;
#[path = "virtual_time/shift.rs"]
mod shift;

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
        price: Price {
            input: price,
            cached_input: price,
            cache_write: price,
            output: 2 * price,
            per_request: 0,
            replica_hour: 0,
        },
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
        objective: Objective::Joint,
        latency_per_s: NanoUsd::ZERO,
        slo: None,
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
            ..Certificate::default()
        }),
        domain_promises: vec![],
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
    let balancer = sluice_router::balancer("p2c").expect("a known balancer").pick;
    PoolSpec {
        line: LineRules {
            replicas,
            max_concurrency,
            limit: LimitRule::Fixed,
            max_queue,
            max_queue_bytes: 64 << 20,
            balancer,
            prefix_tokens: 0,
            declared: None,
        },
        capacity: Profile::named(profile).expect("a known profile").capacity,
        window: None,
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
        tenants: vec![],
        is_conversational: false,
    }
}

/// Requests at these times, of prompts in turn.
struct Listed(std::vec::IntoIter<Planned>);

impl Arrivals for Listed {
    fn next(&mut self) -> Option<Planned> {
        self.0.next()
    }
}

/// Requests every `every` nanoseconds.
fn evenly(count: u64, every: u64) -> Vec<Planned> {
    let planned = |n: u64| Planned { at: n * every, prompt: n as usize, ..Planned::default() };
    (0..count).map(planned).collect()
}

fn carry_out(world: &World, prompts: Vec<Asked>, planned: Vec<Planned>) -> (Vec<Sample>, Totals) {
    carry_out_plan(world, prompts, &mut Listed(planned.into_iter()))
}

fn carry_out_plan(world: &World, mut prompts: Vec<Asked>, plan: &mut dyn Arrivals) -> (Vec<Sample>, Totals) {
    let mut samples = Vec::new();
    let totals = run(world, &mut prompts, plan, &mut |sample| samples.push(sample));
    assert_eq!(samples.len() as u64, totals.sent, "each request ends once");
    samples.sort_by_key(|sample| sample.n);
    (samples, totals)
}

#[test]
fn alone_a_request_takes_what_the_law_says_and_costs_what_the_price_says() {
    let world = world(pool("8b-a100", 1, 8, 8));
    let (samples, _) = carry_out(&world, vec![asked(0.95, 300, 50)], evenly(1, 0));
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
    let prompts = vec![asked(0.95, 100, 20), asked(0.1, 100, 20)];
    let (samples, totals) = carry_out(&world, prompts, evenly(100, SECOND / 10));
    for sample in &samples {
        assert_eq!(sample.who.expert, if sample.planned.prompt % 2 == 0 { "small" } else { "big" });
    }
    assert_eq!(totals.dispatched[0], [50]);
    assert_eq!(totals.dispatched[1].iter().sum::<u64>(), 50);
}

#[test]
fn a_full_line_overflows_to_the_next_step() {
    let world = world(pool("8b-l4", 1, 2, 3));
    let (samples, _) = carry_out(&world, vec![asked(0.95, 100, 100)], evenly(20, 1_000));
    let by = |expert: &str| samples.iter().filter(|sample| sample.who.expert == expert).count();
    assert_eq!((by("small"), by("big")), (5, 15));
}

#[test]
fn a_pool_that_dies_breaks_its_answers_is_left_alone_and_comes_back() {
    let small = pool("8b-a100", 2, 64, 100);
    let outage = Outage { pool: 0, replica: None, from: 10 * SECOND, until: Some(20 * SECOND) };
    let world = World { outages: vec![outage], ..world(small) };
    let (samples, _) = carry_out(&world, vec![asked(0.95, 100, 100)], evenly(400, SECOND / 10));
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
    let mut planned = evenly(3, SECOND);
    planned[0].cancel_after = Some(3 * SECOND);
    planned[1].cancel_after = Some(SECOND / 2);
    let (samples, _) = carry_out(&world, vec![asked(0.95, 100, 500)], planned);
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
        carry_out(&world_of(5 * SECOND, 30 * SECOND), vec![asked(0.95, 100, 500)], evenly(1, 0));
    assert_eq!((code(&samples[0]).as_str(), samples[0].ended), ("deadline_exceeded", 5 * SECOND));
    // 28,000 prompt tokens take ten seconds; the other expert answers instead, and both are paid.
    let mut long = asked(0.95, 5_000, 50);
    long.lengths[0].input = 28_000;
    let (samples, _) = carry_out(&world_of(600 * SECOND, SECOND), vec![long], evenly(1, 0));
    assert_eq!((samples[0].is_ok(), samples[0].who.expert.as_str()), (true, "big"));
    assert_eq!(samples[0].cost_nanousd, Some(5_000 * 100 + 5_000 * 2_000 + 50 * 4_000));
}

fn plan(asked: arrivals::Asked) -> Box<dyn Arrivals> {
    arrivals::plan(&asked).expect("a whole plan")
}

#[test]
fn a_closed_loop_sends_when_one_has_ended() {
    let world = world(pool("8b-a100", 1, 64, 100));
    let asked_for = arrivals::Asked {
        concurrency: Some(4),
        think_s: 1.0,
        requests: Some(40),
        ..arrivals::Asked::default()
    };
    let (samples, totals) = carry_out_plan(&world, vec![asked(0.95, 50, 50)], &mut *plan(asked_for));
    assert_eq!((totals.sent, totals.most_open), (40, 4));
    assert!(samples.iter().all(Sample::is_ok));
    let ends: Vec<u64> = samples.iter().map(|sample| sample.ended + SECOND).collect();
    assert!(samples.iter().filter(|sample| sample.sent > 0).all(|sample| ends.contains(&sample.sent)));
}

#[test]
fn a_conversation_carries_its_earlier_turns() {
    let world = World { is_conversational: true, ..world(pool("8b-a100", 1, 64, 100)) };
    let asked_for =
        arrivals::Asked { rate: Some(1.0), turns: Some(3), requests: Some(30), ..arrivals::Asked::default() };
    let (samples, _) = carry_out_plan(&world, vec![asked(0.95, 50, 20)], &mut *plan(asked_for));
    for sample in &samples {
        let turn = sample.planned.prompt as u32 % 3;
        assert_eq!((sample.input_tokens, sample.output_tokens), (50 + turn * 70, 20));
    }
}

/// Poisson arrivals of a mixed load with overflow, an outage and cancellations.
fn busy_minutes(seed: u64) -> (u64, Totals) {
    let outage = Outage { pool: 0, replica: Some(1), from: 20 * SECOND, until: Some(40 * SECOND) };
    let world = World { outages: vec![outage], seed, ..world(pool("8b-l4", 3, 8, 16)) };
    let prompts: Vec<Asked> = (0..50).map(|n| asked(f64::from(n) / 50.0, 50 + 13 * n, 20 + 7 * n)).collect();
    let asked_for = arrivals::Asked {
        seed,
        rate: Some(20.0),
        requests: Some(3_000),
        cancel: 0.05,
        cancel_within_s: 1.0,
        ..arrivals::Asked::default()
    };
    let (samples, totals) = carry_out_plan(&world, prompts, &mut *plan(asked_for));
    let mut digest = Fnv::default();
    for sample in &samples {
        (sample.n, sample.sent, sample.first, sample.last, sample.ended).hash(&mut digest);
        (sample.output_tokens, sample.cost_nanousd, sample.baseline_nanousd).hash(&mut digest);
        (&sample.who.expert, sample.who.replica).hash(&mut digest);
    }
    let ok = samples.iter().filter(|sample| sample.is_ok()).count();
    assert!((2_000..3_000).contains(&ok), "{ok} of 3000");
    (digest.finish(), totals)
}

/// FNV-1a over little-endian bytes: the same everywhere, which the standard library's hasher doesn't promise.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        self.0 =
            bytes.iter().fold(self.0, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[test]
fn the_same_seed_gives_the_same_samples_and_another_others() {
    let (digest, totals) = busy_minutes(1);
    assert_eq!((digest, totals), busy_minutes(1));
    assert_ne!(digest, busy_minutes(2).0);
    assert_eq!(
        digest, 17_930_370_698_298_742_116,
        "the samples of this seed have changed; if they should, note their new digest here"
    );
}
