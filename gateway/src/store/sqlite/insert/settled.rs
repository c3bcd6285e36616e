//! A request that has ended as one row, with its first attempt and that one's settlement; see `schema/v4.sql`.

use super::{Decision, Inserter};
use crate::record::{Account, AttemptRecord, LedgerEntry, Phase, Settled};
use rusqlite::{CachedStatement, Connection, ToSql, params};
use serde::Serializer as _;

/// Writes such rows, one after the other, by one statement.
pub(super) struct Rows<'a> {
    statement: CachedStatement<'a>,
    /// A column's place.
    at: usize,
}

const ROW: &str =
    "INSERT INTO settled (seq, request_id, label, at_unix_ms, tenant, project, key_id, route, front, domain, language,
         status, expert, floor_held, cost_nanousd, baseline_nanousd, ttft_ms, total_ms, tags, decision_id, config,
         receipt, writer, attempt, asked, pool, replica, ended, detail, prompt_tokens, cached_tokens,
         cache_write_tokens, output_tokens, estimated, attempt_nanousd, wait_ms, attempt_ttft_ms, attempt_ms,
         sequence, debit, amount_nanousd, price_version)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
         ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42)
     ON CONFLICT (request_id) DO NOTHING";

impl<'a> Rows<'a> {
    pub(super) fn new(connection: &'a Connection) -> rusqlite::Result<Rows<'a>> {
        Ok(Rows { statement: connection.prepare_cached(ROW)?, at: 0 })
    }

    /// Whether the request was added: not when it is there already.
    fn add(
        &mut self,
        of: &Settled,
        decision: Option<&Decision>,
        id: &str,
        place: &Place,
    ) -> rusqlite::Result<bool> {
        self.at = 0;
        self.put(place.seq)?;
        self.request(of, id)?;
        self.decision(decision, id)?;
        self.put(place.writer)?;
        self.attempt(of.attempts.first(), &of.expert)?;
        self.entry(of, decision, place)?;
        Ok(self.statement.raw_execute()? > 0)
    }

    fn put(&mut self, value: impl ToSql) -> rusqlite::Result<()> {
        self.at += 1;
        self.statement.raw_bind_parameter(self.at, value)
    }

    fn request(&mut self, of: &Settled, id: &str) -> rusqlite::Result<()> {
        self.put(id)?;
        self.put((of.label != id).then_some(&of.label))?;
        self.put(of.at_unix_ms)?;
        let texts =
            [&of.tenant, &of.project, &of.key, &of.route, of.front, &of.domain, &of.language, of.status];
        texts.into_iter().try_for_each(|text| self.put(text))?;
        self.put(of.expert.as_str())?;
        self.put(of.floor_held)?;
        self.put(of.cost.0)?;
        self.put(of.baseline.0)?;
        self.put(of.ttft_ms)?;
        self.put(of.total_ms)?;
        if of.tags.is_empty() {
            return self.put("{}");
        }
        self.put(tags(&of.tags).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?)
    }

    fn decision(&mut self, of: Option<&Decision>, id: &str) -> rusqlite::Result<()> {
        let Some(decision) = of else { return self.nothing(3) };
        self.put(if decision.id == id { "" } else { decision.id.as_str() })?;
        self.put(decision.config.as_str())?;
        match &decision.packed {
            Ok(packed) => self.put(packed.as_slice()),
            Err(why) => Err(rusqlite::Error::ToSqlConversionFailure(why.as_str().into())),
        }
    }

    fn attempt(&mut self, of: Option<&AttemptRecord>, answered: &str) -> rusqlite::Result<()> {
        let Some(of) = of else { return self.nothing(15) };
        self.put(of.n)?;
        self.put((of.expert != answered).then_some(&of.expert))?;
        let texts = [&of.pool, &of.replica, of.end, &of.detail];
        texts.into_iter().try_for_each(|text| self.put(text))?;
        let tokens = of.tokens;
        let counts = [tokens.prompt, tokens.cached, tokens.cache_write, tokens.output];
        counts.into_iter().try_for_each(|count| self.put(count))?;
        self.put(of.estimated)?;
        self.put(of.cost.0)?;
        self.put(of.wait_ms)?;
        self.put(of.ttft_ms)?;
        self.put(of.total_ms)
    }

    fn entry(&mut self, of: &Settled, decision: Option<&Decision>, place: &Place) -> rusqlite::Result<()> {
        let Some(at) = place.entry else { return self.nothing(4) };
        let entry = &of.entries[at];
        self.put(place.sequence + at as i64)?;
        self.put(account_name(entry.debit))?;
        self.put(entry.amount.0)?;
        let decided_by = decision.map(|decision| &decision.config);
        self.put((Some(&entry.price_version) != decided_by).then_some(&entry.price_version))
    }

    fn nothing(&mut self, columns: usize) -> rusqlite::Result<()> {
        (0..columns).try_for_each(|_| self.put(rusqlite::types::Null))
    }
}

/// Where a request goes.
struct Place {
    seq: i64,
    writer: i64,
    /// The number of its first booking.
    sequence: i64,
    /// Which of its bookings is in the row.
    entry: Option<usize>,
}

impl Inserter<'_> {
    /// Writes a request, unless it is there already.
    pub(super) fn settled(&mut self, of: &Settled, decision: Option<&Decision>) -> rusqlite::Result<()> {
        let mut buffer = uuid::Uuid::encode_buffer();
        let id: &str = of.request_id.hyphenated().encode_lower(&mut buffer);
        let (seq, sequence) = (self.next_number()?, self.state.sequence);
        let place = Place { seq, writer: self.writer, sequence, entry: settlement(of) };
        if !self.rows.add(of, decision, id, &place)? {
            return Ok(());
        }
        self.number = Some(seq + 1);
        of.attempts.iter().skip(1).try_for_each(|attempt| self.attempt(id, attempt))?;
        for (at, entry) in of.entries.iter().enumerate() {
            if place.entry != Some(at) {
                self.entry(id, entry, sequence + at as i64)?;
            }
        }
        self.state.sequence += of.entries.len() as i64;
        of.charges.iter().try_for_each(|charge| self.charge(charge))?;
        if self.state.has_holds && !of.charges.is_empty() {
            self.execute("DELETE FROM holds WHERE request_id = ?1", [id])?;
        }
        Ok(())
    }

