//! Whose a request is.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_router::{NanoUsd, Period, Privacy};

/// Whose a request is, by the key that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The organisation; `default` where no tenants are configured.
    pub tenant: String,
    /// The project; empty when the key is the organisation's own.
    pub project: String,
    /// The key's id, which is no secret; empty when none is needed.
    pub key: String,
    /// The share under contention.
    pub weight: u32,
    /// What bounds the request: tenant, project and key in this order, those that exist.
    pub levels: Vec<Level>,
    /// What it may ask for.
    pub policy: Policy,
}

/// What an identity may ask for. A request's own hints can tighten it, never loosen it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Routes that it may use; `None` is all.
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; `None` is all.
    pub experts: Option<Vec<String>>,
    /// Regions that may see its data; none is all.
    pub residency: Vec<String>,
    /// How private its data is at least.
    pub privacy: Privacy,
    /// What its requests are about, where they don't say so themselves.
    pub domain: Option<String>,
}

/// One level of an identity with its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Which.
    pub kind: LevelKind,
    /// `acme`, `acme/web` or `acme/web/KEY`: unique in the fleet, the name of its accounts.
    pub id: String,
    /// What may be spent.
    pub budget: Option<Budget>,
    /// What may be asked.
    pub limits: Limits,
}

/// A level's rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelKind {
    /// An organisation.
    Tenant,
    /// One of its projects.
    Project,
    /// A key.
    Key,
}

/// A hard budget: never overspent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// How much.
    pub amount: NanoUsd,
    /// How often it begins anew.
    pub period: Period,
}

/// Rates and counts; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Requests in a minute.
    pub requests_per_min: Option<u64>,
    /// Tokens in a minute, of prompts and answers.
    pub tokens_per_min: Option<u64>,
    /// Requests at once.
    pub concurrent: Option<u32>,
}

impl Identity {
    /// Everybody, where no tenants are configured.
    pub fn everybody() -> Identity {
        let (tenant, project, key) = ("default".to_owned(), String::new(), String::new());
        Identity { tenant, project, key, weight: 1, levels: Vec::new(), policy: Policy::default() }
    }

    /// Its place in the pools' lines; `None` for everybody, who are told apart by their keys alone.
    pub(crate) fn line(&self) -> Option<u64> {
        (!self.levels.is_empty()).then(|| short_hash(self.tenant.as_bytes()))
    }
}

/// Eight bytes of a SHA-256: they name something without showing it.
pub(crate) fn short_hash(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

impl LevelKind {
    /// As told to clients and written in records.
    pub fn name(self) -> &'static str {
        match self {
            LevelKind::Tenant => "tenant",
            LevelKind::Project => "project",
            LevelKind::Key => "key",
        }
    }
}
