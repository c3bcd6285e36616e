//! OpenAI chat over HTTP/1.1, as most engines speak it: server-sent events with usage, or a whole answer.

use super::address::{Address, TargetError};
use super::failure::Failure;
use super::{Ask, Manner, Target, Trail};
use crate::sample::FaultKind;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use ::http::{Method, Request, Response, Uri};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Map, Value, json};
use sluice_experts::SseParser;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Idle connections are dropped before uvicorn and cpp-httplib (5 s both) close them.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// Most bytes of a whole answer.
const MAX_BODY: usize = 64 << 20;

/// A pool of connections to one engine.
pub(super) struct OpenAi {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    chat: Uri,
    headers: HeaderMap,
    manner: Manner,
    places: Option<Semaphore>,
}

impl OpenAi {
    pub(super) fn new(address: &Address, manner: Manner) -> Result<OpenAi, TargetError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(manner.connect_timeout));
        let tls = hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(tls.enable_http1().wrap_connector(tcp));
        let places = manner.connections.map(|most| Semaphore::new(most.max(1)));
        Ok(OpenAi { client, chat: address.chat(), headers: headers(&manner)?, manner, places })
    }

    async fn answer(&self, ask: Ask, trail: &mut Trail) -> Result<(), Failure> {
        // Waiting for a connection is a part of the latency, as it is for any client with a bounded pool.
        let _place = match &self.places {
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        trail.who.route.clone_from(&self.manner.model);
        let response = self.client.request(self.request(ask)).await;
        let response = response.map_err(|error| Failure::of_connection(&error, false))?;
        take_headers(trail, response.headers());
        if response.status() != ::http::StatusCode::OK {
            return Err(refusal(response).await);
        }
        let content = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content.is_some_and(|content| content.starts_with("text/event-stream")) {
            read_stream(response, trail).await
        } else {
            read_whole(response, trail).await
        }
    }

    fn request(&self, ask: Ask) -> Request<Full<Bytes>> {
        let message = |(role, content): &(String, String)| json!({ "role": role, "content": content });
        let mut body: Map<String, Value> = self.manner.extra.clone();
        body.insert("model".into(), self.manner.model.clone().into());
        body.insert("messages".into(), ask.prompt.messages.iter().map(message).collect());
        body.insert("stream".into(), self.manner.streams.into());
        if self.manner.streams {
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
        if let Some(most) = ask.prompt.max_tokens {
            body.insert("max_tokens".into(), most.into());
        }
        let bytes = serde_json::to_vec(&body).expect("a JSON value can be written");
        let mut request = Request::new(Full::new(Bytes::from(bytes)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.chat.clone();
        *request.headers_mut() = self.headers.clone();
        if !ask.tenant.is_empty()
            && let Ok(tags) = HeaderValue::from_str(&format!("tenant={}", ask.tenant))
        {
            request.headers_mut().insert("x-sluice-tags", tags);
        }
        request
    }
}

impl Target for OpenAi {
    fn send<'a>(&'a self, ask: Ask, trail: &'a mut Trail) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.answer(ask, trail))
    }
}

/// Reads server-sent events until `[DONE]`, or the end after a finish reason.
async fn read_stream(response: Response<Incoming>, trail: &mut Trail) -> Result<(), Failure> {
    let mut body = response.into_body();
    let (mut parser, mut events) = (SseParser::new(), Vec::new());
    let mut is_complete = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of_connection(&error, trail.first.is_some()))?;
        let Some(bytes) = frame.data_ref() else { continue };
        parser
            .push(bytes, &mut events)
            .map_err(|error| Failure::new(FaultKind::Target, "bad_stream", error.to_string()))?;
        for event in events.drain(..) {
            if event.data.trim() == "[DONE]" {
                is_complete = true;
                continue;
            }
            is_complete |= take_chunk(trail, &event.data)?;
        }
    }
    let cut = || {
        Failure::new(FaultKind::Broken, "truncated", "the stream ended without saying that it is complete")
    };
    is_complete.then_some(()).ok_or_else(cut)
}

/// Takes one chunk; true when it has a finish reason.
fn take_chunk(trail: &mut Trail, data: &str) -> Result<bool, Failure> {
    let chunk: Value = serde_json::from_str(data)
        .map_err(|_| Failure::new(FaultKind::Target, "bad_stream", "an event is not JSON"))?;
    if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
        return Err(Failure::of_event(code(error), &message(error), trail.first.is_some()));
    }
    take_about(trail, &chunk);
    let Some(choice) = chunk.pointer("/choices/0") else { return Ok(false) };
    if let Some(text) = choice.get("delta").and_then(produced) {
        trail.piece(&text);
    }
    Ok(choice.get("finish_reason").is_some_and(Value::is_string))
}

