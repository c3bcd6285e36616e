//! The file's tables, their versions, and the checks before anything is read from or written to it.

use super::fault;
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Opens the file for the only writer, makes or upgrades its tables, and draws an id for this start of the gateway.
pub(super) fn open_to_write(path: &Path) -> Result<(Connection, i64), StoreError> {
    let connection = prepare(path, Look::AtEveryPage)?;
    let writer = draw_writer(&connection).map_err(|error| fault::explain(path, &error))?;
    Ok((connection, writer))
}

/// Opens the file for writing and makes or upgrades its tables. Any number of processes may do so; who books is
/// decided by the writer's lock.
pub(crate) fn prepare(path: &Path, look: Look) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(|error| fault::explain(path, &error))?;
    let said = |error: rusqlite::Error| fault::explain(path, &error);
    connection.busy_timeout(BUSY).map_err(said)?;
    check_identity(&connection, path, Empty::IsFine)?;
    if look == Look::AtEveryPage {
        check_pages(&connection, path)?;
    }
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(said)?;
    if mode != "wal" {
        let file = path.display();
        return Err(StoreError(format!("{file}: no write-ahead log here ({mode}); use a local disk")));
    }
    // FULL: a commit is on the disk when it returns, a power cut included.
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864")
        .and_then(|()| connection.execute_batch(SIZES))
        .map_err(said)?;
    upgrade(&mut connection).map_err(said)?;
    Ok(connection)
}

/// Opens the file for reading beside its writer.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError(format!("{}: no such file", path.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| fault::explain(path, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| fault::explain(path, &error))?;
    check_identity(&connection, path, Empty::IsForeign)?;
    Ok(connection)
}

/// How closely a file is looked at before it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Whose it is, and of which version.
    AtItsHead,
    /// Whether it is whole too.
    AtEveryPage,
}

/// Whether a file without any table will do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    IsFine,
    IsForeign,
}

/// Refuses files of other programs and of later versions, before a byte of them is changed.
fn check_identity(connection: &Connection, path: &Path, empty: Empty) -> Result<(), StoreError> {
    let number = |sql: &str| -> Result<i64, StoreError> {
        connection.query_row(sql, [], |row| row.get(0)).map_err(|error| fault::explain(path, &error))
    };
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let is_ours = number("PRAGMA application_id")? == APPLICATION_ID;
    match number("PRAGMA user_version")? {
        0 if tables == 0 && empty == Empty::IsFine => Ok(()),
        version if !is_ours || version < 1 => Err(fault::foreign(path)),
        version if version > LATEST => Err(fault::newer(path, version, LATEST)),
        _ => Ok(()),
    }
}

/// Reads every page of a file that isn't too large for that, so that damage shows before the first request does.
fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let bytes = std::fs::metadata(path).map(|file| file.len()).unwrap_or(0);
    if bytes > CHECKED_BYTES {
        return Ok(());
    }
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| fault::explain(path, &error))?;
    if found == "ok" { Ok(()) } else { Err(fault::damaged(path, &found)) }
}

/// Applies what is missing, all in one transaction.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    // Without a lock first: most files have nothing to be done, and another process may be writing.
    if version(connection)? == LATEST {
        return Ok(());
    }
    let work = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&work)?).expect("checked to be at least 0");
    for sql in &VERSIONS[done..] {
        work.execute_batch(sql)?;
    }
    work.pragma_update(None, "application_id", APPLICATION_ID)?;
    work.pragma_update(None, "user_version", LATEST)?;
    work.commit()
}

/// Which version of the tables a file has.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Notes this start.
fn draw_writer(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute("INSERT INTO writers (version) VALUES (?1)", [env!("CARGO_PKG_VERSION")])?;
    Ok(connection.last_insert_rowid())
}

/// "Slui", so that `file` and we know our own.
const APPLICATION_ID: i64 = 0x536C_7569;
const LATEST: i64 = VERSIONS.len() as i64;
/// Other programs may read the file and hold it up for this long.
const BUSY: Duration = Duration::from_secs(2);
/// A group and the pages that it changes stay in memory until it is written (KiB), and a page that many groups change goes
/// to the file once for many (pages of log). What a statement may have to undo stays in memory too.
const SIZES: &str = "PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = MEMORY";
/// A file up to this size is read through at start: some 70 ms for 60 MB that are in the page cache.
const CHECKED_BYTES: u64 = 64 << 20;

/// What each version added. A released one is never edited; the next is a new element.
const VERSIONS: &[&str] = &[
    include_str!("schema/v1.sql"),
    concat!(
        include_str!("schema/v2.sql"),
        include_str!("schema/v2-shared.sql"),
        include_str!("schema/v2-outbox.sql")
    ),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
];
