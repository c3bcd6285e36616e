//! What tonic leaves to us around a call: trailers of our own on unary answers, our statuses for messages that can't be
//! read, and bodies that must be complete in time.

use super::GATEWAY;
use crate::door::Door;
use crate::edge::arrival::Arrival;
use crate::edge::{marks, status};
use crate::error::{Fault, FaultCode};
use crate::request::Front;
use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use sluice_proto::v1;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::ServiceExt;

/// How long the message of a unary or server-streaming call may take until it is complete, in milliseconds.
const BODY_MS: u64 = 30_000;

/// Where a call leaves what its trailers shall say.
#[derive(Clone, Default)]
pub(super) struct Trailers(Arc<OnceLock<HeaderMap>>);

impl Trailers {
    /// What the answer cost; once per call.
    pub(super) fn set(&self, decision_id: &str, finished: &v1::Finished) {
        self.0.get_or_init(|| marks::trailers(decision_id, finished));
    }
}

/// Answers one call.
pub(super) async fn answer(
    routes: Routes,
    door: &Arc<dyn Door>,
    arrival: &Arrival,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let trailers = Trailers::default();
    request.extensions_mut().insert(trailers.clone());
    let is_ours = request.uri().path().strip_prefix('/').is_some_and(|path| path.starts_with(GATEWAY));
    let timeout = is_ours.then(|| door.sleep_until(door.now().plus_ms(BODY_MS)));
    let label = arrival.label.clone();
    let request = request.map(|body| Timed { body, timeout, label });
    let response = routes.oneshot(request).await.unwrap_or_else(|never| match never {});
    match unreadable(response.headers(), door.max_body_bytes()) {
        Some(fault) => {
            door.refused(Front::Grpc, &arrival.label, arrival.tenant(), &fault);
            status::grpc_status(&fault, &arrival.label).into_http()
        }
        None => response.map(|body| Body::new(Trailed { body, trailers })),
    }
}

/// What is wrong with a message that tonic could not read: it says INTERNAL or OUT_OF_RANGE, without details, where the
/// caller is at fault. Our own statuses always have details.
fn unreadable(headers: &HeaderMap, limit: usize) -> Option<Fault> {
    let status = Status::from_header_map(headers).filter(|status| status.details().is_empty())?;
    match status.code() {
        Code::OutOfRange => {
            let why = format!("the message is over the limit of {limit} bytes");
            Some(Fault::new(FaultCode::RequestTooLarge, why))
        }
        Code::Internal => {
            let why = format!("the message can't be read: {}", status.message());
            Some(Fault::new(FaultCode::InvalidValue, why))
        }
        _ => None,
    }
}

/// A request body that fails when it takes too long.
struct Timed {
    body: Incoming,
    timeout: Option<BoxFuture<'static, ()>>,
    label: String,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(timeout) = &mut self.timeout else { return Poll::Pending };
        if timeout.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timeout = None;
        let why = format!("the message was not complete within {} s", BODY_MS / 1000);
        let fault = Fault::passing(FaultCode::RequestTimeout, 1000, why);
        Poll::Ready(Some(Err(status::grpc_status(&fault, &self.label).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer whose trailers say what it cost.
struct Trailed {
    body: tonic::body::Body,
    trailers: Trailers,
}

impl http_body::Body for Trailed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let with_ours = |frame: Frame<Bytes>| match frame.into_trailers() {
            Ok(mut trailers) => {
                trailers.extend(self.trailers.0.get().cloned().unwrap_or_default());
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        };
        polled.map(|frame| frame.map(|frame| frame.map(with_ours)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
