//! What `tune` reports.

use serde::Serialize;
use std::collections::BTreeMap;

/// The report of `tune`; its JSON keys are fixed, more may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuneReport {
    /// What it rests on.
    pub rows: Rows,
    /// SHA-256 of the rows, as certificates name it.
    pub data: String,
    /// Of every certificate.
    pub confidence: f64,
    /// The expert that quality and cost are measured against.
    pub reference: String,
    /// The experts to choose among.
    pub experts: Vec<String>,
    /// Each floor that was tried, rising.
    pub points: Vec<Point>,
    /// The same without a margin: what is saved by those who promise nothing.
    pub uncertified: Vec<Uncertified>,
    /// The point that is recommended; `null` if nothing is certified.
    pub recommended: Option<Point>,
    /// Why that point.
    pub rule: &'static str,
    /// Share of the rows that each expert gets at the recommended floor; experts without any are left out.
    pub traffic: BTreeMap<String, f64>,
    /// The expert with the best mean score.
    pub best_single: Single,
    /// Each expert alone.
    pub singles: Vec<Single>,
    /// The best answer to each prompt, the cheapest of equals: nothing chooses better.
    pub oracle: Single,
    /// Draws of the bootstrap.
    pub draws: usize,
    /// A route section to paste into a configuration.
    pub route_toml: String,
    /// Rows of the files that were left out, by reason.
    pub skipped: BTreeMap<String, usize>,
}

impl TuneReport {
    /// The points by falling floor, without those that choose as a higher floor does.
    pub(super) fn distinct(&self) -> Vec<&Point> {
        let mut kept: Vec<&Point> = vec![];
        for point in self.points.iter().rev() {
            let is_same = |last: &&Point| last.certified && last.threshold == point.threshold;
            if !kept.last().is_some_and(is_same) {
                kept.push(point);
            }
        }
        kept
    }
}

/// How many rows there are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rows {
    /// Rows that grade all experts.
    pub used: usize,
    /// Rows that the model keeps and that lack a grade of one of them.
    pub not_graded_by_all_experts: usize,
    /// Groups of near-duplicates among the rows that are used.
    pub groups: usize,
}

/// One floor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The floor.
    pub floor: f64,
    /// Whether it is certified; else the reference serves all.
    pub certified: bool,
    /// The certificate's lambda in score per nano-USD; `null` without one.
    pub threshold: Option<f64>,
    /// The certificate's test; `null` without one.
    pub method: Option<String>,
    /// Why there is no certificate.
    pub refusal: Option<String>,
    /// Cost saved against always taking the reference, in percent.
    pub saved_pct: f64,
    /// Mean score over the reference's.
    pub quality_ratio: f64,
    /// Where the two lie in 95 % of redrawn rows.
    pub band: Band,
}

/// 95 % of the bootstrap's draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// Low and high.
    pub saved_pct: (f64, f64),
    /// Low and high.
    pub quality_ratio: (f64, f64),
}

/// One floor without a margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Uncertified {
    /// The floor.
    pub floor: f64,
    /// Cost saved against always taking the reference, in percent.
    pub saved_pct: f64,
    /// Mean score over the reference's, on the very rows that chose the threshold.
    pub quality_ratio: f64,
}

/// One way to answer everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Single {
    /// Who answers.
    pub expert: String,
    /// Mean score.
    pub mean_score: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
    /// Cost saved against always taking the reference, in percent; below 0 for dearer ones.
    pub saved_pct: f64,
    /// Mean score over the reference's.
    pub quality_ratio: f64,
}
