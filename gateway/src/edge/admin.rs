//! The admin port: metrics and probes, for scrapers, orchestrators and people with curl.

use crate::door::{Door, Readiness};
use crate::edge::{hints, status};
use crate::error::{Fault, FaultCode};
use crate::tenants::AdminAsk;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use std::sync::Arc;

/// The paths of the admin port.
pub(super) fn router(door: Arc<dyn Door>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/pools", get(pools))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/admin/v1/keys", get(list_keys).post(create_key))
        .route("/admin/v1/keys/{id}", delete(revoke_key))
        .fallback(unknown_url)
        .method_not_allowed_fallback(wrong_method)
        .with_state(door)
}

async fn index() -> Response {
    let paths = "sluice admin\n\
        /metrics  counters and histograms, Prometheus text format\n\
        /pools    pools and replicas with their states, JSON\n\
        /healthz  200 while the process lives\n\
        /readyz   200 while new requests are taken, else 503 and why\n\
        /admin/v1/keys  keys, for whoever has the admin key: GET, POST, and DELETE of /admin/v1/keys/ID\n";
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

async fn list_keys(State(door): State<Arc<dyn Door>>, headers: HeaderMap) -> Response {
    keys(&*door, &headers, AdminAsk::List).await
}

async fn create_key(State(door): State<Arc<dyn Door>>, headers: HeaderMap, body: Bytes) -> Response {
    keys(&*door, &headers, AdminAsk::Create(body.to_vec())).await
}

async fn revoke_key(
    State(door): State<Arc<dyn Door>>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    // Bytes that are no text name no key.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    keys(&*door, &headers, AdminAsk::Revoke(id)).await
}

async fn keys(door: &dyn Door, headers: &HeaderMap, ask: AdminAsk) -> Response {
    match door.admin(hints::bearer(headers).map(str::to_owned), ask).await {
        Ok(value) => {
            let mut answer = text(StatusCode::OK, "application/json", value.to_string());
            // It may hold a secret.
            answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            answer
        }
        Err(fault) => status::http_response(&fault),
    }
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
