//! What is known of a request as soon as its head is in.

use crate::door::Door;
use crate::edge::conn::Conn;
use crate::edge::hints::{self, Asked};
use crate::error::Fault;
use crate::request::{Front, Request};
use crate::tenants::Identity;
use bytes::Bytes;
use http::HeaderMap;
use sluice_proto::v1;
use sluice_router::Tick;
use std::sync::Arc;
use uuid::Uuid;

/// A request whose head is in; travels in its extensions.
#[derive(Clone)]
pub(crate) struct Arrival {
    /// Sluice's own id.
    pub(crate) id: Uuid,
    /// What answers and logs call it.
    pub(crate) label: String,
    /// Whose it is, or why it is not known.
    pub(crate) who: Result<Arc<Identity>, Fault>,
    /// Whose it is in the pools' lines, where no tenants are configured.
    stranger: u64,
    /// When the head was in: deadlines count from here.
    pub(crate) at: Tick,
    /// The connection it came through.
    pub(crate) conn: Arc<Conn>,
}

impl Arrival {
    pub(crate) fn new(door: &dyn Door, headers: &HeaderMap, conn: Arc<Conn>) -> Arrival {
        let id = door.new_id();
        let who = door.identify(hints::bearer(headers));
        let (label, stranger) = (hints::label(headers, id), hints::stranger(headers));
        Arrival { id, label, who, stranger, at: door.now(), conn }
    }

    /// Whose it is, for the record; empty when that is not known.
    pub(crate) fn tenant(&self) -> &str {
        self.who.as_ref().map_or("", |identity| &identity.tenant)
    }

    /// Whose it is.
    ///
    /// # Errors
    /// Its key is missing, unknown or no longer good.
    pub(crate) fn identity(&self) -> Result<Arc<Identity>, Fault> {
        self.who.clone()
    }

    /// The request as the spine takes it.
    pub(crate) fn request(
        self,
        door: &dyn Door,
        identity: Arc<Identity>,
        front: Front,
        body: v1::GenerateRequest,
        asked: Asked,
        streams: bool,
    ) -> Request {
        Request {
            id: self.id,
            label: self.label,
            front,
            body: Arc::new(body),
            messages_json: Bytes::new(),
            hints: asked.hints,
            tenant: identity.line().unwrap_or(self.stranger),
            identity,
            received: door.now(),
            deadline: asked.deadline,
            streams,
        }
    }
}
