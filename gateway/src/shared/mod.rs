//! What gateways have in common: budgets, limits and keys, as small values that are swapped whole.
//!
//! A backend knows nothing of money. It keeps values with versions, and puts a new one in place only where nobody else
//! did meanwhile; what the values mean is decided by the pure machines of the router, in the gateway that swaps them.

mod memory;
mod postgres;
mod redis;
mod sqlite;

pub use memory::MemoryShared;

use crate::store::{StoreError, Stored, without_secrets};
use std::sync::Arc;

/// A place that gateways share.
pub trait Shared: Send + Sync {
    /// A value with its version; `None` when there is none.
    ///
    /// # Errors
    /// The place can't be reached: try again later.
    fn get(&self, key: &str) -> Stored<Option<Versioned>>;

    /// Puts a value in place of the version that was seen (`None`: of nothing). False: somebody else was first, and
    /// nothing has changed.
    ///
    /// # Errors
    /// The place can't be reached. Whether the value was put there is then unknown: get it again.
    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool>;

    /// Removes the version that was seen. False: somebody else has changed it, and nothing was removed. A value that is
    /// put there afterwards may have a version that was there before, so only what nobody uses any more is removed.
    ///
    /// # Errors
    /// The place can't be reached. Whether the value was removed is then unknown.
    fn remove(&self, key: &str, seen: u64) -> Stored<bool>;

    /// All values whose keys begin so, in the order of their keys.
    ///
    /// # Errors
    /// The place can't be reached: try again later.
    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>>;

    /// What its operator should know of it although it works, such as that it would forget in a power cut; `None`
    /// when nothing is known to be wrong.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// A value as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Changes with each swap.
    pub version: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// A place, or why its URL can't be meant.
pub type OpenedShared = Result<Arc<dyn Shared>, StoreError>;

/// One kind of place.
#[derive(Debug)]
pub struct SharedRow {
    /// What its URLs begin with, before the colon.
    pub name: &'static str,
    /// Opens it, given the whole URL and the URL of this gateway's journal. Doesn't fail because the place is away:
    /// calls do.
    pub open: fn(&str, &str) -> OpenedShared,
    /// What it is, for reference pages.
    pub about: &'static str,
}

/// Every place that `[store] shared` may name. The order is the order in `docs/reference`.
pub const SHARED: &[SharedRow] = &[
    SharedRow {
        name: "memory",
        open: memory::open,
        about: "this gateway alone: kept in its own journal where that is a file",
    },
    SharedRow {
        name: "redis",
        open: redis::open,
        about: "a Redis or Valkey, as in `redis://10.0.0.5:6379/0?prefix=prod/`",
    },
    SharedRow {
        name: "postgres",
        open: postgres::open,
        about: "a table of a Postgres, as in `postgres://sluice@10.0.0.5/sluice`",
    },
];

/// Opens the place that a URL names.
///
/// # Errors
/// An unknown kind of place, or a URL that can't be meant.
pub fn open_shared(url: &str, journal: &str) -> Result<Arc<dyn Shared>, StoreError> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let row = SHARED.iter().find(|row| row.name == scheme).ok_or_else(|| {
        let known: Vec<&str> = SHARED.iter().map(|row| row.name).collect();
        let url = without_secrets(url);
        StoreError(format!("{url:?} names no shared store; it is one of {}", known.join(", ")))
    })?;
    (row.open)(url, journal)
}

#[cfg(test)]
pub(crate) mod tests;
