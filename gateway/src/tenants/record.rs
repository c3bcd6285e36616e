//! A key that was made while gateways ran, as it stands in the place that they share.

use super::digest::Digest;
use super::identity::{Budget, Limits};
use crate::shared::Versioned;
use serde::{Deserialize, Serialize};

/// Everything about a key but its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Unique; no secret.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// The project that it is for; empty when it is the tenant's own.
    #[serde(default)]
    pub project: String,
    /// Who has it.
    #[serde(default)]
    pub owner: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// From when on it is no longer good.
    #[serde(default)]
    pub expires_ms: Option<i64>,
    /// Routes that it may use; `None` is all of the level above.
    #[serde(default)]
    pub routes: Option<Vec<String>>,
    /// Experts that may answer it; `None` is all of the level above.
    #[serde(default)]
    pub experts: Option<Vec<String>>,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// What it may ask.
    #[serde(default)]
    pub limits: Limits,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_ms: Option<i64>,
}

/// What a key's record is called begins so.
pub(super) const PREFIX: &str = "key/";

impl KeyRecord {
    /// What the record of the key with this digest is called.
    pub(super) fn name(digest: &Digest) -> String {
        format!("{PREFIX}{}", digest.hex())
    }

    /// Reads a record; `None` for what is none, which other versions may have put there.
    pub(super) fn read(name: &str, value: &Versioned) -> Option<(Digest, KeyRecord)> {
        let digest = Digest::from_hex(name.strip_prefix(PREFIX)?).ok()?;
        Some((digest, serde_json::from_slice(&value.value).ok()?))
    }

    /// Whether it is good at a moment, in milliseconds since 1970.
    pub fn state(&self, unix_ms: i64) -> KeyState {
        match (self.revoked_ms, self.expires_ms) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(expires)) if unix_ms >= expires => KeyState::Expired,
            (None, _) => KeyState::Good,
        }
    }
}

/// Whether a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is.
    Good,
    /// Its time is over.
    Expired,
    /// Somebody has ended it.
    Revoked,
}

impl KeyState {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            KeyState::Good => "good",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        }
    }
}
