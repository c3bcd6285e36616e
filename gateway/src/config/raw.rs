//! The configuration as it is written: every key with its type, nothing checked beyond that.

mod price;
mod tenant;

pub(super) use price::{RawFx, RawPrice};
pub(crate) use tenant::{RawBudget, RawLimits};
pub(super) use tenant::{RawKey, RawPeriod, RawProject, RawTenant};

use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A configuration file, `sluice.toml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    /// Listeners and limits.
    pub server: RawServer,
    /// Names that old clients use, each standing for a route or an expert.
    pub aliases: BTreeMap<String, String>,
    /// The router model.
    pub router: RawRouter,
    /// Where records are kept.
    pub store: RawStore,
    /// Who is told of what needs an eye.
    pub alerts: RawAlerts,
    /// What currencies of prices are worth.
    pub fx: Vec<RawFx>,
    /// The answerers.
    pub expert: Vec<RawExpert>,
    /// Virtual model names with their promises.
    pub route: Vec<RawRoute>,
    /// Organisations that may use the gateway; none means everybody, without limits.
    pub tenant: Vec<RawTenant>,
}

/// Listeners and limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawServer {
    /// Address of the data port: gRPC and HTTP.
    pub listen: String,
    /// Address of the admin port: metrics and health.
    pub admin_listen: String,
    /// SHA-256 of the key that keys are made and revoked with over the admin port, 64 hex digits; without it nobody
    /// may.
    pub admin_key_sha256: Option<String>,
    /// Whether strangers may be served: needed to listen beyond loopback without keys.
    pub open: bool,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a drain waits for running requests, in milliseconds.
    pub drain_ms: u64,
}

impl Default for RawServer {
    fn default() -> RawServer {
        RawServer {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: "127.0.0.1:9090".to_owned(),
            admin_key_sha256: None,
            open: false,
            max_body_bytes: 8 << 20,
            drain_ms: 30_000,
        }
    }
}

/// Who is told of what needs an eye.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAlerts {
    /// Where a JSON message is posted when a budget is used up to 50, 80 and 100 percent: `http://` or `https://`.
    pub webhook: Option<String>,
}

/// The router model.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRouter {
    /// Path of the file that `sluice train` made, relative to this file. Without it everything goes to the
    /// reference.
    pub model: Option<String>,
    /// Share of the certified traffic that explores, 0 to 0.5.
    pub explore: f64,
}

/// Where records are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    /// This gateway's own durable record, `sqlite:PATH`, relative to this file.
    pub journal: String,
    /// When money that is held for a request is durable.
    pub hold: RawHold,
    /// A fleet's common ledger, `postgres://...`; the journal ships to it. Without it the journal is the whole ledger.
    pub ledger: Option<String>,
    /// Records that may wait for the ledger before new requests that cost anything are refused, at least 1.
    pub max_unshipped: u64,
    /// Where budgets, limits and keys are kept that gateways have in common: `memory`, `redis://...` or
    /// `postgres://...`. `memory` is this gateway alone.
    pub shared: String,
}

impl Default for RawStore {
    fn default() -> RawStore {
        RawStore {
            journal: "sqlite:sluice.db".to_owned(),
            hold: RawHold::Escrow,
            ledger: None,
            max_unshipped: 1_000_000,
            shared: "memory".to_owned(),
        }
    }
}

/// When money that is held for a request is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawHold {
    /// The budget's share is, before anything is spent from it; holds and settlements follow in groups.
    #[default]
    Escrow,
    /// Each hold is, before a byte leaves for it.
    Request,
}

/// One answerer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawExpert {
    /// Its name, unique; clients may ask for it.
    pub name: String,
    /// For some domains, or for everything.
    #[serde(default)]
    pub kind: RawKind,
    /// Domains it declares.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Languages it declares, ISO 639-1; none means any.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Words that send a request here while no certificate decides.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Largest prompt plus answer, in tokens.
    #[serde(default = "default_context")]
    pub context_tokens: u32,
    /// Longest answer, in tokens, when the client names none.
    #[serde(default = "default_max_output")]
    pub max_output_tokens: u32,
    /// What it can do beyond text: `tools`, `json_schema`, `vision`.
    #[serde(default)]
    pub features: Vec<String>,
    /// Whether it may see requests outside its domains.
    #[serde(default)]
    pub out_of_domain: RawOutOfDomain,
    /// Which data it may see.
    #[serde(default)]
    pub privacy: RawPrivacy,
    /// Where it runs.
    #[serde(default)]
    pub region: Option<String>,
    /// What it charges.
    pub price: RawPrice,
    /// What it will charge: prices as above, each with the date from which on it holds instead.
    #[serde(default)]
    pub price_from: Vec<RawPrice>,
    /// Where it runs: at least one pool.
    #[serde(default)]
    pub pool: Vec<RawPool>,
}

