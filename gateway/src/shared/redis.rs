//! A place in Redis or Valkey. Each call is one script, so that it is done wholly or not at all.
//!
//! What is forgotten here could be spent again. So the place has an id, written once, that every call compares: a
//! gateway that knew it under another id, or finds it without one, refuses to go on.

mod address;
mod scripts;

use super::{Shared, Versioned};
use crate::machine::new_id;
use crate::store::{StoreError, Stored};
use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, ConnectionAddr, FromRedisValue, RedisError, Script};
use address::Address;
use futures::FutureExt as _;
use scripts::{LOST, Scripts};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A connection that is made again whenever it has broken.
struct RedisShared(Arc<Inner>);

struct Inner {
    address: Address,
    client: Client,
    scripts: Scripts,
    /// Where the place's id is noted over restarts: this gateway's journal; `None` where that is no file.
    notes: Option<Arc<dyn Shared>>,
    connected: OnceCell<Connected>,
    warning: Mutex<Option<String>>,
}

struct Connected {
    connection: ConnectionManager,
    /// The place's id.
    id: String,
}

/// The row's constructor.
pub(super) fn open(url: &str, journal: &str) -> Result<Arc<dyn Shared>, StoreError> {
    let address = Address::parse(url)?;
    let client = Client::open(address.server.as_str()).map_err(|error| address.wrong(&error.to_string()))?;
    if !matches!(client.get_connection_info().addr(), ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_)) {
        return Err(address.wrong("there is no TLS for Redis yet; use a private network or a tunnel"));
    }
    let notes = journal.strip_prefix("sqlite:").map(super::sqlite::open).transpose()?;
    let (scripts, connected, warning) = (Scripts::new(), OnceCell::new(), Mutex::default());
    Ok(Arc::new(RedisShared(Arc::new(Inner { address, client, scripts, notes, connected, warning }))))
}

