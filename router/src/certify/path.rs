//! The path of trade-offs from quality to cheap, laid without looking at grades.

use super::Pairs;

impl Pairs {
    /// Values of lambda from 0 up, at equal steps of mean expected cost, without repeats.
    ///
    /// Uses predictions only, so it is fixed before the grades are looked at, which the walk's validity rests on.
    pub fn path(&self, steps: usize) -> Vec<f64> {
        let mut turns: Vec<(f64, f64)> = self.offers().flat_map(turns).collect();
        turns.sort_by(|a, b| a.0.total_cmp(&b.0));
        // What is saved in all before each step's turn is within reach.
        let all: f64 = turns.iter().map(|(_, saved)| saved).sum();
        let mut path = vec![0.0];
        let (mut at, mut saved) = (0, 0.0);
        for step in 1..steps {
            let target = all * step as f64 / (steps - 1) as f64 * (1.0 - ROUNDING);
            let from = at;
            while at < turns.len() && (saved < target || !is_between(&turns, at)) {
                saved += turns[at].1;
                at += 1;
            }
            if at > from {
                path.push(between(&turns, at));
            }
        }
        path
    }
}

/// Where the choice for one row changes as lambda grows, each with the cost that the change saves.
///
/// The choices are the corners of the upper envelope of the lines `p - lambda * cost`.
fn turns(offers: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let better = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1));
    let Some(mut here) = offers.iter().copied().max_by(better) else { return vec![] };
    let mut turns = vec![];
    loop {
        let cheaper = offers.iter().filter(|offer| offer.1 < here.1);
        let meets = cheaper.map(|offer| ((here.0 - offer.0) / (here.1 - offer.1), *offer));
        let first = meets.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.1.total_cmp(&b.1.1)));
        let Some((lambda, next)) = first else { return turns };
        turns.push((lambda, here.1 - next.1));
        here = next;
    }
}

/// Whether there is room for a lambda between the turn before `at` and the one at it.
fn is_between(turns: &[(f64, f64)], at: usize) -> bool {
    at > 0 && (at == turns.len() || turns[at].0 > turns[at - 1].0 * (1.0 + ROUNDING))
}

/// A lambda after the turn before `at` and before the one at it, so that rounding moves no choice.
fn between(turns: &[(f64, f64)], at: usize) -> f64 {
    let before = turns[at - 1].0;
    match turns.get(at) {
        Some((after, _)) => f64::midpoint(before, *after),
        None => before * 2.0 + f64::MIN_POSITIVE,
    }
}

/// Sums and quotients of floats agree to about this.
const ROUNDING: f64 = 1e-12;
