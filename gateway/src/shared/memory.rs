//! A place of one gateway: its journal's file, or nothing but memory where the journal is no file.

use super::{Shared, Versioned, sqlite};
use crate::store::{StoreError, Stored};
use futures::FutureExt as _;
use futures::future::ready;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values in a map, gone with their process.
#[derive(Debug, Clone, Default)]
pub struct MemoryShared(Arc<Mutex<BTreeMap<String, Versioned>>>);

/// The row's constructor.
pub(super) fn open(_url: &str, journal: &str) -> Result<Arc<dyn Shared>, StoreError> {
    match journal.strip_prefix("sqlite:") {
        Some(rest) => sqlite::open(rest),
        None => Ok(Arc::new(MemoryShared::default())),
    }
}

impl MemoryShared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Versioned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared for MemoryShared {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        ready(Ok(self.lock().get(key).cloned())).boxed()
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        let mut values = self.lock();
        let found = values.get(key).map(|found| found.version);
        if found == seen {
            values.insert(key.to_owned(), Versioned { version: seen.unwrap_or(0) + 1, value });
        }
        ready(Ok(found == seen)).boxed()
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        let mut values = self.lock();
        let is_seen = values.get(key).is_some_and(|found| found.version == seen);
        if is_seen {
            values.remove(key);
        }
        ready(Ok(is_seen)).boxed()
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        let values = self.lock();
        let found = values.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        let found: Vec<(String, Versioned)> =
            found.map(|(key, value)| (key.clone(), value.clone())).collect();
        ready(Ok(found)).boxed()
    }
}
