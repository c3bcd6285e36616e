//! What a router is held against: the best single expert, and the best choice there is.

use super::{OracleReport, Seen, SingleReport};
use crate::oracle;

pub(super) fn best_single(seen: &Seen) -> SingleReport {
    let pairs = &seen.pairs;
    let best = pairs.best_expert().unwrap_or(0);
    SingleReport {
        expert: seen.name(best).to_owned(),
        mean_score: pairs.mean_score(best),
        cost_usd: usd(pairs.mean_cost(best), pairs.len()),
    }
}

pub(super) fn oracle(seen: &Seen) -> OracleReport {
    let chosen = oracle::choice(&seen.pairs, seen.experts.len());
    OracleReport {
        mean_score: seen.pairs.score(&chosen),
        cost_usd: usd(seen.pairs.cost(&chosen), seen.rows.len()),
    }
}

fn usd(mean_nano: f64, rows: usize) -> f64 {
    mean_nano * rows as f64 / 1e9
}
