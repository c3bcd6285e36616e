//! A count of what runs at once.

use super::{Out, SHARE_MS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The common side of one count: how many slots each gateway holds. A gateway comes back before the end of its share for as
/// long as anything runs there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    out: BTreeMap<String, Out>,
}

impl Slots {
    /// Gives a gateway as many slots as are free, between what it `needs` and what it would like; what it gets is what it
    /// holds in all. Fewer than it needs: there are no more, and it holds as many as before, or as are in use there.
    pub fn hold(&mut self, who: &str, in_use: u64, need: u64, want: u64, limit: u64, now_ms: i64) -> u64 {
        self.out.retain(|_, out| out.until_ms > now_ms);
        let free = self.free_for(who, limit);
        let held = if free < need { in_use.max(free.min(need)) } else { want.min(free).max(need) };
        // What runs is held, whatever the limit says: it can't be taken away any more.
        let held = held.max(in_use);
        if held == 0 {
            self.out.remove(who);
        } else {
            self.out.insert(who.to_owned(), Out { amount: held, until_ms: now_ms.saturating_add(SHARE_MS) });
        }
        held
    }

    /// Slots that others leave to a gateway.
    pub fn free_for(&self, who: &str, limit: u64) -> u64 {
        let others = self.out.iter().filter(|(name, _)| *name != who);
        limit.saturating_sub(others.fold(0, |sum: u64, (_, out)| sum.saturating_add(out.amount)))
    }

    /// How many gateways hold slots, at least 1.
    pub fn gateways(&self) -> u64 {
        self.out.len().max(1) as u64
    }
}
