//! Any engine with an OpenAI-compatible chat endpoint: vLLM, SGLang, llama-server, TGI, vendors.
//!
//! Each call is one POST over a kept-alive HTTP/1.1 connection, streamed unless its answer is wanted in one piece, and
//! always asking for usage. An engine that works on an answer in one piece is silent until it has it: where that takes
//! longer than a first token may, it is asked whether it still lives. A request is sent once: only one of which no byte has left yet goes to another connection. Redirects are not followed.

mod answer;
mod load;
mod plain;
mod refusal;
mod request;
mod reuse;
mod stream;
mod usage;

use self::reuse::Reuse;
use crate::call::{Call, Endpoint, Engine, Events, Reports};
use crate::channel::{address, causes};
use crate::error::{ErrorKind, ExpertError};
use crate::http1::{Client, HttpError, Outgoing, Response};
use crate::patience::Patience;
use crate::protocol::{EndpointError, Row};
use crate::scrub::Scrub;
use futures::future::BoxFuture;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, StatusCode, Uri};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub(super) const ROW: Row = Row {
    name: "openai",
    connect: |endpoint| Ok(Arc::new(OpenAi(Arc::new(Inner::new(endpoint)?)))),
    about: "POST /v1/chat/completions with server-sent events: vLLM, SGLang, llama-server, TGI, most vendors",
};

/// Idle connections are dropped a little before uvicorn and cpp-httplib (5 s both) close them, so that few requests
/// meet a connection that is just going away.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Most bytes of a probe's answer that are read.
const MAX_PROBE_BYTES: usize = 256 * 1024;

struct OpenAi(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    client: Client,
    base: Uri,
    headers: HeaderMap,
    /// The head of each call, up to its own headers.
    chat: Vec<u8>,
    reuse: Reuse,
}

impl Engine for OpenAi {
    fn generate(&self, call: Call) -> BoxFuture<'static, Result<Events, ExpertError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.generate(call).await })
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.probe().await })
    }

    fn reports(&self, every: Duration) -> Reports {
        load::reports(self.0.clone(), every)
    }
}

impl Inner {
    fn new(endpoint: Endpoint) -> Result<Inner, EndpointError> {
        let base = address(&endpoint)?;
        let headers = headers(&endpoint, &base)?;
        let client = Client::new(&endpoint, base.clone(), POOL_IDLE);
        let chat = head(&Method::POST, &at(&base, "/chat/completions"), &headers);
        Ok(Inner { endpoint, client, base, headers, chat, reuse: Reuse::default() })
    }

    async fn generate(&self, call: Call) -> Result<Events, ExpertError> {
        let body = request::body(&call, &self.endpoint.model, self.base.host().unwrap_or_default())?;
        let mut patience = Patience::for_call(&self.endpoint, call.time_left)?;
        let scrub = Scrub::new(vec![call.body.clone()], self.endpoint.api_key.clone());
        let response = self.send(self.post(&call, body), &mut patience, call.whole).await?;
        if response.status != StatusCode::OK {
            return Err(refusal::of_response(response, &scrub, &mut patience).await);
        }
        stream::open(response, scrub, patience).await
    }

    fn post(&self, call: &Call, body: Vec<u8>) -> Outgoing {
        let mut head = self.chat.clone();
        let id = HeaderValue::from_str(&call.request_id).ok().filter(|id| !id.is_empty());
        if let Some(id) = id {
            write_line(&mut head, "x-request-id", id.as_bytes());
        }
        write!(head, "content-length: {}\r\n\r\n", body.len()).expect("writing to memory can't fail");
        Outgoing { head, body }
    }

