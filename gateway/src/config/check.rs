//! From what was written to what it means: every rule of the file, all mistakes at once.

use super::mistake::{ConfigError, Mistakes, did_you_mean};
use super::raw::{
    RawCertificate, RawConfig, RawExpert, RawKind, RawOutOfDomain, RawPool, RawPrivacy, RawRoute, RawServer,
    RawWhenNone,
};
use super::{Config, Overrides, PoolConfig, RouteConfig, ServerConfig, SimConfig};
use sluice_experts::{PROTOCOLS, Secret};
use sluice_router::{BALANCERS, CertifyBy, Expert, Kind, NanoUsd, OutOfDomain, Price, Privacy, WhenNone};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Checks everything that the types don't say.
pub(super) fn check(
    raw: RawConfig,
    file: &str,
    text: &str,
    folder: &Path,
    environment: &Overrides,
) -> Result<Config, ConfigError> {
    let mut mistakes = Mistakes::default();
    let server = check_server(&raw.server, &mut mistakes);
    let experts = check_experts(&raw.expert, &mut mistakes);
    let pools = check_pools(&raw.expert, folder, environment, &mut mistakes);
    let routes = check_routes(&raw, &mut mistakes);
    check_names(&raw, &mut mistakes);
    if !(0.0..=0.5).contains(&raw.router.explore) {
        mistakes.note("router.explore", "must be between 0 and 0.5");
    }
    let journal = check_journal(&raw.store.journal, folder, &mut mistakes);
    mistakes.end(file, text)?;
    Ok(Config {
        server: server.expect("no mistakes were noted"),
        aliases: raw.aliases,
        model: raw.router.model.map(|model| folder.join(model)),
        explore: raw.router.explore,
        journal,
        experts,
        pools,
        routes,
    })
}

fn check_server(raw: &RawServer, mistakes: &mut Mistakes) -> Option<ServerConfig> {
    let mut address = |key: &str, text: &str| {
        let parsed = text.parse::<SocketAddr>();
        let told = |_| format!("{text:?} is not an address with a port, such as \"127.0.0.1:8080\"");
        mistakes.take(key, parsed.map_err(told))
    };
    let listen = address("server.listen", &raw.listen);
    let admin_listen = address("server.admin_listen", &raw.admin_listen);
    if raw.max_body_bytes < 1_024 {
        mistakes.note("server.max_body_bytes", "must be at least 1024");
    }
    let listen = listen?;
    if !listen.ip().is_loopback() && !raw.open {
        mistakes.note(
            "server.listen",
            format!("{listen} can be reached from outside and no keys are configured; listen on 127.0.0.1, or set open = true under [server]"),
        );
    }
    let drain = Duration::from_millis(raw.drain_ms);
    Some(ServerConfig { listen, admin_listen: admin_listen?, max_body_bytes: raw.max_body_bytes, drain })
}

fn check_experts(raws: &[RawExpert], mistakes: &mut Mistakes) -> Vec<Expert> {
    if raws.is_empty() {
        mistakes
            .note("expert", "there is none; add at least one [[expert]] (`sluice config init` shows how)");
    }
    let checked = raws.iter().enumerate().filter_map(|(at, raw)| check_expert(at, raw, mistakes));
    checked.collect()
}

fn check_expert(at: usize, raw: &RawExpert, mistakes: &mut Mistakes) -> Option<Expert> {
    let key = |field: &str| format!("expert[{at}].{field}");
    if raw.name.is_empty() {
        mistakes.note(key("name"), "must not be empty");
    }
    if raw.max_output_tokens == 0 || raw.max_output_tokens > raw.context_tokens {
        mistakes.note(key("max_output_tokens"), "must be between 1 and context_tokens");
    }
    if matches!(raw.kind, RawKind::Vertical) && raw.domains.is_empty() {
        mistakes.note(key("domains"), "a vertical expert needs at least one domain, such as [\"law\"]");
    }
    if matches!(raw.out_of_domain, RawOutOfDomain::Refuse) && raw.domains.is_empty() {
        mistakes.note(key("out_of_domain"), "\"refuse\" needs domains, or it would refuse everything");
    }
    if raw.keywords.iter().any(|word| word.trim().is_empty()) {
        mistakes.note(key("keywords"), "must not hold an empty word: it occurs in every prompt");
    }
    if raw.pool.is_empty() {
        mistakes.note(key("pool"), format!("expert {:?} has no [[expert.pool]] to run in", raw.name));
    }
    let price = Price::from_decimals(
        &raw.price.input_per_mtok,
        raw.price.cached_input_per_mtok.as_deref(),
        &raw.price.output_per_mtok,
    );
    let price = mistakes.take(&key("price"), price)?;
    Some(Expert {
        name: raw.name.clone(),
        kind: match raw.kind {
            RawKind::Vertical => Kind::Vertical,
            RawKind::General => Kind::General,
        },
        domains: raw.domains.clone(),
        languages: raw.languages.clone(),
        keywords: raw.keywords.iter().map(|word| word.to_lowercase()).collect(),
        context_tokens: raw.context_tokens,
        max_output_tokens: raw.max_output_tokens,
        features: raw.features.clone(),
        out_of_domain: match raw.out_of_domain {
            RawOutOfDomain::Allow => OutOfDomain::Allow,
            RawOutOfDomain::Refuse => OutOfDomain::Refuse,
        },
        privacy: match raw.privacy {
            RawPrivacy::Public => Privacy::Public,
            RawPrivacy::Private => Privacy::Private,
            RawPrivacy::Device => Privacy::Device,
        },
        region: raw.region.clone(),
        price,
    })
}

