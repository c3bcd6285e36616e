//! What `eval` reports.

use super::{DomainCard, ExpertCard, FloorReport, PairReport};
use crate::perturb::PerturbReport;
use crate::scorecard::Scorecards;
use serde::Serialize;
use std::collections::BTreeMap;

/// The report of `eval`; its JSON keys are fixed, more may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvalReport {
    /// Rows that grade all experts.
    pub rows: usize,
    /// How many of them the model was trained on: it knows their answers, so figures over them flatter.
    pub seen_rows: usize,
    /// Rows that the files hold: `rows` and all that were skipped.
    pub read: usize,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Experts of the data that were left out, with the reason.
    pub left_out: BTreeMap<String, &'static str>,
    /// The expert that quality is measured against.
    pub reference: String,
    /// Each expert by itself.
    pub experts: BTreeMap<String, ExpertCard>,
    /// How well the reference and the cheapest expert are told apart; absent with a single expert.
    pub pair: Option<PairReport>,
    /// What certificates promise and what comes of it.
    pub floors: Vec<FloorReport>,
    /// The expert with the best mean score.
    pub best_single: SingleReport,
    /// The best answer to each prompt, the cheapest of equals: nothing chooses better.
    pub oracle: OracleReport,
    /// Scores by domain, language and expert.
    pub domains: BTreeMap<String, DomainCard>,
    /// Each expert by domain, language and difficulty.
    pub scorecards: Scorecards,
    /// How decisions bear other wordings of the same prompt; only where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perturb: Option<PerturbReport>,
}

impl EvalReport {
    /// Counts rows that were left out before the measuring began.
    pub fn skip(&mut self, reason: &str, rows: usize) {
        *self.skipped.entry(reason.to_owned()).or_default() += rows;
        self.read += rows;
    }
}

/// The best single expert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SingleReport {
    /// Its name.
    pub expert: String,
    /// Its mean score.
    pub mean_score: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
}

/// The best possible choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OracleReport {
    /// Its mean score.
    pub mean_score: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
}
