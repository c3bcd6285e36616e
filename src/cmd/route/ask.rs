//! The router behind `sluice route`: model, prices and certificate made ready, then one decision after the other.

use super::line::Prompt;
use super::{Args, Failure, inputs, say};
use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;
use sluice_lab::Stopwatch;
use sluice_lab::corpus::{Prices, load_prices};
use sluice_router::{
    Ask, Binding, Certificate, CertifyAsk, CertifyBy, Decision, Expert, Fleet, Kind, NanoUsd, Needs,
    Objective, OutOfDomain, Params, Pool, PoolState, Price, Privacy, Quote, Route, Signals, Tick, WhenNone,
    classify, decide, prompt_hash,
};
use std::sync::Arc;

pub(super) struct Router {
    params: Params,
    binding: Binding,
    fleet: Arc<Fleet>,
    route: Arc<Route>,
    pools: Vec<PoolState>,
    seed: u64,
}

/// One line of output.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    id: &'a Value,
    expert: &'a str,
    domain: Option<String>,
    p_domain: Option<f64>,
    p_out_of_scope: Option<f64>,
    language: Option<String>,
    quotes: Vec<Offer<'a>>,
    propensity: f64,
    decide_us: f64,
}

#[derive(Serialize)]
struct Offer<'a> {
    expert: &'a str,
    p_capable: f64,
    p_lower: f64,
    cost_nanousd: i64,
    worst_nanousd: i64,
    wait_ms: f64,
    eligible: bool,
    reason: Option<String>,
}

impl Router {
    pub(super) fn new(args: &Args) -> Result<Router, Failure> {
        let params = inputs::model(&args.model)?;
        let prices = load_prices(&args.prices).map_err(Failure::input)?;
        let names = experts(args, &params, &prices)?;
        let priced: Vec<(&str, Price)> = names.iter().map(|name| (name.as_str(), prices[name])).collect();
        let reference = match &args.reference {
            Some(name) => name.clone(),
            None => params.default_reference(&priced).map_err(Failure::input)?,
        };
        let at = names.iter().position(|name| *name == reference);
        let at =
            at.ok_or_else(|| Failure::input(anyhow!("the reference {reference} is not among the experts")))?;
        let certificate = certify(&params, &priced, &reference, args);
        let route = route(names.len(), at, args, certificate);
        Ok(Router {
            binding: params.bind(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            fleet: Arc::new(fleet(&priced)),
            route: Arc::new(route),
            pools: vec![PoolState { replicas_up: 1, limit: 1, ..PoolState::default() }; names.len()],
            params,
            seed: args.seed,
        })
    }

    /// Decides one prompt. `decide_us` is the time from text in memory to the decision.
    pub(super) fn decide<'a>(&'a self, prompt: &'a Prompt) -> Answer<'a> {
        let seed = self.seed ^ prompt_hash(&prompt.id.to_string());
        let clock = Stopwatch::start();
        let signals = classify(&self.params, &prompt.text, &self.binding);
        let ask = Ask {
            fleet: self.fleet.clone(),
            route: self.route.clone(),
            signals,
            needs: Needs {
                prompt_tokens: prompt.tokens,
                prompt_bytes: u32::try_from(prompt.bytes).unwrap_or(u32::MAX),
                max_output_tokens: prompt.max_tokens,
                ..Needs::default()
            },
            pools: self.pools.clone(),
        };
        let decision = decide(&ask, Tick(0), seed).expect("every expert is up and nothing is required of it");
        let decide_us = clock.micros();
        self.answer(prompt, &ask.signals, &decision, decide_us)
    }

    fn answer<'a>(
        &'a self,
        prompt: &'a Prompt,
        signals: &Signals,
        decision: &Decision,
        decide_us: f64,
    ) -> Answer<'a> {
        let name = |expert: usize| self.fleet.experts[expert].name.as_str();
        let offer = |quote: &Quote| Offer {
            expert: name(quote.expert),
            p_capable: quote.p_capable,
            p_lower: quote.p_lower,
            cost_nanousd: quote.cost.0,
            worst_nanousd: quote.worst.0,
            wait_ms: quote.wait_ms,
            eligible: quote.is_eligible(),
            reason: quote.reason.as_ref().map(ToString::to_string),
        };
        Answer {
            id: &prompt.id,
            expert: name(decision.steps[0].expert),
            domain: signals.domain().map(|share| share.name.clone()),
            p_domain: signals.domain().map(|share| share.p),
            p_out_of_scope: signals.p_out_of_scope,
            language: signals.language().map(|share| share.name.clone()),
            quotes: decision.quotes.iter().map(offer).collect(),
            propensity: decision.propensity,
            decide_us: (decide_us * 10.0).round() / 10.0,
        }
    }
}

