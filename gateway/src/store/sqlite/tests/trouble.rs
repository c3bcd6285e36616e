//! A disk that is full, a program that holds the file, a record that is wrong, a writer that is behind.

use super::*;
use crate::record::Record;

/// Nobody but the test may let go of the file.
fn hold(path: &Path) -> Connection {
    let other = Connection::open(path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("taken");
    other
}

#[tokio::test]
async fn row_32_a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again() {
    let (_folder, path) = place();
    let lock = lock::WriterLock::take(&path).expect("free");
    let (connection, writer) = schema::open_to_write(&path).expect("opens");
    connection
        .execute_batch("CREATE TABLE ballast AS SELECT randomblob(4000000) AS bytes")
        .expect("room for now");
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).expect("a number");
    let _: i64 = connection
        .query_row(&format!("PRAGMA max_page_count = {}", pages + 4), [], |row| row.get(0))
        .expect("a number");
    let journal = SqliteJournal::start(&path, lock, connection, writer, Opening::default()).expect("starts");

    for n in 0..300 {
        journal.record(record(n)).await;
    }
    let error = journal.flush().await.expect_err("no room").to_string();
    assert!(error.contains("the disk is full"), "{error}");
    assert_eq!(journal.trouble(), Some(error));
    assert!(journal.oldest_waiting_ms().is_some_and(|ms| ms >= settled(0).at_unix_ms));

    Connection::open(&path).expect("opens").execute_batch("DROP TABLE ballast").expect("makes room");
    while journal.flush().await.is_err() {}
    assert_eq!(journal.trouble(), None);
    drop(journal);
    assert_eq!(checked_requests(&Connection::open(&path).expect("opens")).len(), 300);
}

#[tokio::test]
async fn a_file_held_by_another_program_is_told_and_waited_for() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    let other = hold(&path);
    journal.record(record(1)).await;
    let error = journal.flush().await.expect_err("held").to_string();
    assert!(error.contains("another program holds a lock"), "{error}");
    other.execute_batch("ROLLBACK").expect("let go");
    while journal.flush().await.is_err() {}
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), 1);
}

#[tokio::test]
async fn a_writer_that_is_behind_makes_callers_wait_and_loses_nothing() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    let other = hold(&path);
    assert!(!journal.is_full());
    let mut handed = 0;
    let waiting = loop {
        let mut call = tokio::task::unconstrained(journal.record(record(handed)));
        handed += 1;
        if futures::poll!(&mut call).is_pending() {
            break call;
        }
    };
    assert!(handed as usize > WAITING_RECORDS, "{handed} records were taken");
    assert!(journal.is_full());
    other.execute_batch("ROLLBACK").expect("let go");
    waiting.await;
    while journal.flush().await.is_err() {}
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), handed as i64);
}

#[tokio::test]
async fn a_record_that_breaks_a_rule_is_kept_apart_and_stops_no_other() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    let mut unbalanced = settled(1);
    unbalanced.cost = NanoUsd(1);
    let mut timeless = settled(2);
    timeless.total_ms = f64::NAN; // stored as NULL, which the column refuses
    for odd in [unbalanced, timeless] {
        journal.record(Record::Settled(Box::new(odd))).await;
        journal.flush().await.expect("written"); // each in a group of its own
    }
    journal.record(record(3)).await;
    journal.flush().await.expect("written");
    let trouble = journal.trouble().expect("told");
    assert!(trouble.contains("I2: the entries sum to"), "the first stays: {trouble}");
    drop(journal);
    let connection = Connection::open(&path).expect("opens");
    assert_eq!(checked_requests(&connection), [settled(3).request_id.to_string()]);
    assert_eq!(ask(&path, "SELECT count(*) FROM refused WHERE record LIKE 'Settled(%'"), 2);
    assert_eq!(ask(&path, "SELECT count(*) FROM attempts"), 2, "nothing of a refused record stays");
}

#[tokio::test]
async fn a_journal_closed_in_trouble_ends_all_the_same() {
    let (_folder, path) = place();
    let lock = lock::WriterLock::take(&path).expect("free");
    let (connection, writer) = schema::open_to_write(&path).expect("opens");
    connection.busy_timeout(std::time::Duration::ZERO).expect("set");
    let journal = SqliteJournal::start(&path, lock, connection, writer, Opening::default()).expect("starts");
    let _other = hold(&path);
    journal.record(record(1)).await;
    assert!(journal.flush().await.is_err());
    drop(journal); // returns: that is the test
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), 0);
}
