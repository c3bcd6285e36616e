//! The read side: receipts for the gateway, sums for reports.

use super::{fault, schema};
use crate::store::report::{Group, Groups, Ledger, OVERHEAD, Report, ReportAsk};
use crate::store::{StoreError, TokenSums};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sluice_router::NanoUsd;
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

    /// Requests, tries and entries apart, as each has rows of its own; one read transaction, so they agree.
    fn groups(&self, ask: &ReportAsk) -> rusqlite::Result<Groups> {
        let snapshot = self.connection.unchecked_transaction()?;
        let mut groups = Groups::default();
        gather(&mut groups, ask, &snapshot, ("requests AS r", REQUEST_SUMS), |group, row, at| {
            group.requests = row.get(at)?;
            group.below_floor = row.get(at + 1)?;
            group.cost = NanoUsd(row.get(at + 2)?);
            group.baseline = NanoUsd(row.get(at + 3)?);
            Ok(())
        })?;
        gather(
            &mut groups,
            ask,
            &snapshot,
            ("requests AS r JOIN attempts USING (request_id)", ATTEMPT_SUMS),
            |group, row, at| {
                group.attempts = row.get(at)?;
                let (prompt, cached, output) = (row.get(at + 1)?, row.get(at + 2)?, row.get(at + 3)?);
                group.tokens = TokenSums { prompt, cached, output };
                Ok(())
            },
        )?;
        let entry_sums =
            format!("count(*), coalesce(sum(amount_nanousd) FILTER (WHERE debit = '{OVERHEAD}'), 0)");
        gather(
            &mut groups,
            ask,
            &snapshot,
            ("requests AS r JOIN entries USING (request_id)", &entry_sums),
            |group, row, at| {
                group.entries = row.get(at)?;
                group.overhead = NanoUsd(row.get(at + 1)?);
                Ok(())
            },
        )?;
        Ok(groups)
    }
}

impl Ledger for SqliteLedger {
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError> {
        let groups = self.groups(ask).map_err(|error| fault::explain(&self.path, &error))?;
        groups.report()
    }

    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        receipt(&self.connection, decision_id, None).map_err(|error| fault::explain(&self.path, &error))
    }
}

/// Sums over the rows of `tables`; `take` reads them from its column on.
fn gather(
    groups: &mut Groups,
    ask: &ReportAsk,
    connection: &Connection,
    (tables, sums): (&str, &str),
    take: impl Fn(&mut Group, &Row<'_>, usize) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let (from, to) = ask.span_ms();
    let mut query = connection.prepare(&ask.sql(tables, sums, ["?1", "?2"]))?;
    let mut rows = query.query(params![from, to])?;
    let width = ask.by.len();
    while let Some(row) = rows.next()? {
        let by: Vec<String> = (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        take(groups.of(by), row, width)?;
    }
    Ok(())
}

/// `sum` over integers is exact and fails beyond 64 bits.
const REQUEST_SUMS: &str = "count(*), coalesce(sum(1 - floor_held), 0), coalesce(sum(cost_nanousd), 0),
                            coalesce(sum(baseline_nanousd), 0)";
const ATTEMPT_SUMS: &str = "count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(cached_tokens), 0),
                            coalesce(sum(output_tokens), 0)";
