//! `tune`: what each floor saves and keeps, on calibration rows that no model was trained on.

mod bands;
mod chart;
mod html;
mod knee;
mod labels;
mod paste;
mod report;
mod rows;
mod sweep;
mod table;

pub use html::html;
pub use report::{Band, Point, Single, TuneReport, Uncertified};
pub use table::tune_table;

use crate::corpus::Prices;
use report::Rows;
use sluice_router::{Params, Price, Refusal};
use std::collections::BTreeMap;

/// What to tune.
#[derive(Debug, Clone, Default)]
pub struct TuneAsk {
    /// The experts to choose among; empty means all that model and prices have.
    pub experts: Vec<String>,
    /// The reference; the best over the rows if `None`.
    pub reference: Option<String>,
    /// The confidence to certify with.
    pub confidence: f64,
    /// Decides the bootstrap's draws.
    pub seed: u64,
}

/// Why nothing can be tuned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TuneError {
    /// The prices lack an expert that was named.
    #[error("no price for {0}; add it to the prices or leave it out of --experts")]
    NoPrice(String),
    /// Model and prices have no expert in common.
    #[error("none of the model's experts has a price; check --prices")]
    NoExperts,
    /// The experts can't be compared.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// Sweeps the floor for a model's calibration rows.
///
/// `progress` hears how many of how many floors are done.
///
/// # Errors
/// [`TuneError`] when experts, model and prices don't fit together, or no row grades all experts.
pub fn tune(
    params: &Params,
    prices: &Prices,
    ask: &TuneAsk,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TuneReport, TuneError> {
    let names = experts(params, prices, ask)?;
    let experts: Vec<(&str, Price)> = names.iter().map(|name| (name.as_str(), prices[name])).collect();
    let rows = rows::Graded::collect(params, &experts)?;
    let reference = match &ask.reference {
        Some(name) => name.clone(),
        None => params.default_reference(&experts)?,
    };
    let at = names.iter().position(|name| *name == reference);
    let at = at.ok_or_else(|| Refusal::ReferenceNotAmongExperts(reference.clone()))?;
    let sweep = sweep::Sweep { params, experts: &experts, rows: &rows, reference: at, ask };
    let (points, uncertified) = sweep.run(progress);
    let recommended = knee::knee(&points).map(|at| points[at].clone());
    let singles = sweep.singles();
    let best = rows.pairs.best_expert().unwrap_or(at);
    Ok(TuneReport {
        rows: Rows {
            used: rows.pairs.len(),
            not_graded_by_all_experts: params.rows() - rows.pairs.len(),
            groups: rows.groups(),
        },
        data: rows.pairs.data().to_owned(),
        confidence: ask.confidence,
        route_toml: paste::route_toml(
            &names,
            &reference,
            ask.confidence,
            recommended.as_ref(),
            rows.pairs.len(),
        ),
        traffic: recommended.as_ref().map_or_else(BTreeMap::new, |point| sweep.traffic(point)),
        recommended,
        rule: knee::RULE,
        reference,
        experts: names.clone(),
        points,
        uncertified,
        best_single: singles[best].clone(),
        oracle: sweep.oracle(),
        singles,
        draws: bands::DRAWS,
        skipped: BTreeMap::new(),
    })
}

fn experts(params: &Params, prices: &Prices, ask: &TuneAsk) -> Result<Vec<String>, TuneError> {
    if let Some(name) = ask.experts.iter().find(|name| !prices.contains_key(*name)) {
        return Err(TuneError::NoPrice(name.clone()));
    }
    if !ask.experts.is_empty() {
        return Ok(ask.experts.clone());
    }
    let priced: Vec<String> =
        params.experts().iter().filter(|name| prices.contains_key(*name)).cloned().collect();
    if priced.is_empty() { Err(TuneError::NoExperts) } else { Ok(priced) }
}
