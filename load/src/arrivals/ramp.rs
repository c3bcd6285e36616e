//! A rate that changes linearly over the run: Poisson arrivals whose rate moves.

use super::{Arrivals, Asked, open};
use crate::random::Random;

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.ramp.is_some()
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let (from, to) = asked.ramp.ok_or("a ramp needs --ramp FROM:TO")?;
    let length =
        asked.duration_s.ok_or("--ramp needs --duration: the time from the first rate to the last")?;
    if !(from >= 0.0 && to >= 0.0 && from + to > 0.0 && (from + to).is_finite()) {
        return Err(format!("--ramp {from}:{to}: rates are at least 0, and one of them is above"));
    }
    let mut random = Random::new(asked.seed, GAPS);
    let mut due = 0.0;
    let times = std::iter::from_fn(move || {
        due += random.exponential();
        time_of(due, from, to, length)
    });
    Ok(open::open(times))
}

/// When so many arrivals are expected: the root of `from t + (to - from) t² / 2 length = expected`.
fn time_of(expected: f64, from: f64, to: f64, length: f64) -> Option<f64> {
    let slope = (to - from) / length;
    let root = from * from + 2.0 * slope * expected;
    // Below 0 the rate has fallen to nothing before so many could come.
    let time = (root >= 0.0).then(|| 2.0 * expected / (from + libm::sqrt(root)))?;
    (time <= length).then_some(time)
}

/// The purpose of the random sequence.
const GAPS: u64 = 3;
