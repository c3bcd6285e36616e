//! A connection to Postgres that has no task of its own: it moves while somebody waits for it.

use crate::store::{StoreError, without_secrets};
use futures::FutureExt as _;
use std::future::Future;
use std::str::FromStr as _;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket};

/// Where a Postgres is.
pub(crate) struct Server {
    config: Config,
    /// As it may be shown: without its password.
    pub(crate) shown: String,
}

impl std::fmt::Debug for Server {
    /// Without its password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Server {
    /// Reads a URL.
    ///
    /// # Errors
    /// No URL that Postgres knows, or one that asks for TLS.
    pub(crate) fn new(url: &str) -> Result<Server, StoreError> {
        let shown = without_secrets(url);
        // The client's own words may repeat the URL.
        let wrong =
            |_| StoreError(format!("{shown:?} can't be read; write \"postgres://user@host/database\""));
        let mut config = Config::from_str(url).map_err(wrong)?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(StoreError(format!(
                "{shown}: there is no TLS for Postgres yet; use a private network or a tunnel, and drop sslmode"
            )));
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("sluice");
        }
        Ok(Server { config, shown })
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody answers there, or not to this user.
    pub(crate) async fn connect(&self) -> Result<Link, Error> {
        let (client, wire) = self.config.connect(NoTls).await?;
        let mut link = Link { client, wire };
        drive(&mut link.wire, link.client.batch_execute(SETTINGS)).await?;
        Ok(link)
    }

    /// An error that names the place.
    pub(crate) fn wrong(&self, what: &str) -> StoreError {
        StoreError(format!("{}: {what}", self.shown))
    }

    /// Postgres' or the network's own words, with the place.
    pub(crate) fn explain(&self, error: &Error) -> StoreError {
        self.wrong(&explain(error))
    }
}

/// A connection. One whose call was dropped half-way must be dropped too.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) wire: Wire,
}

type Wire = Connection<Socket, NoTlsStream>;

impl Link {
    /// Whether the other side has closed it while nobody looked.
    pub(crate) fn is_closed(&mut self) -> bool {
        (&mut self.wire).now_or_never().is_some() || self.client.is_closed()
    }
}

/// Waits for `work` while the wire moves.
pub(crate) async fn drive<T>(
    wire: &mut Wire,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => done,
        ended = wire => {
            // Ended wires say why; an orderly end leaves it to the client.
            ended?;
            work.await
        }
    }
}

/// What happened, in Postgres' words.
pub(super) fn explain(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// A commit is on the server's disk when it returns, whatever the server's default is. Nothing waits without an end.
const SETTINGS: &str = "SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off';
    SET statement_timeout = '30s'; SET lock_timeout = '10s'";
const CONNECT: Duration = Duration::from_secs(1);
