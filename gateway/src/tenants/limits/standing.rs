//! How far a key's limits are used up, as clients are told.

/// The tightest level of each rate; `None` where no level limits it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests in a minute.
    pub requests: Option<StandingRate>,
    /// Tokens in a minute.
    pub tokens: Option<StandingRate>,
}

/// One rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingRate {
    /// The limit.
    pub limit: u64,
    /// What may be used at once.
    pub remaining: u64,
    /// In how many milliseconds nothing of it is used any more.
    pub reset_ms: u64,
}
