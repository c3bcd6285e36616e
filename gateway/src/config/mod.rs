//! The configuration: read strictly, checked wholly, then a value that the gateway can rely on.

mod check;
mod mistake;
mod prices;
mod raw;
mod starter;
mod tenant;

pub use mistake::{ConfigError, Mistake};
pub use raw::RawConfig;
pub(crate) use raw::{RawBudget, RawLimits};
pub use starter::STARTER;
pub use tenant::{KeyConfig, ProjectConfig, TenantConfig};

pub(crate) use check::is_http_address;
pub(crate) use prices::PriceList;

use crate::money::HoldMode;
use crate::tenants::Digest;
use sluice_experts::Secret;
use sluice_router::{BatchRules, CertifyBy, Declared, Expert, LimitRule, NanoUsd, Objective, Slo, WhenNone};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Listeners and limits.
    pub server: ServerConfig,
    /// Alias to route or expert.
    pub aliases: BTreeMap<String, String>,
    /// The router model's file.
    pub model: Option<PathBuf>,
    /// Share of the certified traffic that explores.
    pub explore: f64,
    /// The journal's address, with an absolute path.
    pub journal: String,
    /// What is kept beyond the journal.
    pub store: StoreConfig,
    /// Who is told of budgets that are used up to a step: a URL, which may be a secret.
    pub webhook: Option<Secret>,
    /// The answerers, in order; as read, with the earliest of their prices.
    pub experts: Vec<Expert>,
    /// What they charge, from when on.
    pub(crate) prices: PriceList,
    /// Their pools, in order.
    pub pools: Vec<PoolConfig>,
    /// Routes; one of them is `auto`.
    pub routes: Vec<RouteConfig>,
    /// Who may use the gateway; none is everybody.
    pub tenants: Vec<TenantConfig>,
}

impl Config {
    /// Gives each expert the price that is in force at a moment, in milliseconds since 1970.
    pub fn price_at(&mut self, unix_ms: i64) {
        for (expert, price) in self.experts.iter_mut().zip(self.prices.at(unix_ms)) {
            expert.price = *price;
        }
    }
}

/// What gateways have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// When money that is held is durable.
    pub hold: HoldMode,
    /// The common ledger's URL, which may hold a password.
    pub ledger: Option<Secret>,
    /// Records that may wait for the ledger.
    pub max_unshipped: u64,
    /// The URL of the place of budgets, limits and keys, which may hold a password.
    pub shared: Secret,
}

/// Listeners and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The data port.
    pub listen: SocketAddr,
    /// The admin port.
    pub admin_listen: SocketAddr,
    /// The hash of the key that the admin port's keys are guarded by; `None`: nobody may use them.
    pub admin_key: Option<Digest>,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a drain waits.
    pub drain: Duration,
}

/// A pool with its engines. Those that differ in their endpoints at most keep line, connections and health over a
/// reload.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// Its name, unique.
    pub name: String,
    /// Index of its expert.
    pub expert: usize,
    /// The dialect; `sim` and `replay` are replaced by `native` before the gateway starts.
    pub protocol: String,
    /// One address for each replica.
    pub endpoints: Vec<String>,
    /// Where replicas are found while the gateway runs; `None` for the list above.
    pub discover: Option<DiscoverConfig>,
    /// Pools with the same one share the pause after a 429.
    pub quota_group: String,
    /// Whether the engines' own reports of their load are heard.
    pub hears_reports: bool,
    /// Whether an answer that its client wants in one piece is asked for so; only the dialect `openai` can.
    pub asks_whole: bool,
    /// The engine's own name of the model.
    pub model: String,
    /// The engine's key.
    pub api_key: Option<Secret>,
    /// Requests that one replica answers at once, to begin with.
    pub max_concurrency: u32,
    /// Whether that limit is learned.
    pub limit: LimitRule,
    /// Requests that may wait.
    pub max_queue: usize,
    /// Bytes that those who wait may keep in memory.
    pub max_queue_bytes: u64,
    /// Set for engines that take whole batches: what those are made of. Twice so many requests are on a replica at
    /// most then, one batch in work and one that gathers.
    pub window: Option<BatchRules>,
    /// Name of a row of [`sluice_router::BALANCERS`].
    pub balance: String,
    /// Tokens that one replica's prefix cache keeps; 0 when nothing is to be known of one.
    pub prefix_tokens: u64,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the first token may take.
    pub first_token_timeout: Duration,
    /// How long an answer may be silent.
    pub idle_timeout: Duration,
    /// Further headers for the engine.
    pub headers: Vec<(String, String)>,
    /// Name or file of the GPU profile whose speed is expected of its replicas.
    pub profile: Option<String>,
    /// That speed. The gateway knows no profiles: whoever starts it reads them.
    pub declared: Option<Declared>,
    /// What a simulated pool is made of.
    pub sim: Option<SimConfig>,
}

