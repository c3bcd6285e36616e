//! From replies to the result: money, quality against the promise, who answered what.

use super::client::Reply;
use super::result::{
    CertificateResult, DemoResult, DomainResult, ExpertResult, Interval, Percentiles, Single, Usd, Versions,
};
use super::source::Member;
use sluice_lab::corpus::Row;
use sluice_router::{NanoUsd, Tokens};
use std::collections::BTreeMap;

/// What a run was set to, for the result.
pub(crate) struct Run {
    pub(crate) reference: String,
    pub(crate) floor: f64,
    pub(crate) seed: u64,
    pub(crate) time_scale: f64,
    pub(crate) simulated: bool,
    pub(crate) certificate: Option<CertificateResult>,
    pub(crate) versions: Versions,
}

/// Adds up a run; `rows` and `replies` are of the same prompts, in the same order.
pub(crate) fn tally(
    rows: &[&Row],
    replies: &[Result<Reply, String>],
    experts: &[Member],
    run: Run,
) -> DemoResult {
    let pairs: Vec<(&Row, &Reply)> =
        rows.iter().zip(replies).filter_map(|(row, reply)| Some((*row, reply.as_ref().ok()?))).collect();
    let score = |row: &Row, expert: &str| row.outcome(expert).map_or(0.0, |outcome| outcome.score);
    let ours: Vec<f64> = pairs.iter().map(|(row, reply)| score(row, &reply.expert)).collect();
    let theirs: Vec<f64> = pairs.iter().map(|(row, _)| score(row, &run.reference)).collect();
    let cost: NanoUsd = pairs.iter().map(|(_, reply)| NanoUsd(reply.cost_nanousd)).sum();
    let baseline = alone(&pairs, experts, &run.reference).1;
    let (quality, reference_quality) = (mean(&ours), mean(&theirs));
    DemoResult {
        requests: rows.len() as u64,
        errors: (rows.len() - pairs.len()) as u64,
        cost_usd: Usd(cost.0),
        baseline_usd: Usd(baseline.0),
        saved_pct: percent_saved(cost, baseline),
        quality,
        reference_quality,
        quality_floor: run.floor,
        floor_held: quality >= run.floor * reference_quality,
        quality_ratio: ratio_interval(&ours, &theirs),
        experts: by_expert(&pairs, experts),
        domains: by_domain(&pairs),
        best_single: best_single(&pairs, experts, &run, reference_quality),
        decide_us: percentiles(pairs.iter().map(|(_, reply)| f64::from(reply.decide_us)).collect()),
        request_ms: percentiles(pairs.iter().map(|(_, reply)| reply.request_ms).collect()),
        reference: run.reference,
        simulated: run.simulated,
        time_scale: run.time_scale,
        seed: run.seed,
        certificate: run.certificate,
        versions: run.versions,
    }
}

fn by_expert(pairs: &[(&Row, &Reply)], experts: &[Member]) -> BTreeMap<String, ExpertResult> {
    let result = |expert: &Member| {
        let of: Vec<_> = pairs.iter().filter(|(_, reply)| reply.expert == expert.name).collect();
        let scores: Vec<f64> =
            of.iter().filter_map(|(row, _)| row.outcome(&expert.name)).map(|outcome| outcome.score).collect();
        ExpertResult {
            requests: of.len() as u64,
            cost_usd: Usd(of.iter().map(|(_, reply)| reply.cost_nanousd).sum()),
            quality: (!scores.is_empty()).then(|| mean(&scores)),
        }
    };
    experts.iter().map(|expert| (expert.name.clone(), result(expert))).collect()
}

fn by_domain(pairs: &[(&Row, &Reply)]) -> BTreeMap<String, DomainResult> {
    let mut domains = BTreeMap::new();
    for (row, reply) in pairs {
        let name = row.domain.clone().unwrap_or_else(|| "unknown".to_owned());
        let domain = domains.entry(name).or_insert(DomainResult { requests: 0, experts: BTreeMap::new() });
        domain.requests += 1;
        *domain.experts.entry(reply.expert.clone()).or_insert(0) += 1;
    }
    domains
}

