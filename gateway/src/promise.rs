//! What each route promises: its certificates, or why its requests go to the reference.

use crate::config::{Config, RouteConfig};
use crate::start_error::StartError;
use sluice_router::{
    ByDomain, Certificate, CertifyAsk, DomainPromise, Fleet, Kind, Params, Price, Refusal, Route,
};

/// A promise in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What is promised for which requests and on what evidence, or why they go to the reference.
    pub line: String,
    /// Under a certificate: what each expert gets, and its mean regret.
    pub regrets: Vec<String>,
}

/// A route with its certificates where they can be had, and one promise for it and for each domain with its own floor.
pub(crate) fn certified_route(
    config: &Config,
    route: &RouteConfig,
    fleet: &Fleet,
    params: Option<&Params>,
) -> (Route, Vec<Promise>) {
    let priced: Vec<(&str, Price)> = route
        .experts
        .iter()
        .map(|&expert| (fleet.experts[expert].name.as_str(), fleet.experts[expert].price))
        .filter(|(name, _)| params.is_some_and(|params| params.experts().iter().any(|known| known == name)))
        .collect();
    let reference = route.reference.unwrap_or_else(|| reference(fleet, route, params, &priced));
    let reference_name = fleet.experts[reference].name.as_str();
    let ask = CertifyAsk {
        experts: &priced,
        reference: reference_name,
        floor: route.quality_floor,
        confidence: route.confidence,
        by: route.certify_by,
    };
    let found = certify(params, &ask, route);
    let mut promises = vec![promise(&format!("route {}", route.name), reference_name, &found.rest)];
    for (floor, certificate) in route.domain_floors.iter().zip(&found.domains) {
        let what = format!("route {}, domain {}", route.name, floor.domain);
        promises.push(promise(&what, reference_name, certificate));
    }
    let own = route.domain_floors.iter().zip(found.domains).map(|(floor, certificate)| DomainPromise {
        domain: floor.domain.clone(),
        floor: floor.floor,
        certificate: certificate.ok(),
    });
    let route = Route {
        name: route.name.clone(),
        experts: route.experts.clone(),
        reference,
        quality_floor: route.quality_floor,
        confidence: route.confidence,
        objective: route.objective,
        latency_per_s: route.latency_per_s,
        slo: route.slo,
        max_cost: route.max_cost,
        when_none: route.when_none,
        explore: config.explore,
        pinned: false,
        certificate: found.rest.ok(),
        domain_promises: own.collect(),
    };
    (route, promises)
}

/// What the model's grades prove; without a model nothing.
fn certify(params: Option<&Params>, ask: &CertifyAsk, route: &RouteConfig) -> Found {
    let Some(params) = params else {
        let why = || Err("there is no router model".to_owned());
        let unseen = || Err("there is no router model to tell its requests apart".to_owned());
        return Found { rest: why(), domains: route.domain_floors.iter().map(|_| unseen()).collect() };
    };
    let floors: Vec<(&str, f64)> =
        route.domain_floors.iter().map(|floor| (floor.domain.as_str(), floor.floor)).collect();
    let ByDomain { rest, domains } = params.certify_by_domain(ask, &floors);
    let told = |found: Result<Certificate, Refusal>| found.map_err(|refusal| refusal.to_string());
    Found { rest: told(rest), domains: domains.into_iter().map(told).collect() }
}

/// Certificates, or why there is none.
struct Found {
    rest: Result<Certificate, String>,
    domains: Vec<Result<Certificate, String>>,
}

fn promise(what: &str, reference: &str, found: &Result<Certificate, String>) -> Promise {
    match found {
        Ok(certificate) => Promise {
            line: format!(
                "{what}: {} ({}): about {:.0} % saved",
                certificate.promise(reference),
                certificate.evidence(),
                certificate.saved_pct
            ),
            regrets: certificate.regret_lines(),
        },
        Err(why) => {
            Promise { line: format!("{what}: everything goes to {reference}: {why}"), regrets: vec![] }
        }
    }
}

/// Whether the model tells every domain apart that has a floor of its own. Without a model nothing can be said.
///
/// # Errors
/// [`StartError::Domain`].
pub(crate) fn check_domains(config: &Config, params: Option<&Params>) -> Result<(), StartError> {
    let Some(params) = params else { return Ok(()) };
    let mut floors = config.routes.iter().flat_map(|route| &route.domain_floors);
    let Some(unknown) = floors.find(|floor| !params.domains().contains(&floor.domain)) else { return Ok(()) };
    let (name, known) = (unknown.domain.clone(), params.domains().to_vec());
    let why = Refusal::UnknownDomain { name, known }.to_string();
    Err(StartError::Domain { place: unknown.place.clone(), why })
}

/// The graded expert with the highest mean score; without grades the dearest general expert, else the dearest.
fn reference(fleet: &Fleet, route: &RouteConfig, params: Option<&Params>, priced: &[(&str, Price)]) -> usize {
    let by_grades = params.and_then(|params| params.default_reference(priced).ok());
    if let Some(expert) = by_grades.and_then(|name| fleet.expert(&name)) {
        return expert;
    }
    let rank = |&&expert: &&usize| {
        let expert = &fleet.experts[expert];
        (expert.kind == Kind::General, expert.price.output + expert.price.input)
    };
    let dearest = route.experts.iter().rev().max_by_key(rank);
    *dearest.expect("a checked route has experts")
}
