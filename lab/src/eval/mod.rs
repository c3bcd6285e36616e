//! Measures a model on graded outcomes: its predictions, its ranking of a pair, and what its certificates keep.

mod bounds;
mod cards;
mod choice;
mod domains;
mod floors;
mod pair;
mod report;
mod seen;
mod table;

pub use cards::{Calibrated, ExpertCard};
pub use domains::{DomainCard, LanguageCard};
pub use floors::FloorReport;
pub use pair::PairReport;
pub use report::{EvalReport, OracleReport, SingleReport};
pub use table::eval_table;

pub(crate) use floors::certify;
pub(crate) use seen::{Seen, bind, classify_all, offers};

use crate::corpus::{Prices, Row};
use crate::scorecard;
use sluice_router::Params;
use std::collections::BTreeMap;

/// What to measure.
#[derive(Debug, Clone, Default)]
pub struct EvalAsk {
    /// The experts to choose among; empty means all that data, model and prices have.
    pub experts: Vec<String>,
    /// The reference; the best over the rows if `None`.
    pub reference: Option<String>,
    /// Floors to certify.
    pub floors: Vec<f64>,
    /// The confidence to certify with.
    pub confidence: f64,
}

/// Why nothing was measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The model or the prices lack an expert that was named.
    #[error("{0} is not in the {1}; leave it out of --experts or add it")]
    UnknownExpert(String, &'static str),
    /// Data, model and prices have no expert in common.
    #[error(
        "no expert of the data is known to both the model and the prices; check --data, --model and --prices"
    )]
    NoExperts,
    /// No row grades all of them.
    #[error("no row of the data grades all of {}; choose fewer with --experts", .0.join(", "))]
    NoCommonRows(Vec<String>),
    /// The reference isn't among the experts.
    #[error("the reference {0} is not among the experts; name another with --reference")]
    Reference(String),
}

/// Measures `params` on `rows`.
///
/// # Errors
/// [`EvalError`] when experts, model, prices and rows don't fit together.
pub fn evaluate(
    params: &Params,
    rows: &[Row],
    prices: &Prices,
    ask: &EvalAsk,
) -> Result<EvalReport, EvalError> {
    let (seen, reference) = look(params, rows, prices, ask)?;
    let has_seen = params.has_seen();
    let experts = (0..seen.experts.len()).map(|at| (seen.name(at).to_owned(), cards::card(&seen, at)));
    let floors =
        ask.floors.iter().map(|&floor| floors::report(params, &seen, reference, floor, ask.confidence));
    Ok(EvalReport {
        rows: seen.rows.len(),
        seen_rows: seen.rows.iter().filter(|row| has_seen(&row.prompt)).count(),
        read: rows.len(),
        skipped: skipped(rows, &seen),
        left_out: choice::left_out(params, rows, prices, &seen),
        reference: seen.name(reference).to_owned(),
        experts: experts.collect(),
        pair: pair::report(&seen, reference),
        floors: floors.collect(),
        best_single: bounds::best_single(&seen),
        oracle: bounds::oracle(&seen),
        domains: domains::cards(&seen),
        scorecards: scorecard::scorecards(&seen),
        perturb: None,
    })
}

/// Classifies the rows that can be compared, and finds the reference.
pub(crate) fn look<'a>(
    params: &Params,
    rows: &'a [Row],
    prices: &Prices,
    ask: &EvalAsk,
) -> Result<(Seen<'a>, usize), EvalError> {
    let names = choice::experts(params, rows, prices, ask)?;
    let experts: Vec<_> = names.iter().map(|name| (name.clone(), prices[name])).collect();
    let complete: Vec<&Row> =
        rows.iter().filter(|row| names.iter().all(|name| row.outcome(name).is_some())).collect();
    if complete.is_empty() {
        return Err(EvalError::NoCommonRows(names));
    }
    let seen = Seen::new(params, complete, experts);
    let reference = choice::reference(&seen, ask)?;
    Ok((seen, reference))
}

fn skipped(rows: &[Row], seen: &Seen) -> BTreeMap<String, usize> {
    let incomplete = rows.len() - seen.rows.len();
    (incomplete > 0).then(|| ("not_graded_by_all_experts".to_owned(), incomplete)).into_iter().collect()
}
