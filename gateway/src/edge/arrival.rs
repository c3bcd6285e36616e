//! What is known of a request as soon as its head is in.

use crate::door::Door;
use crate::edge::conn::Conn;
use crate::edge::hints::{self, Asked};
use crate::request::{Front, Request};
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
    /// Whose it is in the pools' lines.
    pub(crate) tenant: u64,
    /// When the head was in: deadlines count from here.
    pub(crate) at: Tick,
    /// The connection it came through.
    pub(crate) conn: Arc<Conn>,
}

impl Arrival {
    pub(crate) fn new(door: &dyn Door, headers: &HeaderMap, conn: Arc<Conn>) -> Arrival {
        let id = door.new_id();
        Arrival { id, label: hints::label(headers, id), tenant: hints::tenant(headers), at: door.now(), conn }
    }

    /// The request as the spine takes it.
    pub(crate) fn request(
        self,
        door: &dyn Door,
        front: Front,
        body: v1::GenerateRequest,
        asked: Asked,
        streams: bool,
    ) -> Request {
        Request {
            id: self.id,
            label: self.label,
            front,
            body,
            hints: asked.hints,
            tenant: self.tenant,
            received: door.now(),
            deadline: asked.deadline,
            streams,
        }
    }
}
