//! The gateway over real sockets, before simulated engines.

mod running;
mod spine;
mod support;
//! The gateway over real sockets; one module a topic.

mod edge_grpc;
mod edge_http;
mod edge_kit;
mod edge_limits;
mod edge_refusals;
mod edge_stack;