    fn attempt(&self, id: &str, of: &AttemptRecord) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO more_attempts (request_id, attempt, expert, pool, replica, ended, detail, prompt_tokens,
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

    fn entry(&self, id: &str, of: &LedgerEntry, number: i64) -> rusqlite::Result<()> {
        let (phase, debit, credit) = (phase_name(of.phase), account_name(of.debit), account_name(of.credit));
        let (amount, version) = (of.amount.0, &of.price_version);
        self.execute(
            "INSERT INTO more_entries (request_id, attempt, phase, debit, credit, amount_nanousd, price_version,
                 writer, sequence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![id, of.attempt, phase, debit, credit, amount, version, self.writer, number],
        )
        .map(drop)
    }
}

/// The settlement of the first attempt, if it has one, among the bookings.
fn settlement(of: &Settled) -> Option<usize> {
    let first = of.attempts.first()?.n;
    of.entries.iter().position(|entry| {
        entry.attempt == first && entry.phase == Phase::Settle && entry.credit == Account::Funded
    })
}

/// A JSON object. Of a key that comes again, the last value counts.
fn tags(tags: &[(String, String)]) -> serde_json::Result<String> {
    let first =
        tags.iter().enumerate().filter(|(at, (key, _))| tags[..*at].iter().all(|(other, _)| other != key));
    let last = |key: &String| tags.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value);
    let mut json = Vec::with_capacity(64);
    serde_json::Serializer::new(&mut json).collect_map(first.map(|(_, (key, _))| (key, last(key))))?;
    Ok(String::from_utf8(json).unwrap_or_default())
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
