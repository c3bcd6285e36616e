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
    Ok(Box::new(Closed { to_start: users, think: nanos(asked.think_s), prompt: 0 }))
}

/// What a user waits at least after a failure: without it, one that is refused at once would do nothing but ask.
const PAUSE: u64 = 100_000_000;

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

    fn follow(&mut self, _ended: &Planned, now: u64, is_ok: bool) -> Option<Planned> {
        let pause = if is_ok { self.think } else { self.think.max(PAUSE) };
        Some(self.ask(now.saturating_add(pause)))
    }
}
