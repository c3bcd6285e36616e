//! The admin port: metrics and probes, for scrapers, orchestrators and people with curl.

use crate::door::{Door, Readiness};
use crate::edge::status;
use crate::error::{Fault, FaultCode};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;

/// The paths of the admin port.
pub(super) fn router(door: Arc<dyn Door>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/pools", get(pools))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(unknown_url)
        .method_not_allowed_fallback(wrong_method)
        .with_state(door)
}

async fn index() -> Response {
    let paths = "sluice admin\n\
        /metrics  counters and histograms, Prometheus text format\n\
        /pools    pools and replicas with their states, JSON\n\
        /healthz  200 while the process lives\n\
        /readyz   200 while new requests are taken, else 503 and why\n";
    text(StatusCode::OK, "text/plain; charset=utf-8", paths)
}

/// Always the Prometheus text format: scrapers that ask for OpenMetrics take it too.
async fn metrics(State(door): State<Arc<dyn Door>>) -> Response {
    text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", door.metrics())
}

async fn pools(State(door): State<Arc<dyn Door>>) -> Response {
    text(StatusCode::OK, "application/json", door.pools())
}

async fn healthz() -> Response {
    text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

async fn readyz(State(door): State<Arc<dyn Door>>) -> Response {
    let (status, why) = match door.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned()),
    };
    text(status, "text/plain; charset=utf-8", why)
}

async fn unknown_url() -> Response {
    let why = "there is no such path; GET / lists those that exist";
    status::http_response(&Fault::new(FaultCode::UnknownUrl, why))
}

async fn wrong_method() -> Response {
    let why = "this path does not take this method; the header allow names those that it takes";
    status::http_response(&Fault::new(FaultCode::MethodNotAllowed, why))
}

fn text(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
