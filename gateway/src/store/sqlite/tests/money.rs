//! Sums: exact, whole, and each request once.

use super::*;
use crate::record::{Account, Closing, LedgerEntry, Minute, Phase};
use crate::store::fixtures::{CONFIG, attempt, decision_id, entry, id};
use crate::store::{By, Group, OpenShare, PurgeAsk, Purged, Report, ReportAsk};

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
        overrun: NanoUsd::ZERO,
        unattributed: NanoUsd::ZERO,
        idle: NanoUsd::ZERO,
        tokens: crate::TokenSums { prompt: 2_000, cached: 800, cache_write: 400, output: 4_000 },
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

/// A closing that was written down by a start that was killed before it kept the vault.
#[tokio::test]
async fn what_was_left_open_is_known_until_its_closing_is_in_force() {
    let (_folder, path) = place();
    let account = "budget/acme/month/0".to_owned();
    let journal = SqliteJournal::open(&path).expect("opens");
    journal.record(Record::Mark { account: account.clone(), amount: NanoUsd(5_000) }).await;
    let charge = crate::record::Charge { account: account.clone(), amount: NanoUsd(1_700) };
    let settled = crate::record::Settled { charges: vec![charge], ..settled(1) };
    journal.record(Record::Settled(Box::new(settled))).await;
    drop(journal);
    let left =
        OpenShare { account: account.clone(), epoch: 1, settled: NanoUsd(1_700), most: NanoUsd(5_000) };
    for start in 2..4 {
        let journal = SqliteJournal::open(&path).expect("opens");
        assert_eq!(journal.opening().open, std::slice::from_ref(&left), "start {start}");
        let closing = Closing {
            account: account.clone(),
            epoch: 1,
            tenant: "acme".to_owned(),
            at_unix_ms: 0,
            spent: left.settled,
            unattributed: left.most - left.settled,
        };
        journal.record(Record::Closed(closing)).await;
        if start == 3 {
            journal.record(Record::Kept { account: account.clone(), epochs: vec![1] }).await;
        }
        journal.flush().await.expect("durable");
    }
    assert_eq!(SqliteJournal::open(&path).expect("opens").opening().open, []);
}

/// A journal with a hundred requests, an overrun and a share that a crash left open.
async fn with_losses(path: &Path) {
    let journal = SqliteJournal::open(path).expect("opens");
    journal.record(snapshot()).await;
    for n in 0..100 {
        let mut settled = settled(n);
        if n == 7 {
            let beyond = entry(1, Account::Overrun, NanoUsd(77));
            settled.entries.push(LedgerEntry { phase: Phase::Overrun, ..beyond });
            settled.project = "web".to_owned();
        }
        journal.record(Record::Settled(Box::new(settled))).await;
    }
    let closing = |account: &str| Closing {
        account: account.to_owned(),
        epoch: 1,
        tenant: "acme".to_owned(),
        at_unix_ms: 1_700_086_400_000,
        spent: NanoUsd(5),
        unattributed: NanoUsd(33),
    };
    let minute = |at: i64, charged| Minute {
        pool: "own".to_owned(),
        expert: "small".to_owned(),
        start_ms: 1_700_086_400_000 + at * 60_000,
        bill: NanoUsd(50),
        charged: NanoUsd(charged),
        price_version: CONFIG.to_owned(),
    };
    // The last one is the first once more, and the second was charged wholly.
    for (at, charged) in [(0, 39), (1, 50), (0, 39)] {
        journal.record(Record::Minute(minute(at, charged))).await;
    }
    // The project's share bounds the same money once more.
    for account in ["budget/acme/month/0", "budget/acme/web/month/0"] {
        journal.record(Record::Closed(closing(account))).await;
    }
    journal.flush().await.expect("durable");
}

