//! Everything that explains one decision, gathered before any of it is shown.

use sluice_gateway::Explainer;
use sluice_router::{Attribution, Flips, Placed, Receipt, Route, Snapshot};
use std::sync::Arc;

/// A decision with what explains it.
pub(super) struct Story<'a> {
    pub(super) receipt: &'a Receipt,
    pub(super) snapshot: &'a Snapshot,
    /// Panels that the prompt looks like; empty without a model or without the prompt.
    pub(super) placed: Vec<Placed>,
    /// For each expert of the route that the model knows, in the order of the quotes; empty without the prompt.
    pub(super) attributions: Vec<Attribution>,
    /// `None` where the floor plays no part, or can't be asked: no model, another model, a pinned expert.
    pub(super) flips: Option<Flips>,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        receipt: &'a Receipt,
        snapshot: &'a Snapshot,
        explainer: Option<&Explainer>,
        prompt: Option<&str>,
    ) -> Story<'a> {
        let both = explainer.zip(prompt);
        let attributed = both.zip(snapshot.route(&receipt.route));
        let attribute = |((by, prompt), route): ((&Explainer, &str), &Arc<Route>)| {
            by.attribute(prompt, route, &snapshot.fleet)
        };
        Story {
            placed: both.map_or(vec![], |(by, prompt)| by.placed(prompt)),
            attributions: attributed.map_or(vec![], attribute),
            flips: explainer.and_then(|by| by.flips(receipt, snapshot)),
            receipt,
            snapshot,
        }
    }

    /// The name of the expert with this index.
    pub(super) fn name(&self, expert: usize) -> &str {
        &self.snapshot.fleet.experts[expert].name
    }

    pub(super) fn route(&self) -> Option<&Route> {
        self.snapshot.route(&self.receipt.route).map(AsRef::as_ref)
    }

    /// Who answers.
    pub(super) fn chosen(&self) -> usize {
        self.receipt.decision.steps[0].expert
    }
}
