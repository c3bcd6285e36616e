//! Marks of a budget, with a journal that has no room for a while.

use super::account::Account;
use super::books::{HoldMode, Means};
use crate::app::Spawner;
use crate::observe::Observer;
use crate::record::Record;
use crate::shared::MemoryShared;
use crate::store::{Journal, MemoryJournal, Opening, Stored};
use crate::tenants::{Budget, Level, LevelKind, Limits};
use futures::FutureExt as _;
use futures::future::{BoxFuture, pending};
use sluice_router::{EscrowShare, Holder, NanoUsd, Period, ShareRules, Short};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::task::TaskTracker;

/// A journal that makes its callers wait while it is full.
struct Busy {
    inner: MemoryJournal,
    is_full: Arc<AtomicBool>,
}

impl Journal for Busy {
    fn record(&self, record: Record) -> BoxFuture<'static, ()> {
        if self.is_full.load(Ordering::SeqCst) { pending().boxed() } else { self.inner.record(record) }
    }

    fn is_full(&self) -> bool {
        self.is_full.load(Ordering::SeqCst)
    }

    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>> {
        self.inner.receipt(decision_id, tenant)
    }

    fn flush(&self) -> Stored<()> {
        self.inner.flush()
    }

    fn trouble(&self) -> Option<String> {
        None
    }

    fn opening(&self) -> Opening {
        self.inner.opening()
    }

    fn oldest_waiting_ms(&self) -> Option<i64> {
        None
    }
}

fn account() -> Account {
    let budget = Budget { amount: NanoUsd(1_000), period: Period::Ever };
    let (kind, id, limits) = (LevelKind::Tenant, "acme".to_owned(), Limits::default());
    let level = Level { kind, id, budget: Some(budget), limits };
    let holder = Holder { gateway: "a".to_owned(), epoch: 1 };
    let share = EscrowShare::new(holder, ShareRules { holds_are_synced: false, life_ms: 1_000 });
    Account::new("budget/acme/ever/0".to_owned(), &level, (budget, Period::Ever.span(0)), share)
}

/// A client may leave while its request waits for the journal. The mark that it was about to hand over is known to the
/// share by then: whoever comes next must write it before it counts.
#[tokio::test]
async fn a_mark_whose_caller_went_away_is_written_before_it_counts() {
    let (inner, is_full) = (MemoryJournal::new(), Arc::new(AtomicBool::new(false)));
    let journal = Arc::new(Busy { inner: inner.clone(), is_full: is_full.clone() });
    let spawner = Spawner { tasks: TaskTracker::new(), observe: Arc::new(Observer::new()) };
    let (shared, opening) = (Arc::new(MemoryShared::default()), journal.opening());
    let means = Means { shared, journal, opening, mode: HoldMode::Escrow, unix_ms: || 0, spawner };
    let account = account();
    assert!(matches!(account.hold(NanoUsd(10)), Err(Short::Grant { .. })));
    account.take_more(&means).await.expect("the store is there");
    assert_eq!(account.hold(NanoUsd(10)), Err(Short::Mark));

    is_full.store(true, Ordering::SeqCst);
    assert!(account.mark(&means, NanoUsd(10)).now_or_never().is_none(), "it waits, and is dropped");
    is_full.store(false, Ordering::SeqCst);

    account.mark(&means, NanoUsd(10)).await.expect("the journal has room again");
    let _held = account.hold(NanoUsd(10)).expect("marked");
    let mut marks = inner.records().into_iter().filter_map(|record| match record {
        Record::Mark { amount, .. } => Some(amount),
        _ => None,
    });
    assert!(marks.next_back().is_some_and(|mark| mark >= NanoUsd(10)), "{:?}", inner.records());
}
