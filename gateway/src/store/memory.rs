//! A journal that is gone with its process, for tests: the smallest store there is.

use super::{Journal, Ledger, Opening, StoreError, Stored};
use crate::record::Record;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps records in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Vec<Record>>>);

/// The row's constructor.
pub(super) fn journal(_rest: &str) -> Result<Arc<dyn Journal>, StoreError> {
    Ok(Arc::new(MemoryJournal::new()))
}

/// There is nothing to read from another process.
pub(super) fn ledger(_rest: &str) -> Result<Box<dyn Ledger>, StoreError> {
    Err(StoreError(
        "\"memory:\" is gone with its process; report on a file such as sqlite:sluice.db".to_owned(),
    ))
}

impl MemoryJournal {
    /// An empty journal; clones share its records.
    pub fn new() -> MemoryJournal {
        MemoryJournal::default()
    }

    /// What has been recorded so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for MemoryJournal {
    fn record(&self, record: Record) -> BoxFuture<'static, ()> {
        let mut records = self.lock();
        match records.iter_mut().find(|stored| is_same(stored, &record)) {
            // Of a closing the last word counts.
            Some(stored) if matches!(record, Record::Closed(_)) => *stored = record,
            Some(_) => {}
            None => records.push(record),
        }
        ready(()).boxed()
    }

    fn is_full(&self) -> bool {
        false
    }

    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>> {
        ready(find(&self.lock(), &decision_id, &tenant)).boxed()
    }

    fn flush(&self) -> Stored<()> {
        ready(Ok(())).boxed()
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn opening(&self) -> Opening {
        Opening { gateway: "memory".to_owned(), epoch: 1, open: Vec::new() }
    }

    fn oldest_waiting_ms(&self) -> Option<i64> {
        None
    }
}

fn is_same(a: &Record, b: &Record) -> bool {
    match (a, b) {
        (Record::Snapshot { config: a, .. }, Record::Snapshot { config: b, .. }) => a == b,
        (Record::Settled(a), Record::Settled(b)) => a.request_id == b.request_id,
        (Record::Closed(a), Record::Closed(b)) => (&a.account, a.epoch) == (&b.account, b.epoch),
        (Record::Held(a), Record::Held(b)) => a == b,
        (Record::Minute(a), Record::Minute(b)) => (&a.pool, a.start_ms) == (&b.pool, b.start_ms),
        _ => false,
    }
}

fn find(records: &[Record], decision_id: &str, tenant: &str) -> Result<Option<(String, String)>, StoreError> {
    let receipt = records.iter().find_map(|record| match record {
        Record::Settled(settled) if settled.tenant != tenant => None,
        Record::Settled(settled) => settled.receipt.as_ref().filter(|receipt| receipt.id == decision_id),
        _ => None,
    });
    let Some(receipt) = receipt else { return Ok(None) };
    let snapshot = records.iter().find_map(|record| match record {
        Record::Snapshot { config, json } => (*config == receipt.versions.config).then(|| json.clone()),
        _ => None,
    });
    let json = serde_json::to_string(receipt).map_err(|error| StoreError(format!("receipt: {error}")))?;
    Ok(snapshot.map(|snapshot| (json, snapshot)))
}
