//! What an edge may ask of the gateway. Edges know nothing else of it, so that each is a thin translator.

use crate::error::Fault;
use crate::request::{Front, OutEvent, Request};
use crate::tenants::{AdminAsk, Identity, Standing};
use futures::future::BoxFuture;
use sluice_proto::v1;
use sluice_router::Tick;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The gateway as its edges see it.
pub trait Door: Send + Sync + 'static {
    /// Now, on the gateway's clock.
    fn now(&self) -> Tick;

    /// Wall time, for the `created` fields of answers, in seconds since 1970.
    fn unix_seconds(&self) -> u64;

    /// A new request id, a UUIDv7.
    fn new_id(&self) -> Uuid;

    /// Resolves at `tick`; at once when it has passed.
    fn sleep_until(&self, tick: Tick) -> BoxFuture<'static, ()>;

    /// Whose a key is; `None` is no key.
    ///
    /// # Errors
    /// A key is needed, and this is none, or one that is no longer good.
    fn identify(&self, key: Option<&str>) -> Result<Arc<Identity>, Fault>;

    /// How far its limits are used up: what its next request meets.
    fn standing(&self, identity: &Identity) -> Standing;

    /// Serves a request in a task of its own; dropping the receiver says that the client has left.
    fn submit(&self, request: Request) -> mpsc::Receiver<OutEvent>;

    /// Hears of a request that an edge refused by itself, so that it is counted and logged like any other. An empty
    /// tenant is an unknown one.
    fn refused(&self, front: Front, label: &str, tenant: &str, fault: &Fault);

    /// Decides without sending anything.
    ///
    /// # Errors
    /// What `submit` would have answered before its first byte.
    fn explain(&self, request: Request) -> Result<v1::ExplainResponse, Fault>;

    /// A stored decision of its tenant.
    ///
    /// # Errors
    /// [`crate::FaultCode::DecisionNotFound`], or a store that fails.
    fn receipt(
        &self,
        identity: &Identity,
        decision_id: String,
    ) -> BoxFuture<'static, Result<v1::ExplainResponse, Fault>>;

    /// What it may ask for: routes, then experts.
    fn models(&self, identity: &Identity) -> Vec<v1::Model>;

    /// Whether new requests are taken.
    fn readiness(&self) -> Readiness;

    /// Largest body, in bytes.
    fn max_body_bytes(&self) -> usize;

    /// The metrics in the Prometheus text format.
    fn metrics(&self) -> String;

    /// Makes, lists and ends keys, for whoever has the admin key.
    ///
    /// # Errors
    /// [`crate::FaultCode::InvalidApiKey`] for everybody else; what is wrong with what was asked.
    fn admin(
        &self,
        key: Option<String>,
        ask: AdminAsk,
    ) -> BoxFuture<'static, Result<serde_json::Value, Fault>>;

    /// Pools and replicas with their states, as JSON.
    fn pools(&self) -> String;
}

/// Whether new requests are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They are.
    Ready,
    /// Not yet or not now, and why.
    NotReady(String),
    /// Never again: the gateway is draining.
    Draining,
}
