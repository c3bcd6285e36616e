//! Cases of the pure core: from a text to signals, from an ask to a decision, from a line to a seat.

use crate::counted::Bench;
use crate::{experts, fleet, prompt};
use sluice_router::{
    Ask, Binding, Certificate, Entered, Entrant, Fleet, LimitRule, Line, LineRules, NanoUsd, Needs,
    Objective, Params, PoolState, Prefix, ReplicaState, Route, Signals, Tick, Verdict, WhenNone, balancer,
    classify, decide, estimate_tokens,
};
use std::hint::black_box;
use std::sync::Arc;

/// 2 KB of text become signals.
pub(super) fn classify_short(bench: &Bench) {
    classify_text(bench, SHORT);
}

/// 220 KB of text become signals: what is read of them is bounded.
pub(super) fn classify_long(bench: &Bench) {
    classify_text(bench, 220_000);
}

fn classify_text(bench: &Bench, bytes: usize) {
    let (params, binding) = bound_model(bench);
    let text = prompt(7, bytes);
    bench.count(|times| {
        for _ in 0..times {
            black_box(classify(&params, black_box(&text), &binding));
        }
    });
}

/// Signals become a decision between 8 experts with 64 replicas each.
pub(super) fn decide_wide(bench: &Bench) {
    let (params, binding) = bound_model(bench);
    let world = World::new();
    let ready = world.ask(classify(&params, &world.text, &binding));
    bench.count(|times| {
        for seed in 0..times {
            black_box(decide(black_box(&ready), Tick(1_000_000), seed).is_ok());
        }
    });
}

/// Both, the ask between them made anew, as for each request.
pub(super) fn classify_and_decide(bench: &Bench) {
    let (params, binding) = bound_model(bench);
    let world = World::new();
    bench.count(|times| {
        for seed in 0..times {
            let ask = world.ask(classify(&params, black_box(&world.text), &binding));
            black_box(decide(&ask, Tick(1_000_000), seed).is_ok());
        }
    });
}

/// A request asks 8 lines of 64 replicas how they are, takes a seat in one, and is answered there.
pub(super) fn lane(bench: &Bench) {
    let rules = LineRules {
        replicas: REPLICAS,
        max_concurrency: 64,
        limit: LimitRule::Adaptive,
        max_queue: 1_000,
        max_queue_bytes: 1 << 30,
        balancer: balancer("p2c").expect("a row of the table").pick,
        prefix_tokens: 0,
        declared: None,
    };
    let mut lines: Vec<Line<()>> = (0..ASKED).map(|_| Line::new(rules)).collect();
    let mut now = 1_000_000;
    bench.count(|times| {
        for at in 0..times {
            now += 1_000;
            for line in &lines {
                black_box(line.pool_state(Tick(now), &Prefix::default()));
            }
            let line = &mut lines[(at % ASKED as u64) as usize];
            let entrant = Entrant { seed: at, ..Entrant::default() };
            if let Entered::Go(seat) = line.enter(entrant, Tick(now), || ()) {
                black_box(line.on_answering(seat, Tick(now + 100)));
                line.end(seat, ANSWERED, Tick(now + 900));
            }
        }
    });
}

fn bound_model(bench: &Bench) -> (Params, Binding) {
    let params = super::model(bench);
    let names = experts();
    let binding = params.bind(&names[..ASKED].iter().map(String::as_str).collect::<Vec<_>>());
    (params, binding)
}

/// What a request meets: 8 experts, each with one pool of 64 replicas that do this and that.
struct World {
    fleet: Arc<Fleet>,
    route: Arc<Route>,
    pools: Vec<PoolState>,
    text: String,
}

impl World {
    fn new() -> World {
        let mut fleet = fleet();
        fleet.experts.truncate(ASKED);
        fleet.pools.truncate(ASKED);
        let pools = (0..ASKED).map(pool).collect();
        World { fleet: Arc::new(fleet), route: Arc::new(route()), pools, text: prompt(7, SHORT) }
    }

    fn ask(&self, signals: Signals) -> Ask {
        Ask {
            fleet: self.fleet.clone(),
            route: self.route.clone(),
            signals,
            needs: Needs {
                prompt_tokens: estimate_tokens(&self.text),
                prompt_bytes: SHORT as u32,
                ..Needs::default()
            },
            pools: self.pools.clone(),
        }
    }
}

fn pool(number: usize) -> PoolState {
    let replica = |at: usize| ReplicaState {
        is_up: !(at + number).is_multiple_of(17),
        in_flight: ((at * 7 + number) % 23) as u32,
        limit: 64,
        decoding: (at % 11) as u32,
        context_tokens: (at * 500) as f64,
        prefill_tokens: (at * 90) as f64,
        ..ReplicaState::default()
    };
    let replicas: Vec<ReplicaState> = (0..REPLICAS).map(replica).collect();
    PoolState {
        replicas_up: replicas.iter().filter(|replica| replica.is_up).count() as u32,
        in_flight: replicas.iter().map(|replica| replica.in_flight).sum(),
        limit: 64 * REPLICAS as u32,
        ttft_ms: 120.0 + number as f64,
        tpot_ms: 20.0,
        service_ms: 2_000.0,
        replicas,
        ..PoolState::default()
    }
}

fn route() -> Route {
    Route {
        name: "auto".to_owned(),
        experts: (0..ASKED).collect(),
        reference: ASKED - 1,
        quality_floor: 0.95,
        confidence: 0.95,
        objective: Objective::Joint,
        latency_per_s: NanoUsd(100_000),
        slo: None,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: 0.01,
        pinned: false,
        certificate: Some(certificate()),
        domain_promises: vec![],
    }
}

fn certificate() -> Certificate {
    Certificate {
        lambda: 1e-7,
        floor: 0.95,
        confidence: 0.95,
        method: "normal".to_owned(),
        rows: 1_500,
        lower_bound: 0.0,
        quality_ratio: 1.0,
        saved_pct: 50.0,
        ..Certificate::default()
    }
}

const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 0.1, tpot_ms: Some(0.01), service_ms: 0.9 };

const SHORT: usize = 2_048;
const ASKED: usize = 8;
const REPLICAS: usize = 64;
