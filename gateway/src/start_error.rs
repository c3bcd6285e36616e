//! Why a gateway does not start.

use crate::store::StoreError;
use sluice_experts::EndpointError;
use sluice_router::ParamsError;
use std::net::SocketAddr;

/// Why a gateway does not start, or keeps its old configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The journal can't be opened.
    #[error("the journal can't be opened")]
    Store(#[from] StoreError),
    /// The model's file can't be read.
    #[error("{file}: the router model can't be read: {why}; `sluice train --out {file}` makes one")]
    ModelRead {
        /// Its path.
        file: String,
        /// The operating system's words.
        why: String,
    },
    /// The model's file is no model.
    #[error("{file}: {error}")]
    Model {
        /// Its path.
        file: String,
        /// What is wrong with it.
        error: ParamsError,
    },
    /// An engine's address can't be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A domain has a floor, but the model doesn't tell it apart.
    #[error("{place}: {why}")]
    Domain {
        /// File, line and key.
        place: String,
        /// What the model knows instead.
        why: String,
    },
    /// A port can't be listened on.
    #[error("can't listen on {address}: {why}; stop what listens there, or choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's words.
        why: String,
    },
    /// The operating system gives no threads to serve on.
    #[error("can't start the threads that serve: {0}")]
    Threads(String),
    /// A change that a running gateway can't make.
    #[error("a change of {0} needs a restart; the rest was not taken over either")]
    NeedsRestart(&'static str),
    /// A bug.
    #[error("building the configuration panicked; please report it")]
    Panicked,
}
