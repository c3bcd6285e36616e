//! A decision as it is stored: everything that is needed to derive it again, bit for bit.

use crate::ask::Ask;
use crate::decide::{NoRoute, decide};
use crate::decision::Decision;
use crate::fleet::{Fleet, PoolState};
use crate::objective::Route;
use crate::signals::{Needs, Signals};
use crate::time::Tick;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A stored decision. Fleet and routes are kept once per configuration, as a [`Snapshot`] that it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The decision's id, a UUIDv7.
    pub id: String,
    /// Name of the route within the snapshot, or of the pinned expert.
    pub route: String,
    /// What the model saw.
    pub signals: Signals,
    /// What the request needed.
    pub needs: Needs,
    /// How the pools were.
    pub pools: Vec<PoolState>,
    /// When.
    pub now: Tick,
    /// What was decided.
    pub decision: Decision,
    /// Versions of what it was decided by.
    pub versions: Versions,
}

/// Which model and which configuration a decision was made by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// SHA-256 of the model file, hex; empty without a model.
    pub model: String,
    /// SHA-256 of the snapshot's JSON, hex.
    pub config: String,
}

/// Fleet, prices and routes with their certificates, as one configuration and one model made them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Experts with prices, and pools.
    pub fleet: Arc<Fleet>,
    /// Routes, and one pinned route for each expert.
    pub routes: Vec<Arc<Route>>,
}

impl Snapshot {
    /// The route with this name; routes come before pinned experts.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.name == name)
    }
}

impl Receipt {
    /// Decides again from the stored ask.
    ///
    /// # Errors
    /// [`ReplayError`] when the snapshot lacks the route, or nobody may answer.
    pub fn replay(&self, snapshot: &Snapshot) -> Result<Decision, ReplayError> {
        let route = snapshot.route(&self.route).ok_or_else(|| ReplayError::Route(self.route.clone()))?;
        let ask = Ask {
            fleet: snapshot.fleet.clone(),
            route: route.clone(),
            signals: self.signals.clone(),
            needs: self.needs.clone(),
            pools: self.pools.clone(),
        };
        Ok(decide(&ask, self.now, self.decision.seed)?)
    }
}

/// A receipt that can't be decided again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The snapshot has no such route.
    #[error("the receipt's configuration has no route {0:?}")]
    Route(String),
    /// Nobody may answer.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
}
