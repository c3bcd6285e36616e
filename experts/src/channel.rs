//! The connections under every dialect: TCP without delay, TLS against the web's roots, a bound on connecting.

use crate::call::Endpoint;
use crate::protocol::EndpointError;
use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

/// How often an idle TCP connection is asked whether its peer still lives.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

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
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Connector {
    pub(crate) fn new(version: Version, timeout: Duration) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Small writes on a kept-alive connection would otherwise wait for the peer's delayed ACK, 40 ms.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
        let inner = match version {
            Version::Http1 => tls.enable_http1().wrap_connector(tcp),
            Version::Http2 => tls.enable_http2().wrap_connector(tcp),
        };
        Connector { inner, timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
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
