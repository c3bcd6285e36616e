//! The place of a gateway that shares with nobody: a table in its journal's file. Other processes on the same machine
//! may open it too, such as `sluice key create` beside a gateway.

use super::{Shared, Versioned};
use crate::store::sqlite::{Look, explain, path, prepare};
use crate::store::{StoreError, Stored};
use futures::FutureExt as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A connection with a thread of its own, so that nobody on the runtime waits for a disk.
struct SqliteShared(Arc<Inner>);

/// What stays open until its last user, a waiting call included, has gone.
struct Inner {
    path: PathBuf,
    calls: Option<mpsc::Sender<Call>>,
    thread: Option<JoinHandle<()>>,
}

type Call = Box<dyn FnOnce(&Connection) + Send>;

/// Opens the journal's file, given its URL's rest.
pub(super) fn open(rest: &str) -> Result<Arc<dyn Shared>, StoreError> {
    let path = path(rest)?;
    let connection = prepare(&path, Look::AtItsHead)?;
    connection.busy_handler(Some(wait)).map_err(|error| explain(&path, &error))?;
    let (calls, mut inbox) = mpsc::channel::<Call>(WAITING_CALLS);
    let work = move || {
        while let Some(call) = inbox.blocking_recv() {
            call(&connection);
        }
    };
    let thread = std::thread::Builder::new().name("sluice-shared".to_owned()).spawn(work);
    let thread = thread.map_err(|error| StoreError(format!("thread of the shared store: {error}")))?;
    Ok(Arc::new(SqliteShared(Arc::new(Inner { path, calls: Some(calls), thread: Some(thread) }))))
}

/// The journal's writer holds the file for some milliseconds at a time: asking again soon gets it soon.
fn wait(tries: i32) -> bool {
    std::thread::sleep(BETWEEN_TRIES);
    tries < MOST_TRIES
}

impl SqliteShared {
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Stored<T> {
        let (answer, answered) = oneshot::channel();
        let (inner, path) = (self.0.clone(), self.0.path.clone());
        let call: Call = Box::new(move |connection| {
            // Whoever asked may have gone.
            let _ = answer.send(work(connection).map_err(|error| explain(&path, &error)));
        });
        let gone = || StoreError("the shared store's thread has ended; restart the gateway".to_owned());
        async move {
            let calls = inner.calls.as_ref().expect("there until drop");
            calls.send(call).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        }
        .boxed()
    }
}

impl Shared for SqliteShared {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        let key = key.to_owned();
        self.call(move |connection| {
            let mut query =
                connection.prepare_cached("SELECT key, version, value FROM shared WHERE key = ?1")?;
            let found = query.query_row([key], versioned).optional()?;
            Ok(found.map(|(_, found)| found))
        })
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        let key = key.to_owned();
        self.call(move |connection| {
            let changed = match seen {
                None => connection
                    .prepare_cached(
                        "INSERT INTO shared (key, version, value) VALUES (?1, 1, ?2) ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![key, value]),
                Some(seen) => connection
                    .prepare_cached(
                        "UPDATE shared SET version = version + 1, value = ?2 WHERE key = ?1 AND version = ?3",
                    )?
                    .execute(params![key, value, seen]),
            };
            Ok(changed? == 1)
        })
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        let key = key.to_owned();
        self.call(move |connection| {
            let mut removal =
                connection.prepare_cached("DELETE FROM shared WHERE key = ?1 AND version = ?2")?;
            Ok(removal.execute(params![key, seen])? == 1)
        })
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        let prefix = prefix.to_owned();
        self.call(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT key, version, value FROM shared
                 WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key",
            )?;
            query.query_map([prefix], versioned)?.collect()
        })
    }
}

fn versioned(row: &Row<'_>) -> rusqlite::Result<(String, Versioned)> {
    Ok((row.get(0)?, Versioned { version: row.get(1)?, value: row.get(2)? }))
}

impl Drop for Inner {
    /// Waits for the thread, so that the file is closed when this is gone.
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const WAITING_CALLS: usize = 256;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);
/// Some 5 s in all.
const MOST_TRIES: i32 = 4_000;
