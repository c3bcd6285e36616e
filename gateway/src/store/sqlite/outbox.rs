//! The journal as the outbox of a fleet's common ledger: what has not gone out yet, in the order of its commits.

use super::{Look, explain, prepare, receipt};
use crate::store::StoreError;
use crate::store::parcel::{GOODS, Goods, Parcel};
use crate::store::postgres::Rows;
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A second way into the journal's file, beside its writer.
pub(crate) struct Outbox {
    path: PathBuf,
    connection: Connection,
}

/// What is still to go out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// How many numbers of the outbox.
    pub(crate) count: u64,
    /// When the first request among them ended, in milliseconds since 1970.
    pub(crate) oldest_ms: Option<i64>,
}

impl Outbox {
    /// Opens the file of the journal that a URL names.
    pub(crate) fn of(journal: &str) -> Result<Outbox, StoreError> {
        let no_file = || StoreError(format!("{journal} is no file, so nothing can be shipped from it"));
        Outbox::open(&super::path(journal.strip_prefix("sqlite:").ok_or_else(no_file)?)?)
    }

    /// The gateway's own name.
    pub(crate) fn gateway(&self) -> Result<String, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = 'gateway'";
        self.said(self.connection.query_row(sql, [], |row| row.get(0)))
    }

    fn open(path: &Path) -> Result<Outbox, StoreError> {
        let connection = prepare(path, Look::AtItsHead)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // What is written here is a copy that may be lost: no sync of its own, and no waiting for the writer.
        let set = connection
            .pragma_update(None, "synchronous", "NORMAL")
            .and_then(|()| connection.busy_timeout(LONGEST_WAIT));
        set.map_err(|error| explain(path, &error))?;
        Ok(Outbox { path: path.to_owned(), connection })
    }

    /// How far this ledger had come when that was last noted; 0 when it never was.
    pub(crate) fn noted(&self, ledger: &str) -> Result<i64, StoreError> {
        let sql = "SELECT seq FROM shipped WHERE ledger = ?1";
        let noted = self.connection.query_row(sql, [ledger], |row| row.get(0)).optional();
        self.said(noted).map(Option::unwrap_or_default)
    }

    /// Notes how far this ledger has come.
    pub(crate) fn note(&self, ledger: &str, seq: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO shipped (ledger, seq) VALUES (?1, ?2)
                   ON CONFLICT (ledger) DO UPDATE SET seq = excluded.seq";
        let noted =
            self.connection.prepare_cached(sql).and_then(|mut note| note.execute(params![ledger, seq]));
        self.said(noted).map(drop)
    }

    /// The id of the row with this number; `None` when there is none.
    pub(crate) fn id_at(&self, seq: i64) -> Result<Option<String>, StoreError> {
        let sql = "SELECT id FROM outbox WHERE seq = ?1";
        self.said(self.connection.query_row(sql, [seq], |row| row.get(0)).optional())
    }

    /// What comes after this number.
    pub(crate) fn waiting(&self, after: i64) -> Result<Waiting, StoreError> {
        self.said(self.read_waiting(after))
    }

    fn read_waiting(&self, after: i64) -> rusqlite::Result<Waiting> {
        let one = |sql: &str| {
            let mut query = self.connection.prepare_cached(sql)?;
            query.query_row([after], |row| row.get::<_, i64>(0)).optional()
        };
        // Numbers have no gaps: they are drawn under the writer's lock. Those from before come first.
        let newest = one("SELECT seq FROM outbox_newest WHERE seq >= ?1")?.unwrap_or(after);
        let early =
            "SELECT r.at_unix_ms FROM more_outbox AS o CROSS JOIN early_requests AS r ON r.request_id = o.id
                     WHERE o.seq > ?1 AND o.kind = 'request' ORDER BY o.seq LIMIT 1";
        let later = "SELECT at_unix_ms FROM settled WHERE seq > ?1 ORDER BY seq LIMIT 1";
        let oldest_ms = one(early)?.map_or_else(|| one(later), |found| Ok(Some(found)))?;
        Ok(Waiting { count: u64::try_from(newest - after).unwrap_or(0), oldest_ms })
    }

    /// The next rows after this number, of so many requests at most; `None` when there are none.
    pub(crate) fn parcel(&self, gateway: &str, after: i64, most: u32) -> Result<Option<Parcel>, StoreError> {
        self.said(self.read_parcel(gateway, after, most))
    }

    fn read_parcel(&self, gateway: &str, after: i64, most: u32) -> rusqlite::Result<Option<Parcel>> {
        let state = self.connection.unchecked_transaction()?;
        let bound =
            "SELECT seq, kind, id FROM outbox WHERE seq > ?1 AND seq <= ?1 + ?2 ORDER BY seq DESC LIMIT 1";
        let found = state
            .prepare_cached(bound)?
            .query_row(params![after, most], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
            .optional()?;
        let Some((last, label)) = found else { return Ok(None) };
        let rows = GOODS.iter().map(|goods| read(&state, goods, gateway, after, last));
        let rows = rows.collect::<rusqlite::Result<_>>()?;
        Ok(Some(Parcel { last, count: u64::try_from(last - after).unwrap_or(0), label, rows }))
    }

    fn said<T>(&self, done: rusqlite::Result<T>) -> Result<T, StoreError> {
        done.map_err(|error| explain(&self.path, &error))
    }
}

const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// As many as there are here, and some to spare.
const STATEMENTS: usize = 32;

fn read(
    state: &Connection,
    goods: &Goods,
    gateway: &str,
    after: i64,
    last: i64,
) -> rusqlite::Result<(u64, Bytes)> {
    let columns: Vec<String> = goods.columns.iter().map(|column| format!("t.{column}")).collect();
    let mut rows = Rows::new();
    for from in goods.from {
        let sql = format!("SELECT {} FROM {from}", columns.join(", "));
        let mut query = state.prepare_cached(&sql)?;
        let mut found = query.query([after, last])?;
        while let Some(row) = found.next()? {
            rows.row(columns.len() + usize::from(goods.with_gateway));
            if goods.with_gateway {
                rows.text(gateway.as_bytes());
            }
            (0..columns.len()).try_for_each(|at| field(&mut rows, row.get_ref(at)?))?;
        }
    }
    Ok((rows.count(), rows.finish()))
}

/// A value as the common ledger has it: nothing is packed there.
fn field(rows: &mut Rows, value: ValueRef<'_>) -> rusqlite::Result<()> {
    match value {
        ValueRef::Null => rows.null(),
        ValueRef::Integer(value) => rows.int(value),
        ValueRef::Real(value) => rows.real(value),
        ValueRef::Text(value) => rows.text(value),
        ValueRef::Blob(_) => rows.text(receipt::text(value)?.as_bytes()),
    }
    Ok(())
}
