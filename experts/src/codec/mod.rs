//! Bytes to records: incremental, bounded, without I/O. One format a file.

mod sse;

pub use sse::{SseError, SseEvent, SseParser};
