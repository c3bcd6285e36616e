//! Shipping to a real Postgres: everything arrives once, whatever breaks on the way.

mod trouble;

use super::ship::Shipped;
use super::*;
use crate::record::{Closing, Minute, Record};
use crate::store::fixtures::{CONFIG, decision_id, record, settled, snapshot};
use crate::store::tests::servers::{Cluster, Schema};
use crate::store::{By, Journal, PurgeAsk, Purged, Report, ReportAsk, open_journal, open_ledger};
use sluice_router::NanoUsd;
use std::time::Duration;
use tempfile::TempDir;

/// A gateway with its journal.
struct Gateway {
    _folder: TempDir,
    url: String,
    id: &'static str,
    journal: Arc<dyn Journal>,
}

impl Gateway {
    fn new(id: &'static str) -> Gateway {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
        let journal = open_journal(&url).expect("opens");
        Gateway { _folder: folder, url, id, journal }
    }

    async fn writes(&self, numbers: impl Iterator<Item = u64>) {
        self.journal.record(snapshot()).await;
        for n in numbers {
            self.journal.record(record(n)).await;
        }
        self.journal.flush().await.expect("durable");
    }

    fn shipping(&self, ledger: &str) -> (Shipper, Shipping) {
        shipping(&self.url, ledger, self.id, 1_000).expect("opens")
    }

    /// Ships what there is, in one go.
    async fn ships(&self, ledger: &str) -> Shipped {
        let (shipper, shipping) = self.shipping(ledger);
        futures::join!(shipper.run(), shipping.finish());
        shipping.state()
    }
}

/// Every reading of a ledger, to compare.
fn reports(ledger: &str) -> Vec<Report> {
    let ledger = open_ledger(ledger).expect("it is there");
    let tags = ["team", "o'no\""].map(|tag| By::Tag(tag.to_owned()));
    let by = [vec![], vec![By::Tenant], By::ALL.to_vec(), tags.to_vec()];
    let ask = |by| ReportAsk { by, from_ms: None, to_ms: Some(settled(90).at_unix_ms) };
    by.into_iter().map(|by| ledger.report(&ask(by)).expect("sums")).collect()
}

/// Nothing is there twice, and every request is whole.
fn check_whole(schema: &Schema, requests: i64) {
    assert_eq!(schema.number("SELECT count(*) FROM requests"), requests);
    assert_eq!(schema.number("SELECT count(*) FROM decisions"), requests);
    assert_eq!(schema.number("SELECT count(*) FROM attempts"), 2 * requests);
    assert_eq!(schema.number("SELECT count(*) FROM ledger_entries"), 2 * requests);
    let unequal = "SELECT count(*) FROM requests AS r WHERE cost_nanousd <>
                   (SELECT sum(amount_nanousd) FROM entries AS e WHERE e.request_id = r.request_id)";
    assert_eq!(schema.number(unequal), 0, "what is booked is what was spent");
}

#[tokio::test]
async fn the_ledger_says_what_the_journal_says() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..100).await;
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    check_whole(&schema, 100);
    assert_eq!(reports(&schema.url()), reports(&gateway.url));
    let whole = ReportAsk::default().window();
    let read = |url: &str| {
        let ledger = open_ledger(url).expect("opens");
        (ledger.booked(whole).expect("sums"), ledger.used(whole).expect("sums"))
    };
    assert_eq!(read(&schema.url()), read(&gateway.url), "bookings and uses too");
    let (here, there) =
        (open_ledger(&schema.url()).expect("opens"), open_ledger(&gateway.url).expect("opens"));
    for n in [0, 7, 99] {
        let receipt = here.receipt(&decision_id(n)).expect("readable");
        assert!(receipt.is_some());
        assert_eq!(receipt, there.receipt(&decision_id(n)).expect("readable"), "to the last bit");
    }
    assert_eq!(here.receipt("no such"), Ok(None));
    let times = schema.ask("SELECT at FROM ledger_entries ORDER BY at LIMIT 1").expect("readable");
    assert_eq!(times, ["2023-11-14T22:13:20.000Z"]);
}

#[tokio::test]
async fn a_purge_forgets_in_the_common_ledger_too() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..30).await;
    gateway.ships(&schema.url()).await;
    let before = reports(&schema.url());
    let ledger = open_ledger(&schema.url()).expect("opens");
    let asked = PurgeAsk { tenant: "acme".to_owned(), before_ms: settled(15).at_unix_ms };
    assert_eq!(ledger.purge(&asked), Ok(Purged { decisions: 5, requests: 5, attempts: 0 }));
    assert_eq!(reports(&schema.url())[..3], before[..3], "money and counts stay");
    assert_eq!(ledger.receipt(&decision_id(12)), Ok(None));
    assert!(ledger.receipt(&decision_id(13)).expect("readable").is_some(), "another's");
}

