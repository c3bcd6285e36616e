//! HTTP/1.1 towards engines, without a task of its own: whoever makes a call writes and reads its connection.
//!
//! A general client runs each connection as a task, which hands every piece of an answer to the call's task, and keeps
//! buffers for whatever may come. Here nothing is handed over, and an open stream holds one small buffer; a stream's event
//! and an open stream are what a gateway has most of. Only what engines do is spoken: no pipelining, no upgrades, no
//! redirects. Heads are parsed by `httparse`.

mod body;
mod connection;
mod framing;
mod head;
mod pool;

pub(crate) use body::Body;

use crate::call::Endpoint;
use crate::channel::{Connector, Version};
use crate::dial::DialError;
use connection::Connection;
use http::{HeaderMap, StatusCode, Uri};
use pool::Pool;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thread_local::ThreadLocal;
use tower::Service as _;

/// Connections to one address.
pub(crate) struct Client {
    connector: Connector,
    address: Uri,
    idle: Duration,
    /// Those that wait for a call: for each thread its own, so that a call and its connection stay on the same one.
    pools: ThreadLocal<Arc<Pool>>,
}

/// A request as it goes out.
pub(crate) struct Outgoing {
    /// Its head, the empty line included.
    pub(crate) head: Vec<u8>,
    /// Its body, whose length the head tells.
    pub(crate) body: Vec<u8>,
}

/// What comes back.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Why there is no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Of a connection that had waited for a call: it was closed meanwhile, and no byte of the request has left.
    #[error("the connection had been closed before anything was sent")]
    Unsent,
    #[error("connection closed before the answer was complete")]
    Closed,
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// Nobody who speaks HTTP/1.1 would send this.
    #[error("invalid HTTP: {0}")]
    Malformed(&'static str),
}

/// A connection with nothing under way.
pub(crate) struct Ready {
    connection: Connection,
    pool: Arc<Pool>,
}

impl Client {
    /// Connects to `address` as `endpoint` says, and lets go of connections that have been of no use for so long.
    pub(crate) fn new(endpoint: &Endpoint, address: Uri, idle: Duration) -> Client {
        let connector = Connector::new(Version::Http1, endpoint);
        Client { connector, address, idle, pools: ThreadLocal::new() }
    }

    /// A connection that has waited, or a new one.
    pub(crate) async fn connection(&self) -> Result<Ready, DialError> {
        let pool = self.pools.get_or(|| Arc::new(Pool::new(self.idle))).clone();
        if let Some(connection) = pool.take() {
            return Ok(Ready { connection, pool });
        }
        let stream = self.connector.clone().call(self.address.clone()).await?;
        Ok(Ready { connection: Connection::new(stream), pool })
    }
}

impl Ready {
    /// Sends a request, and gives back the response with its head read.
    ///
    /// # Errors
    /// [`HttpError::Unsent`] where another connection may be tried, since this one can't have carried anything.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn send(mut self, request: &Outgoing) -> Result<Response, HttpError> {
        let (head, was_sent) = self.connection.exchange(&request.head, &request.body).await?;
        let pool = (was_sent && head.keeps_alive).then_some(self.pool);
        let body = Body::new(self.connection, head.framing, pool);
        Ok(Response { status: head.status, headers: head.headers, body })
    }
}
