//! The experts and their pools as a route sees them: an immutable snapshot of the configuration.

use crate::price::Price;
use crate::speed::Speed;
use serde::{Deserialize, Serialize};

/// Every expert and every pool, in the order of the configuration. Indices into it are stable for its life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// The answerers.
    pub experts: Vec<Expert>,
    /// Where they run; each names its expert by index.
    pub pools: Vec<Pool>,
}

/// One answerer as clients and prices know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expert {
    /// Its name, unique in the fleet.
    pub name: String,
    /// For some domains, or for everything.
    pub kind: Kind,
    /// Domains it declares; empty for a general expert.
    pub domains: Vec<String>,
    /// Languages it declares, ISO 639-1; empty means any.
    pub languages: Vec<String>,
    /// Words that send a request here when no certificate decides; lower case.
    pub keywords: Vec<String>,
    /// Largest prompt plus answer, in tokens.
    pub context_tokens: u32,
    /// Longest answer, in tokens, when the client names none.
    pub max_output_tokens: u32,
    /// What it can do beyond text: `tools`, `json_schema`, `vision`.
    pub features: Vec<String>,
    /// Whether it may see requests outside its domains.
    pub out_of_domain: OutOfDomain,
    /// Which data it may see.
    pub privacy: Privacy,
    /// Where it runs, compared with a request's residency.
    pub region: Option<String>,
    /// What it charges.
    pub price: Price,
}

/// Whether an expert is for some domains or for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// For its declared domains.
    Vertical,
    /// For everything.
    General,
}

/// What an expert does with a request outside its domains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfDomain {
    /// It may be chosen if the router thinks it capable.
    #[default]
    Allow,
    /// It is locked: it never sees one.
    Refuse,
}

/// Which data an expert may see; a request asks for at least one of these. Ordered from open to closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// May see public data only.
    #[default]
    Public,
    /// Runs inside our walls.
    Private,
    /// Runs on the asker's own device.
    Device,
}

/// A set of replicas that serve one expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name, unique in the fleet.
    pub name: String,
    /// Index of its expert in [`Fleet::experts`].
    pub expert: usize,
}

/// What a pool looked like when a decision was made. The order is that of [`Fleet::pools`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolState {
    /// Replicas that take work now.
    pub replicas_up: u32,
    /// Requests that are being answered.
    pub in_flight: u32,
    /// Requests that may be answered at once, over all replicas that are up.
    pub limit: u32,
    /// Requests that wait in the gateway's line and will go before the one that is decided on.
    pub queued: u32,
    /// Recent time to the first token, without the wait in line; 0 means not yet known.
    pub ttft_ms: f64,
    /// Recent time per output token; 0 means not yet known.
    pub tpot_ms: f64,
    /// Recent time from dispatch to the last byte; 0 means not yet known.
    pub service_ms: f64,
    /// Each replica of the pool, in its order; empty in receipts from before replicas were looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<ReplicaState>,
    /// How fast they are; `None` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

/// What one replica looked like, by the gateway's own count of what it has in work there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// Whether it takes work now.
    pub is_up: bool,
    /// Requests that it is answering.
    pub in_flight: u32,
    /// Requests that it may answer at once.
    pub limit: u32,
    /// Load there that isn't ours, as far as its engine's report is believed.
    #[serde(default)]
    pub foreign: u32,
    /// Requests whose first token has come.
    pub decoding: u32,
    /// Tokens of prompts and answers of those, by estimate.
    pub context_tokens: f64,
    /// Tokens of prompts whose first token has not come, less those in its cache, by estimate.
    pub prefill_tokens: f64,
    /// Expected tokens of all answers that it is at or has before it.
    #[serde(default)]
    pub output_tokens: f64,
    /// Tokens of this request's prompt that its cache holds, by estimate.
    pub hit_tokens: u32,
    /// Prompt tokens to work on that it was sent each second, lately: over each of [`RATES_OVER_MS`].
    #[serde(default)]
    pub prompt_rates: [f64; RATES_OVER_MS.len()],
}

/// Times over which the flow of prompts is known, in milliseconds: what an answer meets is told best by what came in about
/// as much time as it takes.
pub const RATES_OVER_MS: [f64; 3] = [1_000.0, 4_000.0, 16_000.0];

impl ReplicaState {
    /// The replica with the load that isn't ours counted like ours.
    pub(crate) fn with_foreign(&self) -> ReplicaState {
        if self.foreign == 0 {
            return *self;
        }
        // Of contexts that nobody tells, the mean of ours is the best guess.
        let each = if self.decoding > 0 { self.context_tokens / f64::from(self.decoding) } else { 0.0 };
        let more = 1.0 + f64::from(self.foreign) / f64::from(self.in_flight.max(1));
        ReplicaState {
            in_flight: self.in_flight.saturating_add(self.foreign),
            prompt_rates: self.prompt_rates.map(|rate| rate * more),
            decoding: self.decoding.saturating_add(self.foreign),
            context_tokens: self.context_tokens + f64::from(self.foreign) * each,
            ..*self
        }
    }
}

impl PoolState {
    /// What the pool has to do over what it can do at once: requests in work, in line and of others over its limit. Above 1
    /// when some must wait; a pool without a limit counts as full.
    pub fn load(&self) -> f64 {
        let foreign: u32 =
            self.replicas.iter().filter(|replica| replica.is_up).map(|replica| replica.foreign).sum();
        let work = f64::from(self.in_flight) + f64::from(self.queued) + f64::from(foreign);
        if self.limit == 0 { 1.0 } else { work / f64::from(self.limit) }
    }

    /// Expected wait until a slot is free, in milliseconds, at least 0.
    ///
    /// Requests ahead over the pool's rate of completion (`limit / service_ms`): exact for one first-come queue
    /// with known service times. An unknown service time counts as no wait.
    pub fn wait_ms(&self) -> f64 {
        let ahead = f64::from((self.in_flight + self.queued + 1).saturating_sub(self.limit));
        if self.limit == 0 { 0.0 } else { ahead * self.service_ms / f64::from(self.limit) }
    }
}

impl Fleet {
    /// The index of the expert with this name.
    pub fn expert(&self, name: &str) -> Option<usize> {
        self.experts.iter().position(|expert| expert.name == name)
    }

    /// Indices of the pools that serve `expert`.
    pub fn pools_of(&self, expert: usize) -> impl Iterator<Item = usize> + '_ {
        self.pools.iter().enumerate().filter(move |(_, pool)| pool.expert == expert).map(|(index, _)| index)
    }
}
