//! Whose a request is.

use sluice_router::{NanoUsd, Period};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How much.
    pub amount: NanoUsd,
    /// How often it begins anew.
    pub period: Period,
}

/// Rates and counts; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        Identity { tenant, project, key, weight: 1, levels: Vec::new() }
    }
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