    /// Sends once, and gives back the response's head. An engine that lives may be silent for so much longer than the
    /// first token may take.
    async fn send(
        &self,
        request: Outgoing,
        patience: &mut Patience,
        longer: Option<Duration>,
    ) -> Result<Response, ExpertError> {
        loop {
            let connection = patience.wait(self.client.connection()).await?;
            let connection = connection.map_err(|error| self.unreachable(&*error))?;
            patience.connected();
            let head = std::pin::pin!(connection.send(&request));
            match self.patiently(head, patience, longer.unwrap_or_default()).await? {
                Ok(mut response) => {
                    if !self.reuse.note_response(&response.headers) {
                        response.body.close_in_the_end();
                    }
                    return Ok(response);
                }
                Err(HttpError::Unsent) => {}
                Err(error) => return Err(self.unanswered(&error)),
            }
        }
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ExpertError {
        let detail = format!("can't reach {}: {}", self.name(), causes(error));
        ExpertError::new(ErrorKind::Unreachable, detail)
    }

    fn unanswered(&self, error: &HttpError) -> ExpertError {
        self.reuse.note_death();
        let kind =
            if matches!(error, HttpError::Malformed(_)) { ErrorKind::Protocol } else { ErrorKind::Truncated };
        ExpertError::new(kind, format!("{} gave no answer: {}", self.name(), causes(error)))
    }

    fn name(&self) -> &str {
        self.base.authority().map_or("", |authority| authority.as_str())
    }

    /// Waits for a head that may take `longer` than a first token: each time that this much has passed in silence, the
    /// engine is asked whether it lives.
    async fn patiently<T>(
        &self,
        mut head: impl Future<Output = T> + Unpin,
        patience: &mut Patience,
        longer: Duration,
    ) -> Result<T, ExpertError> {
        let each = self.endpoint.first_token_timeout.as_millis().max(1);
        let mut times = longer.as_millis().div_ceil(each);
        loop {
            match patience.wait(&mut head).await {
                Err(silent) if times > 0 && silent.kind == ErrorKind::FirstTokenTimeout => {
                    self.still_lives(silent).await?;
                    patience.connected();
                    times -= 1;
                }
                waited => return waited,
            }
        }
    }

    /// Whether an engine that has been silent for too long still answers a probe, in whatever way.
    async fn still_lives(&self, silent: ExpertError) -> Result<(), ExpertError> {
        // In a box, since a probe is sent in the same way as what it asks about.
        let Err(answer) = Box::pin(self.probe()).await else { return Ok(()) };
        match answer.kind {
            ErrorKind::Unreachable
            | ErrorKind::FirstTokenTimeout
            | ErrorKind::IdleTimeout
            | ErrorKind::Truncated
            | ErrorKind::Protocol => {
                let detail = format!("{}, and when asked whether it lives: {}", silent.detail, answer.detail);
                Err(ExpertError::new(silent.kind, detail))
            }
            _ => Ok(()),
        }
    }

    /// `/health` where there is one, as the cheapest honest answer; else the model list, which every dialect has.
    async fn probe(&self) -> Result<(), ExpertError> {
        let mut patience = Patience::for_probe(&self.endpoint);
        let mut answer = self.get("/health", &mut patience).await?;
        let no_such_path = matches!(answer.status.as_u16(), 401 | 403 | 404 | 405 | 501);
        if no_such_path {
            // Read to its end, the connection can serve again; whether that works says nothing about the engine.
            let _ = patience.wait(answer.body.rest(MAX_PROBE_BYTES)).await;
            answer = self.get("/v1/models", &mut patience).await?;
        }
        if !answer.status.is_success() {
            let scrub = Scrub::new(Vec::new(), self.endpoint.api_key.clone());
            return Err(refusal::of_response(answer, &scrub, &mut patience).await);
        }
        let _ = patience.wait(answer.body.rest(MAX_PROBE_BYTES)).await;
        Ok(())
    }

    async fn get(&self, path: &str, patience: &mut Patience) -> Result<Response, ExpertError> {
        let mut head = head(&Method::GET, &at(&self.base, path), &self.headers);
        head.extend_from_slice(b"\r\n");
        self.send(Outgoing { head, body: Vec::new() }, patience, None).await
    }
}

/// The head of a request up to its own headers.
fn head(method: &Method, uri: &Uri, headers: &HeaderMap) -> Vec<u8> {
    let mut head = format!("{method} {} HTTP/1.1\r\n", uri.path()).into_bytes();
    headers.iter().for_each(|(name, value)| write_line(&mut head, name.as_str(), value.as_bytes()));
    head
}

fn write_line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    [name.as_bytes(), b": ", value, b"\r\n"].into_iter().for_each(|part| head.extend_from_slice(part));
}

/// Host and port as a request names them: a port that goes without saying is left out.
fn host(base: &Uri) -> Result<HeaderValue, EndpointError> {
    let usual = if base.scheme_str() == Some("https") { 443 } else { 80 };
    let name = base.host().unwrap_or_default();
    let text = match base.port_u16().filter(|&port| port != usual) {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    };
    HeaderValue::from_str(&text).map_err(|_| EndpointError::Header(HOST.to_string()))
}

/// A path below the base address. Addresses with and without a final `/v1` mean the same; `/health` is beside it.
fn at(base: &Uri, path: &str) -> Uri {
    let prefix = base.path().trim_end_matches('/');
    let root = prefix.strip_suffix("/v1").unwrap_or(prefix);
    let version = if path == "/chat/completions" { "/v1" } else { "" };
    let mut parts = base.clone().into_parts();
    parts.path_and_query = format!("{root}{version}{path}").parse().ok();
    Uri::from_parts(parts).expect("a checked address with a path appended is an address")
}

/// The headers of every request, the key among them.
fn headers(endpoint: &Endpoint, base: &Uri) -> Result<HeaderMap, EndpointError> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host(base)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION"))));
    if let Some(key) = &endpoint.api_key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))
            .map_err(|_| EndpointError::Header(AUTHORIZATION.to_string()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &endpoint.headers {
        let wrong = || EndpointError::Header(name.clone());
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if FRAMING.contains(&parsed.as_str()) {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// Headers that say how a request is framed; they are the connection's to write.
const FRAMING: &[&str] =
    &["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_same_with_and_without_v1() {
        for (base, chat, models) in [
            ("http://a:1", "http://a:1/v1/chat/completions", "http://a:1/health"),
            ("http://a:1/", "http://a:1/v1/chat/completions", "http://a:1/health"),
            ("http://a:1/v1", "http://a:1/v1/chat/completions", "http://a:1/health"),
            ("http://a:1/x/v1/", "http://a:1/x/v1/chat/completions", "http://a:1/x/health"),
        ] {
            let base: Uri = base.parse().unwrap();
            assert_eq!(at(&base, "/chat/completions").to_string(), chat);
            assert_eq!(at(&base, "/health").to_string(), models);
        }
    }
}
