//! The rules of `[[expert.pool]]`: real engines with addresses, or simulated ones.

mod batching;

use super::super::mistake::{Mistakes, did_you_mean};
use super::super::raw::{RawExpert, RawLimit, RawPool, RawReport, RawUnary};
use super::super::{DiscoverConfig, Overrides, PoolConfig, SimConfig};
use sluice_experts::{PROTOCOLS, Secret};
use sluice_router::{BALANCERS, LimitRule};
use std::path::Path;
use std::time::Duration;

/// The pools of all experts, in order.
pub(super) fn check_pools(
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
    let window = batching::check_batching(place, raw, mistakes);
    let (max_concurrency, limit) = match (window, raw.limit) {
        (Some(rules), _) => (batching::on_a_replica(rules), LimitRule::Fixed),
        (None, RawLimit::Adaptive) => (raw.max_concurrency, LimitRule::Adaptive),
        (None, RawLimit::Fixed) => (raw.max_concurrency, LimitRule::Fixed),
    };
    PoolConfig {
        name: raw.name.clone(),
        expert,
        protocol: raw.protocol.clone(),
        endpoints: raw.endpoints.clone(),
        discover: check_discover(place, raw, mistakes),
        quota_group: raw.quota_group.clone().unwrap_or_else(|| raw.name.clone()),
        hears_reports: raw.report == RawReport::Auto,
        asks_whole: raw.unary == RawUnary::Whole && raw.protocol == "openai",
        model,
        api_key: check_key(place, raw, mistakes),
        max_concurrency,
        limit,
        window,
        max_queue: raw.max_queue,
        max_queue_bytes: raw.max_queue_bytes,
        balance: raw.balance.clone(),
        prefix_tokens: prefix_tokens(raw),
        connect_timeout: Duration::from_millis(raw.connect_timeout_ms),
        first_token_timeout: Duration::from_millis(raw.first_token_timeout_ms),
        idle_timeout: Duration::from_millis(raw.idle_timeout_ms),
        headers: raw.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
        profile: profile(place, raw),
        declared: None,
        sim,
    }
}

/// Names have no ending; a file's path is relative to the configuration, like any other.
fn profile(place: &Place<'_>, raw: &RawPool) -> Option<String> {
    let in_folder = |file: &String| place.folder.join(file).display().to_string();
    raw.profile.as_ref().map(|name| if name.ends_with(".toml") { in_folder(name) } else { name.clone() })
}

/// How much of each replica's prefix cache is remembered; a simulated replica really has one of this size.
fn prefix_tokens(raw: &RawPool) -> u64 {
    let usual = if raw.balance == "prefix" { USUAL_PREFIX_TOKENS } else { 0 };
    raw.prefix_cache_tokens.unwrap_or(usual)
}

fn check_endpoints(place: &Place<'_>, raw: &RawPool, mistakes: &mut Mistakes) {
    if !PROTOCOLS.iter().any(|row| row.name == raw.protocol) {
        let names = PROTOCOLS.iter().map(|row| row.name).chain(SIMULATED.iter().copied());
        let names: Vec<&str> = names.collect();
        let near = did_you_mean(&raw.protocol, names.iter().copied());
        mistakes
            .note(place.key("protocol"), format!("{:?} is none of {}{near}", raw.protocol, names.join(", ")));
    }
    if raw.endpoints.is_empty() && raw.discover.is_none() {
        mistakes
            .note(place.key("endpoints"), "needs at least one address, such as [\"http://10.0.0.11:8000\"]");
    }
    for (at, endpoint) in raw.endpoints.iter().enumerate() {
        if !is_http_address(endpoint) {
            let key = format!("{}[{at}]", place.key("endpoints"));
            mistakes.note(key, format!("{endpoint:?} is not an address such as \"http://10.0.0.11:8000\""));
        }
    }
    let simulated_only = [
        ("time_scale", raw.time_scale.is_some()),
        ("replicas", raw.replicas.is_some()),
        ("data", !raw.data.is_empty()),
    ];
    for (field, _) in simulated_only.iter().filter(|(_, given)| *given) {
        mistakes.note(place.key(field), "is for protocol \"sim\" or \"replay\" only");
    }
}

/// Whether it looks like an engine's address; what an engine can't use is told when it is connected.
pub(crate) fn is_http_address(text: &str) -> bool {
    let uri = text.parse::<http::Uri>().ok();
    uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

/// `None` for a pool with a list of endpoints.
fn check_discover(place: &Place<'_>, raw: &RawPool, mistakes: &mut Mistakes) -> Option<DiscoverConfig> {
    let discover = raw.discover.as_ref()?;
    let mut wrong = |field: &str, what: &str| mistakes.note(place.key(field), what);
    if !raw.endpoints.is_empty() {
        wrong("discover", "give endpoints or discover, not both");
    }
    if SIMULATED.contains(&raw.protocol.as_str()) {
        wrong("discover", "simulated replicas are not discovered; say replicas = 2 instead");
    }
    let allow_private = discover.allow_private;
    match (&discover.dns, &discover.file) {
        (Some(name), None) => {
            let port = name.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                wrong("discover", "dns needs a name with a port, such as \"experts.internal:8000\"");
            }
            Some(DiscoverConfig { source: "dns", place: name.clone(), allow_private })
        }
        (None, Some(file)) => {
            if allow_private {
                wrong("discover", "allow_private is for dns; a file's addresses are taken as they are");
            }
            let place = place.folder.join(file).display().to_string();
            Some(DiscoverConfig { source: "file", place, allow_private })
        }
        (Some(_), Some(_)) | (None, None) => {
            wrong("discover", "needs dns or file, one of the two");
            None
        }
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
    let Some(profile) = profile(place, raw) else {
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

/// About what a GPU of 80 GB keeps beside a model of 8 billion parameters, twice over: an engine that keeps less has
/// forgotten the rest, and those requests are merely not faster there.
const USUAL_PREFIX_TOKENS: u64 = 1_000_000;
/// Protocols whose engines Sluice starts by itself.
const SIMULATED: &[&str] = &["sim", "replay"];