impl Shared for RedisShared {
    fn get(&self, key: &str) -> Stored<Option<Versioned>> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let found = inner.run(&inner.scripts.get, &key, &[]).await?;
            let (version, value): (Option<u64>, Option<Vec<u8>>) = found;
            Ok(version.zip(value).map(|(version, value)| Versioned { version, value }))
        }
        .boxed()
    }

    fn swap(&self, key: &str, seen: Option<u64>, value: Vec<u8>) -> Stored<bool> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let next = (seen.unwrap_or(0) + 1).to_string();
            let seen = seen.map(|seen| seen.to_string()).unwrap_or_default();
            let arguments = [seen.as_bytes(), next.as_bytes(), &value, key.as_bytes()];
            inner.run(&inner.scripts.swap, &key, &arguments).await
        }
        .boxed()
    }

    fn remove(&self, key: &str, seen: u64) -> Stored<bool> {
        let (inner, key) = (self.0.clone(), key.to_owned());
        async move {
            let seen = seen.to_string();
            inner.run(&inner.scripts.remove, &key, &[seen.as_bytes(), key.as_bytes()]).await
        }
        .boxed()
    }

    fn list(&self, prefix: &str) -> Stored<Vec<(String, Versioned)>> {
        let (inner, prefix) = (self.0.clone(), prefix.to_owned());
        async move {
            let values = inner.key("v/");
            let arguments = [prefix.as_bytes(), values.as_bytes()];
            let found: Vec<(String, u64, Vec<u8>)> = inner.run(&inner.scripts.list, "", &arguments).await?;
            Ok(found.into_iter().map(|(key, version, value)| (key, Versioned { version, value })).collect())
        }
        .boxed()
    }

    fn warning(&self) -> Option<String> {
        self.0.warning.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inner {
    fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.address.prefix)
    }

    /// Runs a script that compares the place's id; `key` names the value that it is about.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<T, StoreError> {
        let work = async {
            let connected = self.connected.get_or_try_init(|| self.connect()).await?;
            let mut call = script.key(self.key("id"));
            call.key(self.key("keys")).key(self.key(&format!("v/{key}"))).arg(&connected.id);
            for argument in arguments {
                call.arg(*argument);
            }
            let answer = call.invoke_async(&mut connected.connection.clone()).await;
            answer.map_err(|error| self.explain(&error, &connected.id))
        };
        let late = || self.address.wrong("no answer within a second");
        tokio::time::timeout(LONGEST_CALL, work).await.map_err(|_| late())?
    }

    /// The first connection: finds out which place this is, and how well it remembers.
    async fn connect(&self) -> Result<Connected, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(LONGEST_CALL))
            .set_response_timeout(Some(LONGEST_CALL))
            .set_number_of_retries(1)
            .set_max_delay(RECONNECT_AFTER);
        let said = |error: &RedisError| self.address.wrong(&error.to_string());
        let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config);
        let connection = connection.map_err(|error| said(&error))?;
        let known = self.known().await?;
        let fresh = self.address.accept.clone().unwrap_or_else(|| new_id().to_string());
        // A place that was known is not given an id, unless its operator said so.
        let asked = known.as_deref().filter(|_| self.address.accept.is_none()).unwrap_or_default();
        let mut call = self.scripts.id.key(self.key("id"));
        let id: String = call
            .arg(asked)
            .arg(&fresh)
            .invoke_async(&mut connection.clone())
            .await
            .map_err(|error| said(&error))?;
        match known {
            Some(known) if known != id && self.address.accept.as_ref() != Some(&id) => {
                return Err(self.lost(&known, &id));
            }
            Some(known) if known == id => {}
            _ => self.note(&id).await?,
        }
        *self.warning.lock().unwrap_or_else(PoisonError::into_inner) =
            forgetful(&self.address, &mut connection.clone()).await;
        Ok(Connected { connection, id })
    }

    /// The id under which this gateway knows the place.
    async fn known(&self) -> Result<Option<String>, StoreError> {
        let Some(notes) = &self.notes else { return Ok(None) };
        let noted = notes.get(&self.note_key()).await?;
        Ok(noted.and_then(|noted| String::from_utf8(noted.value).ok()))
    }

    async fn note(&self, id: &str) -> Result<(), StoreError> {
        let Some(notes) = &self.notes else { return Ok(()) };
        let seen = notes.get(&self.note_key()).await?.map(|noted| noted.version);
        notes.swap(&self.note_key(), seen, id.as_bytes().to_vec()).await.map(drop)
    }

    fn note_key(&self) -> String {
        format!("place/{}?prefix={}", self.address.shown, self.address.prefix)
    }

    fn explain(&self, error: &RedisError, known: &str) -> StoreError {
        match error.code() {
            Some(LOST) => self.lost(known, error.detail().unwrap_or_default()),
            _ => self.address.wrong(&error.to_string()),
        }
    }

    fn lost(&self, known: &str, found: &str) -> StoreError {
        let (is, accept) = match found {
            "" => ("has no id now".to_owned(), new_id().to_string()),
            found => (format!("is {found} now"), found.to_owned()),
        };
        StoreError(format!(
            "the store has lost its memory: {} was {known} and {is}. What it forgot could be spent again, so nothing \
             is taken from it. Restore it from its copy; or, to go on with what it holds now, add accept={accept} to \
             the query of [store] shared on every gateway and restart them",
            self.address.shown
        ))
    }
}

/// Why the server would forget in a crash; `None` when it would not.
async fn forgetful(address: &Address, connection: &mut ConnectionManager) -> Option<String> {
    let mut ask = ::redis::cmd("CONFIG");
    let asked = ask.arg("GET").arg("append*").query_async::<HashMap<String, String>>(connection).await;
    let shown = &address.shown;
    let Ok(found) = asked else {
        return Some(format!(
            "{shown} doesn't tell whether it keeps what it is given (CONFIG GET); see to appendonly yes and \
             appendfsync always"
        ));
    };
    let is = |name: &str, wanted: &str| found.get(name).is_some_and(|value| value == wanted);
    if is("appendonly", "yes") && is("appendfsync", "always") {
        return None;
    }
    let would = if is("appendonly", "yes") { "up to a second" } else { "everything" };
    Some(format!(
        "{shown} would forget {would} in a crash, and what it forgets can be spent again; set appendonly yes and \
         appendfsync always"
    ))
}

const LONGEST_CALL: Duration = Duration::from_secs(1);
const RECONNECT_AFTER: Duration = Duration::from_millis(200);
