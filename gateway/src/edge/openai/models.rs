//! What may be asked for by name: models, and decisions by their id.

use super::Edge;
use crate::error::{Fault, FaultCode};
use crate::tenants::Identity;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use sluice_proto::v1;

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    /// When it was made, in seconds since 1970; 0, since nobody tells.
    created: u64,
    owned_by: &'static str,
    /// `route` or `expert`.
    kind: String,
}

#[derive(Serialize)]
struct Models {
    object: &'static str,
    data: Vec<Model>,
}

impl From<v1::Model> for Model {
    fn from(model: v1::Model) -> Model {
        Model { id: model.id, object: "model", created: 0, owned_by: "sluice", kind: model.kind }
    }
}

/// `GET /v1/models`: routes first, then experts.
pub(super) fn list(edge: &Edge, identity: &Identity) -> Response {
    let data = edge.door.models(identity).into_iter().map(Model::from).collect();
    super::json(&Models { object: "list", data })
}

/// `GET /v1/models/{id}`.
///
/// # Errors
/// No model has this name.
pub(super) fn one(edge: &Edge, identity: &Identity, id: &str) -> Result<Response, Fault> {
    let found = edge.door.models(identity).into_iter().find(|model| model.id == id);
    let why = "no route or expert has this name; GET /v1/models lists them";
    let model = found.ok_or_else(|| Fault {
        param: Some("model".to_owned()),
        ..Fault::new(FaultCode::ModelNotFound, why)
    })?;
    Ok(super::json(&Model::from(model)))
}

/// `GET /v1/decisions/{id}`: the stored receipt.
///
/// # Errors
/// What the store says.
pub(super) async fn decision(edge: &Edge, identity: &Identity, id: String) -> Result<Response, Fault> {
    edge.door.receipt(identity, id).await.map(receipt)
}

/// A receipt as its JSON.
pub(super) fn receipt(explained: v1::ExplainResponse) -> Response {
    let mut response = Response::new(explained.receipt_json.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
