//! The read side: sums and receipts of a whole fleet.

use super::{Link, Server, drive, schema};
use crate::store::StoreError;
use crate::store::report::{
    ATTEMPTS, DECISIONS, Dialect, Line, PurgeAsk, Purged, Query, REQUESTS, Tables, Window, quoted,
};
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

impl Tables for PostgresLedger {
    const DIALECT: Dialect = Dialect {
        day: "to_char(to_timestamp(r.at_unix_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        tag: |tag| format!("coalesce(r.tags::json ->> {}, '')", quoted(tag)),
        attempts: "requests AS r JOIN attempts USING (request_id)",
        entries: "requests AS r JOIN entries USING (request_id)",
        used:
            "(SELECT r.at_unix_ms, a.expert AS asked, a.prompt_tokens, a.cached_tokens, a.cache_write_tokens,
                    a.output_tokens, a.estimated, e.amount, e.version
                FROM requests AS r JOIN attempts AS a USING (request_id) LEFT JOIN
                    (SELECT request_id, attempt, max(price_version) AS version,
                         CAST(sum(amount_nanousd) AS bigint) AS amount
                     FROM entries GROUP BY request_id, attempt) AS e USING (request_id, attempt)) AS r",
    };

    fn read(&self, queries: &[Query], window: Window) -> Result<Vec<Vec<Line>>, StoreError> {
        self.ask(async |client| {
            client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let mut answers = Vec::new();
            for query in queries {
                let rows = client.query(&query.sql, &[&window.from_ms, &window.to_ms]).await?;
                answers.push(rows.iter().map(|row| line(row, query)).collect::<Result<_, Error>>()?);
            }
            Ok(answers)
        })
    }

    fn find_receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        let sql = "SELECT d.receipt, s.json FROM decisions AS d JOIN snapshots AS s USING (config)
                   WHERE d.decision_id = $1";
        let found = self.ask(async |client| client.query_opt(sql, &[&decision_id]).await)?;
        Ok(found.map(|row| (row.get(0), row.get(1))))
    }

    fn forget(&self, ask: &PurgeAsk) -> Result<Purged, StoreError> {
        self.ask(async |client| {
            client.batch_execute("BEGIN").await?;
            // Attempts and decisions are found by their requests.
            let decisions = client.execute(DECISIONS, &[&ask.tenant, &ask.before_ms]).await?;
            let attempts = client.execute(ATTEMPTS, &[&ask.tenant, &ask.before_ms]).await?;
            let requests = client.execute(REQUESTS, &[&ask.tenant, &ask.before_ms]).await?;
            client.batch_execute("COMMIT").await?;
            Ok(Purged { decisions, attempts, requests })
        })
    }
}

fn line(row: &Row, query: &Query) -> Result<Line, Error> {
    let texts = (0..query.texts).map(|at| row.try_get(at)).collect::<Result<_, Error>>()?;
    let numbers = (0..query.numbers).map(|at| row.try_get(query.texts + at));
    Ok(Line { texts, numbers: numbers.collect::<Result<_, Error>>()? })
}
