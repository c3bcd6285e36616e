//! From a promise to a certificate: how far a route may lean towards cheap experts and keep its floor.
//!
//! Learn then test with a fixed sequence: a path of trade-offs from quality to cheap is laid by predicted cost alone,
//! before any grade is looked at; the walk stops at the first point whose promise is not proven. So no correction for
//! many looks is needed, and the last proven point holds with the asked confidence.
//!
//! Source: Angelopoulos et al., Learn then Test (arXiv 2110.01052), fixed-sequence testing.

mod by_domain;
mod pairs;
mod path;
mod proof;
mod refusal;

pub use by_domain::ByDomain;
pub use pairs::{Cell, Pairs};
pub use refusal::Refusal;

use crate::certificate::{Certificate, date};
use crate::params::Params;
use crate::price::Price;
use crate::stats;
use proof::{NORMAL_GROUPS, Proof};

/// What a route asks to be certified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CertifyAsk<'a> {
    /// The route's experts with their prices, in the route's order.
    pub experts: &'a [(&'a str, Price)],
    /// The expert that quality is measured against; one of `experts`.
    pub reference: &'a str,
    /// Promise: mean score of at least this share of the reference's; 0 to 2.
    pub floor: f64,
    /// How sure the promise is, 0.5 to below 1; 0.5 means the plain estimate without a margin.
    pub confidence: f64,
    /// Which test.
    pub by: CertifyBy,
}

/// Which test decides that a point keeps its promise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CertifyBy {
    /// The t test from 1,000 groups with 30 wins and 30 losses against the reference on, else bets.
    #[default]
    Auto,
    /// Bets always: valid for any number of rows, and saves less.
    Bets,
}

impl Params {
    /// Finds the cheapest trade-off whose promise is proven on the calibration rows.
    ///
    /// Takes at most about a second for 10,000 rows and 15 experts; the same ask gives the same certificate.
    ///
    /// # Errors
    /// [`Refusal`]: the ask makes no sense, the model lacks the experts or their common rows, or nothing is proven.
    /// A route without a certificate is served by its reference.
    pub fn certify(&self, ask: &CertifyAsk) -> Result<Certificate, Refusal> {
        let (pairs, reference) = self.pairs(ask)?;
        certified(self, &pairs, reference, ask)
    }

    /// The rows that an ask can be proven on, and the reference's position.
    fn pairs(&self, ask: &CertifyAsk) -> Result<(Pairs, usize), Refusal> {
        check(ask)?;
        let reference = ask.experts.iter().position(|(name, _)| *name == ask.reference);
        let reference =
            reference.ok_or_else(|| Refusal::ReferenceNotAmongExperts(ask.reference.to_owned()))?;
        Ok((Pairs::collect(self, ask.experts)?, reference))
    }

    /// The expert with the highest mean score over the rows that all `experts` have; the dearer of equals.
    ///
    /// # Errors
    /// [`Refusal`] when the model doesn't know one of them, or no row has all of them.
    pub fn default_reference(&self, experts: &[(&str, Price)]) -> Result<String, Refusal> {
        let pairs = Pairs::collect(self, experts)?;
        pairs.best_expert().map(|at| experts[at].0.to_owned()).ok_or(Refusal::NoExperts)
    }
}

/// A certificate on these rows of the model, dated.
fn certified(
    params: &Params,
    pairs: &Pairs,
    reference: usize,
    ask: &CertifyAsk,
) -> Result<Certificate, Refusal> {
    if pairs.len() < LEAST_ROWS {
        return Err(Refusal::TooFewRows { rows: pairs.len(), needed: LEAST_ROWS });
    }
    let certificate = walk(pairs, reference, ask)?;
    Ok(Certificate { made_on: params.made_on().map(date).unwrap_or_default(), ..certificate })
}

/// Certifies on given rows instead of a model's: for measuring what certificates are worth.
///
/// # Errors
/// [`Refusal`] when nothing is proven.
pub fn certify_pairs(
    pairs: &Pairs,
    reference: usize,
    floor: f64,
    confidence: f64,
) -> Result<Certificate, Refusal> {
    let ask = CertifyAsk { experts: &[], reference: "", floor, confidence, by: CertifyBy::Auto };
    certify_pairs_by(pairs, reference, &ask)
}

