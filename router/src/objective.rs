//! What a route promises and prefers: its experts, its floor, the worth of a second, and its certificate.

use crate::price::NanoUsd;
use serde::{Deserialize, Serialize};

/// A virtual model name with its rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The name that clients ask for.
    pub name: String,
    /// Experts that may serve it, as indices into the fleet.
    pub experts: Vec<usize>,
    /// The expert that quality is measured against.
    pub reference: usize,
    /// Promise: mean score of at least this share of the reference's.
    pub quality_floor: f64,
    /// How sure the promise is, 0.5 to below 1.
    pub confidence: f64,
    /// What a second until the answer is complete is worth.
    pub latency_per_s: NanoUsd,
    /// Bound on the worst case of each request.
    pub max_cost: Option<NanoUsd>,
    /// What happens when no certified expert is up.
    pub when_none: WhenNone,
    /// Share of the eligible traffic that explores, 0 to 1.
    pub explore: f64,
    /// True for an expert asked for by name: no floor, no exploration, no other expert.
    pub pinned: bool,
    /// What allows the route to use anything but the reference.
    pub certificate: Option<Certificate>,
}

/// What happens when no certified expert is up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenNone {
    /// The best available answers, and the answer says that the floor was not held.
    #[default]
    Degrade,
    /// The request is refused with `no_capable_expert`.
    Refuse,
}

/// Evidence that choosing by `lambda` keeps a floor.
///
/// With probability of at least `confidence` over the draw of the calibration rows, the mean score of the experts so
/// chosen is at least `floor` times the reference's, on traffic that is exchangeable with those rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The price of money in score per nano-USD: the choice maximises `p_capable - lambda * cost`. At least 0.
    pub lambda: f64,
    /// The floor that was certified.
    pub floor: f64,
    /// With which confidence.
    pub confidence: f64,
    /// How: `normal`, `bets` or `point` (no margin, at confidence 0.5).
    pub method: String,
    /// Calibration rows that the test used.
    pub rows: u32,
    /// Lower confidence bound of mean(score - floor * reference score), at least 0.
    pub lower_bound: f64,
    /// Mean score over the reference's, on the calibration rows.
    pub quality_ratio: f64,
    /// Cost saved against always-reference on the calibration rows, in percent.
    pub saved_pct: f64,
    /// SHA-256 of the calibration rows, hex.
    pub data: String,
}
