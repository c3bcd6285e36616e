//! Row 64: a file of an earlier version is taken over as it is.

use super::*;
use crate::store::fixtures::{CONFIG, id};
use crate::store::parcel::Parcel;

/// A file as version 1 left it, with two requests.
fn first_version(path: &Path) {
    let old = Connection::open(path).expect("opens");
    old.execute_batch(include_str!("../schema/v1.sql")).expect("made");
    let rows = |n: u64| {
        let (id, cost) = (id(n), 500 + n);
        format!(
            "INSERT INTO requests VALUES ('{id}', 'old', 1600000000000 + {n}, 'acme', 'auto', 'grpc', '', '', 'ok',
                 'small', 1, {cost}, 900, NULL, 10.0, '{{}}', 'old-{n}');
             INSERT INTO decisions VALUES ('old-{n}', '{id}', '{CONFIG}', '{{}}');
             INSERT INTO attempts VALUES ('{id}', 0, 'small', 'a', 'b', 'done', '', 1, 0, 2, 0, {cost}, 0.0, NULL, 1.0);
             INSERT INTO entries VALUES ('{id}', 0, 'settle', 'spent', 'funded', {cost}, '{CONFIG}', 1, {n} + 1);"
        )
    };
    let sql = format!(
        "INSERT INTO writers (version) VALUES ('0.0.1'); INSERT INTO snapshots VALUES ('{CONFIG}', '{{}}'); {} {}
         PRAGMA application_id = 1399616873; PRAGMA user_version = 1",
        rows(0),
        rows(1)
    );
    old.execute_batch(&sql).expect("written");
}

#[tokio::test]
async fn row_64_a_file_of_the_first_version_keeps_its_money_and_goes_on() {
    let (_folder, path) = place();
    first_version(&path);
    let journal = SqliteJournal::open(&path).expect("opens");
    assert!(journal.receipt("old-1".to_owned(), "acme".to_owned()).await.expect("readable").is_some());
    journal.record(record(2)).await;
    journal.flush().await.expect("durable");
    let ledger = SqliteLedger::open(&path).expect("opens");
    let total = ledger.report(&crate::ReportAsk::default()).expect("sums").total;
    assert_eq!(total.requests, 3);
    assert_eq!(total.cost, NanoUsd(500 + 501) + settled(2).cost);
    assert_eq!(ask(&path, "SELECT count(*) FROM ledger_entries"), 4);
    assert_eq!(ask(&path, "SELECT max(writer) FROM entries"), 2, "a start of its own");
}

#[test]
fn row_64_what_an_earlier_version_wrote_goes_to_the_common_ledger_too() {
    let (_folder, path) = place();
    first_version(&path);
    drop(SqliteJournal::open(&path).expect("upgrades it"));
    let outbox = Outbox::of(&format!("sqlite:{}", path.display())).expect("opens");
    let parcel: Parcel = outbox.parcel("one", 0, 10).expect("readable").expect("something waits");
    let counts: Vec<u64> = parcel.rows.iter().map(|(count, _)| *count).collect();
    // Snapshots, requests, decisions, attempts, entries, closings, minutes, refused.
    assert_eq!(counts, [1, 2, 2, 2, 2, 0, 0, 0]);
    assert!(outbox.parcel("one", parcel.last, 10).expect("readable").is_none());
}