/// Mean score and cost of one expert as the answer to everything, by its recorded outcomes.
fn alone(pairs: &[(&Row, &Reply)], experts: &[Member], expert: &str) -> (f64, NanoUsd) {
    let price =
        experts.iter().find(|member| member.name == expert).map(|member| member.price).unwrap_or_default();
    let outcomes: Vec<_> = pairs.iter().filter_map(|(row, _)| row.outcome(expert)).collect();
    let cost = outcomes.iter().map(|outcome| {
        let prompt = outcome.input_tokens.unwrap_or(0);
        price.cost(Tokens { prompt, output: outcome.output_tokens.unwrap_or(0), ..Tokens::default() })
    });
    let scores: Vec<f64> = outcomes.iter().map(|outcome| outcome.score).collect();
    (mean(&scores), cost.sum())
}

/// The cheapest expert that alone would have held the floor; else the best beside the reference.
fn best_single(
    pairs: &[(&Row, &Reply)],
    experts: &[Member],
    run: &Run,
    reference_quality: f64,
) -> Option<Single> {
    let graded_everywhere =
        |member: &&Member| pairs.iter().all(|(row, _)| row.outcome(&member.name).is_some());
    let single = |member: &Member| {
        let (quality, cost) = alone(pairs, experts, &member.name);
        Single { expert: member.name.clone(), quality, cost_usd: Usd(cost.0) }
    };
    let others = experts.iter().filter(|member| member.name != run.reference);
    let singles: Vec<Single> = others.filter(graded_everywhere).map(single).collect();
    let holds = |single: &&Single| single.quality >= run.floor * reference_quality;
    let cheapest = singles.iter().filter(holds).min_by_key(|single| single.cost_usd.0);
    cheapest.or_else(|| singles.iter().max_by(|a, b| a.quality.total_cmp(&b.quality))).cloned()
}

fn percent_saved(cost: NanoUsd, baseline: NanoUsd) -> f64 {
    if baseline == NanoUsd::ZERO { 0.0 } else { 100.0 * (baseline - cost).to_usd() / baseline.to_usd() }
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// 95 % interval of the ratio of two paired means, by the delta method: the variance of the ratio is that of the mean
/// of `ours - ratio * theirs`, over the square of the mean of `theirs`.
fn ratio_interval(ours: &[f64], theirs: &[f64]) -> Interval {
    let (n, below) = (ours.len() as f64, mean(theirs));
    let ratio = if below > 0.0 { mean(ours) / below } else { 0.0 };
    let spread: f64 = ours.iter().zip(theirs).map(|(our, their)| (our - ratio * their).powi(2)).sum();
    let error = if n > 1.0 && below > 0.0 { (spread / (n - 1.0) / n).sqrt() / below } else { 0.0 };
    Interval { low: ratio - Z_95 * error, high: ratio + Z_95 * error, confidence: 0.95 }
}

/// Nearest-rank percentiles.
fn percentiles(mut values: Vec<f64>) -> Percentiles {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
        values.get(rank - 1).copied().unwrap_or(0.0)
    };
    Percentiles { p50: at(0.5), p99: at(0.99) }
}

/// The normal distribution's 97.5 % point.
const Z_95: f64 = 1.959_964;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let hundred = percentiles((1..=100).rev().map(f64::from).collect());
        assert_eq!((hundred.p50, hundred.p99), (50.0, 99.0));
        let one = percentiles(vec![7.0]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
        assert_eq!(percentiles(vec![]).p50, 0.0);
    }

    #[test]
    fn the_ratio_s_interval_is_tight_when_both_agree_and_wide_when_they_don_t() {
        let theirs: Vec<f64> = (0..400).map(|n| f64::from(n % 2)).collect();
        let same = ratio_interval(&theirs, &theirs);
        assert_eq!((same.low, same.high), (1.0, 1.0));
        let other: Vec<f64> = (0..400).map(|n| f64::from((n / 2) % 2)).collect();
        let wide = ratio_interval(&other, &theirs);
        assert!(wide.low < 0.93 && wide.high > 1.07 && wide.low > 0.8, "{wide:?}");
    }
}
