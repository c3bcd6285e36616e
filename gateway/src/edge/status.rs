//! The only table from a [`FaultCode`] to HTTP statuses, gRPC codes and OpenAI error types, and the bodies they make.

use crate::error::{Blame, Fault, FaultCode, Retry};
use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use sluice_proto::openai::{ErrorBody, ErrorObject};
use std::collections::HashMap;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// What a fault is called on each wire.
pub(crate) struct Verdict {
    /// The HTTP status.
    pub(crate) http: u16,
    /// The gRPC status.
    pub(crate) grpc: Code,
    /// `error.type` of the OpenAI body.
    pub(crate) kind: &'static str,
}

/// What `code` is called on each wire.
pub(crate) fn verdict(code: FaultCode) -> Verdict {
    let (http, grpc, kind) = match code {
        FaultCode::InvalidValue => (400, Code::InvalidArgument, REQUEST),
        FaultCode::ContextLengthExceeded => (400, Code::OutOfRange, REQUEST),
        FaultCode::UnsupportedParameter => (400, Code::InvalidArgument, REQUEST),
        FaultCode::CostBound => (400, Code::InvalidArgument, REQUEST),
        FaultCode::UpstreamRejected => (400, Code::InvalidArgument, REQUEST),
        FaultCode::InvalidApiKey => (401, Code::Unauthenticated, REQUEST),
        FaultCode::ModelNotAllowed => (403, Code::PermissionDenied, "permission_error"),
        FaultCode::ResidencyViolation => (403, Code::PermissionDenied, "permission_error"),
        FaultCode::ModelNotFound => (404, Code::NotFound, REQUEST),
        FaultCode::DecisionNotFound => (404, Code::NotFound, REQUEST),
        FaultCode::UnknownUrl => (404, Code::Unimplemented, REQUEST),
        FaultCode::MethodNotAllowed => (405, Code::Unimplemented, REQUEST),
        FaultCode::RequestTimeout => (408, Code::DeadlineExceeded, REQUEST),
        FaultCode::RequestTooLarge => (413, Code::ResourceExhausted, REQUEST),
        FaultCode::RequestsLimited => (429, Code::ResourceExhausted, "requests"),
        FaultCode::TokensLimited => (429, Code::ResourceExhausted, "tokens"),
        FaultCode::DeadlineUnreachable => (429, Code::ResourceExhausted, "rate_limit_error"),
        FaultCode::InsufficientQuota => (429, Code::ResourceExhausted, "insufficient_quota"),
        FaultCode::ClientGone => (499, Code::Cancelled, REQUEST),
        FaultCode::Internal => (500, Code::Internal, SERVER),
        FaultCode::UpstreamError => (502, Code::Unavailable, SERVER),
        FaultCode::NoCapacity => (503, Code::Unavailable, SERVER),
        FaultCode::LedgerUnavailable => (503, Code::Unavailable, SERVER),
        FaultCode::NoCapableExpert => (503, Code::Unavailable, SERVER),
        FaultCode::Draining => (503, Code::Unavailable, SERVER),
        FaultCode::DeadlineExceeded => (504, Code::DeadlineExceeded, SERVER),
        FaultCode::UpstreamTimeout => (504, Code::DeadlineExceeded, SERVER),
    };
    Verdict { http, grpc, kind }
}

const REQUEST: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// The HTTP status that stands for `code`, for logs and metrics of every edge.
pub fn http_status(code: FaultCode) -> u16 {
    verdict(code).http
}

/// What people read: what is wrong, whose fault it is, and whether to try again.
pub(crate) fn message(fault: &Fault) -> String {
    let whose = match fault.code.blame() {
        Blame::Caller => "the request's fault",
        Blame::Expert => "an expert's fault",
        Blame::Gateway => "the gateway's fault",
        Blame::Operator => "the gateway's operator can mend it",
        Blame::Nobody => "nobody's fault",
    };
    let advice = match (fault.retry, fault.code.blame()) {
        (Retry::AfterMs(ms), _) => format!("try again after {} s", ms.max(1).div_ceil(1000)),
        (Retry::Never, Blame::Caller) => "the same request will fail again".to_owned(),
        (Retry::Never, _) => "don't retry".to_owned(),
    };
    format!("{} ({whose}; {advice})", fault.detail)
}

/// The OpenAI error body of a fault.
pub(crate) fn error_body(fault: &Fault) -> ErrorBody {
    ErrorBody {
        error: ErrorObject {
            message: message(fault),
            r#type: verdict(fault.code).kind.to_owned(),
            param: fault.param.clone(),
            code: Some(fault.code.name().to_owned()),
        },
    }
}

/// The whole HTTP answer to a fault.
pub(crate) fn http_response(fault: &Fault) -> Response<Body> {
    let body = serde_json::to_vec(&error_body(fault)).expect("strings always serialize");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(http_status(fault.code)).expect("the table holds statuses");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    advise(fault.retry, headers);
    response
}

