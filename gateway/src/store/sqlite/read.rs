//! The read side: receipts for the gateway, sums for reports.

use super::schema::{self, Look};
use super::{fault, purge, receipt};
use crate::store::StoreError;
use crate::store::report::{Dialect, Line, PurgeAsk, Purged, Query, Tables, Window, quoted};
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Somebody asks for a stored decision.
pub(super) struct Question {
    pub(super) decision_id: String,
    /// Whose it must be.
    pub(super) tenant: String,
    pub(super) answer: oneshot::Sender<Result<Option<(String, String)>, StoreError>>,
}

/// Starts the thread that answers; it ends when the line is closed.
pub(super) fn spawn(path: &Path, mut asked: mpsc::Receiver<Question>) -> Result<JoinHandle<()>, StoreError> {
    let path = path.to_owned();
    let connection = schema::open_to_read(&path)?;
    let work = move || {
        while let Some(question) = asked.blocking_recv() {
            let found = receipt::find(&connection, &question.decision_id, Some(&question.tenant));
            // Whoever asked may have gone.
            let _ = question.answer.send(found.map_err(|error| fault::explain(&path, &error)));
        }
    };
    let thread = std::thread::Builder::new().name("sluice-receipts".to_owned());
    thread.spawn(work).map_err(|error| StoreError(format!("journal thread: {error}")))
}

/// A ledger file, read beside its writer.
#[derive(Debug)]
pub(super) struct SqliteLedger {
    path: PathBuf,
    connection: Connection,
}

impl SqliteLedger {
    pub(super) fn open(path: &Path) -> Result<SqliteLedger, StoreError> {
        let connection = schema::open_to_read(path)?;
        let made = schema::version(&connection)
            .and_then(|version| connection.execute_batch(if version < 4 { EARLY_VIEWS } else { VIEWS }));
        made.map_err(|error| fault::explain(path, &error))?;
        Ok(SqliteLedger { path: path.to_owned(), connection })
    }
}

impl Tables for SqliteLedger {
    const DIALECT: Dialect = Dialect {
        day: "strftime('%Y-%m-%d', r.at_unix_ms / 1000, 'unixepoch')",
        tag: |tag| {
            let path = format!("$.{}", serde_json::Value::from(tag));
            format!("coalesce(json_extract(r.tags, {}), '')", quoted(&path))
        },
        attempts: "tries AS r",
        entries: "bookings AS r",
        used: "tries AS r",
    };

    fn read(&self, queries: &[Query], window: Window) -> Result<Vec<Vec<Line>>, StoreError> {
        let said = |error: rusqlite::Error| fault::explain(&self.path, &error);
        // One read transaction, so that the answers agree.
        let state = self.connection.unchecked_transaction().map_err(said)?;
        queries.iter().map(|query| lines(&state, query, window).map_err(said)).collect()
    }

    fn find_receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        receipt::find(&self.connection, decision_id, None).map_err(|error| fault::explain(&self.path, &error))
    }

    fn forget(&self, ask: &PurgeAsk) -> Result<Purged, StoreError> {
        let mut connection = schema::prepare(&self.path, Look::AtItsHead)?;
        purge::purge(&mut connection, ask).map_err(|error| fault::explain(&self.path, &error))
    }
}

/// What reports read, as this connection alone sees it.
const VIEWS: &str = include_str!("read/v4.sql");
const EARLY_VIEWS: &str = include_str!("read/early.sql");

fn lines(state: &Connection, query: &Query, window: Window) -> rusqlite::Result<Vec<Line>> {
    let mut statement = state.prepare(&query.sql)?;
    let rows = statement.query_map(params![window.from_ms, window.to_ms], |row| {
        let texts = (0..query.texts).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        let numbers = (0..query.numbers).map(|at| row.get(query.texts + at));
        Ok(Line { texts, numbers: numbers.collect::<rusqlite::Result<_>>()? })
    })?;
    rows.collect()
}
