//! Everything that a decision is made from.

use crate::fleet::{Fleet, PoolState};
use crate::objective::Route;
use crate::signals::{Needs, Signals};
use std::sync::Arc;

/// Everything that [`crate::decide`] looks at, besides the time and the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Experts and pools.
    pub fleet: Arc<Fleet>,
    /// The route's rules and its certificate.
    pub route: Arc<Route>,
    /// What the model sees in the prompt.
    pub signals: Signals,
    /// What the request needs.
    pub needs: Needs,
    /// How the pools are, in the order of [`Fleet::pools`].
    pub pools: Vec<PoolState>,
}
