//! The SQLite journal against bad files, full disks, other programs and its own end.

mod crash;
mod docs;
mod every_offset;
mod files;
mod money;
mod old;
mod sync;
mod trouble;

use super::*;
use crate::invariants;
use crate::store::fixtures::{record, settled, snapshot};
use rusqlite::Connection;
use sluice_router::NanoUsd;
use tempfile::TempDir;

/// A folder with the path of a journal in it.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("sluice.db");
    (folder, path)
}

/// A journal with these requests, closed.
async fn written(path: &Path, numbers: impl Iterator<Item = u64>) {
    let journal = SqliteJournal::open(path).expect("opens");
    journal.record(snapshot()).await;
    for n in numbers {
        journal.record(record(n)).await;
    }
    journal.flush().await.expect("durable");
}

/// One number that SQL says.
fn ask(path: &Path, sql: &str) -> i64 {
    let connection = Connection::open(path).expect("opens");
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The stored request ids, in order, after checking that every request is whole and its sums are right.
fn checked_requests(connection: &Connection) -> Vec<String> {
    let mut query = connection
        .prepare(
            "SELECT request_id, cost_nanousd,
                 (SELECT coalesce(sum(amount_nanousd), 0) FROM entries AS e WHERE e.request_id = r.request_id),
                 (SELECT count(*) FROM attempts AS a WHERE a.request_id = r.request_id),
                 (SELECT count(*) FROM decisions AS d WHERE d.decision_id = r.decision_id)
             FROM requests AS r ORDER BY request_id",
        )
        .expect("the schema is there");
    let rows = query.query_map([], |row| {
        let id: String = row.get(0)?;
        let (cost, booked): (i64, i64) = (row.get(1)?, row.get(2)?);
        assert!(invariants::balances(NanoUsd(booked), NanoUsd(cost)), "{id}: booked {booked}, cost {cost}");
        let (attempts, decisions): (i64, i64) = (row.get(3)?, row.get(4)?);
        assert_eq!((attempts, decisions), (2, 1), "{id} is whole");
        Ok(id)
    });
    let ids: Vec<String> = rows.expect("readable").collect::<rusqlite::Result<_>>().expect("readable");
    let orphans = "SELECT count(*) FROM entries WHERE request_id NOT IN (SELECT request_id FROM requests)";
    let orphans: i64 = connection.query_row(orphans, [], |row| row.get(0)).expect("readable");
    assert_eq!(orphans, 0, "no entry without its request");
    ids
}

#[tokio::test]
async fn dropping_a_journal_writes_all_that_was_handed_over() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..3_000 {
        journal.record(record(n)).await;
    }
    drop(journal);
    assert!(!path.with_extension("db-wal").exists(), "the log is folded into the file");
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), 3_000);
}

#[tokio::test]
async fn a_waiting_call_keeps_the_journal_open() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    let late = journal.record(record(1));
    drop(journal);
    late.await;
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), 1);
}

#[tokio::test]
async fn many_callers_at_once_lose_nothing() {
    let (_folder, path) = place();
    let journal = Arc::new(SqliteJournal::open(&path).expect("opens"));
    let callers = (0..8).map(|caller| {
        let journal = journal.clone();
        async move {
            for n in 0..500 {
                journal.record(record(caller * 500 + n)).await;
            }
            journal.flush().await
        }
    });
    let flushed = futures::future::join_all(callers).await;
    assert!(flushed.iter().all(Result::is_ok));
    assert_eq!(ask(&path, "SELECT count(DISTINCT request_id) FROM entries"), 4_000);
}