/// What a delta holds of produced tokens: text, reasoning, a tool call. A role alone is none.
fn produced(delta: &Value) -> Option<String> {
    let delta = delta.as_object()?;
    let text = sluice_proto::openai::content_text(delta);
    let is_more = |(name, value): (&String, &Value)| {
        !matches!(name.as_str(), "role" | "content")
            && (value.as_str().is_some_and(|text| !text.is_empty())
                || value.as_array().is_some_and(|items| !items.is_empty()))
    };
    (!text.is_empty() || delta.iter().any(is_more)).then_some(text)
}

async fn read_whole(response: Response<Incoming>, trail: &mut Trail) -> Result<(), Failure> {
    let bytes = Limited::new(response.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(|error| Failure::new(FaultKind::Broken, "broken", error.to_string()))?;
    let body: Value = serde_json::from_slice(&bytes.to_bytes())
        .map_err(|_| Failure::new(FaultKind::Target, "bad_body", "the answer is not JSON"))?;
    take_about(trail, &body);
    let text = body.pointer("/choices/0/message").and_then(Value::as_object);
    let text =
        text.ok_or_else(|| Failure::new(FaultKind::Target, "bad_body", "the answer has no message"))?;
    trail.keep(&sluice_proto::openai::content_text(text));
    Ok(())
}

/// The error that a status other than 200 means.
async fn refusal(response: Response<Incoming>) -> Failure {
    let status = response.status().as_u16();
    let bytes = Limited::new(response.into_body(), 64 << 10).collect().await;
    let bytes = bytes.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let error = body.get("error").unwrap_or(&body);
    Failure::of_status(status, code(error), &message(error))
}

fn code(error: &Value) -> Option<String> {
    error.get("code").and_then(Value::as_str).map(str::to_owned)
}

fn message(error: &Value) -> String {
    let text = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
    text.unwrap_or("no reason given").chars().take(300).collect()
}

/// Sluice's headers, where there are any.
fn take_headers(trail: &mut Trail, headers: &HeaderMap) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(unescaped);
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let who = &mut trail.who;
    who.expert = text("x-sluice-expert").unwrap_or_default();
    who.pool = text("x-sluice-pool").unwrap_or_default();
    who.replica = number("x-sluice-replica").and_then(|n| u32::try_from(n).ok());
    who.route = text("x-sluice-route").unwrap_or_else(|| std::mem::take(&mut who.route));
    trail.cost_nanousd = number("x-sluice-cost-nanousd");
    trail.baseline_nanousd = number("x-sluice-baseline-nanousd");
}

/// `%XX` stands for a byte that a header can't hold.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten();
        let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The usage and the `sluice` object of a chunk or a whole answer.
fn take_about(trail: &mut Trail, body: &Value) {
    let count = |name: &str| body.pointer(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    trail.input_tokens = count("/usage/prompt_tokens").or(trail.input_tokens);
    trail.cached_tokens = count("/usage/prompt_tokens_details/cached_tokens").unwrap_or(trail.cached_tokens);
    trail.output_tokens = count("/usage/completion_tokens").or(trail.output_tokens);
    let Some(about) = body.get("sluice") else { return };
    let text = |name: &str| about.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| about.get(name).and_then(Value::as_i64);
    let who = &mut trail.who;
    text("expert").into_iter().for_each(|expert| who.expert = expert);
    text("pool").into_iter().for_each(|pool| who.pool = pool);
    text("route").into_iter().for_each(|route| who.route = route);
    who.replica = number("replica").and_then(|n| u32::try_from(n).ok()).or(who.replica);
    trail.cost_nanousd = number("cost_nanousd").or(trail.cost_nanousd);
    trail.baseline_nanousd = number("baseline_nanousd").or(trail.baseline_nanousd);
}

fn headers(manner: &Manner) -> Result<HeaderMap, TargetError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sluice-load/", env!("CARGO_PKG_VERSION"))));
    let key = manner.key.iter().map(|key| (AUTHORIZATION.as_str(), format!("Bearer {key}")));
    let more = manner.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in more.chain(key) {
        let wrong = || TargetError::Header(name.to_owned());
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        if FRAMING.contains(&parsed.as_str()) {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    Ok(headers)
}

/// Headers that say how a request is framed; they are the connection's to write.
const FRAMING: &[&str] =
    &["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
