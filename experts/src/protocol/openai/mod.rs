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
use crate::channel::{Connector, Version, address, causes};
use crate::error::{ErrorKind, ExpertError};
use crate::patience::Patience;
use crate::protocol::{EndpointError, Row};
use crate::scrub::Scrub;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use thread_local::ThreadLocal;

pub(super) const ROW: Row = Row {
    name: "openai",
    connect: |endpoint| Ok(Arc::new(OpenAi(Arc::new(Inner::new(endpoint)?)))),
    about: "POST /v1/chat/completions with server-sent events: vLLM, SGLang, llama-server, TGI, most vendors",
};

/// Idle connections are dropped a little before uvicorn and cpp-httplib (5 s both) close them, so that few requests
/// meet a connection that is just going away.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// Most bytes that are read ahead of what the client has taken; a response's head must fit too.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// Most bytes of a probe's answer that are read.
const MAX_PROBE_BYTES: usize = 256 * 1024;

struct OpenAi(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    /// One with connections of its own for each thread, so that a call and its connection wake each other on the same one.
    clients: ThreadLocal<Client<Connector, Full<Bytes>>>,
    base: Uri,
    headers: HeaderMap,
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
        let headers = headers(&endpoint)?;
        Ok(Inner { endpoint, clients: ThreadLocal::new(), base, headers, reuse: Reuse::default() })
    }

    /// This thread's.
    fn client(&self) -> &Client<Connector, Full<Bytes>> {
        self.clients.get_or(|| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(POOL_IDLE)
                .http1_max_buf_size(MAX_BUFFER_BYTES)
                .build(Connector::new(Version::Http1, &self.endpoint))
        })
    }

    async fn generate(&self, call: Call) -> Result<Events, ExpertError> {
        let body = request::body(&call, &self.endpoint.model, self.base.host().unwrap_or_default())?;
        let mut request = self.request(Method::POST, "/chat/completions", Full::new(body.into()));
        if let Ok(id) = HeaderValue::from_str(&call.request_id)
            && !id.is_empty()
        {
            request.headers_mut().insert("x-request-id", id);
        }
        let mut patience = Patience::for_call(&self.endpoint, call.time_left)?;
        let scrub = Scrub::new(vec![call.body.clone()], self.endpoint.api_key.clone());
        let response = self.send(request, &mut patience, call.whole).await?;
        if response.status() != StatusCode::OK {
            return Err(refusal::of_response(response, &scrub, &mut patience).await);
        }
        stream::open(response, scrub, patience).await
    }

    /// Sends once, and gives back the response's head. An engine that lives may be silent for so much longer than the
    /// first token may take.
    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        patience: &mut Patience,
        longer: Option<Duration>,
    ) -> Result<Response<Incoming>, ExpertError> {
        let mut connection = capture_connection(&mut request);
        let mut response = std::pin::pin!(self.client().request(request));
        let early = patience
            .wait(async {
                tokio::select! {
                    biased;
                    response = &mut response => Some(response),
                    _ = connection.wait_for_connection_metadata() => None,
                }
            })
            .await?;
        // A head that overtook the news of its connection is no first event yet: the timer runs in either case.
        patience.connected();
        let response = match early {
            Some(response) => response,
            None => self.patiently(response, patience, longer.unwrap_or_default()).await?,
        };
        let response = response.map_err(|error| self.unanswered(&error))?;
        self.reuse.note_response(response.headers(), &connection);
        Ok(response)
    }

    fn unanswered(&self, error: &hyper_util::client::legacy::Error) -> ExpertError {
        let at = self.base.authority().map_or("", |authority| authority.as_str());
        if error.is_connect() {
            return ExpertError::new(ErrorKind::Unreachable, format!("can't reach {at}: {}", causes(error)));
        }
        self.reuse.note_death();
        let kind = if is_parse_error(error) { ErrorKind::Protocol } else { ErrorKind::Truncated };
        ExpertError::new(kind, format!("{at} gave no answer: {}", causes(error)))
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
        let health = self.get("/health", &mut patience).await?;
        let no_such_path = matches!(health.status().as_u16(), 401 | 403 | 404 | 405 | 501);
        let answer = if no_such_path { self.get("/v1/models", &mut patience).await? } else { health };
        if !answer.status().is_success() {
            let scrub = Scrub::new(Vec::new(), self.endpoint.api_key.clone());
            return Err(refusal::of_response(answer, &scrub, &mut patience).await);
        }
        // Read to its end, the connection can serve again; whether that works says nothing about the engine.
        let _ = patience.wait(Limited::new(answer.into_body(), MAX_PROBE_BYTES).collect()).await;
        Ok(())
    }

    async fn get(&self, path: &str, patience: &mut Patience) -> Result<Response<Incoming>, ExpertError> {
        self.send(self.request(Method::GET, path, Full::default()), patience, None).await
    }

    fn request(&self, method: Method, path: &str, body: Full<Bytes>) -> Request<Full<Bytes>> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = at(&self.base, path);
        *request.headers_mut() = self.headers.clone();
        request
    }
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
fn headers(endpoint: &Endpoint) -> Result<HeaderMap, EndpointError> {
    let mut headers = HeaderMap::new();
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

fn is_parse_error(error: &hyper_util::client::legacy::Error) -> bool {
    let hyper = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    hyper.is_some_and(hyper::Error::is_parse)
}

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