fn check_pools(
    experts: &[RawExpert],
    folder: &Path,
    environment: &Overrides,
    mistakes: &mut Mistakes,
) -> Vec<PoolConfig> {
    let mut pools = Vec::new();
    for (expert, raw_expert) in experts.iter().enumerate() {
        for (at, raw) in raw_expert.pool.iter().enumerate() {
            let place = Place { key: format!("expert[{expert}].pool[{at}]"), folder, environment };
            let model = raw.model.clone().unwrap_or_else(|| raw_expert.name.clone());
            pools.push(check_pool(&place, expert, model, raw, mistakes));
        }
    }
    pools
}

/// Where a pool stands in the file, and what its paths and variables refer to.
struct Place<'a> {
    key: String,
    folder: &'a Path,
    environment: &'a Overrides,
}

impl Place<'_> {
    fn key(&self, field: &str) -> String {
        format!("{}.{field}", self.key)
    }
}

fn check_pool(
    place: &Place<'_>,
    expert: usize,
    model: String,
    raw: &RawPool,
    mistakes: &mut Mistakes,
) -> PoolConfig {
    let sim = check_sim(place, raw, mistakes);
    if sim.is_none() {
        check_endpoints(place, raw, mistakes);
    }
    if !BALANCERS.iter().any(|row| row.name == raw.balance) {
        let names: Vec<&str> = BALANCERS.iter().map(|row| row.name).collect();
        mistakes.note(place.key("balance"), format!("{:?} is none of {}", raw.balance, names.join(", ")));
    }
    let at_least_one = [
        ("max_concurrency", u64::from(raw.max_concurrency)),
        ("connect_timeout_ms", raw.connect_timeout_ms),
        ("first_token_timeout_ms", raw.first_token_timeout_ms),
        ("idle_timeout_ms", raw.idle_timeout_ms),
    ];
    for (field, _) in at_least_one.iter().filter(|(_, value)| *value == 0) {
        mistakes.note(place.key(field), "must be at least 1");
    }
    PoolConfig {
        name: raw.name.clone(),
        expert,
        protocol: raw.protocol.clone(),
        endpoints: raw.endpoints.clone(),
        model,
        api_key: check_key(place, raw, mistakes),
        max_concurrency: raw.max_concurrency,
        max_queue: raw.max_queue,
        balance: raw.balance.clone(),
        connect_timeout: Duration::from_millis(raw.connect_timeout_ms),
        first_token_timeout: Duration::from_millis(raw.first_token_timeout_ms),
        idle_timeout: Duration::from_millis(raw.idle_timeout_ms),
        headers: raw.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
        sim,
    }
}

fn check_endpoints(place: &Place<'_>, raw: &RawPool, mistakes: &mut Mistakes) {
    if !PROTOCOLS.iter().any(|row| row.name == raw.protocol) {
        let names = PROTOCOLS.iter().map(|row| row.name).chain(SIMULATED.iter().copied());
        let names: Vec<&str> = names.collect();
        let near = did_you_mean(&raw.protocol, names.iter().copied());
        mistakes
            .note(place.key("protocol"), format!("{:?} is none of {}{near}", raw.protocol, names.join(", ")));
    }
    if raw.endpoints.is_empty() {
        mistakes
            .note(place.key("endpoints"), "needs at least one address, such as [\"http://10.0.0.11:8000\"]");
    }
    for (at, endpoint) in raw.endpoints.iter().enumerate() {
        let uri = endpoint.parse::<http::Uri>().ok();
        let is_http =
            uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        if !is_http {
            let key = format!("{}[{at}]", place.key("endpoints"));
            mistakes.note(key, format!("{endpoint:?} is not an address such as \"http://10.0.0.11:8000\""));
        }
    }
    let simulated_only = [
        ("profile", raw.profile.is_some()),
        ("time_scale", raw.time_scale.is_some()),
        ("replicas", raw.replicas.is_some()),
        ("data", !raw.data.is_empty()),
    ];
    for (field, _) in simulated_only.iter().filter(|(_, given)| *given) {
        mistakes.note(place.key(field), "is for protocol \"sim\" or \"replay\" only");
    }
}

