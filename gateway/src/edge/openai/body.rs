//! Reading the body of a request: at most so large, at most so long, and never before its length is known to fit.

use super::Edge;
use crate::error::{Fault, FaultCode};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, Request, Version};
use http_body_util::BodyExt;

/// How long a body may take until it is complete, in milliseconds.
const BODY_MS: u64 = 30_000;

/// Reads the JSON body of `request`.
///
/// # Errors
/// Another content type, a body that is too large, too slow or breaks off.
pub(super) async fn read(edge: &Edge, request: Request<Body>) -> Result<Bytes, Fault> {
    let (head, mut body) = request.into_parts();
    check_type(&head.headers)?;
    let limit = edge.door.max_body_bytes();
    let declared =
        head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let lingers = head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT);
    if declared.is_some_and(|length| length > limit as u64) {
        let fault = too_large(limit);
        discard(edge, body, lingers);
        return Err(fault);
    }
    let timeout = edge.door.sleep_until(edge.door.now().plus_ms(BODY_MS));
    let complete = tokio::select! {
        biased;
        complete = collect(&mut body, limit) => complete,
        () = timeout => {
            let why = format!("the body was not complete within {} s", BODY_MS / 1000);
            Err(Fault::passing(FaultCode::RequestTimeout, 1000, why))
        }
    };
    if complete.as_ref().is_err_and(|fault| fault.code == FaultCode::RequestTooLarge) {
        discard(edge, body, lingers);
    }
    complete
}

/// Leaves the body of a request that is refused by its head alone.
pub(super) fn leave(edge: &Edge, request: Request<Body>) {
    let (head, body) = request.into_parts();
    let lingers = head.version < Version::HTTP_2 && !head.headers.contains_key(EXPECT);
    discard(edge, body, lingers);
}

fn check_type(headers: &HeaderMap) -> Result<(), Fault> {
    if let Some(value) = headers.get(CONTENT_TYPE) {
        let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let why = "the content-type must be application/json";
            return Err(Fault::invalid("content-type", why));
        }
    }
    match headers.get(CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Fault::invalid("content-encoding", "compressed bodies are not read; send it as it is"))
        }
        _ => Ok(()),
    }
}

async fn collect(body: &mut Body, limit: usize) -> Result<Bytes, Fault> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Fault::new(FaultCode::ClientGone, "the body broke off"))?;
        if let Ok(data) = frame.into_data() {
            if all.len() + data.len() > limit {
                return Err(too_large(limit));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(all.freeze())
}

fn too_large(limit: usize) -> Fault {
    let why = format!("the body is over the limit of {limit} bytes");
    Fault::new(FaultCode::RequestTooLarge, why)
}

/// Reads on and throws away, within bounds, while the refusal is on its way: closing a socket with unread bytes resets
/// it, and many clients then never see the answer.
fn discard(edge: &Edge, mut body: Body, lingers: bool) {
    const MOST_BYTES: usize = 64 << 20;
    const MOST_MS: u64 = 10_000;
    if !lingers {
        return;
    }
    let patience = edge.door.sleep_until(edge.door.now().plus_ms(MOST_MS));
    let rest = async move {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > MOST_BYTES {
                break;
            }
        }
    };
    let bounded = async move {
        tokio::select! {
            biased;
            () = rest => {}
            () = patience => {}
        }
    };
    (edge.spawn)("edge_discard", Box::pin(bounded));
}
