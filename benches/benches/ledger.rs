//! What a journal in SQLite and a common ledger in Postgres take in a second.
//!
//! `SLUICE_BENCH_POSTGRES` names a Postgres database that is empty; without it only the journal is measured.

use sluice_benches::Records;
use sluice_gateway::{Record, ReportAsk, open_journal, open_ledger, ship};
use sluice_lab::Stopwatch;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        for (at, tries) in [1, 2].into_iter().enumerate() {
            measure(at, tries).await;
        }
    });
}

#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
async fn measure(at: usize, tries: u8) {
    let records = Records::of(tries);
    let ready: Vec<Record> = (0..REQUESTS).map(|_| records.next()).collect();
    let folder = tempfile::TempDir::new().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
    let journal = open_journal(&url).expect("opens");
    let entries = REQUESTS as f64 * f64::from(tries);
    let watch = Stopwatch::start();
    for record in ready {
        journal.record(record).await;
    }
    journal.flush().await.expect("durable");
    say("SQLite, durable", tries, entries, watch.seconds());
    let Ok(ledger) = std::env::var("SLUICE_BENCH_POSTGRES") else {
        println!("SKIPPED Postgres: SLUICE_BENCH_POSTGRES names no empty database");
        return;
    };
    let watch = Stopwatch::start();
    let shipped = ship(&url, &ledger).await.expect("the ledger answers");
    say("Postgres, shipped", tries, entries, watch.seconds());
    assert_eq!(shipped, REQUESTS as u64);
    let report = open_ledger(&ledger).and_then(|ledger| ledger.report(&ReportAsk::default())).expect("sums");
    let expected = REQUESTS as u64 * [1, 3][at];
    assert_eq!(report.total.entries, expected, "everything is there once; is the database empty at first?");
}

#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
fn say(what: &str, tries: u8, entries: f64, seconds: f64) {
    let (requests, rate) = (entries / f64::from(tries), entries / seconds);
    println!(
        "{what:<20} {tries} entries a request: {rate:>8.0} entries/s, {:>8.0} requests/s ({requests} in {seconds:.2} s)",
        requests / seconds
    );
}

const REQUESTS: usize = 60_000;
