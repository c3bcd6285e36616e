//! HTTP with the OpenAI shapes: paths, and the stages of a chat request from its bytes to its answer.

mod body;
mod chat;
mod models;
mod stream;
mod whole;
mod wire;

use crate::door::{Door, Readiness};
use crate::edge::answer::Answer;
use crate::edge::arrival::Arrival;
use crate::edge::{Spawn, check, hints, status};
use crate::error::{Fault, FaultCode};
use crate::request::{Front, Request};
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use chat::Chat;
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::Arc;

/// What every handler needs.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) door: Arc<dyn Door>,
    pub(super) spawn: Spawn,
}

/// The paths of the data port. Requests carry an [`Arrival`] in their extensions.
pub(super) fn router(door: Arc<dyn Door>, spawn: Spawn) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(list_models))
        .route("/v1/models/{*id}", get(one_model))
        .route("/v1/decisions/{id}", get(decision))
        .route("/health", get(health))
        .fallback(unknown_url)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Edge { door, spawn })
}

async fn complete(
    State(edge): State<Edge>,
    Extension(arrival): Extension<Arrival>,
    request: http::Request<Body>,
) -> Response {
    match prepare(&edge, &arrival, request).await {
        Ok(prepared) => respond(&edge, &arrival, prepared).await,
        Err(fault) => refuse(&edge, &arrival, &fault),
    }
}

/// A chat request that the spine may see.
struct Prepared {
    request: Request,
    includes_usage: bool,
    is_dry_run: bool,
}

async fn prepare(edge: &Edge, arrival: &Arrival, request: http::Request<Body>) -> Result<Prepared, Fault> {
    check::open(&*edge.door)?;
    let identity = match arrival.identity() {
        Ok(identity) => identity,
        Err(fault) => {
            body::leave(edge, request);
            return Err(fault);
        }
    };
    let asked = hints::parse(request.headers(), arrival.at)?;
    let bytes = body::read(edge, request).await?;
    let Chat { body, messages_json, is_stream, includes_usage } = chat::parse(&bytes)?;
    let is_dry_run = asked.is_dry_run;
    let request = arrival.clone().request(&*edge.door, identity, Front::OpenAi, body, asked, is_stream);
    let request = Request { messages_json, ..request };
    Ok(Prepared { request, includes_usage, is_dry_run })
}

async fn respond(edge: &Edge, arrival: &Arrival, prepared: Prepared) -> Response {
    let Prepared { request, includes_usage, is_dry_run } = prepared;
    let answered = if is_dry_run {
        edge.door.explain(request).map(models::receipt)
    } else {
        let (asked_model, is_stream) = (request.body.model.clone(), request.streams);
        let answer = Answer::open(&*edge.door, request);
        match is_stream {
            true => stream::respond(edge, arrival, answer, asked_model, includes_usage).await,
            false => whole::respond(edge, arrival, answer, asked_model).await,
        }
    };
    answered.unwrap_or_else(|fault| status::http_response(&fault))
}

/// An answer to what never reached the spine.
fn refuse(edge: &Edge, arrival: &Arrival, fault: &Fault) -> Response {
    edge.door.refused(Front::OpenAi, &arrival.label, arrival.tenant(), fault);
    status::http_response(fault)
}

async fn list_models(State(edge): State<Edge>, Extension(arrival): Extension<Arrival>) -> Response {
    let listed = arrival.identity().map(|identity| models::list(&edge, &identity));
    listed.unwrap_or_else(|fault| refuse(&edge, &arrival, &fault))
}

async fn one_model(
    State(edge): State<Edge>,
    Extension(arrival): Extension<Arrival>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let found = arrival.identity().and_then(|identity| models::one(&edge, &identity, &named(id)));
    found.unwrap_or_else(|fault| refuse(&edge, &arrival, &fault))
}

async fn decision(
    State(edge): State<Edge>,
    Extension(arrival): Extension<Arrival>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let found = match arrival.identity() {
        Ok(identity) => models::decision(&edge, &identity, named(id)).await,
        Err(fault) => Err(fault),
    };
    found.unwrap_or_else(|fault| refuse(&edge, &arrival, &fault))
}

/// The name in a path; bytes that are no text name nothing.
fn named(id: Result<Path<String>, PathRejection>) -> String {
    id.map(|Path(id)| id).unwrap_or_default()
}

/// For clients and balancers that only know the data port: whether new requests are taken.
async fn health(State(edge): State<Edge>) -> Response {
    match edge.door.readiness() {
        Readiness::Ready => json(&serde_json::json!({ "status": "ok" })),
        Readiness::NotReady(why) => {
            status::http_response(&Fault::passing(FaultCode::NoCapacity, 1000, format!("not ready: {why}")))
        }
        Readiness::Draining => {
            status::http_response(&Fault::passing(FaultCode::Draining, 1000, "this gateway is shutting down"))
        }
    }
}

async fn unknown_url(State(edge): State<Edge>, Extension(arrival): Extension<Arrival>) -> Response {
    let why = "there is no such path; see the reference for those that exist";
    refuse(&edge, &arrival, &Fault::new(FaultCode::UnknownUrl, why))
}

async fn wrong_method(State(edge): State<Edge>, Extension(arrival): Extension<Arrival>) -> Response {
    let why = "this path does not take this method; the header allow names those that it takes";
    refuse(&edge, &arrival, &Fault::new(FaultCode::MethodNotAllowed, why))
}

/// The answer's id on the wire.
fn chat_id(arrival: &Arrival) -> String {
    format!("chatcmpl-{}", arrival.id.simple())
}

/// A JSON answer.
fn json(value: &impl serde::Serialize) -> Response {
    let bytes = serde_json::to_vec(value).expect("writing JSON to memory can't fail");
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