/// Retry advice as clients of OpenAI read it.
fn advise(retry: Retry, headers: &mut HeaderMap) {
    let again = match retry {
        Retry::Never => "false",
        Retry::AfterMs(ms) => {
            let ms = ms.max(1);
            headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
            headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from(ms));
            "true"
        }
    };
    headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static(again));
}

/// The gRPC answer to a fault, with rich details; `label` is the request's id as its client knows it.
pub(crate) fn grpc_status(fault: &Fault, label: &str) -> Status {
    let mut about = HashMap::from([
        ("blame".to_owned(), fault.code.blame().name().to_owned()),
        ("request_id".to_owned(), label.to_owned()),
    ]);
    let mut details = ErrorDetails::new();
    let mut metadata = MetadataMap::new();
    let pushback = match fault.retry {
        Retry::Never => -1,
        Retry::AfterMs(ms) => {
            details.set_retry_info(Some(Duration::from_millis(u64::from(ms.max(1)))));
            i64::from(ms.max(1))
        }
    };
    metadata.insert("grpc-retry-pushback-ms", pushback.into());
    if let Some(param) = &fault.param {
        about.insert("param".to_owned(), param.clone());
        details.add_bad_request_violation(param.clone(), fault.detail.clone());
    }
    details.set_error_info(fault.code.name(), "sluice", about);
    Status::with_error_details_and_metadata(verdict(fault.code).grpc, message(fault), details, metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_row_in_the_reference_that_says_what_the_table_says() {
        let page = include_str!("../../../docs/reference/errors.md");
        for code in FaultCode::ALL {
            let Verdict { http, grpc, kind } = verdict(*code);
            let grpc = grpc_name(grpc);
            let row = format!("| `{code}` | {http} | `{grpc}` | `{kind}` | {} | ", code.blame().name());
            assert!(page.contains(&row), "docs/reference/errors.md lacks the row\n{row}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, FaultCode::ALL.len(), "docs/reference/errors.md has a row for no code");
    }

    fn grpc_name(code: Code) -> String {
        let mut name = String::new();
        for letter in format!("{code:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    #[test]
    fn a_message_says_what_whose_and_what_to_do() {
        let fault = Fault::invalid("max_tokens", "max_tokens is -1; it must be at least 1");
        let expected = "max_tokens is -1; it must be at least 1 \
                        (the request's fault; the same request will fail again)";
        assert_eq!(message(&fault), expected);
        let busy = Fault::passing(FaultCode::NoCapacity, 1500, "every line is full");
        assert_eq!(
            message(&busy),
            "every line is full (the gateway's operator can mend it; try again after 2 s)"
        );
    }

    #[test]
    fn retry_headers_round_seconds_up_and_are_never_zero() {
        for (ms, seconds, exact) in [(0, "1", "1"), (1, "1", "1"), (1000, "1", "1000"), (1001, "2", "1001")] {
            let response = http_response(&Fault::passing(FaultCode::NoCapacity, ms, "full"));
            assert_eq!(response.headers()["retry-after"], seconds);
            assert_eq!(response.headers()["retry-after-ms"], exact);
            assert_eq!(response.headers()["x-should-retry"], "true");
        }
        let final_one = http_response(&Fault::new(FaultCode::DeadlineExceeded, "too late"));
        assert_eq!(final_one.headers()["x-should-retry"], "false");
        assert!(!final_one.headers().contains_key("retry-after"));
    }

    #[test]
    fn an_error_body_has_all_four_keys() {
        let body = serde_json::to_value(error_body(&Fault::new(FaultCode::Internal, "a bug"))).expect("json");
        let error = body["error"].as_object().expect("an object");
        for key in ["message", "type", "param", "code"] {
            assert!(error.contains_key(key), "no {key}");
        }
        assert!(error["param"].is_null());
    }

    #[test]
    fn grpc_details_name_reason_blame_field_and_delay() {
        let status = grpc_status(&Fault::invalid("messages", "messages is empty"), "abc");
        let details = status.get_error_details();
        let info = details.error_info().expect("error info");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("invalid_value", "sluice"));
        assert_eq!(
            (info.metadata["blame"].as_str(), info.metadata["request_id"].as_str()),
            ("caller", "abc")
        );
        let violations = &details.bad_request().expect("bad request").field_violations;
        assert_eq!(violations[0].field, "messages");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").expect("pushback"), "-1");
        let busy = grpc_status(&Fault::passing(FaultCode::Draining, 250, "draining"), "abc");
        let delay = busy.get_error_details().retry_info().expect("retry info").retry_delay;
        assert_eq!(delay, Some(Duration::from_millis(250)));
        assert_eq!(busy.metadata().get("grpc-retry-pushback-ms").expect("pushback"), "250");
    }
}
