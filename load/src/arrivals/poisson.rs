//! Independent users: exponential gaps at one rate.

use super::{Arrivals, Asked, open};
use crate::random::Random;

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.rate.is_some() && asked.trace.is_none() && asked.burst.is_none() && !asked.constant
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let rate = asked.rate.ok_or("Poisson arrivals need --rate")?;
    let mut random = Random::new(asked.seed, GAPS);
    Ok(open::after(std::iter::repeat_with(move || random.exponential() / rate)))
}

/// The purpose of the random sequence.
const GAPS: u64 = 1;
