//! Tenants as they are meant: checked, and with every key as the digest of its secret.

use crate::tenants::{Budget, Digest, Limits, Policy};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantConfig {
    /// Unique; the name of its accounts and metrics.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The share under contention.
    pub weight: u32,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// What it may ask.
    pub limits: Limits,
    /// What it may ask for.
    pub policy: Policy,
    /// Parts of it.
    pub projects: Vec<ProjectConfig>,
    /// Its keys and those of its projects.
    pub keys: Vec<KeyConfig>,
}

/// A part of a tenant with bounds of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectConfig {
    /// Unique in the tenant.
    pub id: String,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// What it may ask.
    pub limits: Limits,
    /// Routes that it may use; `None` is all of the tenant's.
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; `None` is all of the tenant's.
    pub experts: Option<Vec<String>>,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyConfig {
    /// What its secret hashes to.
    pub digest: Digest,
    /// Unique; no secret.
    pub id: String,
    /// The project that it is for; empty when it is the tenant's own.
    pub project: String,
    /// Who has it.
    pub owner: String,
    /// From when on it is no longer good, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Routes that it may use; `None` is all of the level above.
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; `None` is all of the level above.
    pub experts: Option<Vec<String>>,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// What it may ask.
    pub limits: Limits,
}
