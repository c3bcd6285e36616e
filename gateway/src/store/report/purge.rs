//! What a tenant may have forgotten: whatever tells of its requests beyond their money.

/// What to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeAsk {
    /// Whose.
    pub tenant: String,
    /// Of requests that ended before this time, in milliseconds since 1970.
    pub before_ms: i64,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Decisions that were removed.
    pub decisions: u64,
    /// Requests whose label and tags were emptied.
    pub requests: u64,
    /// Attempts whose engine's words were emptied.
    pub attempts: u64,
}

/// Removes decisions; `$1` is the tenant, `$2` the time.
pub(in crate::store) const DECISIONS: &str = "DELETE FROM decisions WHERE request_id IN
    (SELECT request_id FROM requests WHERE tenant = $1 AND at_unix_ms < $2)";
/// Empties what engines said of failures.
pub(in crate::store) const ATTEMPTS: &str =
    "UPDATE attempts SET detail = '' WHERE detail <> '' AND request_id IN
    (SELECT request_id FROM requests WHERE tenant = $1 AND at_unix_ms < $2)";
/// Empties labels and tags.
pub(in crate::store) const REQUESTS: &str = "UPDATE requests SET label = '', tags = '{}'
    WHERE tenant = $1 AND at_unix_ms < $2 AND (label <> '' OR tags <> '{}')";
