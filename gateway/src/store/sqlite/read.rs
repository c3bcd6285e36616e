//! The read side: receipts for the gateway, sums for reports.

use super::fault;
use super::schema::{self, Look};
use crate::store::StoreError;
use crate::store::report::{
    ATTEMPTS, DECISIONS, Dialect, Line, PurgeAsk, Purged, Query, REQUESTS, Tables, Window, quoted,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
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
            let found = receipt(&connection, &question.decision_id, Some(&question.tenant));
            // Whoever asked may have gone.
            let _ = question.answer.send(found.map_err(|error| fault::explain(&path, &error)));
        }
    };
    let thread = std::thread::Builder::new().name("sluice-receipts".to_owned());
    thread.spawn(work).map_err(|error| StoreError(format!("journal thread: {error}")))
}

/// A decision of this tenant; of any for `None`.
fn receipt(
    connection: &Connection,
    decision_id: &str,
    tenant: Option<&str>,
) -> rusqlite::Result<Option<(String, String)>> {
    let sql = "SELECT d.receipt, s.json FROM decisions AS d JOIN snapshots AS s USING (config)
               JOIN requests AS r USING (request_id)
               WHERE d.decision_id = ?1 AND r.tenant = coalesce(?2, r.tenant)";
    let mut query = connection.prepare_cached(sql)?;
    query.query_row((decision_id, tenant), |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// A ledger file, read beside its writer.
#[derive(Debug)]
pub(super) struct SqliteLedger {
    path: PathBuf,
    connection: Connection,
}

impl SqliteLedger {
    pub(super) fn open(path: &Path) -> Result<SqliteLedger, StoreError> {
        Ok(SqliteLedger { path: path.to_owned(), connection: schema::open_to_read(path)? })
    }
}

impl Tables for SqliteLedger {
    const DIALECT: Dialect = Dialect {
        day: "strftime('%Y-%m-%d', r.at_unix_ms / 1000, 'unixepoch')",
        tag: |tag| {
            let path = format!("$.{}", serde_json::Value::from(tag));
            format!("coalesce(json_extract(r.tags, {}), '')", quoted(&path))
        },
    };

    fn read(&self, queries: &[Query], window: Window) -> Result<Vec<Vec<Line>>, StoreError> {
        let said = |error: rusqlite::Error| fault::explain(&self.path, &error);
        // One read transaction, so that the answers agree.
        let state = self.connection.unchecked_transaction().map_err(said)?;
        queries.iter().map(|query| lines(&state, query, window).map_err(said)).collect()
    }

    fn find_receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        receipt(&self.connection, decision_id, None).map_err(|error| fault::explain(&self.path, &error))
    }

    fn forget(&self, ask: &PurgeAsk) -> Result<Purged, StoreError> {
        let mut connection = schema::prepare(&self.path, Look::AtItsHead)?;
        purge(&mut connection, ask).map_err(|error| fault::explain(&self.path, &error))
    }
}

fn lines(state: &Connection, query: &Query, window: Window) -> rusqlite::Result<Vec<Line>> {
    let mut statement = state.prepare(&query.sql)?;
    let rows = statement.query_map(params![window.from_ms, window.to_ms], |row| {
        let texts = (0..query.texts).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        let numbers = (0..query.numbers).map(|at| row.get(query.texts + at));
        Ok(Line { texts, numbers: numbers.collect::<rusqlite::Result<_>>()? })
    })?;
    rows.collect()
}

/// What is removed is written over, in the file and in its write-ahead log.
fn purge(connection: &mut Connection, ask: &PurgeAsk) -> rusqlite::Result<Purged> {
    connection.pragma_update(None, "secure_delete", true)?;
    let work = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let run = |sql: &str| work.execute(sql, params![ask.tenant, ask.before_ms]).map(|rows| rows as u64);
    // Attempts and decisions are found by their requests.
    let (decisions, attempts) = (run(DECISIONS)?, run(ATTEMPTS)?);
    let purged = Purged { decisions, attempts, requests: run(REQUESTS)? };
    work.commit()?;
    // The log is emptied unless somebody reads it just now; then the next checkpoint will.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(purged)
}
