//! One record as rows.

use crate::invariants;
use crate::record::{
    Account, AttemptRecord, Charge, Closing, Held, LedgerEntry, Minute, Phase, Record, Settled,
};
use rusqlite::{Connection, params};

/// Writes records within the caller's transaction.
pub(super) struct Inserter<'a> {
    pub(super) connection: &'a Connection,
    /// This start of the gateway.
    pub(super) writer: i64,
    /// The number of the next entry of this writer.
    pub(super) sequence: i64,
}

impl Inserter<'_> {
    /// Writes the rows of a record, unless it is stored already; the rule that it breaks, if it was refused.
    pub(super) fn record(&mut self, record: &Record) -> rusqlite::Result<Option<String>> {
        match record {
            Record::Snapshot { config, json } => {
                let sql = "INSERT INTO snapshots (config, json) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                self.execute(sql, params![config, json]).map(|_| None)
            }
            Record::Mark { account, amount } => self.mark(account, amount.0).map(|()| None),
            Record::Held(held) => self.held(held).map(|()| None),
            Record::Closed(closing) => self.closed(closing).map(|()| None),
            Record::Kept { account, epochs } => self.kept(account, epochs).map(|()| None),
            Record::Minute(minute) => self.minute(minute).map(|()| None),
            Record::Settled(settled) => match invariants::check_settled(settled) {
                Ok(()) => self.settled(settled).map(|()| None),
                Err(breach) => {
                    self.refuse(record, &breach.to_string())?;
                    Ok(Some(breach.to_string()))
                }
            },
        }
    }

    /// Keeps a record that breaks a rule where it is in nobody's sums.
    pub(super) fn refuse(&mut self, record: &Record, why: &str) -> rusqlite::Result<()> {
        let id = match record {
            Record::Settled(settled) => settled.request_id.to_string(),
            Record::Snapshot { config, .. } => config.clone(),
            Record::Mark { account, .. } => account.clone(),
            Record::Held(held) => held.request_id.to_string(),
            Record::Closed(closing) => format!("{}:{}", closing.account, closing.epoch),
            Record::Kept { account, .. } => account.clone(),
            Record::Minute(minute) => self.minute_id(minute),
        };
        let sql = "INSERT INTO refused (request_id, why, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.execute(sql, params![id, why, format!("{record:?}")]).map(drop)
    }

    fn settled(&mut self, settled: &Settled) -> rusqlite::Result<()> {
        let id = settled.request_id.to_string();
        if self.request(&id, settled)? == 0 {
            return Ok(());
        }
        if let Some(receipt) = &settled.receipt {
            let json = serde_json::to_string(receipt).map_err(|error| to_sql(error.into()))?;
            let sql =
                "INSERT INTO decisions (decision_id, request_id, config, receipt) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO NOTHING";
            self.execute(sql, params![receipt.id, id, receipt.versions.config, json])?;
        }
        settled.attempts.iter().try_for_each(|attempt| self.attempt(&id, attempt))?;
        settled.entries.iter().try_for_each(|entry| self.entry(&id, entry))?;
        settled.charges.iter().try_for_each(|charge| self.charge(charge))?;
        if !settled.charges.is_empty() {
            self.execute("DELETE FROM holds WHERE request_id = ?1", [&id])?;
        }
        Ok(())
    }

    fn charge(&self, of: &Charge) -> rusqlite::Result<()> {
        let sql = "INSERT INTO charged (account, writer, amount_nanousd) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET amount_nanousd = amount_nanousd + excluded.amount_nanousd";
        self.execute(sql, params![of.account, self.writer, of.amount.0]).map(drop)
    }

    fn mark(&self, account: &str, amount: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO marks (account, writer, amount_nanousd) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET amount_nanousd = excluded.amount_nanousd";
        self.execute(sql, params![account, self.writer, amount]).map(drop)
    }

    fn held(&self, of: &Held) -> rusqlite::Result<()> {
        let id = of.request_id.to_string();
        let sql = "INSERT INTO holds (request_id, hold, account, writer, amount_nanousd)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        of.accounts.iter().try_for_each(|account| {
            self.execute(sql, params![id, of.hold, account, self.writer, of.amount.0]).map(drop)
        })
    }

    /// The last word counts: it is written before the vault is kept, and where another gateway was faster there, the
    /// closing is made anew and may have come to something else.
    fn closed(&self, of: &Closing) -> rusqlite::Result<()> {
        let sql =
            "INSERT INTO closings (account, writer, tenant, at_unix_ms, spent_nanousd, unattributed_nanousd)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET at_unix_ms = excluded.at_unix_ms,
                 spent_nanousd = excluded.spent_nanousd, unattributed_nanousd = excluded.unattributed_nanousd
             WHERE (spent_nanousd, unattributed_nanousd)
                 <> (excluded.spent_nanousd, excluded.unattributed_nanousd)";
        let (epoch, spent, unattributed) = (of.epoch.cast_signed(), of.spent.0, of.unattributed.0);
        self.execute(sql, params![of.account, epoch, of.tenant, of.at_unix_ms, spent, unattributed]).map(drop)
    }

    fn kept(&self, account: &str, epochs: &[u64]) -> rusqlite::Result<()> {
        let sql = "INSERT INTO closed (account, writer) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        epochs.iter().try_for_each(|epoch| self.execute(sql, params![account, epoch.cast_signed()]).map(drop))
    }

    fn minute(&self, of: &Minute) -> rusqlite::Result<()> {
        let sql = "INSERT INTO minutes (id, writer, pool, expert, at_unix_ms, bill_nanousd, charged_nanousd, price_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
        let (id, bill, charged) = (self.minute_id(of), of.bill.0, of.charged.0);
        let values =
            params![id, self.writer, of.pool, of.expert, of.start_ms, bill, charged, of.price_version];
        self.execute(sql, values).map(drop)
    }

    /// A minute of a pool is booked once by each start of the gateway.
    fn minute_id(&self, of: &Minute) -> String {
        format!("{}:{}:{}", self.writer, of.start_ms, of.pool)
    }

    /// How many rows were added: 0 when the request is there already.
    fn request(&mut self, id: &str, of: &Settled) -> rusqlite::Result<usize> {
        let tags: serde_json::Map<String, serde_json::Value> =
            of.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        let tags = serde_json::Value::Object(tags).to_string();
        let decision = of.receipt.as_ref().map(|receipt| &receipt.id);
        self.execute(
            "INSERT INTO requests (request_id, label, at_unix_ms, tenant, route, front, domain, language, status,
                 expert, floor_held, cost_nanousd, baseline_nanousd, ttft_ms, total_ms, tags, decision_id, project, key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
             ON CONFLICT (request_id) DO NOTHING",
            params![
                id,
                of.label,
                of.at_unix_ms,
                of.tenant,
                of.route,
                of.front,
                of.domain,
                of.language,
                of.status,
                of.expert,
                of.floor_held,
                of.cost.0,
                of.baseline.0,
                of.ttft_ms,
                of.total_ms,
                tags,
                decision,
                of.project,
                of.key
            ],
        )
    }

    fn attempt(&mut self, id: &str, of: &AttemptRecord) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO attempts (request_id, attempt, expert, pool, replica, ended, detail, prompt_tokens,
                 cached_tokens, output_tokens, estimated, cost_nanousd, wait_ms, ttft_ms, total_ms,
                 cache_write_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            params![
                id,
                of.n,
                of.expert,
                of.pool,
                of.replica,
                of.end,
                of.detail,
                of.tokens.prompt,
                of.tokens.cached,
                of.tokens.output,
                of.estimated,
                of.cost.0,
                of.wait_ms,
                of.ttft_ms,
                of.total_ms,
                of.tokens.cache_write
            ],
        )
        .map(drop)
    }

    fn entry(&mut self, id: &str, of: &LedgerEntry) -> rusqlite::Result<()> {
        let (phase, debit, credit) = (phase_name(of.phase), account_name(of.debit), account_name(of.credit));
        let (amount, version) = (of.amount.0, &of.price_version);
        let number = self.sequence;
        self.execute(
            "INSERT INTO entries (request_id, attempt, phase, debit, credit, amount_nanousd, price_version, writer,
                 sequence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![id, of.attempt, phase, debit, credit, amount, version, self.writer, number],
        )?;
        self.sequence += 1;
        Ok(())
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(values)
    }
}

fn to_sql(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error)
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Settle => "settle",
        Phase::Overrun => "overrun",
    }
}

fn account_name(account: Account) -> &'static str {
    match account {
        Account::Funded => "funded",
        Account::Spent => "spent",
        Account::Overhead => "overhead",
        Account::Overrun => "overrun",
    }
}
