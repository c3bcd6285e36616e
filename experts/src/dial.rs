//! How connections to engines are opened: over TCP, or through whatever else an endpoint brings.
//!
//! Nothing but [`Tcp`] touches a socket, so that the same engines run in a simulated network.

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service as _;

/// A connection: bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What a connection that can't be opened says.
pub type DialError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections.
pub trait Dial: Send + Sync {
    /// Connects to the host and port of `uri`. How long that may take is the caller's business.
    ///
    /// # Errors
    /// The network's own words.
    ///
    /// # Cancel safety
    /// Dropping the future gives the connection up.
    fn dial(&self, uri: Uri) -> BoxFuture<'static, Result<Box<dyn Duplex>, DialError>>;
}

/// How often an idle TCP connection is asked whether its peer still lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// The network of the machine.
pub struct Tcp(HttpConnector);

impl Tcp {
    /// TCP without delay, kept alive, after a look-up of the host's name.
    pub fn new() -> Tcp {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Small writes on a kept-alive connection would otherwise wait for the peer's delayed ACK, 40 ms.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        Tcp(tcp)
    }

    /// The same, for an [`crate::Endpoint`].
    pub fn shared() -> Arc<dyn Dial> {
        Arc::new(Tcp::new())
    }
}

impl Default for Tcp {
    fn default() -> Tcp {
        Tcp::new()
    }
}

impl Dial for Tcp {
    fn dial(&self, uri: Uri) -> BoxFuture<'static, Result<Box<dyn Duplex>, DialError>> {
        let connect = self.0.clone().call(uri);
        Box::pin(async move {
            let stream: Box<dyn Duplex> = Box::new(connect.await?.into_inner());
            Ok(stream)
        })
    }
}
