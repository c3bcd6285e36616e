//! A message to somebody else's HTTP endpoint, over the connections that engines are reached by.

use crate::call::Endpoint;
use crate::channel::{Connector, Version, causes};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;

/// Where messages are posted to.
pub struct Hook {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
    timeout: Duration,
}

impl Hook {
    /// A place by its URL, which may be a secret: no error repeats it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(url: &str, dial: Arc<dyn crate::Dial>, timeout: Duration) -> Result<Hook, &'static str> {
        let uri = hook_uri(url)?;
        let endpoint = Endpoint {
            url: String::new(),
            model: String::new(),
            api_key: None,
            headers: Vec::new(),
            dial,
            connect_timeout: timeout,
            first_token_timeout: timeout,
            idle_timeout: timeout,
        };
        let client = Client::builder(TokioExecutor::new()).build(Connector::new(Version::Http1, &endpoint));
        Ok(Hook { client, uri, timeout })
    }

    /// Posts JSON once. Redirects are not followed: they are no 2xx.
    ///
    /// # Errors
    /// Nobody there, no answer in time, or another answer than 2xx; for people, without the URL.
    pub async fn post(&self, json: String) -> Result<(), String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
            .body(Full::from(json))
            .map_err(|error| error.to_string())?;
        let work = async {
            let answer = self.client.request(request).await.map_err(|error| causes(&error))?;
            let status = answer.status();
            // Read to its end, within bounds, so that the connection can be used again.
            let _ = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
        };
        let late = |_| format!("no answer within {} ms", self.timeout.as_millis());
        tokio::time::timeout(self.timeout, work).await.map_err(late)?
    }
}

/// The URL of a hook, checked: a scheme, a host, no credentials.
///
/// # Errors
/// What is wrong with it.
pub fn hook_uri(url: &str) -> Result<Uri, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "is no URL")?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    match uri.authority() {
        _ if !is_web => Err("must begin with http:// or https:// and a host"),
        Some(authority) if authority.as_str().contains('@') => Err("must not hold credentials"),
        _ => Ok(uri),
    }
}

/// Of an answer that nobody reads.
const MOST_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_hooks_may_have_a_query_and_no_password() {
        assert!(hook_uri("https://hooks.example.com/T0/B0?x=1").is_ok());
        for url in ["", "hooks.example.com", "ftp://a/b", "/path", "https://me:hush@a/b", "http://"] {
            let why = hook_uri(url).expect_err(url);
            assert!(!why.contains("hush"), "{why}");
        }
    }
}
