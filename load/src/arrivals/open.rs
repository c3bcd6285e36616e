//! An open loop: times that no answer can move, turned into numbered requests.

use super::{Arrivals, nanos};
use crate::sample::Planned;

/// Seconds since the start, in order.
pub(super) type Times = Box<dyn Iterator<Item = f64> + Send>;

/// One request at each of these times.
struct Open {
    times: Times,
    prompt: usize,
}

pub(super) fn open(times: impl Iterator<Item = f64> + Send + 'static) -> Box<dyn Arrivals> {
    Box::new(Open { times: Box::new(times), prompt: 0 })
}

/// The times after these gaps.
pub(super) fn after(gaps: impl Iterator<Item = f64> + Send + 'static) -> Box<dyn Arrivals> {
    open(gaps.scan(0.0, |now, gap| {
        *now += gap;
        Some(*now)
    }))
}

impl Arrivals for Open {
    fn next(&mut self) -> Option<Planned> {
        let at = nanos(self.times.next()?);
        let prompt = self.prompt;
        self.prompt += 1;
        Some(Planned { at, prompt, ..Planned::default() })
    }
}
