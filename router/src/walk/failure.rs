//! What a walk is told of a try that failed.

use crate::price::NanoUsd;

/// A try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What may help.
    pub help: Help,
    /// The connection ended before the first event, as one does that was kept alive too long: the same replica may be
    /// asked once more when there is no other.
    pub connection_lost: bool,
    /// When the replica asks to come back, from now.
    pub retry_after_ms: Option<u64>,
    /// What the try cost.
    pub cost: NanoUsd,
}

/// What may help after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Help {
    /// Nothing: the request itself is wrong, or its time is up.
    Nothing,
    /// Another pool: every replica of this one would say the same.
    OtherPool,
    /// Another replica of the same pool, or another pool.
    OtherReplica,
}

impl Failure {
    /// A failure that cost nothing and after which this may help.
    pub fn new(help: Help) -> Failure {
        Failure { help, connection_lost: false, retry_after_ms: None, cost: NanoUsd::ZERO }
    }
}
