//! The worker as an OpenAI-compatible engine, with vLLM's metric names.

use crate::answering::{Answering, Cut, Desk, Piece, Refusal};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures::stream::unfold;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use sluice_proto::openai::{ChatRequest, content_text};
use std::sync::Arc;

const MAX_BODY_BYTES: usize = 16 << 20;
/// Output tokens of a request that names no limit.
const DEFAULT_MAX_TOKENS: u32 = 4_096;

pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/health", get(async || "{\"status\":\"ok\"}"))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(desk)
}

/// The answer to a path that doesn't exist.
pub(crate) async fn unknown(method: Method, uri: Uri) -> Response {
    let message = format!("unknown URL: {method} {}", uri.path());
    error(StatusCode::NOT_FOUND, "invalid_request_error", Some("unknown_url"), &message)
}

async fn chat(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    if !desk.admits(&headers) {
        let message = "wrong or missing API key";
        return error(StatusCode::UNAUTHORIZED, "invalid_request_error", Some("invalid_api_key"), message);
    }
    let request: ChatRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(reason) => return bad_request(&format!("not a chat request: {reason}")),
    };
    if request.messages.is_empty() {
        return bad_request("'messages' must hold at least one message");
    }
    let max_tokens = request.max_completion_tokens.or(request.max_tokens).unwrap_or(DEFAULT_MAX_TOKENS);
    if max_tokens == 0 {
        return bad_request("'max_tokens' must be at least 1");
    }
    let texts: Vec<String> = request.messages.iter().map(content_text).collect();
    let salt = request.rest.get("cache_salt").and_then(Value::as_str);
    let answering = match desk.open(&texts.join("\n"), salt, max_tokens).await {
        Ok(answering) => answering,
        Err(refusal) => return refuse(refusal),
    };
    if request.stream == Some(true) {
        let wants_usage = request.stream_options.and_then(|options| options.include_usage) == Some(true);
        return stream(answering, request.model, wants_usage);
    }
    whole(answering, request.model).await
}

impl Desk {
    /// Whether the caller shows the key, if one is asked for.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.api_key else { return true };
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown
            .and_then(|value| value.split_once(' '))
            .is_some_and(|(scheme, shown)| scheme.eq_ignore_ascii_case("bearer") && shown.trim() == key)
    }
}

async fn whole(mut answering: Answering, model: String) -> Response {
    let mut text = String::new();
    while let Some(piece) = answering.next().await {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::End { reason, input, cached, output, is_simulated } => {
                let message = json!({ "role": "assistant", "content": text });
                return axum::Json(json!({
                    "id": "chatcmpl-sim", "object": "chat.completion", "created": 0, "model": model,
                    "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
                    "usage": usage(input, cached, output), "sluice": { "simulated": is_simulated },
                }))
                .into_response();
            }
        }
    }
    // An ordered failure: in one piece there is no half answer, so nothing is answered.
    cut(Cut::thrown())
}

/// An answer as server-sent events, and where it stands.
struct Telling {
    answering: Answering,
    model: String,
    wants_usage: bool,
    has_begun: bool,
}

