//! One event, both log and metric: nothing else touches `tracing` or the metrics registry.

mod event;

pub use event::{AttemptEnd, Event};