fn experts(args: &Args, params: &Params, prices: &Prices) -> Result<Vec<String>, Failure> {
    let known = params.experts();
    for name in &args.experts {
        let lacking = if !known.contains(name) { "model" } else { "prices" };
        if !known.contains(name) || !prices.contains_key(name) {
            let message = format!("the {lacking} does not know {name}; leave it out of --experts or add it");
            return Err(Failure::input(anyhow!(message)));
        }
    }
    if !args.experts.is_empty() {
        return Ok(args.experts.clone());
    }
    let (priced, unpriced): (Vec<&String>, Vec<&String>) =
        known.iter().partition(|name| prices.contains_key(*name));
    if !unpriced.is_empty() {
        let names: Vec<&str> = unpriced.into_iter().map(String::as_str).collect();
        say(&format!("warning: no price for {}; left out", names.join(", ")));
    }
    if priced.is_empty() {
        return Err(Failure::input(anyhow!("none of the model's experts has a price; check --prices")));
    }
    Ok(priced.into_iter().cloned().collect())
}

/// The certificate, or the reason on stderr why the reference serves all.
fn certify(params: &Params, experts: &[(&str, Price)], reference: &str, args: &Args) -> Option<Certificate> {
    let (floor, confidence) = (args.floor, args.confidence);
    match params.certify(&CertifyAsk { experts, reference, floor, confidence, by: CertifyBy::Auto }) {
        Ok(certificate) => Some(certificate),
        Err(refusal) => {
            say(&format!("every prompt goes to the reference {reference}: {refusal}"));
            None
        }
    }
}

fn route(experts: usize, reference: usize, args: &Args, certificate: Option<Certificate>) -> Route {
    Route {
        name: "route".to_owned(),
        experts: (0..experts).collect(),
        reference,
        quality_floor: args.floor,
        confidence: args.confidence,
        objective: Objective::Joint,
        latency_per_s: NanoUsd::ZERO,
        slo: None,
        max_cost: None,
        when_none: WhenNone::Degrade,
        explore: args.explore,
        pinned: false,
        certificate,
        domain_promises: vec![],
    }
}

/// Experts as prices know them, each with one nominal pool that is up and idle.
fn fleet(priced: &[(&str, Price)]) -> Fleet {
    let expert = |(name, price): &(&str, Price)| Expert {
        name: (*name).to_owned(),
        kind: Kind::General,
        domains: vec![],
        languages: vec![],
        keywords: vec![],
        context_tokens: u32::MAX,
        max_output_tokens: USUAL_OUTPUT_BOUND,
        features: vec![],
        out_of_domain: OutOfDomain::Allow,
        privacy: Privacy::Public,
        region: None,
        price: *price,
    };
    let pool = |expert| Pool { name: format!("pool-{expert}"), expert };
    Fleet { experts: priced.iter().map(expert).collect(), pools: (0..priced.len()).map(pool).collect() }
}

/// The bound on an answer's length when neither client nor configuration names one.
const USUAL_OUTPUT_BOUND: u32 = 4_096;
