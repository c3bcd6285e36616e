//! The path of trade-offs from quality to cheap, laid without looking at grades.

use super::Pairs;

/// Values of lambda with their choices: from 0 down in equal steps of mean expected cost, without repeats.
///
/// Uses predictions only, so it is fixed before the grades are looked at, which the walk's validity rests on.
pub(super) fn path(pairs: &Pairs, steps: usize) -> Vec<(f64, Vec<u16>)> {
    let dearest = pairs.choose(0.0);
    let (most, least) = (pairs.expected_cost(&dearest), pairs.expected_cost(&pairs.choose(LARGEST)));
    let mut path = vec![(0.0, dearest)];
    let mut from = libm::log(SMALLEST);
    for step in 1..steps {
        let target = most - (most - least) * step as f64 / (steps - 1) as f64;
        let (lambda, chosen) = cheaper_than(pairs, target, from);
        from = libm::log(lambda);
        if path.last().is_none_or(|(_, last)| *last != chosen) {
            path.push((lambda, chosen));
        }
    }
    path
}

/// About the smallest lambda whose mean expected cost is at most `target`; mean cost falls as lambda grows.
fn cheaper_than(pairs: &Pairs, target: f64, from: f64) -> (f64, Vec<u16>) {
    let (mut low, mut high) = (from, libm::log(LARGEST));
    let mut chosen = pairs.choose(LARGEST);
    while high - low > PRECISION {
        let middle = f64::midpoint(low, high);
        let choice = pairs.choose(libm::exp(middle));
        if pairs.expected_cost(&choice) <= target {
            (high, chosen) = (middle, choice);
        } else {
            low = middle;
        }
    }
    (libm::exp(high), chosen)
}

/// In score per nano-USD: below and above any trade-off that matters.
const SMALLEST: f64 = 1e-14;
const LARGEST: f64 = 1e3;
/// Of ln(lambda).
const PRECISION: f64 = 2e-3;
