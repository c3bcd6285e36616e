//! Which experts are compared, and which of them is the reference.

use super::{EvalAsk, EvalError, Seen};
use crate::corpus::{Prices, Row};
use sluice_router::Params;
use std::collections::{BTreeMap, BTreeSet};

/// The experts that were asked for, else all that data, model and prices have.
pub(super) fn experts(
    params: &Params,
    rows: &[Row],
    prices: &Prices,
    ask: &EvalAsk,
) -> Result<Vec<String>, EvalError> {
    for name in &ask.experts {
        if let Some(lacking) = lacking(params, prices, name) {
            return Err(EvalError::UnknownExpert(name.clone(), lacking));
        }
    }
    if !ask.experts.is_empty() {
        let mut named = BTreeSet::new();
        return Ok(ask.experts.iter().filter(|name| named.insert(*name)).cloned().collect());
    }
    let graded = graded(rows);
    let known = params.experts().iter().filter(|name| graded.contains(name.as_str()));
    let known: Vec<String> = known.filter(|name| prices.contains_key(*name)).cloned().collect();
    if known.is_empty() { Err(EvalError::NoExperts) } else { Ok(known) }
}

/// Experts that the data grades and that are not compared, with the reason.
pub(super) fn left_out(
    params: &Params,
    rows: &[Row],
    prices: &Prices,
    seen: &Seen,
) -> BTreeMap<String, &'static str> {
    let compared: BTreeSet<&str> = seen.experts.iter().map(|(name, _)| name.as_str()).collect();
    let rest = graded(rows).into_iter().filter(|name| !compared.contains(name));
    let why = |name: &str| match lacking(params, prices, name) {
        Some("model") => "not_in_model",
        Some(_) => "no_price",
        None => "not_chosen",
    };
    rest.map(|name| (name.to_owned(), why(name))).collect()
}

/// The reference's column: the one that was named, else the best over the rows.
pub(super) fn reference(seen: &Seen, ask: &EvalAsk) -> Result<usize, EvalError> {
    if let Some(name) = &ask.reference {
        let known = seen.experts.iter().position(|(known, _)| known == name);
        return known.ok_or_else(|| EvalError::Reference(name.clone()));
    }
    Ok(seen.pairs.best_expert().unwrap_or(0))
}

fn graded(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().flat_map(|row| &row.outcomes).map(|outcome| outcome.expert.as_str()).collect()
}

/// What doesn't know the expert.
fn lacking(params: &Params, prices: &Prices, name: &str) -> Option<&'static str> {
    if !params.experts().iter().any(|known| known == name) {
        return Some("model");
    }
    (!prices.contains_key(name)).then_some("prices")
}