#[tokio::test]
async fn the_view_has_the_journals_columns_and_the_gateway() {
    let Some(schema) = Schema::fresh() else { return };
    Gateway::new("one").ships(&schema.url()).await;
    let sql = "SELECT column_name FROM information_schema.columns WHERE table_name = 'ledger_entries'
               AND table_schema = current_schema() ORDER BY ordinal_position";
    let page = include_str!("../../../../docs/reference/ledger.md");
    let (_, section) = page.split_once("## The view").expect("it is there");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with("| `")).filter_map(|row| row.split('`').nth(1));
    let columns: Vec<&str> = rows.chain(["gateway"]).collect();
    assert_eq!(schema.ask(sql).expect("readable"), columns);
}

#[tokio::test]
async fn two_gateways_ship_to_one_ledger_each_from_its_own_place() {
    let Some(schema) = Schema::fresh() else { return };
    let (one, two) = (Gateway::new("one"), Gateway::new("two"));
    one.writes(0..30).await;
    two.writes(1_000..1_050).await;
    let url = schema.url();
    let (a, b) = futures::join!(one.ships(&url), two.ships(&url));
    assert_eq!((a.trouble, b.trouble), (None, None));
    one.writes(30..40).await;
    one.ships(&url).await;
    check_whole(&schema, 90);
    assert_eq!(schema.number("SELECT count(*) FROM requests WHERE gateway = 'two'"), 50);
    let keys = "SELECT count(*) FROM (SELECT DISTINCT gateway, writer, sequence FROM entries) AS k";
    assert_eq!(schema.number(keys), 180, "writers are counted by each gateway");
}

#[tokio::test]
async fn rows_of_a_ledger_put_back_from_a_backup_go_out_again_and_none_twice() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..50).await;
    gateway.ships(&schema.url()).await;
    let id = settled(19).request_id;
    schema.say(&format!("UPDATE gateways SET shipped = 21, last_id = '{id}'")).expect("put back");
    schema.say("DELETE FROM requests WHERE label IN ('r-30', 'r-31')").expect("put back");
    gateway.writes(50..60).await;
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    check_whole(&schema, 60);
}

#[tokio::test]
async fn a_journal_put_back_from_a_backup_ships_what_it_wrote_since() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..30).await;
    gateway.ships(&schema.url()).await;
    // As if the journal had had 20 other records when its copy was made: its numbers mean something else now.
    let back = Gateway::new("one");
    back.writes((0..20).chain(30..45)).await;
    assert_eq!(back.ships(&schema.url()).await, Shipped::default());
    check_whole(&schema, 45);
    // And one that is shorter than what has been shipped.
    let shorter = Gateway::new("one");
    shorter.writes(44..46).await;
    assert_eq!(shorter.ships(&schema.url()).await, Shipped::default());
    check_whole(&schema, 46);
}

#[tokio::test]
async fn what_the_ledger_cannot_take_is_named_there_and_holds_nothing_up() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.ships(&schema.url()).await;
    schema.say("ALTER TABLE requests ADD CHECK (label <> 'r-5')").expect("a rule of the test");
    gateway.writes(0..20).await;
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    check_whole(&schema, 19);
    let refused = schema.ask("SELECT gateway || request_id || why FROM refused").expect("readable");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains(&settled(5).request_id.to_string()), "{refused:?}");
}

#[tokio::test]
async fn texts_that_only_the_journal_can_hold_arrive_readable() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    let mut odd = settled(1);
    odd.label = "a\0b 'ü\t\\".to_owned();
    odd.tags = vec![("k\0".to_owned(), "\u{1}\"".to_owned())];
    (odd.ttft_ms, odd.baseline) = (None, NanoUsd(i64::MAX));
    gateway.journal.record(Record::Settled(Box::new(odd))).await;
    gateway.journal.flush().await.expect("durable");
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    let row = "SELECT label || tags || baseline_nanousd || coalesce(ttft_ms::text, ' none') FROM requests";
    let expected = "a\u{FFFD}b 'ü\t\\{\"k\\u0000\":\"\\u0001\\\"\"}9223372036854775807 none";
    assert_eq!(schema.ask(row).expect("readable"), [expected]);
}

