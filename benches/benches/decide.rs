//! How long a decision takes once the signals are there, and both together.

use sluice_benches::{EXPERTS, experts, fleet, measure, prompt, trained};
use sluice_router::{
    Ask, Certificate, NanoUsd, Needs, Objective, PoolState, Route, Signals, Tick, WhenNone, classify, decide,
    estimate_tokens,
};
use std::sync::Arc;

fn main() {
    let params = trained();
    let names = experts();
    let binding = params.bind(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (fleet, route) = (Arc::new(fleet()), Arc::new(route()));
    let pools = vec![PoolState { replicas_up: 2, limit: 64, ..PoolState::default() }; EXPERTS];
    let text = prompt(7, 2_048);
    let ask = |signals: Signals| Ask {
        fleet: fleet.clone(),
        route: route.clone(),
        signals,
        needs: Needs { prompt_tokens: estimate_tokens(&text), prompt_bytes: 2_048, ..Needs::default() },
        pools: pools.clone(),
    };
    let ready = ask(classify(&params, &text, &binding));
    measure("decide, 14 experts, 14 pools", || decide(&ready, Tick(0), 7));
    measure("classify and decide, 2,048 bytes", || {
        decide(&ask(classify(&params, &text, &binding)), Tick(0), 7)
    });
}

fn route() -> Route {
    Route {
        name: "auto".to_owned(),
        experts: (0..EXPERTS).collect(),
        reference: EXPERTS - 1,
        quality_floor: 0.95,
        confidence: 0.95,
        objective: Objective::Joint,
        latency_per_s: NanoUsd(100_000),
        slo: None,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: 0.01,
        pinned: false,
        certificate: Some(Certificate {
            lambda: 1e-7,
            floor: 0.95,
            confidence: 0.95,
            method: "normal".to_owned(),
            rows: 1_500,
            lower_bound: 0.0,
            quality_ratio: 1.0,
            saved_pct: 50.0,
            ..Certificate::default()
        }),
        domain_promises: vec![],
    }
}
