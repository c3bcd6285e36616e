//! A journal that notes every record that it is handed, so that one that is handed over twice shows.

use crate::record::{Minute, Record, Settled};
use crate::store::{Journal, MemoryJournal, Opening, Stored};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex};

/// [`MemoryJournal`] passes a repeated record over; this one keeps it.
#[derive(Clone, Default)]
pub(super) struct Watched {
    inner: MemoryJournal,
    settled: Arc<Mutex<Vec<Settled>>>,
    minutes: Arc<Mutex<Vec<Minute>>>,
}

impl Watched {
    /// Every minute of own GPUs that was booked.
    pub(super) fn minutes(&self) -> Vec<Minute> {
        self.minutes.lock().expect("nothing panics under it").clone()
    }

    /// Everything that was settled, in that order.
    pub(super) fn settled(&self) -> Vec<Settled> {
        self.settled.lock().expect("nothing panics under it").clone()
    }
}

impl Journal for Watched {
    fn record(&self, record: Record) -> BoxFuture<'static, ()> {
        match &record {
            Record::Settled(settled) => {
                self.settled.lock().expect("nothing panics under it").push((**settled).clone());
            }
            Record::Minute(minute) => {
                self.minutes.lock().expect("nothing panics under it").push(minute.clone());
            }
            _ => {}
        }
        self.inner.record(record)
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>> {
        self.inner.receipt(decision_id, tenant)
    }

    fn flush(&self) -> Stored<()> {
        self.inner.flush()
    }

    fn trouble(&self) -> Option<String> {
        self.inner.trouble()
    }

    fn opening(&self) -> Opening {
        self.inner.opening()
    }

    fn oldest_waiting_ms(&self) -> Option<i64> {
        self.inner.oldest_waiting_ms()
    }
}
