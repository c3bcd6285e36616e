//! Row 64: a file of an earlier version is taken over as it is.

use super::*;
use crate::store::fixtures::{CONFIG, id};
use crate::store::parcel::Parcel;
use crate::store::{By, PurgeAsk, Purged, ReportAsk};

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

/// A file as version 3 left it, with a budget and requests of two attempts each.
fn third_version(path: &Path, requests: u64) {
    let old = Connection::open(path).expect("opens");
    for part in [
        include_str!("../schema/v1.sql"),
        include_str!("../schema/v2.sql"),
        include_str!("../schema/v2-shared.sql"),
        include_str!("../schema/v2-outbox.sql"),
        include_str!("../schema/v3.sql"),
        "INSERT INTO writers (version) VALUES ('0.0.3'); INSERT INTO snapshots VALUES ('c0ffee', '{}');
         INSERT INTO charged VALUES ('budget/acme/month/0', 1, 400); INSERT INTO marks VALUES ('budget/acme/month/0', 1, 900);
         INSERT INTO holds VALUES ('some request', 0, 'budget/acme/month/0', 1, 70);
         INSERT INTO closings VALUES ('budget/acme/month/0', 1, 'acme', 1700000000000, 5, 33);
         INSERT INTO minutes VALUES ('1:0:own', 1, 'own', 'small', 1700000000000, 50, 39, 'c0ffee')",
        "PRAGMA application_id = 1399616873; PRAGMA user_version = 3",
    ] {
        old.execute_batch(part).expect("made");
    }
    (0..requests).for_each(|n| old.execute_batch(&third_version_rows(&settled(n))).expect("written"));
}

fn third_version_rows(of: &crate::record::Settled) -> String {
    let (id, receipt) = (of.request_id, of.receipt.as_ref().expect("has one"));
    let json = serde_json::to_string(receipt).expect("is JSON");
    let tries = of.attempts.iter().zip(&of.entries).map(|(attempt, entry)| {
        let (n, cost, debit) = (attempt.n, attempt.cost.0, if entry.debit == crate::Account::Spent { "spent" } else { "overhead" });
        format!(
            "INSERT INTO attempts VALUES ('{id}', {n}, 'small', 'small-a', '127.0.0.1:1', '{}', 'words', 10, 4, 20, {}, {cost},
                 0.5, 12.5, 40.0, 2);
             INSERT INTO entries VALUES ('{id}', {n}, 'settle', '{debit}', 'funded', {cost}, '{CONFIG}', 1,
                 (SELECT count(*) + 1 FROM entries));",
            attempt.end,
            u8::from(attempt.estimated)
        )
    });
    format!(
        "INSERT INTO requests VALUES ('{id}', '{}', {}, '{}', 'auto', 'grpc', '{}', 'en', 'ok', 'small', {}, {}, 9000, 12.5, 80.25,
             '{{\"team\":\"x\"}}', '{}', '', '');
         INSERT INTO decisions VALUES ('{}', '{id}', '{CONFIG}', '{json}'); {}",
        of.label,
        of.at_unix_ms,
        of.tenant,
        of.domain,
        u8::from(of.floor_held),
        of.cost.0,
        receipt.id,
        receipt.id,
        tries.collect::<String>()
    )
}

fn sums(path: &Path) -> (crate::store::Report, Vec<crate::store::Booked>, Vec<crate::store::Used>) {
    let ledger = SqliteLedger::open(path).expect("opens");
    let by = vec![By::Tenant, By::Domain, By::Day, By::Tag("team".to_owned())];
    let ask = ReportAsk { by, ..ReportAsk::default() };
    let report = ledger.report(&ask).expect("sums");
    let (booked, _) = ledger.booked(ask.window()).expect("sums");
    (report, booked, ledger.used(ask.window()).expect("sums").0)
}

#[tokio::test]
async fn row_64_a_file_of_the_third_version_says_the_same_after_it_and_goes_on() {
    let (_folder, path) = place();
    third_version(&path, 30);
    let before = sums(&path);
    assert_eq!(before.0.total.entries, 62, "two each, a share and an idle minute");
    let shown =
        |path: &Path| SqliteLedger::open(path).expect("opens").receipt("decision-7").expect("readable");
    let receipt = shown(&path).expect("stored");
    let opening = SqliteJournal::open(&path).expect("upgrades it").opening();
    assert_eq!(opening.open[0].most, NanoUsd(900), "what was open is still");
    assert_eq!(sums(&path), before);
    assert_eq!(shown(&path), Some(receipt));

    // Requests after that are sums with those before it, also where both are in one answer.
    written(&path, 30..60).await;
    let (after, ..) = sums(&path);
    assert_eq!((after.total.requests, after.total.attempts, after.total.entries), (60, 120, 122));
    let cost: NanoUsd = (0..60).map(|n| settled(n).cost).sum();
    assert_eq!((after.total.cost, ask(&path, "SELECT sum(cost_nanousd) FROM attempts")), (cost, cost.0));
    assert_eq!(checked_requests(&Connection::open(&path).expect("opens")).len(), 60);
}

#[tokio::test]
async fn row_64_what_the_third_version_wrote_goes_out_before_what_came_after_each_once() {
    let (_folder, path) = place();
    third_version(&path, 30);
    written(&path, 30..60).await;
    let outbox = Outbox::of(&format!("sqlite:{}", path.display())).expect("opens");
    // A snapshot twice is one; a closing, a minute and sixty requests.
    assert_eq!(outbox.waiting(0).expect("readable").count, 63);
    assert_eq!(outbox.waiting(0).expect("readable").oldest_ms, Some(settled(0).at_unix_ms));
    assert_eq!(outbox.waiting(40).expect("readable").oldest_ms, Some(settled(37).at_unix_ms));
    let (mut counts, mut after) = ([0; 8], 0);
    while let Some(parcel) = outbox.parcel("one", after, 7).expect("readable") {
        assert_eq!(outbox.id_at(parcel.last), Ok(Some(parcel.label.1.clone())));
        for (sum, (count, _)) in counts.iter_mut().zip(&parcel.rows) {
            *sum += count;
        }
        after = parcel.last;
    }
    // Snapshots, requests, decisions, attempts, entries, closings, minutes, refused.
    assert_eq!(counts, [1, 60, 60, 120, 120, 1, 1, 0]);
}

#[tokio::test]
async fn row_64_a_purge_forgets_what_the_third_version_wrote_too() {
    let (_folder, path) = place();
    third_version(&path, 30);
    written(&path, 30..60).await;
    let before = sums(&path).0.total;
    let asked = PurgeAsk { tenant: "acme".to_owned(), before_ms: settled(45).at_unix_ms };
    let ledger = SqliteLedger::open(&path).expect("opens");
    // Every third one; what the engine said was only kept by the test's own rows.
    assert_eq!(ledger.purge(&asked), Ok(Purged { decisions: 15, requests: 15, attempts: 20 }));
    assert_eq!(ledger.purge(&asked), Ok(Purged::default()), "once");
    assert_eq!(sums(&path).0.total, before);
    for (n, is_there) in [(27, false), (28, true), (42, false), (43, true), (45, true)] {
        let found = ledger.receipt(&format!("decision-{n}")).expect("readable");
        assert_eq!(found.is_some(), is_there, "{n}");
    }
}
