//! One rate after the other, each for an equal part of the run: Poisson arrivals within each.

use super::{Arrivals, Asked, open};
use crate::random::Random;

pub(super) fn is_asked(asked: &Asked) -> bool {
    !asked.steps.is_empty()
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let length = asked.duration_s.ok_or("--steps needs --duration: the time of all steps together")?;
    let rates = asked.steps.clone();
    if let Some(rate) = rates.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0)) {
        return Err(format!("--steps {rate}: a rate is at least 0"));
    }
    let step = length / rates.len() as f64;
    let mut random = Random::new(asked.seed, GAPS);
    let (mut at, mut due) = (0, random.exponential());
    let mut passed = 0.0;
    let times = std::iter::from_fn(move || {
        loop {
            let rate = *rates.get(at)?;
            let room = rate * step;
            if passed + due <= room {
                passed += due;
                due = random.exponential();
                return Some(at as f64 * step + passed / rate);
            }
            due -= room - passed;
            passed = 0.0;
            at += 1;
        }
    });
    Ok(open::open(times))
}

/// The purpose of the random sequence.
const GAPS: u64 = 4;