impl PoolConfig {
    /// Whether the two differ in their endpoints at most.
    pub(crate) fn is_same_but_for_endpoints(&self, other: &PoolConfig) -> bool {
        *self == PoolConfig { endpoints: self.endpoints.clone(), ..other.clone() }
    }
}

/// Where a pool's replicas are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoverConfig {
    /// The way: `dns` or `file`.
    pub source: &'static str,
    /// What is asked: `host:port`, or an absolute path.
    pub place: String,
    /// Whether a public name may lead to private addresses.
    pub allow_private: bool,
}

/// What a simulated pool is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// Name or file of a GPU profile.
    pub profile: String,
    /// How much faster than real time.
    pub time_scale: f64,
    /// Replicas.
    pub replicas: u32,
    /// Files of graded outcomes whose recorded lengths are replayed; empty for plain simulation.
    pub data: Vec<PathBuf>,
}

/// A stricter floor for the requests of one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainFloor {
    /// The domain's name.
    pub domain: String,
    /// Its floor, at least the route's.
    pub floor: f64,
    /// Where it stands, as in `sluice.toml:12:31: route[0].domain_floor.health`.
    pub place: String,
}

/// A route before its certificate is known.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteConfig {
    /// The name that clients ask for.
    pub name: String,
    /// Experts, as indices.
    pub experts: Vec<usize>,
    /// The reference; `None` leaves it to the model, else to the dearest general expert.
    pub reference: Option<usize>,
    /// The promise.
    pub quality_floor: f64,
    /// How sure it is.
    pub confidence: f64,
    /// Domains with stricter floors, by name.
    pub domain_floors: Vec<DomainFloor>,
    /// Which bound certifies.
    pub certify_by: CertifyBy,
    /// What it makes least.
    pub objective: Objective,
    /// What a second is worth.
    pub latency_per_s: NanoUsd,
    /// Times to keep, and what a miss costs.
    pub slo: Option<Slo>,
    /// Bound on the worst case.
    pub max_cost: Option<NanoUsd>,
    /// What happens when no certified expert is up.
    pub when_none: WhenNone,
    /// Share of the route's requests that may have a second try; 0 means that none has.
    pub hedge_budget: f64,
}

/// Environment variables that override the file: `SLUICE_SECTION__KEY`.
pub type Overrides = BTreeMap<String, String>;

/// Reads and checks a file.
///
/// # Errors
/// Every mistake with its place and its mend.
pub fn load(path: &Path, environment: &Overrides) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::whole(&file, format!("can't be read: {error}; `sluice config init` writes a starter"))
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&file, &text, folder, environment)
}

/// Checks a configuration's text; relative paths in it are relative to `folder`.
///
/// # Errors
/// Every mistake with its place and its mend.
pub fn parse(file: &str, text: &str, folder: &Path, environment: &Overrides) -> Result<Config, ConfigError> {
    let raw: RawConfig = toml::from_str(text).map_err(|error| ConfigError::from_toml(file, text, &error))?;
    let raw = override_by(raw, file, text, environment)?;
    check::check(raw, file, text, folder, environment)
}

/// The JSON Schema of the file.
pub fn schema() -> String {
    let schema = schemars::schema_for!(RawConfig);
    serde_json::to_string_pretty(&schema).expect("a schema is plain JSON")
}

/// Applies `SLUICE_SECTION__KEY` variables; the sections are the plain tables of the file.
fn override_by(
    raw: RawConfig,
    file: &str,
    text: &str,
    environment: &Overrides,
) -> Result<RawConfig, ConfigError> {
    let overrides = environment.iter().filter_map(|(name, value)| {
        let (section, key) = name.strip_prefix("SLUICE_")?.split_once("__")?;
        let section = section.to_lowercase();
        SECTIONS.contains(&section.as_str()).then(|| (name, section, key.to_lowercase(), value))
    });
    let mut raw = raw;
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| ConfigError::from_toml(file, text, &error))?;
    for (name, section, key, value) in overrides {
        let inner = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(inner) = inner.as_table_mut() {
            inner.insert(key, as_toml(value));
        }
        let told = |error: toml::de::Error| {
            ConfigError::whole(&format!("environment variable {name}"), error.message().to_owned())
        };
        raw = table.clone().try_into().map_err(told)?;
    }
    Ok(raw)
}

/// A number or boolean where it reads as one, else a string.
fn as_toml(value: &str) -> toml::Value {
    let as_integer = value.parse().map(toml::Value::Integer);
    let as_float = || value.parse().map(toml::Value::Float);
    let as_boolean = || value.parse().map(toml::Value::Boolean);
    as_integer
        .or_else(|_| as_float().map_err(drop))
        .or_else(|()| as_boolean().map_err(drop))
        .unwrap_or_else(|()| toml::Value::String(value.to_owned()))
}

/// Sections that environment variables may override.
const SECTIONS: &[&str] = &["server", "router", "store", "alerts"];

#[cfg(test)]
mod tests;
