//! Bursts: gamma gaps whose coefficient of variation is asked for. 1 is Poisson; real traffic has 2 to 5.

use super::{Arrivals, Asked, open};
use crate::random::Random;

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.burst.is_some()
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let (rate, cv) = asked.rate.zip(asked.burst).ok_or("--burst needs --rate")?;
    let shape = 1.0 / (cv * cv);
    let mut random = Random::new(asked.seed, GAPS);
    Ok(open::after(std::iter::repeat_with(move || random.gamma(shape) / (shape * rate))))
}

/// The purpose of the random sequence.
const GAPS: u64 = 2;
