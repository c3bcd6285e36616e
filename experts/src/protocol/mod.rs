//! The dialects that engines speak: one file each, one row each.

#[cfg(test)]
mod example;
mod native;
mod openai;

use crate::call::{Endpoint, Engine};
use std::sync::Arc;

/// Makes an engine of an endpoint; does not connect yet.
///
/// # Errors
/// [`EndpointError`] when the address or a header can't be used.
pub type Connect = fn(Endpoint) -> Result<Arc<dyn Engine>, EndpointError>;

/// A dialect that a pool's `protocol` may name.
pub struct Row {
    /// Its name in the configuration.
    pub name: &'static str,
    /// How an endpoint of it is made.
    pub connect: Connect,
    /// For the reference page.
    pub about: &'static str,
}

/// Every dialect. The order is the order in the reference.
pub const PROTOCOLS: &[Row] = &[openai::ROW, native::ROW];

/// The dialect with this name.
pub fn protocol(name: &str) -> Option<&'static Row> {
    PROTOCOLS.iter().find(|row| row.name == name)
}

/// An endpoint that can't be used, whatever the network says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("{url:?} is not an address such as \"http://10.0.0.11:8000\": {why}")]
    Url {
        /// As configured.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// Not a header.
    #[error("header {0:?} can't be sent")]
    Header(String),
}