/// The same by the test that an ask names; its experts only lend their names, its reference is not looked at.
///
/// # Errors
/// [`Refusal`] when nothing is proven.
pub fn certify_pairs_by(pairs: &Pairs, reference: usize, ask: &CertifyAsk) -> Result<Certificate, Refusal> {
    check(ask)?;
    walk(pairs, reference, ask)
}

fn check(ask: &CertifyAsk) -> Result<(), Refusal> {
    if !(0.0..=2.0).contains(&ask.floor) {
        return Err(Refusal::BadFloor(ask.floor.to_string()));
    }
    if !(0.5..1.0).contains(&ask.confidence) {
        return Err(Refusal::BadConfidence(ask.confidence.to_string()));
    }
    Ok(())
}

/// Walks the path and returns the last proven point.
fn walk(pairs: &Pairs, reference: usize, ask: &CertifyAsk) -> Result<Certificate, Refusal> {
    let is_point = ask.confidence <= 0.5;
    let steps = if is_point { POINT_STEPS } else { PROOF_STEPS };
    let mut proven = None;
    let mut first_failed = None;
    for lambda in pairs.path(steps) {
        let chosen = pairs.choose(lambda);
        let proof = Proof::of(pairs, &chosen, reference, ask);
        if proof.holds() {
            proven = Some((lambda, chosen, proof));
        } else if !is_point {
            first_failed = Some(proof);
            break;
        }
    }
    let Some((lambda, chosen, proof)) = proven else {
        return Err(not_proven(pairs, first_failed, ask));
    };
    let saved_pct = pairs.saved_pct(&chosen, reference);
    if ask.floor <= 1.0 && saved_pct <= 0.0 {
        return Err(Refusal::NothingCheaper);
    }
    Ok(Certificate {
        lambda,
        floor: ask.floor,
        confidence: ask.confidence,
        method: proof.method.name().to_owned(),
        rows: count(pairs.len()),
        groups: count(pairs.groups()),
        lower_bound: proof.lower().max(0.0),
        quality_ratio: pairs.quality_ratio(&chosen, reference),
        saved_pct,
        data: pairs.data().to_owned(),
        made_on: String::new(),
        regrets: pairs.regrets(&chosen, reference, ask.experts),
    })
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// How many rows the first point would have needed, if it was on the right side at all.
fn not_proven(pairs: &Pairs, first: Option<Proof>, ask: &CertifyAsk) -> Refusal {
    let margin = first.map(|proof| proof.mean()).unwrap_or_default();
    let missing = (margin.mean > 0.0).then(|| {
        // The error falls with the square root of the rows, and a fortune's logarithm grows with them.
        let in_errors = (margin.standard_error / margin.mean).powi(2) * pairs.len() as f64;
        let by_t = stats::normal_quantile(ask.confidence).powi(2) * in_errors;
        let growth = -libm::log(1.0 - ask.confidence);
        let at_most_a_row = libm::log1p(margin.mean / ask.floor.max(f64::MIN_POSITIVE));
        let by_bets = (2.0 * growth * in_errors).max(growth / at_most_a_row);
        let needed = by_t.max(NORMAL_GROUPS as f64).min(by_bets);
        (needed.ceil().min(1e9) as usize).saturating_sub(pairs.len()).max(1)
    });
    Refusal::NotProven { floor: ask.floor, confidence: ask.confidence, rows: pairs.len(), missing }
}

/// Fewer rows can't certify anything worth having.
const LEAST_ROWS: usize = 60;
/// Points of the path that are tested. In simulation 24 leave 1 to 2 points of saving on the way, and 192 find no more.
const PROOF_STEPS: usize = 96;
/// Points of the path for a plain estimate.
const POINT_STEPS: usize = 120;

#[cfg(test)]
#[path = "../certify_tests.rs"]
mod tests;
