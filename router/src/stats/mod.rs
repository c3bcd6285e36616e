//! The statistics behind a certificate, each tested against known values.

mod bets;
mod binomial;
mod hoeffding_bentkus;
mod moments;
mod quantile;

pub use binomial::clopper_pearson;
pub use hoeffding_bentkus::{hoeffding_bentkus_p, hoeffding_bentkus_upper};
pub use moments::Moments;
pub use quantile::normal_quantile;

pub(crate) use bets::{bets_lower, bets_reject};
pub(crate) use quantile::normal_lower;

/// Where a condition that holds at `low` and not at `high` turns, to 2^-50 of their distance; it still holds there.
fn last_that_holds(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if holds(middle) { low = middle } else { high = middle }
    }
    low
}
