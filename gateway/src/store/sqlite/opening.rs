//! What the file says of earlier starts when it is opened.

use crate::store::{OpenShare, Opening};
use rusqlite::Connection;
use sluice_router::NanoUsd;

/// Reads the gateway's name and the shares that earlier starts left open.
pub(super) fn read(connection: &Connection, writer: i64) -> rusqlite::Result<Opening> {
    let gateway =
        connection.query_row("SELECT value FROM meta WHERE key = 'gateway'", [], |row| row.get(0))?;
    let mut query = connection.prepare(OPEN)?;
    let rows = query.query_map([writer], |row| {
        let (settled, held, mark): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(OpenShare {
            account: row.get(0)?,
            epoch: row.get::<_, i64>(1)?.cast_unsigned(),
            settled: NanoUsd(settled),
            most: NanoUsd(mark).max(NanoUsd(settled) + NanoUsd(held)),
        })
    })?;
    let open = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Opening { gateway, epoch: writer.cast_unsigned(), open })
}

/// Of each account and start before this one whose closing is not known to be in force: settled, held, and the mark.
const OPEN: &str = "
    WITH touched AS (
        SELECT account, writer FROM marks UNION SELECT account, writer FROM charged
        UNION SELECT account, writer FROM holds)
    SELECT t.account, t.writer, coalesce(c.amount_nanousd, 0),
        coalesce((SELECT sum(h.amount_nanousd) FROM holds AS h
                  WHERE h.account = t.account AND h.writer = t.writer), 0),
        coalesce(m.amount_nanousd, 0)
    FROM touched AS t
    LEFT JOIN charged AS c USING (account, writer)
    LEFT JOIN marks AS m USING (account, writer)
    LEFT JOIN closed AS done USING (account, writer)
    WHERE t.writer < ?1 AND done.account IS NULL
    ORDER BY t.account, t.writer";
