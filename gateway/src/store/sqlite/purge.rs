//! Forgetting what isn't money.

use crate::store::report::{PurgeAsk, Purged};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// What is removed is written over, in the file and in its write-ahead log.
pub(super) fn purge(connection: &mut Connection, ask: &PurgeAsk) -> rusqlite::Result<Purged> {
    connection.pragma_update(None, "secure_delete", true)?;
    let work = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let run = |sql: &str| work.execute(sql, params![ask.tenant, ask.before_ms]).map(|rows| rows as u64);
    let both = |[early, later]: [&str; 2]| Ok::<_, rusqlite::Error>(run(early)? + run(later)?);
    let purged = Purged { decisions: both(DECISIONS)?, attempts: both(ATTEMPTS)?, requests: both(REQUESTS)? };
    work.commit()?;
    // The log is emptied unless somebody reads it just now; then the next checkpoint will.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(purged)
}

// Each twice: for what is in tables of its own, and for what is with its request. `?1` is the tenant, `?2` the time.
const DECISIONS: [&str; 2] = [
    "DELETE FROM early_decisions WHERE request_id IN
         (SELECT request_id FROM early_requests WHERE tenant = ?1 AND at_unix_ms < ?2)",
    "UPDATE settled SET receipt = NULL WHERE tenant = ?1 AND at_unix_ms < ?2 AND receipt IS NOT NULL",
];
const ATTEMPTS: [&str; 2] = [
    "UPDATE more_attempts SET detail = '' WHERE detail <> '' AND request_id IN
         (SELECT request_id FROM early_requests WHERE tenant = ?1 AND at_unix_ms < ?2
          UNION ALL SELECT request_id FROM settled WHERE tenant = ?1 AND at_unix_ms < ?2)",
    "UPDATE settled SET detail = '' WHERE tenant = ?1 AND at_unix_ms < ?2 AND detail <> ''",
];
const REQUESTS: [&str; 2] = [
    "UPDATE early_requests SET label = '', tags = '{}'
     WHERE tenant = ?1 AND at_unix_ms < ?2 AND (label <> '' OR tags <> '{}')",
    "UPDATE settled SET label = '', tags = '{}'
     WHERE tenant = ?1 AND at_unix_ms < ?2 AND (label IS NOT '' OR tags <> '{}')",
];
