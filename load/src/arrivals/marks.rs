//! What else a planned request carries: whose it is, and whether it is cancelled.

use super::{Asked, nanos};
use crate::random::Random;
use crate::sample::Planned;

/// Tenants by share, and cancellations.
pub(super) struct Marks {
    seed: u64,
    /// Cumulated shares, the last 1.
    tenants: Vec<f64>,
    cancel: f64,
    cancel_within_s: f64,
}

/// Purposes of random sequences; each draw of a request has its own, so that one doesn't shift the other.
const TENANT: u64 = 0x7E4A;
const CANCEL: u64 = 0xCA4C;

impl Marks {
    pub(super) fn new(asked: &Asked) -> Marks {
        let all: f64 = asked.tenants.iter().sum();
        let cumulated = asked.tenants.iter().scan(0.0, |sum, share| {
            *sum += share / all;
            Some(*sum)
        });
        Marks {
            seed: asked.seed,
            tenants: cumulated.collect(),
            cancel: asked.cancel,
            cancel_within_s: asked.cancel_within_s,
        }
    }

    /// Writes the marks. A session has one tenant, whichever turn it is in.
    pub(super) fn put(&self, planned: &mut Planned) {
        let whose = planned.session.unwrap_or(planned.prompt as u64);
        let draw = Random::new(self.seed ^ TENANT, whose).unit();
        let tenant = self.tenants.iter().take_while(|share| draw >= **share).count();
        planned.tenant = tenant.min(self.tenants.len().saturating_sub(1)) as u32;
        let mut random = Random::new(self.seed ^ CANCEL, planned.prompt as u64);
        if random.unit() < self.cancel {
            planned.cancel_after = Some(nanos(random.unit() * self.cancel_within_s));
        }
    }
}
