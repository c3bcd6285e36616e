//! `[[tenant]]` as it is written.

use super::RawPrivacy;
use schemars::JsonSchema;
use serde::Deserialize;

/// An organisation that may use the gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTenant {
    /// Its id, unique: up to 64 of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// Its keys, or those of its projects. `sluice key create` makes more of them while the gateway runs.
    #[serde(default)]
    pub keys: Vec<RawKey>,
    /// Parts of it with bounds of their own.
    #[serde(default)]
    pub project: Vec<RawProject>,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<RawBudget>,
    /// What it may ask.
    #[serde(default)]
    pub limits: RawLimits,
    /// Regions that may see its data; none means all.
    #[serde(default)]
    pub residency: Vec<String>,
    /// How private its data is at least.
    #[serde(default)]
    pub privacy: RawPrivacy,
    /// What its requests are about, where they don't say so.
    #[serde(default)]
    pub domain: Option<String>,
    /// Its share under contention, 1 to 1000.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// Routes that it may use; all when absent.
    #[serde(default)]
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; all when absent.
    #[serde(default)]
    pub experts: Option<Vec<String>>,
}

/// A part of a tenant with bounds of its own, which hold beside the tenant's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProject {
    /// Its id, unique in the tenant.
    pub id: String,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<RawBudget>,
    /// What it may ask.
    #[serde(default)]
    pub limits: RawLimits,
    /// Routes that it may use; all of the tenant's when absent.
    #[serde(default)]
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; all of the tenant's when absent.
    #[serde(default)]
    pub experts: Option<Vec<String>>,
}

/// A key, by the hash of its secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawKey {
    /// SHA-256 of the secret, 64 hex digits: `printf %s "$KEY" | sha256sum`.
    pub sha256: String,
    /// What records and people call it, unique; made of the hash when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// The project that it is for.
    #[serde(default)]
    pub project: Option<String>,
    /// Who has it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Until when it is good: RFC 3339, or a date whose end is meant, in UTC.
    #[serde(default)]
    pub expires: Option<String>,
    /// Routes that it may use; all of the tenant's or project's when absent.
    #[serde(default)]
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; all of the tenant's or project's when absent.
    #[serde(default)]
    pub experts: Option<Vec<String>>,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<RawBudget>,
    /// What it may ask.
    #[serde(default)]
    pub limits: RawLimits,
}

/// A hard budget: never overspent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBudget {
    /// How much, in decimal USD.
    pub usd: String,
    /// How often it begins anew, in UTC.
    #[serde(default)]
    pub period: RawPeriod,
}

/// How often a budget begins anew.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPeriod {
    /// At midnight.
    Day,
    /// On Mondays.
    Week,
    /// On the first.
    #[default]
    Month,
    /// Never: it is for all time.
    Ever,
}

/// Rates and counts; no bound when absent.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Requests in a minute.
    pub requests_per_min: Option<u64>,
    /// Tokens in a minute, of prompts and answers.
    pub tokens_per_min: Option<u64>,
    /// Requests at once.
    pub concurrent: Option<u32>,
}

fn default_weight() -> u32 {
    1
}