/// `None` for a pool with real engines.
fn check_sim(place: &Place<'_>, raw: &RawPool, mistakes: &mut Mistakes) -> Option<SimConfig> {
    if !SIMULATED.contains(&raw.protocol.as_str()) {
        return None;
    }
    if !raw.endpoints.is_empty() {
        mistakes
            .note(place.key("endpoints"), "simulated replicas have no addresses; say replicas = 2 instead");
    }
    let time_scale = raw.time_scale.unwrap_or(1.0);
    if !(time_scale > 0.0 && time_scale <= 10_000.0) {
        mistakes.note(place.key("time_scale"), "must be above 0 and at most 10000");
    }
    let replicas = raw.replicas.unwrap_or(1);
    if !(1..=64).contains(&replicas) {
        mistakes.note(place.key("replicas"), "must be between 1 and 64");
    }
    match (raw.protocol.as_str(), raw.data.is_empty()) {
        ("replay", true) => {
            mistakes.note(place.key("data"), "protocol \"replay\" needs files of graded outcomes")
        }
        ("sim", false) => mistakes.note(place.key("data"), "is for protocol \"replay\" only"),
        _ => {}
    }
    let Some(profile) = raw.profile.clone() else {
        mistakes.note(place.key("profile"), "a simulated pool needs a GPU profile, such as \"8b-a100\"");
        return None;
    };
    let data = raw.data.iter().map(|file| place.folder.join(file)).collect();
    Some(SimConfig { profile, time_scale, replicas, data })
}

fn check_key(place: &Place<'_>, raw: &RawPool, mistakes: &mut Mistakes) -> Option<Secret> {
    match (&raw.api_key_env, &raw.api_key_file) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            mistakes.note(place.key("api_key_file"), "give api_key_env or api_key_file, not both");
            None
        }
        (Some(name), None) => {
            let value = place.environment.get(name).filter(|value| !value.trim().is_empty());
            let missing = || format!("environment variable {name} is not set");
            mistakes
                .take(&place.key("api_key_env"), value.ok_or_else(missing))
                .map(|value| Secret::new(value))
        }
        (None, Some(file)) => {
            let read = std::fs::read_to_string(place.folder.join(file));
            let told = |error| format!("{file:?} can't be read: {error}");
            mistakes.take(&place.key("api_key_file"), read.map_err(told)).map(|value| Secret::new(&value))
        }
    }
}

fn check_routes(raw: &RawConfig, mistakes: &mut Mistakes) -> Vec<RouteConfig> {
    let mut routes: Vec<RouteConfig> =
        raw.route.iter().enumerate().map(|(at, route)| check_route(at, route, raw, mistakes)).collect();
    if !routes.iter().any(|route| route.name == "auto") {
        routes.insert(0, check_route(raw.route.len(), &RawRoute::default(), raw, mistakes));
    }
    routes
}

fn check_route(at: usize, route: &RawRoute, raw: &RawConfig, mistakes: &mut Mistakes) -> RouteConfig {
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
        certify_by: match route.certificate {
            RawCertificate::Auto => CertifyBy::Auto,
            RawCertificate::Bets => CertifyBy::Bets,
        },
        latency_per_s: money("latency_usd_per_s", &route.latency_usd_per_s).unwrap_or_default(),
        max_cost: money("max_cost_usd", &route.max_cost_usd),
        when_none: match route.when_none {
            RawWhenNone::Degrade => WhenNone::Degrade,
            RawWhenNone::Refuse => WhenNone::Refuse,
        },
    }
}

/// Names that clients may ask for are unique, and aliases lead somewhere.
fn check_names(raw: &RawConfig, mistakes: &mut Mistakes) {
    let mut seen = BTreeSet::from(["auto"]);
    let routes = raw.route.iter().enumerate().map(|(at, route)| (format!("route[{at}].name"), &route.name));
    let experts =
        raw.expert.iter().enumerate().map(|(at, expert)| (format!("expert[{at}].name"), &expert.name));
    let mut auto_seen = false;
    for (key, name) in routes.chain(experts) {
        let is_first_auto = name == "auto" && key.starts_with("route") && !auto_seen;
        auto_seen |= is_first_auto;
        if !is_first_auto && !seen.insert(name) {
            mistakes.note(key, format!("{name:?} is the name of another route or expert too"));
        }
    }
    for (alias, target) in &raw.aliases {
        if seen.contains(alias.as_str()) {
            mistakes.note(format!("aliases.{alias}"), "is the name of a route or expert too");
        }
        if !seen.contains(target.as_str()) {
            let near = did_you_mean(target, seen.iter().copied());
            mistakes
                .note(format!("aliases.{alias}"), format!("no route or expert is named {target:?}{near}"));
        }
    }
    let mut pools = BTreeSet::new();
    for (expert, raw_expert) in raw.expert.iter().enumerate() {
        for (at, pool) in raw_expert.pool.iter().enumerate() {
            if pool.name.is_empty() || !pools.insert(&pool.name) {
                let key = format!("expert[{expert}].pool[{at}].name");
                mistakes.note(key, format!("{:?} must be unique and not empty", pool.name));
            }
        }
    }
}

/// The address with its path made absolute against the file's folder.
fn check_journal(url: &str, folder: &Path, mistakes: &mut Mistakes) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => format!("sqlite:{}", folder.join(path).display()),
        _ if url == "memory:" => url.to_owned(),
        _ => {
            mistakes.note("store.journal", format!("{url:?} is not an address such as \"sqlite:sluice.db\""));
            String::new()
        }
    }
}

/// Protocols whose engines Sluice starts by itself.
const SIMULATED: &[&str] = &["sim", "replay"];
