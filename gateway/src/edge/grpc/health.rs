//! `grpc.health.v1.Health`, answered from the door at the moment of asking.

use super::{GATEWAY, HEALTH};
use crate::door::{Door, Readiness};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

/// How often a watched status is looked at, in milliseconds.
const WATCH_MS: u64 = 250;

/// The health service.
pub(super) struct Service {
    door: Arc<dyn Door>,
}

impl Service {
    pub(super) fn new(door: Arc<dyn Door>) -> Service {
        Service { door }
    }
}

/// The status of a service; `""` stands for the whole server.
fn status(door: &dyn Door, service: &str) -> ServingStatus {
    match (service, door.readiness()) {
        ("" | GATEWAY, Readiness::Ready) => ServingStatus::Serving,
        ("" | GATEWAY, Readiness::NotReady(_) | Readiness::Draining) => ServingStatus::NotServing,
        (HEALTH, _) => ServingStatus::Serving,
        _ => ServingStatus::ServiceUnknown,
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Service {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match status(&*self.door, &request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("there is no service of this name")),
            status => Ok(Response::new(response(status))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = (self.door.clone(), request.into_inner().service, None);
        let changes = futures::stream::unfold(watch, |(door, service, last)| async move {
            loop {
                let now = status(&*door, &service);
                if last != Some(now) {
                    return Some((Ok(response(now)), (door, service, Some(now))));
                }
                door.sleep_until(door.now().plus_ms(WATCH_MS)).await;
            }
        });
        Ok(Response::new(changes.boxed()))
    }
}
