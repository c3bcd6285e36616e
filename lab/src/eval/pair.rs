//! How well the reference and the cheapest expert are told apart.

use super::Seen;
use crate::measures::{self, PairCurve};
use serde::Serialize;

/// How well the prompts that need the strong one are found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairReport {
    /// The reference.
    pub strong: String,
    /// The cheapest of the others.
    pub weak: String,
    /// See [`PairCurve`].
    pub apgr: f64,
    /// In percent; `null` without a gap.
    pub cpt50: Option<f64>,
    /// In percent; `null` without a gap.
    pub cpt80: Option<f64>,
}

pub(super) fn report(seen: &Seen, strong: usize) -> Option<PairReport> {
    let others = (0..seen.experts.len()).filter(|&at| at != strong);
    let weak = others.min_by(|&a, &b| seen.pairs.mean_cost(a).total_cmp(&seen.pairs.mean_cost(b)))?;
    let ((p_strong, s_strong), (p_weak, s_weak)) = (seen.columns(strong), seen.columns(weak));
    let gains: Vec<f64> = p_strong.iter().zip(&p_weak).map(|(strong, weak)| strong - weak).collect();
    let PairCurve { apgr, cpt50, cpt80 } = measures::pair_curve(&gains, &s_strong, &s_weak);
    let name = |at| seen.name(at).to_owned();
    Some(PairReport { strong: name(strong), weak: name(weak), apgr, cpt50, cpt80 })
}