fn default_context() -> u32 {
    32_768
}

fn default_max_output() -> u32 {
    4_096
}

/// For some domains, or for everything.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawKind {
    /// For its declared domains.
    Vertical,
    /// For everything.
    #[default]
    General,
}

/// Whether an expert may see requests outside its domains.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawOutOfDomain {
    /// It may.
    #[default]
    Allow,
    /// It never sees one.
    Refuse,
}

/// Which data an expert may see.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPrivacy {
    /// Public data only.
    #[default]
    Public,
    /// It runs inside our walls.
    Private,
    /// It runs on the asker's own device.
    Device,
}

/// A set of replicas that serve one expert.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPool {
    /// Its name, unique.
    pub name: String,
    /// The dialect of its engines, or `sim` for simulated ones.
    #[serde(default = "default_protocol")]
    pub protocol: String,
    /// One address for each replica.
    #[serde(default)]
    pub endpoints: Vec<String>,
    /// Where replicas are found while the gateway runs, instead of `endpoints`.
    #[serde(default)]
    pub discover: Option<RawDiscover>,
    /// The engine's own name of the model; the expert's name when absent.
    #[serde(default)]
    pub model: Option<String>,
    /// Name of the environment variable that holds the engine's key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// Path of the file that holds the engine's key.
    #[serde(default)]
    pub api_key_file: Option<String>,
    /// Pools with the same word share a quota: a 429 from one of them pauses all; the pool's name when absent.
    #[serde(default)]
    pub quota_group: Option<String>,
    /// Whether the engines' own reports of their load are heard.
    #[serde(default)]
    pub report: RawReport,
    /// How engines are asked for an answer that its client wants in one piece.
    #[serde(default)]
    pub unary: RawUnary,
    /// Requests that one replica answers at once, to begin with.
    #[serde(default = "default_concurrency")]
    pub max_concurrency: u32,
    /// Whether that limit is learned.
    #[serde(default)]
    pub limit: RawLimit,
    /// Requests that may wait for a replica.
    #[serde(default = "default_queue")]
    pub max_queue: usize,
    /// Bytes of prompts that those who wait may keep in memory.
    #[serde(default = "default_queue_bytes")]
    pub max_queue_bytes: u64,
    /// Which replica gets a request.
    #[serde(default = "default_balance")]
    pub balance: String,
    /// Tokens that one replica's prefix cache keeps; with `balance = "prefix"` a million unless given, else none.
    #[serde(default)]
    pub prefix_cache_tokens: Option<u64>,
    /// How long a connection may take, in milliseconds.
    #[serde(default = "default_connect")]
    pub connect_timeout_ms: u64,
    /// How long the first token may take, in milliseconds.
    #[serde(default = "default_patience")]
    pub first_token_timeout_ms: u64,
    /// How long an answer may be silent, in milliseconds.
    #[serde(default = "default_patience")]
    pub idle_timeout_ms: u64,
    /// Further headers for the engine.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How requests are grouped.
    #[serde(default)]
    pub batching: RawBatching,
    /// The GPU profile of its replicas, by name or as a file, until their own answers tell how fast they are; with protocols
    /// `sim` and `replay` what is simulated.
    #[serde(default)]
    pub profile: Option<String>,
    /// Protocols `sim` and `replay`: how much faster than real time.
    #[serde(default)]
    pub time_scale: Option<f64>,
    /// Protocol `replay`: files of graded outcomes whose recorded lengths are replayed.
    #[serde(default)]
    pub data: Vec<String>,
    /// Protocols `sim` and `replay`: how many simulated replicas.
    #[serde(default)]
    pub replicas: Option<u32>,
}

/// Where replicas are found: one of `dns` and `file`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDiscover {
    /// A name with a port, `host:port`: each of its addresses is a replica.
    pub dns: Option<String>,
    /// Path of a file with one address a line, relative to this file.
    pub file: Option<String>,
    /// Whether a public name may lead to private addresses.
    pub allow_private: bool,
}

/// Whether the engines' own reports of their load are heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawReport {
    /// Where there are any.
    #[default]
    Auto,
    /// No.
    Off,
}

/// How engines are asked for an answer that its client wants in one piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawUnary {
    /// In one piece too.
    #[default]
    Whole,
    /// As a stream, which the gateway puts together.
    Stream,
}

fn default_protocol() -> String {
    "openai".to_owned()
}

fn default_concurrency() -> u32 {
    64
}

fn default_queue() -> usize {
    1_024
}

