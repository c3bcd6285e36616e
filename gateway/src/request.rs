//! One request inside the gateway, whatever edge it came through, and the way its answer takes back.

use crate::error::Fault;
use crate::serve::LONGEST_REQUEST_MS;
use crate::tenants::Identity;
use bytes::Bytes;
use sluice_proto::v1;
use sluice_router::{Entrant, NanoUsd, Prefix, Privacy, Tick};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A request as an edge hands it in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Sluice's own id, always; a UUIDv7.
    pub id: Uuid,
    /// What logs and answers call it: the client's `x-request-id` where it is well-formed, else `id`.
    pub label: String,
    /// Which edge it came through.
    pub front: Front,
    /// Model, messages and sampling parameters.
    pub body: Arc<v1::GenerateRequest>,
    /// The messages as the client wrote them, where it wrote JSON: [`Call::messages_json`](sluice_experts::Call).
    pub messages_json: Bytes,
    /// What its headers or metadata ask for.
    pub hints: Hints,
    /// Whose it is, and what bounds it.
    pub identity: Arc<Identity>,
    /// Whose it is in the pools' lines: a hash of the tenant; where none are configured, of the key that it came with.
    /// Nobody learns the key from it.
    pub tenant: u64,
    /// When it had been read.
    pub received: Tick,
    /// When its answer must be complete.
    pub deadline: Option<Tick>,
    /// Whether the client reads a stream; one that doesn't has seen nothing until its answer is complete.
    pub streams: bool,
}

impl Request {
    /// When its answer must be complete, if need be by the gateway's own limit.
    pub fn ends_by(&self) -> Tick {
        self.deadline.unwrap_or(self.received.plus_ms(LONGEST_REQUEST_MS))
    }

    /// Lets go of the messages as the client wrote them, once no engine will be asked any more: a stream may be open for
    /// long, and they may be large.
    pub(crate) fn forget_messages(&mut self) {
        self.messages_json = Bytes::new();
    }

    /// The request as pools' lines see it before anything is decided.
    pub(crate) fn asker(&self, prefix: Prefix) -> Entrant {
        Entrant {
            tenant: self.tenant,
            weight: self.identity.weight,
            priority: 0,
            deadline: Some(self.ends_by()),
            prefix,
            ..Entrant::default()
        }
    }
}

/// An edge, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// gRPC `sluice.v1.Gateway`.
    Grpc,
    /// HTTP with the OpenAI shapes.
    OpenAi,
}

impl Front {
    /// As written in logs and records.
    pub fn name(self) -> &'static str {
        match self {
            Front::Grpc => "grpc",
            Front::OpenAi => "openai",
        }
    }
}

/// What a request's headers or gRPC metadata ask for. A hint can tighten a rule, never loosen it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    /// `x-sluice-floor`, 0 to 1.
    pub floor: Option<f64>,
    /// `x-sluice-max-cost-usd`.
    pub max_cost: Option<NanoUsd>,
    /// `x-sluice-domain`.
    pub domain: Option<String>,
    /// `x-sluice-tags`: at most 16 pairs.
    pub tags: Vec<(String, String)>,
    /// `x-sluice-residency`: regions, comma separated.
    pub residency: Vec<String>,
    /// `x-sluice-privacy`.
    pub privacy: Privacy,
    /// `idempotency-key`: what else comes under it is this request again.
    pub idempotency_key: Option<String>,
}

/// What goes back to an edge, in this order: one `Started`, any number of deltas, one `Finished`; or `Failed` at any
/// point, which is the last.
///
/// What comes once in an answer is in a box: a channel makes room for many events of the largest kind.
#[derive(Debug, Clone)]
pub enum OutEvent {
    /// Who answers.
    Started(Box<v1::Started>),
    /// More of the answer.
    Delta(v1::TextDelta),
    /// The answer is complete.
    Finished(Box<v1::Finished>),
    /// The answer will not come, or will not be complete.
    Failed(Box<Fault>),
}

/// The sending half: the spine writes, the edge reads. Closed when the client has left.
#[derive(Debug)]
pub struct Outlet {
    events: mpsc::Sender<OutEvent>,
    /// A place kept free, so that a client too slow for the answer can still be told why it ends.
    last: Option<mpsc::OwnedPermit<OutEvent>>,
}

/// How many events may wait for a slow client before its engine's stream is no longer read.
pub const OUTLET_EVENTS: usize = 32;

impl Outlet {
    /// An outlet and what the edge reads from it.
    pub fn new() -> (Outlet, mpsc::Receiver<OutEvent>) {
        let (events, receiver) = mpsc::channel(OUTLET_EVENTS + 1);
        let last = events.clone().try_reserve_owned().ok();
        (Outlet { events, last }, receiver)
    }

    /// Whether the client has left.
    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    /// Hands an event over, waiting while the client is slow. `Err` means that the client has left.
    ///
    /// # Cancel safety
    /// Dropping the future sends nothing.
    pub async fn send(&mut self, event: OutEvent) -> Result<(), ClientLeft> {
        self.events.send(event).await.map_err(|_| ClientLeft)
    }

    /// Hands the last event over, once. A client that has left, or that doesn't read, does not hold the gateway up.
    pub fn fail(&mut self, fault: Fault) {
        if let Some(place) = self.last.take() {
            drop(place.send(OutEvent::Failed(Box::new(fault))));
        }
    }

    /// A future of its own that resolves when the client has left.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let events = self.events.clone();
        async move { events.closed().await }
    }
}

/// The client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLeft;
