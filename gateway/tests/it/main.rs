//! The gateway over real sockets; one module a topic. `edge_*` meet a scripted door, the others simulated engines.

mod alerts;
mod batching;
mod budgets;
mod cold_start;
mod edge_grpc;
mod edge_http;
mod edge_kit;
mod edge_limits;
mod edge_refusals;
mod edge_stack;
mod failover;
mod ledger;
mod limits;
mod once;
mod own_gpus;
mod peer;
mod pools;
mod rows;
mod running;
mod spine;
mod support;
mod tenants;
mod whole;
