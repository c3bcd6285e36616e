//! What clients speak: each edge translates its wire to a [`crate::Request`] and the answer's events back.

mod admin;
mod answer;
mod arrival;
mod check;
mod conn;
mod count;
mod front;
mod grpc;
mod hints;
mod json;
mod limits;
mod marks;
mod merge;
mod openai;
mod socket;
mod stack;
mod status;

pub use stack::{Bound, listen};
pub(crate) use stack::{CONNECTION, listen_on};
pub use status::http_status;

use futures::future::BoxFuture;
use std::sync::Arc;

/// Runs a task under a name: only the gateway's `app` may spawn, since only it waits for what it spawned.
pub type Spawn = Arc<dyn Fn(&'static str, BoxFuture<'static, ()>) + Send + Sync>;
