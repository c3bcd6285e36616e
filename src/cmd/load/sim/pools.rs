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
    for at in (0..test.world.pools.len()).filter(|&at| test.world.pools[at].capacity.prefix_tokens > 0) {
        let _ = write!(text, "\n{}", caches(test, ran, at));
    }
    text
}

/// How well the pool's prefix caches did, and how evenly its replicas worked.
fn caches(test: &Test, ran: &Ran, pool: usize) -> String {
    let (name, cached, oracle) =
        (&test.config.pools[pool].name, ran.totals.cached[pool], ran.totals.oracle[pool]);
    let tokens = &ran.totals.tokens[pool];
    let most = tokens.iter().max().copied().unwrap_or(0) as f64;
    let mean = tokens.iter().sum::<u64>() as f64 / tokens.len().max(1) as f64;
    format!(
        "{name}: {} prompt tokens were in its caches, {}% of what one cache of their size would have held; \
         its busiest replica worked on {:.3} times the mean of tokens",
        count(cached),
        digits(100.0 * cached as f64 / oracle.max(1) as f64),
        most / mean.max(1.0),
    )
}

/// The share of time in which the pool's replicas had work.
pub(super) fn busy(ran: &Ran, pool: usize) -> f64 {
    let all: u64 = ran.totals.busy[pool].iter().sum();
    let span = ran.totals.ended.max(1) as f64 * ran.totals.busy[pool].len().max(1) as f64;
    (all as f64 / span).min(1.0)
}