fn stream(answering: Answering, model: String, wants_usage: bool) -> Response {
    let cut = answering.cut.clone();
    let telling = Telling { answering, model, wants_usage, has_begun: false };
    let frames = unfold(telling, |mut telling| async move {
        let piece = telling.answering.next().await?;
        Some((Ok::<_, std::convert::Infallible>(telling.frames(piece)), telling))
    });
    let mut response = Response::new(Body::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.extensions_mut().insert(cut);
    response
}

impl Telling {
    fn frames(&mut self, piece: Piece) -> Bytes {
        let mut text = String::new();
        match piece {
            Piece::Text(content) => {
                let delta = match self.has_begun {
                    true => json!({ "content": content }),
                    false => json!({ "role": "assistant", "content": content }),
                };
                self.has_begun = true;
                self.chunk(
                    &mut text,
                    json!([{ "index": 0, "delta": delta, "finish_reason": null }]),
                    None,
                    None,
                );
            }
            Piece::End { reason, input, cached, output, is_simulated } => {
                let last = json!([{ "index": 0, "delta": {}, "finish_reason": reason }]);
                self.chunk(&mut text, last, None, Some(is_simulated));
                if self.wants_usage {
                    self.chunk(&mut text, json!([]), Some(usage(input, cached, output)), None);
                }
                text.push_str("data: [DONE]\n\n");
            }
        }
        text.into()
    }

    fn chunk(&self, text: &mut String, choices: Value, usage: Option<Value>, is_simulated: Option<bool>) {
        let mut chunk = json!({
            "id": "chatcmpl-sim", "object": "chat.completion.chunk", "created": 0, "model": self.model,
            "choices": choices,
        });
        if self.wants_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        if let Some(is_simulated) = is_simulated {
            chunk["sluice"] = json!({ "simulated": is_simulated });
        }
        text.push_str(&format!("data: {chunk}\n\n"));
    }
}

fn usage(input: u32, cached: u32, output: u32) -> Value {
    json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": u64::from(input) + u64::from(output),
        "prompt_tokens_details": { "cached_tokens": cached },
    })
}

async fn models(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    if !desk.admits(&headers) {
        let message = "wrong or missing API key";
        return error(StatusCode::UNAUTHORIZED, "invalid_request_error", Some("invalid_api_key"), message);
    }
    let model = json!({ "id": desk.model, "object": "model", "created": 0, "owned_by": "sluice-sim" });
    axum::Json(json!({ "object": "list", "data": [model] })).into_response()
}

async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let gauges = desk.gauges();
    let model = desk.model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let rows = [
        ("num_requests_running", "gauge", gauges.running.to_string()),
        ("num_requests_waiting", "gauge", gauges.waiting.to_string()),
        ("kv_cache_usage_perc", "gauge", gauges.kv_usage.to_string()),
        ("prompt_tokens_total", "counter", gauges.counts.prompt_tokens.to_string()),
        ("prefix_cache_queries_total", "counter", gauges.counts.prompt_tokens.to_string()),
        ("prefix_cache_hits_total", "counter", gauges.counts.cached_tokens.to_string()),
        ("generation_tokens_total", "counter", gauges.counts.output_tokens.to_string()),
        ("request_success_total", "counter", gauges.counts.finished.to_string()),
    ];
    let text: String = rows
        .iter()
        .map(|(name, kind, value)| {
            format!("# TYPE vllm:{name} {kind}\nvllm:{name}{{model_name=\"{model}\"}} {value}\n")
        })
        .collect();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::HangUp => cut(Cut::thrown()),
        Refusal::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error(status, "server_error", None, "a failure that was ordered")
        }
        Refusal::TooLong { need, capacity } => {
            let message = format!("the maximum context length is {capacity} tokens, this needs {need}");
            error(StatusCode::BAD_REQUEST, "invalid_request_error", Some("context_length_exceeded"), &message)
        }
        Refusal::Busy(wait) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let mut response = error(status, "requests", Some("rate_limit_exceeded"), "the queue is full");
            if let Some(wait) = wait {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.headers_mut().insert(RETRY_AFTER, seconds.into());
                response
                    .headers_mut()
                    .insert("retry-after-ms", u64::try_from(wait.as_millis()).unwrap_or(0).into());
            }
            response
        }
    }
}

/// A response whose connection breaks.
fn cut(cut: Cut) -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(cut);
    response
}

fn bad_request(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "invalid_request_error", Some("invalid_value"), message)
}

fn error(status: StatusCode, class: &str, code: Option<&str>, message: &str) -> Response {
    let body = json!({ "error": { "message": message, "type": class, "param": null, "code": code } });
    (status, axum::Json(body)).into_response()
}
