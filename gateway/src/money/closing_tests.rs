//! A gateway that dies while it closes what an earlier start left open.

use super::{Books, HoldMode};
use crate::app::Spawner;
use crate::observe::Observer;
use crate::record::{Record, Settled};
use crate::shared::{MemoryShared, Shared, Versioned};
use crate::store::fixtures::settled;
use crate::store::{Journal, Stored, open_journal};
use crate::tenants::{Budget, Identity, Level, LevelKind, Limits};
use futures::FutureExt as _;
use futures::future::{Either, pending, select};
use sluice_router::{NanoUsd, Period, Vault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// A place that is asked to keep a value and never answers, when that is wanted.
#[derive(Default)]
struct Silent {
    inner: MemoryShared,
    is_silent: AtomicBool,
    asked: Notify,
}

impl Shared for Silent {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        self.inner.get(key)
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        if self.is_silent.load(Ordering::SeqCst) {
            self.asked.notify_one();
            return pending().boxed();
        }
        self.inner.swap(key, seen, value)
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        self.inner.remove(key, seen)
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        self.inner.list(prefix)
    }
}

/// A gateway that starts on this journal.
fn start(url: &str, shared: &Arc<Silent>) -> (Arc<dyn Journal>, Books) {
    let journal = open_journal(url).expect("opens");
    let spawner = Spawner { tasks: TaskTracker::new(), observe: Arc::new(Observer::new()) };
    let books = Books::new(shared.clone(), journal.clone(), HoldMode::Request, || 0, spawner);
    (journal, books)
}

#[tokio::test]
async fn a_start_that_dies_between_a_closing_and_its_vault_leaves_all_that_was_spent() {
    let folder = TempDir::new().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
    let budget = Budget { amount: NanoUsd(1_000), period: Period::Ever };
    let (kind, id, limits) = (LevelKind::Tenant, "acme".to_owned(), Limits::default());
    let level = Level { kind, id, budget: Some(budget), limits };
    let acme = Arc::new(Identity { levels: vec![level], ..Identity::everybody() });
    let shared = Arc::new(Silent::default());

    // The first start spends 700, and is killed before it tells the vault.
    let (journal, books) = start(&url, &shared);
    let purse = books.purse(&acme);
    purse.open().await.expect("the place is there");
    let held = purse.hold(NanoUsd(800), pending().boxed()).await.expect("covered");
    let mut charges = Vec::new();
    held.settle(NanoUsd(700), &mut charges);
    journal.record(Record::Settled(Box::new(Settled { charges, ..settled(1) }))).await;
    journal.flush().await.expect("durable");
    drop((purse, books, journal));

    // The second has written down that it closes the first one's share, and is killed before the vault is kept.
    let (journal, books) = start(&url, &shared);
    shared.is_silent.store(true, Ordering::SeqCst);
    let opened =
        select(books.open(std::slice::from_ref(&acme)).boxed(), shared.asked.notified().boxed()).await;
    assert!(matches!(opened, Either::Right(_)), "it waits for an answer");
    drop(opened);
    journal.flush().await.expect("durable");
    drop((books, journal));
    shared.is_silent.store(false, Ordering::SeqCst);

    let (journal, books) = start(&url, &shared);
    books.open(&[acme]).await;
    let kept = shared.get("budget/acme/ever/0").await.expect("there").expect("a vault");
    let vault: Vault = serde_json::from_slice(&kept.value).expect("a vault");
    assert_eq!((vault.spent(), vault.unattributed()), (NanoUsd(700), NanoUsd::ZERO));
    journal.flush().await.expect("durable");
    drop((books, journal));
    let (journal, _books) = start(&url, &shared);
    assert!(!journal.opening().open.iter().any(|open| open.epoch == 1), "it is in force now");
}
