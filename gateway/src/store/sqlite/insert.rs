//! One record as rows.

mod settled;

use super::queued::{Decision, Queued};
use crate::invariants;
use crate::record::{Charge, Closing, Held, Minute, Record, Settled};
use crate::store::packed;
use rusqlite::{Connection, params};
use settled::Rows;
use std::collections::BTreeMap;

/// Writes records within the caller's transaction.
pub(super) struct Inserter<'a> {
    connection: &'a Connection,
    /// This start of the gateway.
    writer: i64,
    state: State,
    rows: Rows<'a>,
    /// The next number of the outbox; asked for when something else may have drawn one.
    number: Option<i64>,
    /// What each account was charged, where that is written once for all records.
    sums: Option<BTreeMap<String, i64>>,
}

/// What outlives a transaction that was committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// The number of the next entry of this writer.
    pub(super) sequence: i64,
    /// Whether money may be held for requests, by the tables.
    pub(super) has_holds: bool,
}

/// When the accounts of a group are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charging {
    /// Once for all records.
    AtTheEnd,
    /// With each record, so that it can be undone with it.
    AtOnce,
}

impl<'a> Inserter<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        writer: i64,
        state: State,
        charging: Charging,
    ) -> rusqlite::Result<Inserter<'a>> {
        let sums = (charging == Charging::AtTheEnd).then(BTreeMap::new);
        let rows = Rows::new(connection)?;
        Ok(Inserter { connection, writer, state, rows, number: None, sums })
    }

    /// How things stand, for going back to it.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// A record was undone, and whatever it had drawn.
    pub(super) fn go_back(&mut self, state: State) {
        (self.state, self.number) = (state, None);
    }

    /// Writes what is left to be written.
    pub(super) fn finish(mut self) -> rusqlite::Result<State> {
        for (account, amount) in self.sums.take().unwrap_or_default() {
            self.charge_now(&account, amount)?;
        }
        Ok(self.state)
    }

    /// Writes the rows of a record, unless it is stored already; the rule that it breaks, if it was refused.
    pub(super) fn record(&mut self, queued: &Queued) -> rusqlite::Result<Option<String>> {
        let record = &queued.record;
        if let Record::Settled(settled) = record {
            return self.checked(queued, settled);
        }
        // It may go out too, by a trigger that draws the number.
        self.number = None;
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
            Record::Settled(_) => Ok(None),
        }
    }

    fn checked(&mut self, queued: &Queued, settled: &Settled) -> rusqlite::Result<Option<String>> {
        match invariants::check_settled(settled) {
            Ok(()) => self.settled(settled, queued.decision.as_ref()).map(|()| None),
            Err(breach) => {
                self.refuse(queued, &breach.to_string())?;
                Ok(Some(breach.to_string()))
            }
        }
    }

    /// Keeps a record that breaks a rule where it is in nobody's sums.
    pub(super) fn refuse(&mut self, queued: &Queued, why: &str) -> rusqlite::Result<()> {
        self.number = None;
        let record = &queued.record;
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
        self.execute(sql, params![id, why, shown(queued)]).map(drop)
    }

    fn charge(&mut self, of: &Charge) -> rusqlite::Result<()> {
        let Some(sums) = &mut self.sums else { return self.charge_now(&of.account, of.amount.0) };
        let Some(sum) = sums.get_mut(&of.account) else {
            sums.insert(of.account.clone(), of.amount.0);
            return Ok(());
        };
        if let Some(more) = sum.checked_add(of.amount.0) {
            *sum = more;
            return Ok(());
        }
        // More than a number can hold: the table says what becomes of that.
        let before = std::mem::replace(sum, of.amount.0);
        self.charge_now(&of.account, before)
    }

    fn charge_now(&self, account: &str, amount: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO charged (account, writer, amount_nanousd) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET amount_nanousd = amount_nanousd + excluded.amount_nanousd";
        self.execute(sql, params![account, self.writer, amount]).map(drop)
    }

    fn mark(&self, account: &str, amount: i64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO marks (account, writer, amount_nanousd) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET amount_nanousd = excluded.amount_nanousd";
        self.execute(sql, params![account, self.writer, amount]).map(drop)
    }

    fn held(&mut self, of: &Held) -> rusqlite::Result<()> {
        self.state.has_holds = true;
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

    /// The next number of the outbox.
    fn next_number(&mut self) -> rusqlite::Result<i64> {
        if let Some(number) = self.number {
            return Ok(number);
        }
        let sql = "SELECT seq + 1 FROM outbox_newest";
        let number = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        self.number = Some(number);
        Ok(number)
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(values)
    }
}

/// A record for people, with its decision as JSON.
fn shown(queued: &Queued) -> String {
    let packed = queued.decision.as_ref().and_then(|Decision { packed, .. }| packed.as_deref().ok());
    let receipt = packed.and_then(packed::json).unwrap_or_default();
    format!("{:?} {receipt}", queued.record)
}
