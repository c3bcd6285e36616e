//! The read side: sums and receipts of a whole fleet.

use super::{Link, Server, drive, schema};
use crate::store::StoreError;
use crate::store::report::{Groups, Ledger, OVERHEAD, Report, ReportAsk};
use sluice_router::NanoUsd;
use tokio_postgres::{Client, Error, Row};

/// A common ledger, read beside the gateways that ship to it.
#[derive(Debug)]
pub(super) struct PostgresLedger {
    server: Server,
}

impl PostgresLedger {
    /// Looks whether there is one.
    pub(super) fn open(url: &str) -> Result<PostgresLedger, StoreError> {
        let ledger = PostgresLedger { server: Server::new(url)? };
        ledger.ask(async |_| Ok(()))?;
        Ok(ledger)
    }

    /// Connects and asks. Reports are asked for by commands, which have no runtime or must not block the one they
    /// have: so on a thread of its own.
    fn ask<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error> + Send,
    ) -> Result<T, StoreError> {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| self.server.wrong(&error.to_string()))?;
            runtime.block_on(async {
                let mut link = self.server.connect().await.map_err(|error| self.server.explain(&error))?;
                schema::check(&self.server, &mut link).await?;
                let Link { client, wire } = &mut link;
                drive(wire, work(client)).await.map_err(|error| self.server.explain(&error))
            })
        };
        std::thread::scope(|scope| {
            let done = scope.spawn(run).join();
            done.unwrap_or_else(|_| Err(self.server.wrong("reading it panicked; please report it")))
        })
    }
}

impl Ledger for PostgresLedger {
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError> {
        self.ask(async |client| {
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let mut groups = Groups::default();
            for row in rows(client, ask, "requests AS r", REQUEST_SUMS).await? {
                let (by, at) = by(&row, ask);
                let group = groups.of(by);
                group.requests = count(&row, at);
                group.below_floor = count(&row, at + 1);
                group.cost = NanoUsd(row.get(at + 2));
                group.baseline = NanoUsd(row.get(at + 3));
            }
            let tables = "requests AS r JOIN attempts USING (request_id)";
            for row in rows(client, ask, tables, ATTEMPT_SUMS).await? {
                let (by, at) = by(&row, ask);
                let group = groups.of(by);
                group.attempts = count(&row, at);
                group.tokens.prompt = count(&row, at + 1);
                group.tokens.cached = count(&row, at + 2);
                group.tokens.output = count(&row, at + 3);
            }
            let tables = "requests AS r JOIN entries USING (request_id)";
            let sums = format!(
                "count(*), coalesce(sum(amount_nanousd) FILTER (WHERE debit = '{OVERHEAD}'), 0)::bigint"
            );
            for row in rows(client, ask, tables, &sums).await? {
                let (by, at) = by(&row, ask);
                let group = groups.of(by);
                group.entries = count(&row, at);
                group.overhead = NanoUsd(row.get(at + 1));
            }
            Ok(groups)
        })?
        .report()
    }

    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        let sql = "SELECT d.receipt, s.json FROM decisions AS d JOIN snapshots AS s USING (config)
                   WHERE d.decision_id = $1";
        let found = self.ask(async |client| client.query_opt(sql, &[&decision_id]).await)?;
        Ok(found.map(|row| (row.get(0), row.get(1))))
    }
}

async fn rows(client: &Client, ask: &ReportAsk, tables: &str, sums: &str) -> Result<Vec<Row>, Error> {
    let (from, to) = ask.span_ms();
    client.query(&ask.sql(tables, sums, ["$1", "$2"]), &[&from, &to]).await
}

/// What makes the row's group, and where its sums begin.
fn by(row: &Row, ask: &ReportAsk) -> (Vec<String>, usize) {
    ((0..ask.by.len()).map(|at| row.get(at)).collect(), ask.by.len())
}

fn count(row: &Row, at: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(at)).unwrap_or(0)
}

/// Postgres sums to any size; the cast fails beyond 64 bits.
const REQUEST_SUMS: &str = "count(*), coalesce(sum(1 - floor_held), 0)::bigint,
    coalesce(sum(cost_nanousd), 0)::bigint, coalesce(sum(baseline_nanousd), 0)::bigint";
const ATTEMPT_SUMS: &str = "count(*), coalesce(sum(prompt_tokens), 0)::bigint,
    coalesce(sum(cached_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint";
