//! How long a request waits for the journal to take its record, beside the same loop without one.
//!
//! Two lines on stderr, `enqueue: begin` and `enqueue: end`, stand around the calls, so that a trace of this thread's
//! system calls shows what they make: see docs/PERFORMANCE.md.

use sluice_benches::Records;
use sluice_gateway::{Record, open_journal};
use sluice_lab::Stopwatch;
use std::hint::black_box;
use std::io::Write as _;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("sluice.db").display());
        let journal = open_journal(&url).expect("opens");
        let records = Records::of(1);
        let mut ready: Vec<Record> = (0..CALLS).map(|_| records.next()).collect();
        let mut times = Vec::with_capacity(CALLS);
        let mut idle = Vec::with_capacity(CALLS);
        // The first one wakes the writer up.
        journal.record(records.next()).await;
        mark("begin");
        while let Some(record) = ready.pop() {
            let one = Stopwatch::start();
            journal.record(record).await;
            times.push(one.micros());
            let one = Stopwatch::start();
            black_box(());
            idle.push(one.micros());
            pause();
        }
        mark("end");
        journal.flush().await.expect("durable");
        say("enqueue", times);
        say("the same without it", idle);
    });
}

/// Without a system call, which would be taken for one of the journal's.
fn pause() {
    let watch = Stopwatch::start();
    while watch.micros() < BETWEEN_US {
        std::hint::spin_loop();
    }
}

fn mark(what: &str) {
    std::io::stderr().write_all(format!("enqueue: {what}\n").as_bytes()).expect("stderr");
}

#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
fn say(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what:<20} p50 {:>8.2} us   p99 {:>8.2} us   {} calls", at(0.5), at(0.99), times.len());
}

const CALLS: usize = 20_000;
/// 2,000 requests a second.
const BETWEEN_US: f64 = 500.0;
