//! Cases of the pure core: from a text to signals, from an ask to a decision, from a line to a seat.

use crate::counted::Bench;
use crate::wide::{ASKED, REPLICAS, Wide};
use crate::{experts, prompt};
use sluice_router::{
    Binding, Entered, Entrant, LimitRule, Line, LineRules, Params, Prefix, Tick, Verdict, balancer, classify,
    decide,
};
use std::hint::black_box;

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
    let world = Wide::of(SHORT);
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
    let world = Wide::of(SHORT);
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

const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 0.1, tpot_ms: Some(0.01), service_ms: 0.9 };

const SHORT: usize = 2_048;
