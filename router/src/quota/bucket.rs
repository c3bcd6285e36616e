//! A rate in a minute: a token bucket that holds a minute's worth and is refilled all the time.
//!
//! Source: the leaky bucket as a meter (J. Turner, "New directions in communications", 1986), with a minute's worth as its
//! burst.

use super::{Out, SHARE_MS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The common side of one rate. Times are wall time in milliseconds since 1970: gateways agree on them well enough, and one
/// whose clock is ahead refills early once, by no more than it is ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// What may be taken, in units times the milliseconds of a minute; below 0 when more was used than taken.
    level: i64,
    /// Until when it was refilled.
    at_ms: i64,
    /// What gateways hold, by their names.
    out: BTreeMap<String, Out>,
}

/// What a gateway tells of its share, and what it needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// What is left of its share.
    pub left: u64,
    /// What it took before and did not use after all.
    pub refund: u64,
    /// What it used beyond what it took.
    pub debt: u64,
    /// What it needs now, at least.
    pub need: u64,
    /// What it would like to have.
    pub want: u64,
}

/// What a gateway has then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// What it may keep of what was left.
    pub kept: u64,
    /// What it gets beside that; 0 when that would not do for what it needs.
    pub granted: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(per_min: u64, now_ms: i64) -> Bucket {
        Bucket { level: scaled(per_min), at_ms: now_ms, out: BTreeMap::new() }
    }

    /// Gives a gateway a share, `per_min` being the limit. What is out and what may be taken are never more than the limit
    /// together.
    pub fn take(&mut self, who: &str, wish: Wish, per_min: u64, now_ms: i64) -> Granted {
        let kept = self.come_back(who, wish, per_min, now_ms);
        let available = self.available();
        let missing = wish.need.saturating_sub(kept);
        let granted = if missing > available {
            0
        } else {
            // Near the limit shares shrink, so that the last units are not held where nobody asks for them.
            let liked = wish.want.saturating_sub(kept).min(available / 4);
            missing.max(liked)
        };
        self.level -= scaled(granted);
        self.hold(who, kept + granted, now_ms);
        Granted { kept, granted }
    }

    /// Takes a gateway's share back.
    pub fn put_back(&mut self, who: &str, wish: Wish, per_min: u64, now_ms: i64) {
        let kept = self.come_back(who, wish, per_min, now_ms);
        self.hold(who, 0, now_ms);
        self.level = self.level.saturating_add(scaled(kept)).min(self.most(per_min));
    }

    /// What a gateway could have in all, if it asked now.
    pub fn available_to(&self, who: &str, wish: Wish, per_min: u64, now_ms: i64) -> u64 {
        let mut then = self.clone();
        let kept = then.come_back(who, wish, per_min, now_ms);
        kept + then.available()
    }

    /// In how many milliseconds a gateway could have `need` in all, at least 1.
    pub fn wait_ms(&self, who: &str, wish: Wish, per_min: u64, now_ms: i64) -> u64 {
        let mut then = self.clone();
        let kept = then.come_back(who, wish, per_min, now_ms);
        let missing = scaled(wish.need.saturating_sub(kept)).saturating_sub(then.level).max(1);
        missing.unsigned_abs().div_ceil(per_min.max(1))
    }

    /// How many gateways hold a share, at least 1.
    pub fn gateways(&self) -> u64 {
        self.out.len().max(1) as u64
    }

    /// Refills, and takes note of what a gateway has still got; the rest of its share is spent.
    fn come_back(&mut self, who: &str, wish: Wish, per_min: u64, now_ms: i64) -> u64 {
        self.out.retain(|_, out| out.until_ms > now_ms);
        let kept = self.out.get(who).map_or(0, |out| out.amount.min(wish.left));
        if let Some(out) = self.out.get_mut(who) {
            out.amount = kept;
        }
        let elapsed_ms = now_ms.saturating_sub(self.at_ms).clamp(0, MINUTE_MS);
        let refill = i64::try_from(per_min).unwrap_or(i64::MAX).saturating_mul(elapsed_ms);
        let balance = scaled(wish.refund).saturating_sub(scaled(wish.debt));
        let level = self.level.saturating_add(refill).saturating_add(balance);
        self.level = level.clamp(-scaled(per_min), self.most(per_min));
        self.at_ms = self.at_ms.max(now_ms);
        kept
    }

    /// The highest level beside what is out.
    fn most(&self, per_min: u64) -> i64 {
        let out = self.out.values().fold(0_u64, |sum, out| sum.saturating_add(out.amount));
        scaled(per_min.saturating_sub(out))
    }

    fn hold(&mut self, who: &str, amount: u64, now_ms: i64) {
        if amount == 0 {
            self.out.remove(who);
        } else {
            self.out.insert(who.to_owned(), Out { amount, until_ms: now_ms.saturating_add(SHARE_MS) });
        }
    }

    /// Whole units that may be taken.
    fn available(&self) -> u64 {
        self.level.max(0).unsigned_abs() / MINUTE_MS.unsigned_abs()
    }
}

const MINUTE_MS: i64 = 60_000;

fn scaled(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(MINUTE_MS)
}
