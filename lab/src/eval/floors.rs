//! What a certificate promises, and what comes of it on the rows.

use super::Seen;
use crate::measures::{self, MeanCi};
use serde::Serialize;
use sluice_router::{Certificate, CertifyAsk, CertifyBy, ExpertRegret, Params, Refusal};

/// One floor: its certificate, and what it does on the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FloorReport {
    /// The floor.
    pub floor: f64,
    /// The confidence.
    pub confidence: f64,
    /// Whether anything but the reference is allowed.
    pub certified: bool,
    /// The certificate's lambda in score per nano-USD; `null` without one.
    pub threshold: Option<f64>,
    /// The certificate's test; `null` without one.
    pub method: Option<String>,
    /// What the certificate rests on: rows, bound, day and data; `null` without one.
    pub evidence: Option<String>,
    /// What each expert loses against the reference among the calibration rows that it would get.
    pub regrets: Vec<ExpertRegret>,
    /// Why there is no certificate.
    pub refusal: Option<String>,
    /// Cost saved against always taking the reference, in percent.
    pub saved_pct: f64,
    /// Mean score over the reference's.
    pub quality_ratio: f64,
    /// Standard error of `quality_ratio`, by the paired differences.
    pub standard_error: f64,
    /// Whether the ratio is at least the floor.
    pub held: bool,
}

pub(super) fn report(
    params: &Params,
    seen: &Seen,
    reference: usize,
    floor: f64,
    confidence: f64,
) -> FloorReport {
    let (certificate, refusal) = match certify(params, seen, reference, floor, confidence) {
        Ok(certificate) => (Some(certificate), None),
        Err(refusal) => (None, Some(refusal.to_string())),
    };
    let pairs = &seen.pairs;
    let chosen =
        certificate.as_ref().map_or_else(|| pairs.always(reference), |found| pairs.choose(found.lambda));
    let quality_ratio = pairs.quality_ratio(&chosen, reference);
    // Delta method: the ratio's error is that of mean(score - ratio * reference score), over the reference's mean.
    let MeanCi { standard_error, .. } =
        measures::mean_ci(&pairs.margins(&chosen, reference, quality_ratio), 0.95);
    FloorReport {
        floor,
        confidence,
        certified: certificate.is_some(),
        threshold: certificate.as_ref().map(|found| found.lambda),
        evidence: certificate.as_ref().map(Certificate::evidence),
        regrets: certificate.as_ref().map_or(vec![], |found| found.regrets.clone()),
        method: certificate.map(|found| found.method),
        refusal,
        saved_pct: pairs.saved_pct(&chosen, reference),
        quality_ratio,
        standard_error: standard_error / pairs.mean_score(reference).max(f64::MIN_POSITIVE),
        held: quality_ratio >= floor,
    }
}

/// The certificate that serving would have.
pub(crate) fn certify(
    params: &Params,
    seen: &Seen,
    reference: usize,
    floor: f64,
    confidence: f64,
) -> Result<Certificate, Refusal> {
    let experts = seen.priced();
    let reference = experts[reference].0;
    params.certify(&CertifyAsk { experts: &experts, reference, floor, confidence, by: CertifyBy::Auto })
}
