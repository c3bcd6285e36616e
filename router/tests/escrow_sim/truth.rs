//! What engines were really paid for. No gateway sees this; the checks do.

use std::collections::BTreeMap;

/// One try on an engine.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) gateway: usize,
    /// Which run of all; dead when it is not the gateway's present one.
    pub(crate) run: u64,
    pub(crate) epoch: u64,
    pub(crate) period: i64,
    pub(crate) hold: i64,
    /// What it costs if it is let end.
    pub(crate) full_cost: i64,
    pub(crate) lasts_ms: i64,
    pub(crate) state: State,
    /// The other one of a hedge.
    pub(crate) twin: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Held, not sent.
    Waits,
    Runs {
        since_ms: i64,
    },
    /// With its true cost, which may be beyond its hold.
    Ended {
        cost: i64,
    },
}

#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) attempts: BTreeMap<u64, Attempt>,
    /// By period: true costs of attempts that have ended, each up to its hold, and the whole hold of each under way.
    pub(crate) exposed: BTreeMap<i64, i64>,
    pub(crate) overrun: i64,
}

impl Truth {
    pub(crate) fn sent(&mut self, id: u64, now: i64) {
        let attempt = self.attempts.get_mut(&id).expect("attempts are kept");
        attempt.state = State::Runs { since_ms: now };
        *self.exposed.entry(attempt.period).or_default() += attempt.hold;
    }

    /// Ends an attempt; its true cost.
    pub(crate) fn ended(&mut self, id: u64, now: i64) -> i64 {
        let attempt = self.attempts.get_mut(&id).expect("attempts are kept");
        let cost = match attempt.state {
            State::Waits => 0,
            State::Ended { cost } => return cost,
            State::Runs { since_ms } => {
                let lasted = (now - since_ms).min(attempt.lasts_ms);
                let part = i128::from(attempt.full_cost) * i128::from(lasted);
                let cost = (part / i128::from(attempt.lasts_ms.max(1))) as i64;
                *self.exposed.entry(attempt.period).or_default() += cost.min(attempt.hold) - attempt.hold;
                self.overrun += (cost - attempt.hold).max(0);
                cost
            }
        };
        attempt.state = State::Ended { cost };
        cost
    }

    pub(crate) fn paid(&self, id: u64) -> i64 {
        let attempt = &self.attempts[&id];
        match attempt.state {
            State::Ended { cost } => cost.min(attempt.hold),
            State::Waits | State::Runs { .. } => 0,
        }
    }
}
