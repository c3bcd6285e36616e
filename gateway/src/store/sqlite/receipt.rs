//! Stored decisions: where they are, and their receipts as JSON.

use super::schema;
use crate::store::packed;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension as _};

/// A decision of this tenant with its configuration, two JSON texts; of any for `None`.
pub(super) fn find(
    connection: &Connection,
    decision_id: &str,
    tenant: Option<&str>,
) -> rusqlite::Result<Option<(String, String)>> {
    let is_early = schema::version(connection)? < 4;
    let mut query = connection.prepare_cached(if is_early { FIND_EARLY } else { FIND })?;
    query.query_row((decision_id, tenant), |row| Ok((text(row.get_ref(0)?)?, row.get(1)?))).optional()
}

/// A receipt as JSON, however it is stored.
pub(super) fn text(stored: ValueRef<'_>) -> rusqlite::Result<String> {
    let text = match stored {
        ValueRef::Blob(bytes) => packed::json(bytes),
        other => other.as_str().ok().map(str::to_owned),
    };
    text.ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, "a receipt is damaged".into())
    })
}

/// By the request's id, by an id of its own, or from before version 4.
const FIND: &str = "
    SELECT d.receipt, s.json FROM (
        SELECT receipt, config, tenant FROM settled
        WHERE request_id = ?1 AND decision_id = '' AND receipt IS NOT NULL
        UNION ALL
        SELECT receipt, config, tenant FROM settled
        WHERE decision_id = ?1 AND decision_id > '' AND receipt IS NOT NULL
        UNION ALL
        SELECT d.receipt, d.config, r.tenant FROM early_decisions AS d JOIN early_requests AS r USING (request_id)
        WHERE d.decision_id = ?1
    ) AS d JOIN snapshots AS s USING (config)
    WHERE d.tenant = coalesce(?2, d.tenant)";

/// In a file that no gateway has taken over yet.
const FIND_EARLY: &str = "
    SELECT d.receipt, s.json FROM decisions AS d JOIN snapshots AS s USING (config) JOIN requests AS r USING (request_id)
    WHERE d.decision_id = ?1 AND r.tenant = coalesce(?2, r.tenant)";
