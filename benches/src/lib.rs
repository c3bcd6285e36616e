//! What the benchmarks share: a stopwatch loop and made-up worlds of a realistic size.
//!
//! `cargo bench -p sluice-benches --bench classify` (or `decide`, `enqueue`) prints median and 99th percentile of single calls;
//! `--bench ledger` prints what a journal and a common ledger take in a second.
//! `--bench instructions` holds the cases that `.ci/instructions` counts under callgrind: see docs/performance-gate.md.
//! Wall time is only worth reading on an idle machine; compare two commits by running both, one after the other.

mod cases;
mod counted;
mod door;
mod peer;
mod records;
mod wide;
mod world;

pub use cases::{CASES, Case, case, prepare};
pub use counted::Bench;
pub use records::Records;
pub use wide::{ASKED, REPLICAS, Wide};
pub use world::{EXPERTS, experts, fleet, prompt, trained};

use sluice_lab::Stopwatch;
use std::hint::black_box;

/// Calls `work` for at least a second and says how long single calls took.
#[allow(clippy::print_stdout, reason = "a benchmark talks to its user")]
pub fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    for _ in 0..WARM_UP {
        black_box(work());
    }
    let whole = Stopwatch::start();
    let mut times = vec![];
    while whole.seconds() < 1.0 || times.len() < LEAST_CALLS {
        let one = Stopwatch::start();
        black_box(work());
        times.push(one.micros());
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{name:<44} p50 {:>9.2} us   p99 {:>9.2} us   {} calls", at(0.5), at(0.99), times.len());
}

const WARM_UP: usize = 50;
const LEAST_CALLS: usize = 200;
