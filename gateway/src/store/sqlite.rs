//! The journal in one SQLite file: one writer thread that commits in groups, one reader thread for receipts.

mod fault;
mod insert;
mod lock;
mod opening;
mod outbox;
mod purge;
mod queued;
mod read;
mod receipt;
mod schema;
mod scribe;
mod writer;

pub(crate) use fault::explain;
pub(crate) use outbox::{Outbox, Waiting};
pub(crate) use schema::{Look, prepare};

use super::{Journal, Ledger, Opening, StoreError, Stored};
use crate::record::Record;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use queued::Queued;
use read::{Question, SqliteLedger};
use scribe::Scribe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};
use writer::State;

/// A journal in one file.
pub(super) struct SqliteJournal(Arc<Inner>);

/// The row's constructor for the write side.
pub(super) fn journal(rest: &str) -> Result<Arc<dyn Journal>, StoreError> {
    SqliteJournal::open(&path(rest)?).map(|journal| Arc::new(journal) as Arc<dyn Journal>)
}

/// The row's constructor for the read side.
pub(super) fn ledger(rest: &str) -> Result<Box<dyn Ledger>, StoreError> {
    SqliteLedger::open(&path(rest)?).map(|ledger| Box::new(ledger) as Box<dyn Ledger>)
}

/// `sqlite:sluice.db`, `sqlite:/var/lib/sluice.db` and `sqlite:///var/lib/sluice.db` are all understood.
pub(crate) fn path(rest: &str) -> Result<PathBuf, StoreError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(':') {
        return Err(StoreError("name the file, for instance \"sqlite:sluice.db\"".to_owned()));
    }
    Ok(PathBuf::from(path))
}

impl SqliteJournal {
    /// Takes the file for this process, checks it, and starts the writer.
    pub(super) fn open(path: &Path) -> Result<SqliteJournal, StoreError> {
        let lock = lock::WriterLock::take(path)?;
        let (connection, writer_id) = schema::open_to_write(path)?;
        let opening = opening::read(&connection, writer_id).map_err(|error| fault::explain(path, &error))?;
        SqliteJournal::start(path, lock, connection, writer_id, opening)
    }

    fn start(
        path: &Path,
        lock: lock::WriterLock,
        connection: rusqlite::Connection,
        writer_id: i64,
        opening: Opening,
    ) -> Result<SqliteJournal, StoreError> {
        let shared = Arc::new(Shared::default());
        let (records, inbox) = mpsc::channel(WAITING_RECORDS);
        let writer = writer::spawn(path, Scribe::new(connection, writer_id), inbox, shared.clone())?;
        let (questions, asked) = mpsc::channel(WAITING_QUESTIONS);
        let reader = read::spawn(path, asked)?;
        Ok(SqliteJournal(Arc::new(Inner {
            records: Some(records),
            questions: Some(questions),
            writer: Some(writer),
            reader: Some(reader),
            shared,
            opening,
            _lock: lock,
        })))
    }
}

/// The journal's file without its thread: groups are written where one is handed over. For benchmarks, which count what
/// the thread does.
pub struct JournalFile {
    path: PathBuf,
    scribe: Scribe,
    _lock: lock::WriterLock,
}

impl JournalFile {
    /// Takes the file for this process.
    ///
    /// # Errors
    /// As of [`super::open_journal`].
    pub fn open(path: &Path) -> Result<JournalFile, StoreError> {
        let lock = lock::WriterLock::take(path)?;
        let (connection, writer_id) = schema::open_to_write(path)?;
        Ok(JournalFile { path: path.to_owned(), scribe: Scribe::new(connection, writer_id), _lock: lock })
    }

    /// Writes records as one transaction.
    ///
    /// # Errors
    /// The disk's, or the rule that a record breaks.
    pub fn write(&mut self, group: Vec<Record>) -> Result<(), StoreError> {
        let group: Vec<Queued> = group.into_iter().map(Queued::new).collect();
        match self.scribe.write(&group) {
            Ok(refused) => refused.map_or(Ok(()), |why| Err(StoreError(why))),
            Err(error) => Err(fault::explain(&self.path, &error)),
        }
    }
}

