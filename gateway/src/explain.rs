//! What explains a decision beyond its receipt: words that moved the scores, and floors that would have chosen another.

use crate::config::Config;
use crate::running::load_model;
use crate::start_error::StartError;
use sluice_router::{Ask, Attribution, CertifyBy, Fleet, Flips, Params, Placed, Receipt, Route, Snapshot};
use std::sync::Arc;

/// The model that a configuration names.
pub struct Explainer {
    params: Arc<Params>,
    /// How each route is certified, by name.
    by: Vec<(String, CertifyBy)>,
}

impl Explainer {
    /// Loads the model; `None` for a configuration without one.
    ///
    /// # Errors
    /// The model can't be read or is none.
    pub fn new(config: &Config) -> Result<Option<Explainer>, StartError> {
        let params = config.model.as_deref().map(load_model).transpose()?;
        Ok(params.map(|params| Explainer::with(config, Arc::new(params))))
    }

    pub(crate) fn with(config: &Config, params: Arc<Params>) -> Explainer {
        let by = config.routes.iter().map(|route| (route.name.clone(), route.certify_by)).collect();
        Explainer { params, by }
    }

    /// The panels that a prompt looks like, with its subjects there.
    pub fn placed(&self, prompt: &str) -> Vec<Placed> {
        self.params.placed(prompt)
    }

    /// What moved the scores of a route's experts; those that the model doesn't know are left out.
    pub fn attribute(&self, prompt: &str, route: &Route, fleet: &Fleet) -> Vec<Attribution> {
        let names: Vec<&str> = fleet.experts.iter().map(|expert| expert.name.as_str()).collect();
        let binding = self.params.bind_some(&names, &route.experts);
        let of = |&expert: &usize| self.params.attribute(prompt, &binding, expert);
        route.experts.iter().filter_map(of).collect()
    }

    /// The nearest floors that would have chosen another; `None` for a pinned expert, and for a receipt that another
    /// model decided.
    pub fn flips(&self, receipt: &Receipt, snapshot: &Snapshot) -> Option<Flips> {
        if receipt.versions.model != self.params.version() {
            return None;
        }
        let route = snapshot.route(&receipt.route)?;
        let by = self.by.iter().find(|(name, _)| *name == route.name).map(|(_, by)| *by).unwrap_or_default();
        let ask = Ask {
            fleet: snapshot.fleet.clone(),
            route: route.clone(),
            signals: receipt.signals.clone(),
            needs: receipt.needs.clone(),
            pools: receipt.pools.clone(),
        };
        self.params.flips(&ask, by, receipt.now, receipt.decision.seed)
    }
}
