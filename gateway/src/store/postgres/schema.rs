//! The common ledger's tables and their versions.

use super::{Link, Server, drive};
use crate::store::StoreError;
use tokio_postgres::Error;

/// Makes or upgrades the tables. Several gateways may come at the same time.
///
/// # Errors
/// Postgres' own words, or tables of a later program.
pub(super) async fn migrate(server: &Server, link: &mut Link) -> Result<(), StoreError> {
    let found = apply(link).await.map_err(|error| server.explain(&error))?;
    known(server, found)
}

/// The version that was found.
async fn apply(link: &mut Link) -> Result<i64, Error> {
    let Link { client, wire } = link;
    let work = async {
        client.batch_execute(BEGIN).await?;
        let found: i64 = client.query_one("SELECT max(version) FROM sluice_ledger", &[]).await?.get(0);
        let done = usize::try_from(found).unwrap_or(0);
        for (at, sql) in VERSIONS.iter().enumerate().skip(done) {
            client.batch_execute(sql).await?;
            client.execute("INSERT INTO sluice_ledger VALUES ($1)", &[&(at as i64 + 1)]).await?;
        }
        client.batch_execute("COMMIT").await?;
        Ok(found)
    };
    drive(wire, work).await
}

/// Refuses tables that are not there or of a later program; changes nothing, so that a reader needs no rights.
///
/// # Errors
/// Postgres' own words, or why the tables can't be read.
pub(super) async fn check(server: &Server, link: &mut Link) -> Result<(), StoreError> {
    let Link { client, wire } = link;
    let work = async {
        let there: bool =
            client.query_one("SELECT to_regclass('sluice_ledger') IS NOT NULL", &[]).await?.get(0);
        if !there {
            return Ok(0);
        }
        Ok(client.query_one("SELECT max(version) FROM sluice_ledger", &[]).await?.get(0))
    };
    match drive(wire, work).await.map_err(|error| server.explain(&error))? {
        0 => Err(server.wrong("there is no ledger here yet; a gateway with [store] ledger makes one")),
        found => known(server, found),
    }
}

fn known(server: &Server, found: i64) -> Result<(), StoreError> {
    if found <= LATEST {
        return Ok(());
    }
    Err(server.wrong(&format!(
        "its tables were made by a newer Sluice (schema {found}, this one knows {LATEST}); use that version"
    )))
}

/// The lock ends with the transaction.
const BEGIN: &str = "
BEGIN;
SELECT pg_advisory_xact_lock(6073486114);
CREATE TABLE IF NOT EXISTS sluice_ledger (version bigint PRIMARY KEY);
INSERT INTO sluice_ledger VALUES (0) ON CONFLICT DO NOTHING";
const LATEST: i64 = VERSIONS.len() as i64;

/// What each version added. A released one is never edited; the next is a new element.
const VERSIONS: &[&str] = &[include_str!("schema/v1.sql"), include_str!("schema/v2.sql")];
