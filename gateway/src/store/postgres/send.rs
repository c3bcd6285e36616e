//! One parcel into the common ledger, with the note how far its gateway has come, in one transaction.

use super::{Link, drive};
use crate::store::parcel::{GOODS, Goods, Parcel};
use bytes::Bytes;
use futures::SinkExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// How far a gateway has come, and the id of the row there; 0 and nothing at first.
pub(super) async fn cursor(link: &mut Link, gateway: &str) -> Result<(i64, String), Error> {
    let Link { client, wire } = link;
    let work = async {
        let sql =
            "INSERT INTO gateways (gateway, shipped, last_id) VALUES ($1, 0, '') ON CONFLICT DO NOTHING";
        client.execute(sql, &[&gateway]).await?;
        client.query_one("SELECT shipped, last_id FROM gateways WHERE gateway = $1", &[&gateway]).await
    };
    let row = drive(wire, work).await?;
    Ok((row.get(0), row.get(1)))
}

/// Begins from the start again: what is there already will be passed over.
pub(super) async fn rewind(link: &mut Link, gateway: &str) -> Result<(), Error> {
    let Link { client, wire } = link;
    let sql = "UPDATE gateways SET shipped = 0, last_id = '' WHERE gateway = $1";
    drive(wire, client.execute(sql, &[&gateway])).await.map(drop)
}

/// Tables that rows are copied to first, for as long as the connection lasts: COPY itself can't pass over rows that
/// are there already.
pub(super) async fn stage(link: &mut Link) -> Result<(), Error> {
    let Link { client, wire } = link;
    let table =
        |goods: &Goods| format!("CREATE TEMP TABLE stage_{0} (LIKE {0}) ON COMMIT DELETE ROWS;", goods.table);
    let sql: String = GOODS.iter().map(table).collect();
    drive(wire, client.batch_execute(&sql)).await
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on the server's disk.
    Whole,
    /// The gateway has come to another place than it thought: there.
    Moved(i64),
}

/// How rows come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At once: fails when a row is there already.
    Straight,
    /// By a staging table, twice the work: what is there already is passed over.
    Staged,
}

/// Stores a parcel that begins after `after`. After an error nothing of it is there, or all; the connection is of no
/// use then.
pub(super) async fn send(
    link: &mut Link,
    gateway: &str,
    after: i64,
    parcel: &Parcel,
    way: Way,
) -> Result<Sent, Error> {
    let Link { client, wire } = link;
    let work = async {
        if let Some(at) = begin(client, gateway, after).await? {
            return Ok(Sent::Moved(at));
        }
        for (goods, (count, rows)) in GOODS.iter().zip(&parcel.rows) {
            if *count > 0 {
                bring(client, goods, rows.clone(), way).await?;
            }
        }
        finish(client, gateway, parcel.last, &parcel.label.1).await
    };
    drive(wire, work).await
}

async fn bring(client: &Client, goods: &Goods, rows: Bytes, way: Way) -> Result<(), Error> {
    let (table, columns) = (goods.table, columns(goods));
    let stage = if way == Way::Staged { "stage_" } else { "" };
    let copy = format!("COPY {stage}{table} ({columns}) FROM STDIN BINARY");
    let mut sink = std::pin::pin!(client.copy_in::<_, Bytes>(&copy).await?);
    sink.send(rows).await?;
    sink.finish().await?;
    if way == Way::Staged {
        let again = goods.again;
        // A row that went out twice is the same both times, and no statement may change one twice.
        let distinct = if again == "DO NOTHING" { "" } else { "DISTINCT " };
        let insert = format!(
            "INSERT INTO {table} ({columns}) SELECT {distinct}{columns} FROM stage_{table} ON CONFLICT {again};
             DELETE FROM stage_{table}"
        );
        client.batch_execute(&insert).await?;
    }
    Ok(())
}

/// Notes that the ledger can't take what the label names, so that the rest can go on.
pub(super) async fn set_aside(
    link: &mut Link,
    gateway: &str,
    after: i64,
    parcel: &Parcel,
    why: &str,
) -> Result<Sent, Error> {
    let Link { client, wire } = link;
    let work = async {
        if let Some(at) = begin(client, gateway, after).await? {
            return Ok(Sent::Moved(at));
        }
        let (kind, id) = &parcel.label;
        let sql = "INSERT INTO refused (gateway, request_id, why, record) VALUES ($1, $2, $3, $4)
                   ON CONFLICT DO NOTHING";
        let record = format!("{kind} {id}: in the gateway's own journal");
        client.execute(sql, &[&gateway, id, &why, &record]).await?;
        finish(client, gateway, parcel.last, id).await
    };
    drive(wire, work).await
}

/// Begins, and holds whoever else ships for this gateway off. The place where it is, if that is another.
async fn begin(client: &Client, gateway: &str, after: i64) -> Result<Option<i64>, Error> {
    client.batch_execute("BEGIN").await?;
    let sql = "SELECT shipped FROM gateways WHERE gateway = $1 FOR UPDATE";
    let found: Option<i64> = client.query_opt(sql, &[&gateway]).await?.map(|row| row.get(0));
    if found == Some(after) {
        return Ok(None);
    }
    client.batch_execute("ROLLBACK").await?;
    Ok(Some(found.unwrap_or(0)))
}

async fn finish(client: &Client, gateway: &str, last: i64, id: &str) -> Result<Sent, Error> {
    let sql = "UPDATE gateways SET shipped = $2, last_id = $3 WHERE gateway = $1";
    client.execute(sql, &[&gateway, &last, &id]).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Sent::Whole)
}

/// Whether a row is there already.
pub(super) fn is_a_repetition(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

/// Whether the rows are at fault rather than the server or the way there.
pub(super) fn is_of_the_rows(error: &Error) -> bool {
    let class = |code: &SqlState| ["22", "23"].iter().any(|class| code.code().starts_with(class));
    error.code().is_some_and(class)
}

fn columns(goods: &Goods) -> String {
    let gateway = goods.with_gateway.then_some("gateway");
    gateway.into_iter().chain(goods.columns.iter().copied()).collect::<Vec<_>>().join(", ")
}
