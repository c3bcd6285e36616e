//! gRPC: the services of the data port, and what stands around them.

mod gateway;
mod health;
mod wire;

use crate::door::Door;
use crate::edge::arrival::Arrival;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use sluice_proto::v1::gateway_server::GatewayServer;
use std::sync::Arc;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;

/// Names as clients and reflection know them.
const GATEWAY: &str = "sluice.v1.Gateway";
const HEALTH: &str = "grpc.health.v1.Health";

/// The gRPC side of the data port.
pub(super) struct Grpc {
    routes: Routes,
    door: Arc<dyn Door>,
}

impl Grpc {
    pub(super) fn new(door: Arc<dyn Door>) -> Grpc {
        let gateway = GatewayServer::new(gateway::Service::new(door.clone()))
            .max_decoding_message_size(door.max_body_bytes());
        let health = HealthServer::new(health::Service::new(door.clone()));
        let v1 = reflection().build_v1().expect("our own descriptors are well-formed");
        let v1alpha = reflection().build_v1alpha().expect("our own descriptors are well-formed");
        let routes = Routes::new(gateway).add_service(health).add_service(v1).add_service(v1alpha);
        Grpc { routes: routes.prepare(), door }
    }

    /// Answers one call.
    pub(super) async fn answer(&self, arrival: &Arrival, request: Request<Incoming>) -> Response<Body> {
        wire::answer(self.routes.clone(), &self.door, arrival, request).await
    }
}

/// Tells what this port serves: the descriptors also hold the service that experts implement.
fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(sluice_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(GATEWAY)
        .with_service_name(HEALTH)
}
