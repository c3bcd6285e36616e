//! A place in Postgres: the table `sluice_shared`.

use super::{Shared, Versioned};
use crate::store::postgres::{Link, Server, drive};
use crate::store::{StoreError, Stored};
use futures::FutureExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

/// A few connections, made as they are needed and again whenever one has broken.
struct PostgresShared(Arc<Inner>);

struct Inner {
    server: Server,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Link>,
    /// The table is there.
    is_prepared: bool,
    warning: Option<String>,
}

/// The row's constructor.
pub(super) fn open(url: &str, _journal: &str) -> Result<Arc<dyn Shared>, StoreError> {
    let (server, places) = (Server::new(url)?, Semaphore::new(MOST_LINKS));
    Ok(Arc::new(PostgresShared(Arc::new(Inner { server, places, state: Mutex::default() }))))
}

impl Shared for PostgresShared {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let sql = "SELECT key, version, value FROM sluice_shared WHERE key = $1";
            let rows = inner.query(sql, &[(&key, Type::TEXT)]).await?;
            Ok(rows.first().map(|row| versioned(row).1))
        }
        .boxed()
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let rows = match seen {
                None => {
                    let sql = "INSERT INTO sluice_shared (key, version, value) VALUES ($1, 1, $2)
                               ON CONFLICT DO NOTHING RETURNING key";
                    inner.query(sql, &[(&key, Type::TEXT), (&value, Type::BYTEA)]).await
                }
                Some(seen) => {
                    let seen = i64::try_from(seen).unwrap_or(i64::MAX);
                    let sql = "UPDATE sluice_shared SET version = version + 1, value = $2
                               WHERE key = $1 AND version = $3 RETURNING key";
                    let values: [(&(dyn ToSql + Sync), Type); 3] =
                        [(&key, Type::TEXT), (&value, Type::BYTEA), (&seen, Type::INT8)];
                    inner.query(sql, &values).await
                }
            };
            Ok(!rows?.is_empty())
        }
        .boxed()
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let seen = i64::try_from(seen).unwrap_or(i64::MAX);
            let sql = "DELETE FROM sluice_shared WHERE key = $1 AND version = $2 RETURNING key";
            Ok(!inner.query(sql, &[(&key, Type::TEXT), (&seen, Type::INT8)]).await?.is_empty())
        }
        .boxed()
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        let (inner, prefix) = (self.0.clone(), prefix.to_owned());
        async move {
            let sql = "SELECT key, version, value FROM sluice_shared
                       WHERE key >= $1 AND key < $1 || chr(1114111) ORDER BY key";
            Ok(inner.query(sql, &[(&prefix, Type::TEXT)]).await?.iter().map(versioned).collect())
        }
        .boxed()
    }

    fn warning(&self) -> Option<String> {
        self.0.lock().warning.clone()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One statement on some connection. A connection that failed, or whose caller left, is not used again.
    async fn query(&self, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, StoreError> {
        let work = async {
            let _place = self.places.acquire().await.expect("never closed");
            let mut link = self.link().await?;
            let Link { client, wire } = &mut link;
            let rows = drive(wire, client.query_typed(sql, values)).await?;
            self.lock().idle.push(link);
            Ok(rows)
        };
        match tokio::time::timeout(LONGEST_CALL, work).await {
            Ok(done) => done.map_err(|error: Error| self.server.explain(&error)),
            Err(_) => Err(self.server.wrong("no answer within a second")),
        }
    }

    /// An idle connection, or a new one.
    async fn link(&self) -> Result<Link, Error> {
        loop {
            let idle = self.lock().idle.pop();
            match idle {
                Some(mut link) => {
                    if !link.is_closed() {
                        return Ok(link);
                    }
                }
                None => break,
            }
        }
        let mut link = self.server.connect().await?;
        if !self.lock().is_prepared {
            self.prepare(&mut link).await?;
        }
        Ok(link)
    }

    async fn prepare(&self, link: &mut Link) -> Result<(), Error> {
        let Link { client, wire } = link;
        let work = async {
            client.batch_execute(TABLE).await?;
            client.query_one("SHOW fsync", &[]).await
        };
        let fsync: String = drive(wire, work).await?.get(0);
        let mut state = self.lock();
        state.is_prepared = true;
        state.warning = (fsync != "on").then(|| {
            let shown = &self.server.shown;
            format!(
                "{shown} would forget in a power cut, and what it forgets can be spent again; set fsync = on"
            )
        });
        Ok(())
    }
}

fn versioned(row: &Row) -> (String, Versioned) {
    let version: i64 = row.get(1);
    (row.get(0), Versioned { version: u64::try_from(version).unwrap_or(0), value: row.get(2) })
}

/// Two gateways may come at the same time, hence the lock; it ends with the transaction.
const TABLE: &str = r#"
BEGIN;
SELECT pg_advisory_xact_lock(6073486113);
CREATE TABLE IF NOT EXISTS sluice_shared (
    key     text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    value   bytea NOT NULL
);
COMMIT"#;
const MOST_LINKS: usize = 8;
const LONGEST_CALL: Duration = Duration::from_secs(1);
