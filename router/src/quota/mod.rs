//! Limits that several gateways keep together: rates as token buckets, counts as slots.
//!
//! Each is a small value in the place that gateways share. A gateway takes a share of it, spends that by itself, and comes
//! back when it needs more. What is out in shares counts as used, so that all gateways together never pass more than the
//! limit; a share has an end, after which what a dead gateway held is free again.

mod bucket;
mod slots;

pub use bucket::{Bucket, Granted, Wish};
pub use slots::Slots;

use serde::{Deserialize, Serialize};

/// What one gateway holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Out {
    amount: u64,
    until_ms: i64,
}

/// How long a share is good, in milliseconds, unless its gateway comes back before that.
pub const SHARE_MS: i64 = 10_000;

/// How much of a limit a gateway takes at once, so that it asks some twenty times for all of it.
pub fn share(limit: u64) -> u64 {
    (limit / 20).max(1)
}

#[cfg(test)]
mod tests;
