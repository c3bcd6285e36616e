//! The connections under every dialect: TLS against the web's roots over whatever was dialled, a bound on connecting.

use crate::call::Endpoint;
use crate::dial::{Dial, DialError, Duplex};
use crate::protocol::EndpointError;
use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

/// The HTTP version that a dialect speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, on plain TCP by prior knowledge.
    Http2,
}

/// Opens connections within a time that covers name lookup, TCP and TLS together.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<Plain>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(version: Version, endpoint: &Endpoint) -> Connector {
        let plain = Plain(endpoint.dial.clone());
        let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
        let inner = match version {
            Version::Http1 => tls.enable_http1().wrap_connector(plain),
            Version::Http2 => tls.enable_http2().wrap_connector(plain),
        };
        Connector { inner, timeout: endpoint.connect_timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<Wire>>;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<Self::Response, DialError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect = self.inner.call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            let late = |_| format!("no connection within {} ms", timeout.as_millis());
            tokio::time::timeout(timeout, connect).await.map_err(late)?
        })
    }
}

/// What TLS, where it is used, runs over.
#[derive(Clone)]
struct Plain(Arc<dyn Dial>);

impl Service<Uri> for Plain {
    type Response = TokioIo<Wire>;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<TokioIo<Wire>, DialError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = self.0.dial(uri);
        Box::pin(async move { Ok(TokioIo::new(Wire(dialling.await?))) })
    }
}

/// A connection as the HTTP implementation wants it.
pub(crate) struct Wire(Box<dyn Duplex>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The endpoint's address, checked: a scheme, a host, perhaps a path; no credentials, query or fragment.
///
/// # Errors
/// [`EndpointError::Url`] with what is wrong.
pub(crate) fn address(endpoint: &Endpoint) -> Result<Uri, EndpointError> {
    let wrong = |why: &str| EndpointError::Url { url: endpoint.url.clone(), why: why.to_owned() };
    // A password in the address must not come back in the message.
    if endpoint.url.contains('@') {
        return Err(EndpointError::Url {
            url: "…@…".to_owned(),
            why: "it must not hold credentials".to_owned(),
        });
    }
    let uri: Uri = endpoint.url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it must begin with http:// or https://"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("it has no host"));
    }
    if endpoint.url.contains(['?', '#']) {
        return Err(wrong("it must not have a query or a fragment"));
    }
    Ok(uri)
}

/// An error and its causes on one line.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.ends_with(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, complaint: Option<&str>) {
        let endpoint = Endpoint {
            url: url.to_owned(),
            model: String::new(),
            api_key: None,
            headers: Vec::new(),
            dial: crate::dial::Tcp::shared(),
            connect_timeout: Duration::ZERO,
            first_token_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
        };
        match (address(&endpoint), complaint) {
            (Ok(_), None) => {}
            (Err(error), Some(part)) => {
                let text = error.to_string();
                assert!(text.contains(part) && !text.contains("hunter2"), "{url}: {text}");
            }
            (got, want) => panic!("{url}: {got:?} but {want:?}"),
        }
    }

    #[test]
    fn addresses_are_checked_and_credentials_not_repeated() {
        check("http://10.0.0.11:8000", None);
        check("https://[::1]:8000/prefix", None);
        check("10.0.0.11:8000", Some("http://"));
        check("ftp://x", Some("http://"));
        check("http://", Some("is not an address"));
        check("http://x/?q=1", Some("query"));
        check("http://x/#f", Some("fragment"));
        check("http://user:hunter2@x", Some("credentials"));
        check("", Some("is not an address"));
    }
}
