//! Equal gaps at one rate: a metronome, for measurements that shall not hang on chance.

use super::{Arrivals, Asked, open};

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.constant
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let rate = asked.rate.ok_or("--constant needs --rate")?;
    Ok(open::open((0u64..).map(move |n| n as f64 / rate)))
}
