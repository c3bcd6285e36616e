//! The gateway over real sockets, before simulated engines.

mod running;
mod spine;
mod support;
