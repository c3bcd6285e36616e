//! The rules of `[[route]]`, and the route that exists when none is named `auto`.

use super::super::mistake::{Mistakes, did_you_mean};
use super::super::raw::{RawCertificate, RawConfig, RawObjective, RawRoute, RawWhenNone};
use super::super::{DomainFloor, RouteConfig};
use sluice_router::{CertifyBy, NanoUsd, Objective, Slo, WhenNone};

/// Every route, `auto` among them.
pub(super) fn check_routes(
    raw: &RawConfig,
    place: &dyn Fn(&str) -> String,
    mistakes: &mut Mistakes,
) -> Vec<RouteConfig> {
    let mut routes: Vec<RouteConfig> = raw
        .route
        .iter()
        .enumerate()
        .map(|(at, route)| check_route(at, route, raw, place, mistakes))
        .collect();
    if !routes.iter().any(|route| route.name == "auto") {
        routes.insert(0, check_route(raw.route.len(), &RawRoute::default(), raw, place, mistakes));
    }
    routes
}

fn check_route(
    at: usize,
    route: &RawRoute,
    raw: &RawConfig,
    place: &dyn Fn(&str) -> String,
    mistakes: &mut Mistakes,
) -> RouteConfig {
    let key = |field: &str| format!("route[{at}].{field}");
    let mut index = |key: String, name: &str| {
        let found = raw.expert.iter().position(|expert| expert.name == name);
        if found.is_none() {
            let near = did_you_mean(name, raw.expert.iter().map(|expert| expert.name.as_str()));
            mistakes.note(key, format!("no expert is named {name:?}{near}"));
        }
        found
    };
    let experts: Vec<usize> = if route.experts.iter().any(|name| name == "*") {
        (0..raw.expert.len()).collect()
    } else {
        let listed = route.experts.iter().enumerate();
        listed.filter_map(|(at, name)| index(format!("{}[{at}]", key("experts")), name)).collect()
    };
    let reference = route.reference.as_ref().and_then(|name| index(key("reference"), name));
    if route.experts.is_empty() {
        mistakes.note(key("experts"), "needs at least one expert; \"*\" means all");
    }
    let twice = experts.iter().enumerate().find(|(at, expert)| experts[..*at].contains(expert));
    if let Some((_, &expert)) = twice {
        mistakes.note(key("experts"), format!("names {:?} twice", raw.expert[expert].name));
    }
    if reference.is_some_and(|reference| !experts.contains(&reference)) {
        mistakes.note(key("reference"), "must be one of the route's experts");
    }
    if route.name.is_empty() {
        mistakes.note(key("name"), "must not be empty");
    }
    if !(route.quality_floor > 0.0 && route.quality_floor <= 1.0) {
        mistakes.note(key("quality_floor"), "must be above 0 and at most 1");
    }
    if !(0.5..1.0).contains(&route.confidence) {
        mistakes.note(key("confidence"), "must be at least 0.5 and below 1");
    }
    if !(0.0..=0.5).contains(&route.hedge.budget) {
        mistakes.note(key("hedge.budget"), "must be between 0 and 0.5");
    }
    let domain_floors = route.domain_floor.iter().map(|(domain, &floor)| {
        let key = format!("{}.{domain}", key("domain_floor"));
        let place = place(&key);
        if !(floor >= route.quality_floor && floor <= 1.0) {
            let what = format!("must be at least quality_floor, {}, and at most 1", route.quality_floor);
            mistakes.note(key, what);
        }
        DomainFloor { domain: domain.clone(), floor, place }
    });
    let domain_floors: Vec<DomainFloor> = domain_floors.collect();
    let mut money = |field: &str, text: &Option<String>| {
        let amount = mistakes.take(&key(field), text.as_deref().map(NanoUsd::from_usd).transpose())??;
        if amount.0 < 0 {
            mistakes.note(key(field), "must not be negative");
        }
        Some(amount)
    };
    RouteConfig {
        name: route.name.clone(),
        experts,
        reference,
        quality_floor: route.quality_floor,
        confidence: route.confidence,
        domain_floors,
        certify_by: match route.certificate {
            RawCertificate::Auto => CertifyBy::Auto,
            RawCertificate::Bets => CertifyBy::Bets,
        },
        objective: match route.objective {
            RawObjective::Joint => Objective::Joint,
            RawObjective::Price => Objective::Price,
            RawObjective::Wait => Objective::Wait,
        },
        latency_per_s: money("latency_usd_per_s", &route.latency_usd_per_s).unwrap_or_default(),
        max_cost: money("max_cost_usd", &route.max_cost_usd),
        slo: check_slo(&key, route, mistakes),
        when_none: match route.when_none {
            RawWhenNone::Degrade => WhenNone::Degrade,
            RawWhenNone::Refuse => WhenNone::Refuse,
        },
        hedge_budget: route.hedge.budget,
    }
}

fn check_slo(key: &impl Fn(&str) -> String, route: &RawRoute, mistakes: &mut Mistakes) -> Option<Slo> {
    let slo = route.slo.as_ref()?;
    for (field, limit) in [("slo.ttft_ms", slo.ttft_ms), ("slo.tpot_ms", slo.tpot_ms)] {
        if limit.is_some_and(|ms| !(ms > 0.0 && ms.is_finite())) {
            mistakes.note(key(field), "must be above 0");
        }
    }
    if slo.ttft_ms.is_none() && slo.tpot_ms.is_none() {
        mistakes
            .note(key("slo"), "needs ttft_ms or tpot_ms, such as { ttft_ms = 2000, miss_usd = \"0.02\" }");
    }
    let miss = mistakes.take(&key("slo.miss_usd"), NanoUsd::from_usd(&slo.miss_usd))?;
    if miss.0 < 0 {
        mistakes.note(key("slo.miss_usd"), "must not be negative");
    }
    Some(Slo { ttft_ms: slo.ttft_ms, tpot_ms: slo.tpot_ms, miss })
}
