//! How the simulated pools fared: what only virtual time can see.

use super::test::{Ran, Test};
use sluice_load::report::text::{count, digits};
use std::fmt::Write as _;

/// One line for each pool.
pub(super) fn lines(test: &Test, ran: &Ran) -> String {
    let mut text = format!("{:24} {:>8} {:>10} {:>6}", "pool", "replicas", "tries", "busy");
    for (at, pool) in test.config.pools.iter().enumerate() {
        let tries: u64 = ran.totals.dispatched[at].iter().sum();
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "\n{:24} {:>8} {:>10} {:>5}%",
            pool.name,
            test.world.pools[at].line.replicas,
            count(tries),
            digits(busy(ran, at) * 100.0),
        );
    }
    text
}

/// The share of time in which the pool's replicas had work.
pub(super) fn busy(ran: &Ran, pool: usize) -> f64 {
    let all: u64 = ran.totals.busy[pool].iter().sum();
    let span = ran.totals.ended.max(1) as f64 * ran.totals.busy[pool].len().max(1) as f64;
    (all as f64 / span).min(1.0)
}