impl Journal for SqliteJournal {
    fn record(&self, record: Record) -> BoxFuture<'static, ()> {
        let (inner, queued) = (self.0.clone(), Queued::new(record));
        async move {
            // Counted before it is in the line, so that a flush never waits for too few.
            if let Ok(place) = inner.records().reserve().await {
                inner.shared.handed.fetch_add(1, Ordering::SeqCst);
                place.send(queued);
            }
        }
        .boxed()
    }

    fn is_full(&self) -> bool {
        let records = self.0.records();
        records.capacity() == 0 || records.is_closed()
    }

    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>> {
        let (inner, flushed) = (self.0.clone(), self.flush());
        async move {
            // In trouble, whatever is durable can still be shown.
            let _ = flushed.await;
            let (answer, answered) = oneshot::channel();
            let questions = inner.questions.as_ref().expect("there until drop");
            let gone = || StoreError("the journal's reader has ended".to_owned());
            questions.send(Question { decision_id, tenant, answer }).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        }
        .boxed()
    }

    fn flush(&self) -> Stored<()> {
        let inner = self.0.clone();
        async move {
            let target = inner.shared.handed.load(Ordering::SeqCst);
            // It may be between two looks, or gathering; somebody waits now.
            inner.shared.is_awaited.store(true, Ordering::SeqCst);
            inner.wake_writer();
            let mut state = inner.shared.state.subscribe();
            let failures = state.borrow().failures;
            let settled = |state: &State| state.written >= target || state.failures > failures || state.ended;
            let Ok(now) = state.wait_for(settled).await else { return Ok(()) };
            if now.written >= target {
                return Ok(());
            }
            Err(StoreError(now.trouble.clone().unwrap_or_else(|| ENDED.to_owned())))
        }
        .boxed()
    }

    fn trouble(&self) -> Option<String> {
        let state = self.0.shared.state.borrow();
        let ended = || state.ended.then(|| ENDED.to_owned());
        state.trouble.clone().or_else(|| state.refused.clone()).or_else(ended)
    }

    fn opening(&self) -> Opening {
        self.0.opening.clone()
    }

    fn oldest_waiting_ms(&self) -> Option<i64> {
        let oldest = self.0.shared.oldest_ms.load(Ordering::Relaxed);
        (oldest != NONE_WAITING).then_some(oldest)
    }
}

/// What a journal holds until its last user, a waiting call included, has gone.
struct Inner {
    records: Option<mpsc::Sender<Queued>>,
    questions: Option<mpsc::Sender<Question>>,
    writer: Option<JoinHandle<()>>,
    reader: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    opening: Opening,
    _lock: lock::WriterLock,
}

impl Inner {
    fn records(&self) -> &mpsc::Sender<Queued> {
        self.records.as_ref().expect("there until drop")
    }

    fn wake_writer(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for Inner {
    /// Ends the reader first: whoever closes the file last folds the write-ahead log into it, and only the writer may.
    fn drop(&mut self) {
        self.questions = None;
        end(self.reader.take());
        self.records = None;
        end(self.writer.take());
    }
}

/// Waits for a thread whose line has been closed; one that panicked has said so on stderr already.
fn end(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        thread.thread().unpark();
        let _ = thread.join();
    }
}

/// What the writer tells everybody else.
struct Shared {
    /// Records that were put in line, ever.
    handed: AtomicU64,
    /// Whether somebody waits for what was put in line to be durable.
    is_awaited: AtomicBool,
    /// When the first record of the group that is being written was made.
    oldest_ms: AtomicI64,
    state: watch::Sender<State>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared {
            handed: AtomicU64::new(0),
            is_awaited: AtomicBool::new(false),
            oldest_ms: AtomicI64::new(NONE_WAITING),
            state: watch::Sender::new(State::default()),
        }
    }
}

/// Records in line before [`Journal::record`] waits; some 4 KiB each.
const WAITING_RECORDS: usize = 4_096;
const WAITING_QUESTIONS: usize = 64;
const NONE_WAITING: i64 = i64::MAX;
const ENDED: &str = "the journal's writer has ended; restart the gateway";

#[cfg(test)]
mod tests;
