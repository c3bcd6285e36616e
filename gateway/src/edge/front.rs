//! What every request meets first and every answer last, whatever it speaks: ids, the choice of wire, panics, counts.

use crate::door::Door;
use crate::edge::arrival::Arrival;
use crate::edge::conn::{Conn, UnderWay};
use crate::edge::count::{Count, Member};
use crate::edge::grpc::Grpc;
use crate::edge::hints::REQUEST_ID;
use crate::edge::{limits, status};
use crate::error::{Fault, FaultCode};
use crate::request;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What a listener serves.
pub(super) struct Front {
    pub(super) door: Arc<dyn Door>,
    pub(super) http: Router,
    /// Only the data port has it.
    pub(super) grpc: Option<Grpc>,
    /// Requests under way; their end ends a drain.
    pub(super) open: Arc<Count>,
    pub(super) draining: CancellationToken,
}

impl Front {
    /// Answers one request.
    pub(super) async fn answer(&self, conn: &Arc<Conn>, mut request: Request<Incoming>) -> Response<Body> {
        let in_turn = request.version() < Version::HTTP_2;
        let under_way = conn.begin(in_turn);
        let member = (!watches(request.uri().path())).then(|| self.open.join());
        let arrival = Arrival::new(&*self.door, request.headers(), conn.clone());
        request.extensions_mut().insert(arrival.clone());
        let grpc = self.grpc.as_ref().filter(|_| is_grpc(request.headers()));
        let work = async {
            match grpc {
                Some(grpc) => grpc.answer(&arrival, request).await,
                None => self.http.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            }
        };
        let mut response = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(response) => response,
            Err(_) => self.panicked(&arrival, grpc.is_some()),
        };
        self.sign(response.headers_mut(), &arrival, grpc.is_some());
        if in_turn && self.draining.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Body::new(Counted { body, _under_way: under_way, _member: member }))
    }

    fn panicked(&self, arrival: &Arrival, is_grpc: bool) -> Response<Body> {
        let fault = Fault::new(FaultCode::Internal, "a bug in the gateway; report it with the request id");
        let front = if is_grpc { request::Front::Grpc } else { request::Front::OpenAi };
        self.door.refused(front, &arrival.label, arrival.tenant(), &fault);
        match is_grpc {
            true => status::grpc_status(&fault, &arrival.label).into_http(),
            false => status::http_response(&fault),
        }
    }

    fn sign(&self, headers: &mut HeaderMap, arrival: &Arrival, is_grpc: bool) {
        let label = HeaderValue::from_str(&arrival.label).expect("labels are visible ASCII");
        headers.insert(HeaderName::from_static(REQUEST_ID), label);
        // The admin port has no limits to tell of.
        if let Some(Ok(identity)) = self.grpc.as_ref().map(|_| arrival.identity()) {
            limits::mark(headers, self.door.standing(&identity));
        }
        if !is_grpc {
            let ms = self.door.now().since_us(arrival.at) / 1000;
            headers.insert(HeaderName::from_static("openai-processing-ms"), HeaderValue::from(ms));
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Calls that a client holds open for as long as it lives; a drain doesn't wait for them.
fn watches(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Watch" || path.starts_with("/grpc.reflection.")
}

/// A body that counts as under way until its last byte is handed over.
struct Counted {
    body: Body,
    _under_way: UnderWay,
    _member: Option<Member>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
