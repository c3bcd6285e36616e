//! What an engine says instead of an answer, turned into an error: by status, by body, in the middle of a stream.

use crate::error::{ErrorKind, ExpertError};
use crate::http1::Response;
use crate::patience::Patience;
use crate::retry_after::retry_after;
use crate::scrub::Scrub;
use serde_json::Value;
use std::time::Duration;

/// Most bytes of an error body that are read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The error that a response other than 200 means.
pub(super) async fn of_response(
    mut response: Response,
    scrub: &Scrub,
    patience: &mut Patience,
) -> ExpertError {
    let status = response.status.as_u16();
    let wait = retry_after(&response.headers);
    let body = patience.wait(response.body.rest(MAX_ERROR_BYTES)).await;
    let bytes = body.ok().and_then(Result::ok).unwrap_or_default();
    let words = Words::of_body(serde_json::from_slice(&bytes).ok().as_ref());
    of_status(status, wait, &words, scrub)
}

/// The error in a JSON object such as `{"error": {...}}`, if it is one.
pub(super) fn of_json(value: &Value, scrub: &Scrub) -> Option<ExpertError> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let words = Words::of_body(Some(value));
    let status = error.get("code").and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
    let by_type = match words.class.as_str() {
        "rate_limit_error" | "rate_limit_exceeded" | "overloaded_error" => 429,
        "invalid_request_error" | "BadRequestError" => 400,
        _ => 500,
    };
    let status = status.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
    Some(of_status(status.unwrap_or(by_type), None, &words, scrub))
}

fn of_status(status: u16, wait: Option<Duration>, words: &Words, scrub: &Scrub) -> ExpertError {
    let kind = match status {
        _ if words.context_too_long() && matches!(status, 400 | 413 | 422 | 500) => ErrorKind::ContextTooLong,
        // A vendor's account that is used up stays so until somebody pays: not a matter of waiting.
        _ if words.code == "insufficient_quota" => ErrorKind::Unauthorised,
        401..=403 => ErrorKind::Unauthorised,
        429 | 529 => ErrorKind::Busy { retry_after: wait, is_quota: true },
        // Who is only busy says until when; who says nothing is still loading, or broken.
        503 if wait.is_some() => ErrorKind::Busy { retry_after: wait, is_quota: false },
        408 => ErrorKind::Failed,
        400..=499 => ErrorKind::Rejected { status },
        500..=599 => ErrorKind::Failed,
        _ => ErrorKind::Protocol,
    };
    // What is said about a key tends to show a part of it.
    let said = if kind == ErrorKind::Unauthorised { String::new() } else { scrub.clean(&words.message) };
    let detail = match said.is_empty() {
        true => format!("the engine answered {status}"),
        false => format!("the engine answered {status}: {said}"),
    };
    ExpertError::new(kind, detail)
}

/// The parts of an error body, in any of the shapes that engines use.
#[derive(Default)]
struct Words {
    message: String,
    class: String,
    code: String,
}

impl Words {
    fn of_body(body: Option<&Value>) -> Words {
        let Some(body) = body else { return Words::default() };
        // OpenAI and llama-server nest it, older vLLM doesn't, FastAPI says "detail".
        let inner = body.get("error").unwrap_or(body);
        let text = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = match inner.as_str() {
            Some(message) => message.to_owned(),
            None => [text("message"), text("detail")]
                .into_iter()
                .find(|text| !text.is_empty())
                .unwrap_or_default(),
        };
        Words { message, class: text("type"), code: text("code") }
    }

    fn context_too_long(&self) -> bool {
        const CODES: [&str; 2] = ["context_length_exceeded", "exceed_context_size_error"];
        // vLLM, SGLang and TGI give no code of their own for it.
        const PHRASES: [&str; 6] = [
            "maximum context length",
            "context length exceeded",
            "exceeds the available context size",
            "longer than the model's context length",
            "is longer than the maximum model length",
            "`inputs` tokens + `max_new_tokens` must be",
        ];
        let message = self.message.to_lowercase();
        CODES.iter().any(|code| self.code == *code || self.class == *code)
            || PHRASES.iter().any(|phrase| message.contains(phrase))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(status: u16, body: Value, want: ErrorKind, part: &str) {
        let scrub = Scrub::new(Vec::new(), None);
        let error = of_status(status, None, &Words::of_body(Some(&body)), &scrub);
        assert_eq!(error.kind, want, "{status} {body}");
        assert!(error.detail.contains(part), "{}", error.detail);
    }

    #[test]
    fn a_status_tells_whose_fault_it_is() {
        let busy = ErrorKind::Busy { retry_after: None, is_quota: true };
        check(
            400,
            json!({ "error": { "message": "no messages." } }),
            ErrorKind::Rejected { status: 400 },
            "400: no messages",
        );
        check(404, json!({ "detail": "Not Found" }), ErrorKind::Rejected { status: 404 }, "404: Not Found");
        check(422, json!({ "detail": [{ "msg": "x" }] }), ErrorKind::Rejected { status: 422 }, "422");
        check(
            401,
            json!({ "error": { "message": "wrong key abc" } }),
            ErrorKind::Unauthorised,
            "answered 401",
        );
        check(402, json!({}), ErrorKind::Unauthorised, "402");
        check(429, json!({ "error": { "code": "rate_limit_exceeded" } }), busy, "429");
        check(429, json!({ "error": { "code": "insufficient_quota" } }), ErrorKind::Unauthorised, "429");
        check(
            503,
            json!({ "error": { "message": "Loading model" } }),
            ErrorKind::Failed,
            "503: Loading model",
        );
        check(500, json!(null), ErrorKind::Failed, "500");
        check(502, json!("x"), ErrorKind::Failed, "502");
        check(307, json!({}), ErrorKind::Protocol, "307");
    }

    #[test]
    fn a_prompt_that_is_too_long_is_told_from_a_bad_request() {
        for body in [
            json!({ "error": { "code": "context_length_exceeded", "message": "x" } }),
            json!({ "error": { "code": 400, "type": "exceed_context_size_error", "message": "x", "n_ctx": 1024 } }),
            json!({ "object": "error", "code": 400, "message": "This model's maximum context length is 4096 tokens." }),
            json!({ "error": "`inputs` tokens + `max_new_tokens` must be <= 2048" }),
        ] {
            check(400, body, ErrorKind::ContextTooLong, "400");
        }
    }

    #[test]
    fn an_error_in_a_stream_is_found_by_its_key() {
        let scrub = Scrub::new(Vec::new(), None);
        let kind = |value: Value| of_json(&value, &scrub).map(|error| error.kind);
        assert_eq!(kind(json!({ "error": { "code": 400 } })), Some(ErrorKind::Rejected { status: 400 }));
        assert_eq!(
            kind(json!({ "error": { "type": "overloaded_error" } })),
            Some(ErrorKind::Busy { retry_after: None, is_quota: true })
        );
        assert_eq!(kind(json!({ "error": "boom" })), Some(ErrorKind::Failed));
        assert_eq!(kind(json!({ "error": { "code": "503" } })), Some(ErrorKind::Failed));
        assert_eq!(kind(json!({ "error": null, "choices": [] })), None);
        assert_eq!(kind(json!([1])), None);
    }
}
