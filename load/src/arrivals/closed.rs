//! A closed loop: so many users, each of whom waits for the answer, thinks, and asks again.
//!
//! Its rate falls when the target slows down, so it can't show what an overload does to users who don't wait.

use super::{Arrivals, Asked, nanos};
use crate::sample::Planned;

pub(super) fn is_asked(asked: &Asked) -> bool {
    asked.concurrency.is_some()
}

pub(super) fn build(asked: &Asked) -> Result<Box<dyn Arrivals>, String> {
    let users = asked.concurrency.filter(|users| *users > 0).ok_or("--concurrency: at least 1")?;
    if asked.rate.is_some() {
        return Err("a closed loop has no rate of its own; give --rate or --concurrency, not both".to_owned());
    }
    Ok(Box::new(Closed { to_start: users, think: nanos(asked.think_s), prompt: 0 }))
}

struct Closed {
    to_start: usize,
    think: u64,
    prompt: usize,
}

impl Closed {
    fn ask(&mut self, at: u64) -> Planned {
        let prompt = self.prompt;
        self.prompt += 1;
        Planned { at, prompt, ..Planned::default() }
    }
}

impl Arrivals for Closed {
    fn next(&mut self) -> Option<Planned> {
        self.to_start = self.to_start.checked_sub(1)?;
        Some(self.ask(0))
    }

    fn follow(&mut self, _ended: &Planned, now: u64, _is_ok: bool) -> Option<Planned> {
        Some(self.ask(now.saturating_add(self.think)))
    }
}
