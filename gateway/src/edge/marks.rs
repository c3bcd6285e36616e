//! The `x-sluice-*` headers of an answer: who gave it, and what it cost.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use sluice_proto::v1;

/// Writes what is known when an answer begins.
pub(crate) fn started(headers: &mut HeaderMap, started: &v1::Started) {
    put(headers, "x-sluice-decision", &started.decision_id);
    put(headers, "x-sluice-route", &started.route);
    put(headers, "x-sluice-expert", &started.expert);
    put(headers, "x-sluice-pool", &started.pool);
    if !started.pool.is_empty() {
        put(headers, "x-sluice-replica", &started.replica.to_string());
    }
    if !started.floor_held {
        put(headers, "x-sluice-floor-held", "false");
    }
    if started.replayed {
        replayed(headers);
    }
}

/// Says that this is the outcome of an earlier request with the same idempotency key.
pub(crate) fn replayed(headers: &mut HeaderMap) {
    put(headers, "x-sluice-replayed", "true");
}

/// Writes what is known when it has ended.
pub(crate) fn finished(headers: &mut HeaderMap, finished: &v1::Finished) {
    put(headers, "x-sluice-cost-nanousd", &finished.cost_nanousd.to_string());
    put(headers, "x-sluice-baseline-nanousd", &finished.baseline_nanousd.to_string());
    put(headers, "x-sluice-tokens", &total_tokens(finished).to_string());
}

/// The same as gRPC trailers, with the decision.
pub(crate) fn trailers(decision_id: &str, end: &v1::Finished) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    put(&mut trailers, "x-sluice-decision", decision_id);
    finished(&mut trailers, end);
    trailers
}

/// Tokens of prompt and answer together.
pub(crate) fn total_tokens(finished: &v1::Finished) -> u64 {
    let usage = finished.usage.unwrap_or_default();
    u64::from(usage.prompt_tokens) + u64::from(usage.output_tokens)
}

/// Names from a configuration may be in any script, header values only in ASCII: other bytes become `%XX`.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if value.is_empty() {
        return;
    }
    let mut safe = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'%' | 0x00..=0x1f | 0x7f..=0xff => safe.push_str(&format!("%{byte:02X}")),
            _ => safe.push(char::from(byte)),
        }
    }
    let value = HeaderValue::try_from(safe).expect("visible ASCII");
    headers.insert(HeaderName::from_static(name), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_fit_into_a_header() {
        let mut headers = HeaderMap::new();
        let who = v1::Started { expert: "法 50%\n".to_owned(), floor_held: true, ..Default::default() };
        started(&mut headers, &who);
        assert_eq!(headers["x-sluice-expert"], "%E6%B3%95 50%25%0A");
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn a_floor_is_mentioned_only_when_it_was_not_held() {
        let mut headers = HeaderMap::new();
        started(&mut headers, &v1::Started { floor_held: false, ..Default::default() });
        assert_eq!(headers["x-sluice-floor-held"], "false");
    }
}
