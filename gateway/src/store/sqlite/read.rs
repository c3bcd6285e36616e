//! The read side: receipts for the gateway, sums for reports.

use super::insert::OVERHEAD;
use super::{fault, schema};
use crate::store::report::{By, Group, Ledger, Report, ReportAsk};
use crate::store::{StoreError, TokenSums};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sluice_router::NanoUsd;
use std::collections::BTreeMap;
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
    fn groups(&self, ask: &ReportAsk) -> rusqlite::Result<Vec<Group>> {
        let snapshot = self.connection.unchecked_transaction()?;
        let mut groups = Groups::new(ask);
        groups.gather(&snapshot, "requests AS r", REQUEST_SUMS, |group, row, at| {
            group.requests = row.get(at)?;
            group.below_floor = row.get(at + 1)?;
            group.cost = NanoUsd(row.get(at + 2)?);
            group.baseline = NanoUsd(row.get(at + 3)?);
            Ok(())
        })?;
        groups.gather(
            &snapshot,
            "requests AS r JOIN attempts USING (request_id)",
            ATTEMPT_SUMS,
            |group, row, at| {
                group.attempts = row.get(at)?;
                let (prompt, cached, output) = (row.get(at + 1)?, row.get(at + 2)?, row.get(at + 3)?);
                group.tokens = TokenSums { prompt, cached, output };
                Ok(())
            },
        )?;
        let entry_sums =
            format!("count(*), coalesce(sum(amount_nanousd) FILTER (WHERE debit = '{OVERHEAD}'), 0)");
        groups.gather(
            &snapshot,
            "requests AS r JOIN entries USING (request_id)",
            &entry_sums,
            |group, row, at| {
                group.entries = row.get(at)?;
                group.overhead = NanoUsd(row.get(at + 1)?);
                Ok(())
            },
        )?;
        Ok(groups.found.into_values().collect())
    }
}

impl Ledger for SqliteLedger {
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError> {
        let groups = self.groups(ask).map_err(|error| fault::explain(&self.path, &error))?;
        let mut total = Group::default();
        for group in &groups {
            total
                .add(group)
                .ok_or_else(|| StoreError("the sums exceed 64 bits; ask for less time".to_owned()))?;
        }
        Ok(Report { total, groups })
    }

    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        receipt(&self.connection, decision_id, None).map_err(|error| fault::explain(&self.path, &error))
    }
}

/// Groups by what they have in common, filled by one query after the other.
struct Groups<'a> {
    ask: &'a ReportAsk,
    columns: String,
    found: BTreeMap<Vec<String>, Group>,
}

impl<'a> Groups<'a> {
    fn new(ask: &'a ReportAsk) -> Groups<'a> {
        let columns: Vec<String> = ask.by.iter().map(|by: &By| format!("r.{}", by.name())).collect();
        Groups { ask, columns: columns.join(", "), found: BTreeMap::new() }
    }

    /// Sums over the rows of `tables`; `take` reads them from its column on.
    fn gather(
        &mut self,
        connection: &Connection,
        tables: &str,
        sums: &str,
        take: impl Fn(&mut Group, &Row<'_>, usize) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (comma, group_by) = if self.columns.is_empty() { ("", "") } else { (", ", "GROUP BY ") };
        let sql = format!(
            "SELECT {columns}{comma}{sums} FROM {tables}
             WHERE r.at_unix_ms >= ?1 AND r.at_unix_ms < ?2 {group_by}{columns}",
            columns = self.columns
        );
        let (from, to) = (self.ask.from_ms.unwrap_or(i64::MIN), self.ask.to_ms.unwrap_or(i64::MAX));
        let mut query = connection.prepare(&sql)?;
        let mut rows = query.query(params![from, to])?;
        let width = self.ask.by.len();
        while let Some(row) = rows.next()? {
            let by: Vec<String> = (0..width).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
            let group = self.found.entry(by.clone()).or_insert_with(|| Group { by, ..Group::default() });
            take(group, row, width)?;
        }
        Ok(())
    }
}

impl Group {
    /// Adds another group's sums; `None` beyond 64 bits.
    fn add(&mut self, other: &Group) -> Option<()> {
        let sum = |a: &mut u64, b: u64| a.checked_add(b).map(|sum| *a = sum);
        let money = |a: &mut NanoUsd, b: NanoUsd| a.0.checked_add(b.0).map(|sum| *a = NanoUsd(sum));
        sum(&mut self.requests, other.requests)?;
        sum(&mut self.below_floor, other.below_floor)?;
        sum(&mut self.attempts, other.attempts)?;
        sum(&mut self.entries, other.entries)?;
        sum(&mut self.tokens.prompt, other.tokens.prompt)?;
        sum(&mut self.tokens.cached, other.tokens.cached)?;
        sum(&mut self.tokens.output, other.tokens.output)?;
        money(&mut self.cost, other.cost)?;
        money(&mut self.baseline, other.baseline)?;
        money(&mut self.overhead, other.overhead)
    }
}

/// `sum` over integers is exact and fails beyond 64 bits.
const REQUEST_SUMS: &str = "count(*), coalesce(sum(1 - floor_held), 0), coalesce(sum(cost_nanousd), 0),
                            coalesce(sum(baseline_nanousd), 0)";
const ATTEMPT_SUMS: &str = "count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(cached_tokens), 0),
                            coalesce(sum(output_tokens), 0)";