#[tokio::test]
async fn records_that_were_refused_here_are_seen_there() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    let mut unbalanced = settled(1);
    unbalanced.cost = NanoUsd(1);
    gateway.journal.record(Record::Settled(Box::new(unbalanced))).await;
    gateway.writes(2..3).await;
    gateway.ships(&schema.url()).await;
    check_whole(&schema, 1);
    assert_eq!(schema.number("SELECT count(*) FROM refused WHERE gateway = 'one' AND why LIKE 'I2%'"), 1);
}

#[tokio::test]
async fn closings_arrive_and_what_is_unattributed_stands_in_the_view() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    let closing = |account: &str, epoch, unattributed| {
        Record::Closed(Closing {
            account: account.to_owned(),
            epoch,
            tenant: "acme".to_owned(),
            at_unix_ms: 1_700_000_000_000,
            spent: NanoUsd(5),
            unattributed: NanoUsd(unattributed),
        })
    };
    for record in [
        closing("budget/acme/month/1", 1, 70),
        closing("budget/acme/month/1", 2, 7),
        closing("budget/acme/p/month/1", 2, 7),
        closing("budget/acme/month/2", 2, 0),
    ] {
        gateway.journal.record(record).await;
    }
    gateway.writes(0..5).await;
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    assert_eq!(schema.number("SELECT count(*) FROM closings WHERE gateway = 'one'"), 4);
    let found =
        "SELECT sum(amount_nanousd) FROM ledger_entries WHERE debit = 'unattributed' AND gateway = 'one'";
    assert_eq!(schema.number(found), 77);
    // The vault was another's for a moment, twice, so that the closing was made anew.
    for again in [71, 69] {
        gateway.journal.record(closing("budget/acme/month/1", 1, again)).await;
    }
    gateway.writes(5..6).await;
    assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    assert_eq!(schema.number("SELECT count(*) FROM closings WHERE gateway = 'one'"), 4);
    assert_eq!(schema.number(found), 76, "the last word counts");
}

#[tokio::test]
async fn minutes_of_own_gpus_arrive_once_and_what_is_idle_stands_in_the_view() {
    let Some(schema) = Schema::fresh() else { return };
    for name in ["one", "two"] {
        let gateway = Gateway::new(name);
        for (at, charged) in [(0, 7), (1, 100), (0, 7)] {
            let minute = Minute {
                pool: "own".to_owned(),
                expert: "small".to_owned(),
                start_ms: 1_700_000_000_000 + at * 60_000,
                bill: NanoUsd(100),
                charged: NanoUsd(charged),
                price_version: CONFIG.to_owned(),
            };
            gateway.journal.record(Record::Minute(minute)).await;
        }
        gateway.writes(0..1).await;
        assert_eq!(gateway.ships(&schema.url()).await, Shipped::default());
    }
    assert_eq!(schema.number("SELECT count(*) FROM minutes"), 4);
    assert_eq!(schema.number("SELECT sum(amount_nanousd) FROM ledger_entries WHERE phase = 'idle'"), 186);
    for sql in ["UPDATE minutes SET charged_nanousd = 1", "DELETE FROM minutes", "TRUNCATE minutes"] {
        let error = schema.say(sql).expect_err("refused");
        assert!(link::explain(&error).contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn entries_of_the_common_ledger_can_be_neither_changed_nor_removed() {
    let Some(schema) = Schema::fresh() else { return };
    let gateway = Gateway::new("one");
    gateway.writes(0..1).await;
    gateway.ships(&schema.url()).await;
    for sql in ["UPDATE entries SET amount_nanousd = 1", "DELETE FROM entries", "TRUNCATE entries"] {
        let error = schema.say(sql).expect_err("refused");
        assert!(link::explain(&error).contains("append-only"), "{error}");
    }
}

#[test]
fn a_ledger_that_is_not_there_or_of_a_later_program_is_refused() {
    let Some(schema) = Schema::fresh() else { return };
    let error = open_ledger(&schema.url()).err().expect("refused").to_string();
    assert!(error.contains("there is no ledger here yet"), "{error}");
    schema
        .say("CREATE TABLE sluice_ledger (version bigint); INSERT INTO sluice_ledger VALUES (99)")
        .expect("made");
    let error = open_ledger(&schema.url()).err().expect("refused").to_string();
    assert!(error.contains("newer Sluice") && error.contains("schema 99"), "{error}");
    let error = open_ledger("postgres://me:hush@127.0.0.1:1/x").err().expect("away").to_string();
    assert!(error.contains("127.0.0.1:1/x") && !error.contains("hush"), "{error}");
}