fn default_queue_bytes() -> u64 {
    64 << 20
}

fn default_balance() -> String {
    "p2c".to_owned()
}

fn default_connect() -> u64 {
    1_000
}

fn default_patience() -> u64 {
    30_000
}

/// Who sets the limit of a replica.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawLimit {
    /// Learned from the time to the first token: from `max_concurrency` on, up to eight times that.
    #[default]
    Adaptive,
    /// `max_concurrency`, always.
    Fixed,
}

/// How requests are grouped.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBatching {
    /// Who groups them.
    #[serde(default)]
    pub mode: RawBatchMode,
    /// Mode `window`: most requests of one batch.
    #[serde(default)]
    pub max_batch: Option<u32>,
    /// Mode `window`: most tokens, prompts and longest answers together, of one batch; no bound when absent.
    #[serde(default)]
    pub max_batch_tokens: Option<u64>,
}

/// Who groups requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawBatchMode {
    /// The engine, by continuous batching: each request goes when a slot is free.
    #[default]
    Continuous,
    /// Sluice, for engines that take whole batches: whoever waits when the engine is free goes together.
    Window,
}

/// A virtual model name with its promise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// The name that clients ask for.
    pub name: String,
    /// Experts that may serve it; `"*"` means all.
    #[serde(default = "default_experts")]
    pub experts: Vec<String>,
    /// The expert that quality is measured against.
    #[serde(default)]
    pub reference: Option<String>,
    /// Promise: mean score of at least this share of the reference's, 0 to 1.
    #[serde(default = "default_share")]
    pub quality_floor: f64,
    /// How sure the promise is, 0.5 to below 1.
    #[serde(default = "default_share")]
    pub confidence: f64,
    /// Stricter floors for single domains, each from the route's floor to 1: `{ health = 0.995 }`.
    #[serde(default)]
    pub domain_floor: BTreeMap<String, f64>,
    /// How the promise is certified.
    #[serde(default)]
    pub certificate: RawCertificate,
    /// What it makes least among the experts that keep the floor.
    #[serde(default)]
    pub objective: RawObjective,
    /// What a second until the answer is complete is worth, in decimal USD.
    #[serde(default)]
    pub latency_usd_per_s: Option<String>,
    /// Times that the route wants to keep, and what a predicted miss costs in the objective.
    #[serde(default)]
    pub slo: Option<RawSlo>,
    /// Bound on the worst case of each request, in decimal USD.
    #[serde(default)]
    pub max_cost_usd: Option<String>,
    /// What happens when no certified expert is up.
    #[serde(default)]
    pub when_none: RawWhenNone,
    /// Second tries beside one whose first token is late.
    #[serde(default)]
    pub hedge: RawHedge,
}

/// Second tries beside one whose first token is late.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHedge {
    /// Share of the route's requests that may have one, 0 to 0.5; 0 means none.
    #[serde(default)]
    pub budget: f64,
}

fn default_experts() -> Vec<String> {
    vec!["*".to_owned()]
}

fn default_share() -> f64 {
    0.95
}

/// Times that a route wants to keep: at least one of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSlo {
    /// Longest time to the first token, the wait in line included, in milliseconds.
    #[serde(default)]
    pub ttft_ms: Option<f64>,
    /// Longest mean time for each token after that, in milliseconds.
    #[serde(default)]
    pub tpot_ms: Option<f64>,
    /// What a predicted miss costs in the objective, in decimal USD.
    pub miss_usd: String,
}

/// What a route makes least.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawObjective {
    /// Cost, time and the risk of a missed SLO, as one sum of money.
    #[default]
    Joint,
    /// The price alone, blind to queues.
    Price,
    /// The time to the first token alone, blind to prices.
    Wait,
}

/// How a promise is certified.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawCertificate {
    /// A normal test for many rows, a betting bound for few.
    #[default]
    Auto,
    /// The betting bound, valid for any number of rows.
    Bets,
}

/// What happens when no certified expert is up.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawWhenNone {
    /// The best available answers, and the answer says so.
    #[default]
    Degrade,
    /// The request is refused.
    Refuse,
}

impl Default for RawRoute {
    /// The route that exists when none is named `auto`.
    fn default() -> RawRoute {
        RawRoute {
            name: "auto".to_owned(),
            experts: default_experts(),
            reference: None,
            quality_floor: default_share(),
            confidence: default_share(),
            domain_floor: BTreeMap::new(),
            certificate: RawCertificate::Auto,
            objective: RawObjective::Joint,
            latency_usd_per_s: None,
            slo: None,
            max_cost_usd: None,
            when_none: RawWhenNone::Degrade,
            hedge: RawHedge::default(),
        }
    }
}