#[tokio::test]
async fn losses_stand_beside_the_cost_and_everything_adds_up_to_the_ledger() {
    let (_folder, path) = place();
    with_losses(&path).await;
    let total = report(&path, &ReportAsk::default()).total;
    assert_eq!((total.overrun, total.unattributed, total.entries), (NanoUsd(77), NanoUsd(33), 203));
    let booked = ask(&path, "SELECT sum(amount_nanousd) FROM ledger_entries");
    assert_eq!(total.idle, NanoUsd(11));
    assert_eq!((total.cost + total.overrun + total.unattributed + total.idle).0, booked);
    for sql in ["UPDATE minutes SET charged_nanousd = 1", "DELETE FROM minutes"] {
        let error = Connection::open(&path).expect("opens").execute(sql, []).expect_err("refused");
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    let by = vec![By::Day, By::Project, By::Tag("team".to_owned()), By::Tag("o'no\"".to_owned())];
    let groups = report(&path, &ReportAsk { by, ..ReportAsk::default() }).groups;
    let found: Vec<_> =
        groups.iter().map(|group| (group.by.join("/"), group.requests, group.unattributed.0)).collect();
    let expected =
        [("2023-11-14//a \"b\"/", 99, 0), ("2023-11-14/web/a \"b\"/", 1, 0), ("2023-11-15///", 0, 33)];
    assert_eq!(found, expected.map(|(by, requests, lost)| (by.to_owned(), requests, lost)));
}

#[tokio::test]
async fn bookings_and_uses_hold_every_nano_dollar_and_token() {
    let (_folder, path) = place();
    with_losses(&path).await;
    let ledger = SqliteLedger::open(&path).expect("opens");
    let (booked, _) = ledger.booked(ReportAsk::default().window()).expect("sums");
    let sum: NanoUsd = booked.iter().map(|booked| booked.amount).sum();
    assert_eq!(sum.0, ask(&path, "SELECT sum(amount_nanousd) FROM ledger_entries"));
    assert_eq!(booked.iter().map(|booked| booked.tokens.output).sum::<u64>(), 4_000, "of what overran once");
    assert_eq!(booked.iter().map(|booked| booked.entries).sum::<u64>(), 203);
    let (used, _) = ledger.used(ReportAsk::default().window()).expect("sums");
    let [small] = &used[..] else { panic!("one expert on one day: {used:?}") };
    assert_eq!((small.day.as_str(), small.expert.as_str(), small.attempts), ("2023-11-14", "small", 200));
    assert_eq!(small.amount, sum - NanoUsd(33) - NanoUsd(11));
    let own_count =
        "SELECT sum(amount_nanousd) FROM ledger_entries WHERE estimated = 1 AND phase <> 'abandon'";
    assert_eq!(small.estimated.0, ask(&path, own_count));
}

#[tokio::test]
async fn a_purge_forgets_one_tenant_s_requests_and_no_money() {
    let (_folder, path) = place();
    written(&path, 0..30).await;
    let before = report(&path, &ReportAsk::default());
    let asked = PurgeAsk { tenant: "acme".to_owned(), before_ms: settled(15).at_unix_ms };
    let ledger = SqliteLedger::open(&path).expect("opens");
    // 0, 3, 6, 9 and 12.
    let purged = Purged { decisions: 5, requests: 5, attempts: 0 };
    assert_eq!(ledger.purge(&asked), Ok(purged));
    assert_eq!(ledger.purge(&asked), Ok(Purged::default()), "once");
    assert_eq!(report(&path, &ReportAsk::default()), before);
    assert_eq!(ledger.receipt(&decision_id(12)), Ok(None));
    assert!(ledger.receipt(&decision_id(15)).expect("readable").is_some(), "later");
    assert!(ledger.receipt(&decision_id(13)).expect("readable").is_some(), "another's");
    assert_eq!(
        ask(&path, "SELECT count(*) FROM requests WHERE label = '' AND tags = '{}' AND tenant = 'acme'"),
        5
    );
    let bytes = std::fs::read(&path).expect("readable");
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // A receipt has its id, and its route after that: a text of four bytes.
    let receipt = |n| format!("decision-{n}\t\u{4}auto");
    assert!(!holds(&receipt(12)) && holds(&receipt(13)), "written over, not only unlinked");
}

fn charge(account: &str, amount: i64) -> crate::record::Charge {
    crate::record::Charge { account: account.to_owned(), amount: NanoUsd(amount) }
}

/// Records that are in the line before anybody waits are one group, most likely.
async fn write(path: &Path, records: Vec<crate::record::Settled>) -> Option<String> {
    let journal = SqliteJournal::open(path).expect("opens");
    for settled in records {
        journal.record(Record::Settled(Box::new(settled))).await;
    }
    journal.flush().await.expect("durable");
    journal.trouble()
}

#[tokio::test]
async fn accounts_are_charged_what_their_requests_were_whoever_shares_a_group() {
    let (_folder, path) = place();
    let charged = |n: u64, charges| crate::record::Settled { charges, ..settled(n) };
    let of = |n| charged(n, vec![charge("a", n as i64), charge("b", 1)]);
    // The last one is there already.
    assert_eq!(write(&path, (0..100).chain([7]).map(of).collect()).await, None);
    assert_eq!(ask(&path, "SELECT amount_nanousd FROM charged WHERE account = 'a'"), 99 * 100 / 2);
    assert_eq!(ask(&path, "SELECT amount_nanousd FROM charged WHERE account = 'b'"), 100);
    assert_eq!(ask(&path, "SELECT count(*) FROM charged"), 2);
}

#[tokio::test]
async fn what_is_refused_charges_nobody_and_leaves_no_gap_in_any_count() {
    let (_folder, path) = place();
    let of = |n: u64, amounts: &[i64]| crate::record::Settled {
        charges: amounts.iter().map(|amount| charge("a", *amount)).collect(),
        ..settled(n)
    };
    // A second attempt that calls itself the first one.
    let mut twice = of(2, &[1_000_000]);
    twice.attempts = vec![attempt(0, "done", twice.cost), attempt(0, "done", twice.cost)];
    twice.entries = vec![entry(0, Account::Spent, twice.cost)];
    let timeless = crate::record::Settled { total_ms: f64::NAN, ..of(3, &[1_000_000]) };
    let huge = of(4, &[i64::MAX, i64::MAX]);
    let records = vec![of(1, &[5]), twice, timeless, huge, of(5, &[6])];
    assert!(write(&path, records).await.is_some(), "told");
    assert_eq!(ask(&path, "SELECT count(*) FROM requests"), 2);
    assert_eq!(ask(&path, "SELECT count(*) FROM refused"), 3);
    assert_eq!(ask(&path, "SELECT amount_nanousd FROM charged WHERE account = 'a'"), 11);
    assert_eq!(ask(&path, "SELECT count(*) FROM more_attempts"), 2);
    // Four bookings, and two requests and three refused ones that go out.
    for (column, table, most) in [("sequence", "entries", 4), ("seq", "outbox", 5)] {
        let sql = format!("SELECT count(DISTINCT {column}) * (max({column}) = count(*)) FROM {table}");
        assert_eq!(ask(&path, &sql), most, "{table}");
    }
}

#[tokio::test]
async fn money_that_was_held_is_let_go_with_its_request_also_after_a_start() {
    let (_folder, path) = place();
    let held = |n| {
        let accounts = vec!["a".to_owned()];
        Record::Held(crate::record::Held {
            request_id: settled(n).request_id,
            hold: 0,
            accounts,
            amount: NanoUsd(9),
        })
    };
    let journal = SqliteJournal::open(&path).expect("opens");
    for n in 0..3 {
        journal.record(held(n)).await;
    }
    let ended = |n| crate::record::Settled { charges: vec![charge("a", 1)], ..settled(n) };
    journal.record(Record::Settled(Box::new(ended(0)))).await;
    drop(journal);
    assert_eq!(ask(&path, "SELECT count(*) FROM holds"), 2);
    assert_eq!(write(&path, vec![ended(1)]).await, None);
    assert_eq!(ask(&path, "SELECT count(*) FROM holds"), 1);
}

/// The first attempt and its settlement are in the request's row, whatever else there is isn't.
#[tokio::test]
async fn tables_show_each_attempt_and_booking_wherever_it_is_kept() {
    let (_folder, path) = place();
    let mut over = settled(1);
    (over.attempts, over.entries) = (over.attempts.split_off(1), over.entries.split_off(1));
    over.cost = over.attempts[0].cost;
    let beyond = LedgerEntry { phase: Phase::Overrun, ..entry(1, Account::Overrun, NanoUsd(77)) };
    over.entries.push(LedgerEntry { price_version: "other".to_owned(), ..beyond });
    let mut nothing = settled(2);
    (nothing.attempts, nothing.entries, nothing.receipt) = (vec![], vec![], None);
    (nothing.cost, nothing.label, nothing.expert) = (NanoUsd::ZERO, id(2).to_string(), String::new());
    let last = settled(3);
    let costs = [over.cost, last.attempts[0].cost, last.attempts[1].cost].map(|cost| cost.0);
    assert_eq!(write(&path, vec![over, nothing, last]).await, None);
    let bookings = "SELECT concat_ws(' ', r.label, l.attempt, l.phase, l.debit, l.credit, l.amount_nanousd, a.expert, l.pool,
                        a.ended, l.price_version, l.sequence, l.decision_id)
                    FROM ledger_entries AS l JOIN attempts AS a USING (request_id, attempt)
                    JOIN requests AS r USING (request_id) ORDER BY l.sequence";
    let expected = [
        format!("r-1 1 settle spent funded {} small small-a done {CONFIG} 1 decision-1", costs[0]),
        "r-1 1 overrun overrun funded 77 small small-a done other 2 decision-1".to_owned(),
        format!("r-3 0 settle overhead funded {} small small-a broken {CONFIG} 3 decision-3", costs[1]),
        format!("r-3 1 settle spent funded {} small small-a done {CONFIG} 4 decision-3", costs[2]),
    ];
    assert_eq!(texts(&path, bookings), expected);
    let requests = "SELECT concat_ws(' ', label = request_id, expert, coalesce(decision_id, 'none'),
                        (SELECT count(*) FROM attempts AS a WHERE a.request_id = r.request_id),
                        (SELECT count(*) FROM decisions AS d WHERE d.request_id = r.request_id))
                    FROM requests AS r ORDER BY request_id";
    assert_eq!(texts(&path, requests), ["0 small decision-1 1 1", "1  none 0 0", "0 small decision-3 2 1"]);
}

fn texts(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).expect("opens");
    let mut query = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = query.query_map([], |row| row.get(0)).expect("runs");
    rows.collect::<rusqlite::Result<_>>().expect("readable")
}

#[tokio::test]
async fn a_decision_with_the_id_of_its_request_is_found_by_that() {
    let (_folder, path) = place();
    let mut one = settled(1);
    let own = one.request_id.to_string();
    one.receipt.as_mut().expect("has one").id.clone_from(&own);
    let journal = SqliteJournal::open(&path).expect("opens");
    journal.record(snapshot()).await;
    for settled in [one.clone(), settled(2)] {
        journal.record(Record::Settled(Box::new(settled))).await;
    }
    let found = journal.receipt(own.clone(), one.tenant.clone()).await.expect("readable").expect("stored");
    assert_eq!(found.0, serde_json::to_string(&one.receipt).expect("is JSON"), "to the byte");
    assert_eq!(journal.receipt(own, "another".to_owned()).await, Ok(None));
    assert_eq!(
        journal.receipt(id(2).to_string(), settled(2).tenant).await,
        Ok(None),
        "that has one of its own"
    );
    assert_eq!(ask(&path, "SELECT count(*) FROM ledger_entries WHERE decision_id = request_id"), 2);
}
