//! Sums: exact, whole, and each request once.

use super::*;
use crate::record::Account;
use crate::store::fixtures::{attempt, decision_id, entry};
use crate::store::{By, Group, Report, ReportAsk};

fn report(path: &Path, ask: &ReportAsk) -> Report {
    SqliteLedger::open(path).expect("opens").report(ask).expect("sums")
}

#[tokio::test]
async fn a_record_handed_over_twice_is_booked_once() {
    let (_folder, path) = place();
    written(&path, (0..50).chain(0..50)).await;
    written(&path, 25..75).await;
    let connection = Connection::open(&path).expect("opens");
    assert_eq!(checked_requests(&connection).len(), 75);
    assert_eq!(ask(&path, "SELECT count(*) FROM entries"), 150);
}

#[tokio::test]
async fn a_report_sums_exactly_what_was_settled() {
    let (_folder, path) = place();
    written(&path, 0..100).await;
    let total = report(&path, &ReportAsk::default()).total;
    let all: Vec<_> = (0..100).map(settled).collect();
    let overhead = all.iter().map(|settled| settled.entries[0].amount).sum();
    let expected = Group {
        by: vec![],
        requests: 100,
        below_floor: 10,
        attempts: 200,
        entries: 200,
        cost: all.iter().map(|settled| settled.cost).sum(),
        baseline: NanoUsd(900_000),
        overhead,
        tokens: crate::TokenSums { prompt: 2_000, cached: 800, output: 4_000 },
    };
    assert_eq!(total, expected);
}

#[tokio::test]
async fn groups_add_up_to_the_total_whatever_they_are_by() {
    let (_folder, path) = place();
    written(&path, 0..100).await;
    let total = report(&path, &ReportAsk::default()).total;
    for by in [vec![By::Tenant], vec![By::Tenant, By::Domain], By::ALL.to_vec()] {
        let found = report(&path, &ReportAsk { by: by.clone(), ..ReportAsk::default() });
        assert_eq!(found.total, total, "{by:?}");
        assert_eq!(found.groups.iter().map(|group| group.cost).sum::<NanoUsd>(), total.cost);
    }
    let by = vec![By::Tenant, By::Domain];
    let found = report(&path, &ReportAsk { by, ..ReportAsk::default() });
    let sizes: Vec<_> = found.groups.iter().map(|group| (group.by.join("/"), group.requests)).collect();
    let expected = [("acme/law", 17), ("acme/math", 17), ("default/law", 33), ("default/math", 33)];
    assert_eq!(sizes, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[tokio::test]
async fn a_span_of_time_includes_its_start_and_excludes_its_end() {
    let (_folder, path) = place();
    written(&path, 0..100).await;
    let at = |n: u64| Some(settled(n).at_unix_ms);
    let count = |from_ms, to_ms| report(&path, &ReportAsk { by: vec![], from_ms, to_ms }).total.requests;
    assert_eq!(count(at(10), at(20)), 10);
    assert_eq!(count(at(99), None), 1);
    assert_eq!(count(None, at(1)), 1);
    assert_eq!(count(at(200), None), 0);
}

#[tokio::test]
async fn a_ledger_is_read_while_its_gateway_writes() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..10 {
        journal.record(record(n)).await;
        journal.flush().await.expect("durable");
        assert_eq!(report(&path, &ReportAsk::default()).total.requests, n + 1);
    }
}

#[tokio::test]
async fn a_ledger_shows_receipts_too() {
    let (_folder, path) = place();
    written(&path, 0..3).await;
    let ledger = SqliteLedger::open(&path).expect("opens");
    let (receipt, _) = ledger.receipt(&decision_id(2)).expect("readable").expect("stored");
    assert!(receipt.contains(&decision_id(2)));
    assert_eq!(ledger.receipt("no such"), Ok(None));
}

#[tokio::test]
async fn sums_beyond_64_bits_are_refused_rather_than_wrong() {
    let (_folder, path) = place();
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..2 {
        let mut huge = settled(n);
        let amount = NanoUsd(i64::MAX);
        huge.cost = amount;
        huge.attempts = vec![attempt(0, "done", amount)];
        huge.entries = vec![entry(0, Account::Spent, amount)];
        journal.record(Record::Settled(Box::new(huge))).await;
    }
    journal.flush().await.expect("durable");
    let error =
        SqliteLedger::open(&path).expect("opens").report(&ReportAsk::default()).expect_err("too much");
    assert!(error.to_string().contains("overflow"), "{error}");
}

#[tokio::test]
async fn entries_can_be_neither_changed_nor_removed() {
    let (_folder, path) = place();
    written(&path, 0..1).await;
    let connection = Connection::open(&path).expect("opens");
    for sql in ["UPDATE entries SET amount_nanousd = 1", "DELETE FROM entries"] {
        let error = connection.execute(sql, []).expect_err("refused").to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}
