//! The chosen plan as data: the gateway executes it, `explain` prints it, tests compare it.

use crate::price::NanoUsd;
use crate::quote::Quote;
use serde::{Deserialize, Serialize};

/// A plan for one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What to try, in this order, at most [`MAX_STEPS`].
    pub steps: Vec<Step>,
    /// The most that one answer by any of the steps may cost.
    pub ceiling: NanoUsd,
    /// Every offer, in the route's order.
    pub quotes: Vec<Quote>,
    /// The probability with which the first step was chosen, above 0 and at most 1.
    pub propensity: f64,
    /// Why the first step was chosen.
    pub chosen_by: ChosenBy,
    /// The seed that was given.
    pub seed: u64,
}

/// One try of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who answers, as an index into the fleet.
    pub expert: usize,
    /// Where, as an index into the fleet.
    pub pool: usize,
    /// Most output tokens to ask for.
    pub max_output_tokens: u32,
    /// When this step runs.
    pub trigger: Trigger,
    /// False when an answer from here does not keep the route's floor.
    pub floor_held: bool,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// At once.
    First,
    /// When the step before failed in a way that another place may not.
    Elsewhere,
}

/// What made the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The cheapest capable expert under the route's certificate.
    Certificate,
    /// The client named the expert.
    Pinned,
    /// The client's domain or a keyword named a vertical expert.
    Rule,
    /// Nothing is certified: the reference answers.
    Reference,
    /// The share of traffic that explores, within the certified set.
    Exploration,
    /// Neither a certified choice nor the reference was available.
    Degraded,
}

/// The most tries of one plan.
pub const MAX_STEPS: usize = 4;
