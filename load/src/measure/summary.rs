//! The figures of a run, computed from its tally: what reports show and gates judge.

use crate::measure::fairness::Fairness;
use crate::measure::figure::Time;
use crate::measure::hist::Hist;
use crate::measure::interval::{Interval, design_effect, quantile_shares};
use crate::measure::series::{BATCHES, Stretch};
use crate::measure::slice::{By, MILLION, Slice};
use crate::measure::tally::Tally;
use crate::sample::FaultKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Percentiles of a time in milliseconds; `None` where the run has no such time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many times it is made of.
    pub n: u64,
    /// Half are no longer.
    pub p50: Option<f64>,
    /// Nine of ten are no longer.
    pub p90: Option<f64>,
    /// 95 of 100.
    pub p95: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
    /// 999 of 1000.
    pub p999: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
    /// 95 % interval of p50.
    pub p50_ci: Interval,
    /// 95 % interval of p90.
    pub p90_ci: Interval,
    /// 95 % interval of p99.
    pub p99_ci: Interval,
}

/// The figures of a part of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartSummary {
    /// Requests sent.
    pub sent: u64,
    /// Its share of all requests sent.
    pub share: f64,
    /// Answered completely.
    pub ok: u64,
    /// Failed.
    pub errors: u64,
    /// Answered within the SLO per second.
    pub goodput_rps: Option<f64>,
    /// Time to first token.
    pub ttft_ms: Percentiles,
    /// Time per output token.
    pub tpot_ms: Percentiles,
    /// Time to the end.
    pub e2e_ms: Percentiles,
    /// Time in the target's lines, where that can be seen.
    #[serde(default)]
    pub queue_ms: Percentiles,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Those of them that were in a prefix cache, where the target says.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Their share.
    #[serde(default)]
    pub cached_share: Option<f64>,
    /// Produced tokens.
    pub output_tokens: u64,
    /// What it cost.
    pub cost_usd: Option<f64>,
    /// What the reference would have cost.
    pub baseline_usd: Option<f64>,
    /// The saving in percent of the baseline.
    pub saved_pct: Option<f64>,
    /// Mean score.
    pub quality: Option<f64>,
    /// Its interval.
    pub quality_ci: Option<Interval>,
    /// The reference's mean score on the same prompts.
    pub reference_quality: Option<f64>,
    /// Mean score over the reference's.
    pub quality_ratio: Option<f64>,
    /// Its interval.
    pub quality_ratio_ci: Option<Interval>,
}

/// The figures of a run. docs/reference/load-report.md defines each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Requests sent.
    pub sent: u64,
    /// Answered completely.
    pub ok: u64,
    /// Failed.
    pub errors: u64,
    /// Cancelled as planned.
    pub cancelled: u64,
    /// Seconds from the first planned start to the last end.
    pub seconds: f64,
    /// Completed requests per second over the whole run.
    pub rate_rps: Option<f64>,
    /// Requests planned per second of arrivals.
    pub offered_rps: Option<f64>,
    /// Mean of completed requests per second while requests arrived, by batch means.
    pub throughput_rps: Option<f64>,
    /// Its interval.
    pub throughput_rps_ci: Option<Interval>,
    /// Time to first token, from the intended start.
    pub ttft_ms: Percentiles,
    /// Time to first token from the true start: not corrected for coordinated omission.
    pub ttft_uncorrected_ms: Percentiles,
    /// Time per output token.
    pub tpot_ms: Percentiles,
    /// Time between text events.
    pub itl_ms: Percentiles,
    /// Time to the end, from the intended start.
    pub e2e_ms: Percentiles,
    /// How much later than planned requests went.
    pub late_ms: Percentiles,
    /// The objective.
    pub slo: Option<String>,
    /// Requests within the SLO (without one: answered) per second.
    pub goodput_rps: Option<f64>,
    /// Their share of all requests sent.
    pub goodput_share: Option<f64>,
    /// Failed over sent.
    pub error_rate: Option<f64>,
    /// Failures by fault and code.
    pub errors_by_fault: BTreeMap<FaultKind, BTreeMap<String, u64>>,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Those of them that were in a prefix cache, where the target says.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Their share.
    #[serde(default)]
    pub cached_share: Option<f64>,
    /// Produced tokens.
    pub output_tokens: u64,
    /// Produced tokens per second over the whole run.
    pub output_tokens_per_s: Option<f64>,
    /// What it cost; `None` when the target tells no cost.
    pub cost_usd: Option<f64>,
    /// Cost per thousand answered requests.
    pub cost_per_1k: Option<f64>,
    /// Its interval.
    pub cost_per_1k_ci: Option<Interval>,
    /// What the reference would have cost.
    pub baseline_usd: Option<f64>,
    /// The saving in percent of the baseline, over requests that tell both.
    pub saved_pct: Option<f64>,
    /// Its interval.
    pub saved_pct_ci: Option<Interval>,
    /// Mean score of graded prompts.
    pub quality: Option<f64>,
    /// Its interval.
    pub quality_ci: Option<Interval>,
    /// How many answers have a score.
    pub graded: u64,
    /// The reference's mean score on the same prompts.
    pub reference_quality: Option<f64>,
    /// Mean score over the reference's.
    pub quality_ratio: Option<f64>,
    /// Its interval.
    pub quality_ratio_ci: Option<Interval>,
    /// How evenly tenants were served.
    pub fairness: Option<Fairness>,
    /// Figures by route.
    pub per_route: BTreeMap<String, PartSummary>,
    /// Figures by expert.
    pub per_expert: BTreeMap<String, PartSummary>,
    /// Figures by pool.
    pub per_pool: BTreeMap<String, PartSummary>,
    /// Figures by replica.
    pub per_replica: BTreeMap<String, PartSummary>,
    /// Figures by tenant.
    pub per_tenant: BTreeMap<String, PartSummary>,
}

impl Summary {
    /// The figures of `tally`.
    pub fn of(tally: &Tally) -> Summary {
        let all = PartSummary::of(tally.all(), tally);
        let seconds = tally.seconds();
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        let throughput = tally.series().throughput(tally.last_planned_ns());
        let sent = tally.sent();
        let cost_per_1k = all.cost_usd.filter(|_| all.ok > 0).map(|cost| 1000.0 * cost / all.ok as f64);
        let share = |count: u64| (sent > 0).then(|| count as f64 / sent as f64);
        let span = tally.arrival_seconds();
        let parts = |by: By| {
            tally.parts(by).map(|(name, part)| (name.to_owned(), PartSummary::of(part, tally))).collect()
        };
        Summary {
            sent,
            ok: all.ok,
            errors: all.errors,
            cancelled: tally.all().cancelled,
            seconds,
            rate_rps: per_second(all.ok),
            offered_rps: (span > 0.0).then(|| (sent - 1) as f64 / span),
            throughput_rps: throughput.map(|(mean, _)| mean),
            throughput_rps_ci: throughput.map(|(_, interval)| interval),
            ttft_ms: with_effect(tally, Time::Ttft),
            ttft_uncorrected_ms: Percentiles::of(tally.ttft_from_sent(), |_| 1.0),
            tpot_ms: with_effect(tally, Time::Tpot),
            itl_ms: Percentiles::of(tally.times(Time::Itl), |_| 1.0),
            e2e_ms: with_effect(tally, Time::E2e),
            late_ms: Percentiles::of(tally.late(), |_| 1.0),
            slo: tally.slo().map(ToString::to_string),
            goodput_rps: all.goodput_rps,
            goodput_share: share(tally.all().good),
            error_rate: share(all.errors),
            errors_by_fault: tally.errors().clone(),
            input_tokens: all.input_tokens,
            cached_tokens: all.cached_tokens,
            cached_share: all.cached_share,
            output_tokens: all.output_tokens,
            output_tokens_per_s: per_second(all.output_tokens),
            cost_usd: all.cost_usd,
            cost_per_1k,
            cost_per_1k_ci: cost_per_1k.and_then(|cost| cost_interval(cost, tally.all())),
            baseline_usd: all.baseline_usd,
            saved_pct: all.saved_pct,
            saved_pct_ci: saved_interval(tally.all()),
            quality: all.quality,
            quality_ci: all.quality_ci,
            graded: tally.all().quality.n,
            reference_quality: all.reference_quality,
            quality_ratio: all.quality_ratio,
            quality_ratio_ci: all.quality_ratio_ci,
            fairness: Fairness::of(tally),
            per_route: parts(By::Route),
            per_expert: parts(By::Expert),
            per_pool: parts(By::Pool),
            per_replica: parts(By::Replica),
            per_tenant: parts(By::Tenant),
        }
    }
}

/// Percentiles of the whole run, whose intervals know how alike neighbours in time are.
fn with_effect(tally: &Tally, time: Time) -> Percentiles {
    Percentiles::of(tally.times(time), |limit_ms| effect(tally, time, limit_ms))
}

/// The design effect of the share of times above a limit, over batches of the run.
pub(crate) fn effect(tally: &Tally, time: Time, limit_ms: f64) -> f64 {
    let of = |stretch: &Stretch| {
        let hist = match time {
            Time::Ttft => &stretch.ttft,
            Time::Tpot => &stretch.tpot,
            Time::E2e | Time::Itl => &stretch.e2e,
        };
        (hist.count(), hist.above(limit_ms))
    };
    let sum =
        |batch: &[Stretch]| batch.iter().map(of).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    design_effect(&tally.series().batches(BATCHES, tally.last_planned_ns(), sum))
}

impl Percentiles {
    /// Of a histogram; `effect` tells how many dependent samples stand for one at a value in milliseconds.
    pub fn of(hist: &Hist, effect: impl Fn(f64) -> f64) -> Percentiles {
        let interval = |q: f64| {
            let effect = hist.quantile_ms(q).map_or(1.0, &effect);
            let Interval(low, high) = quantile_shares(hist.count() as f64 / effect, q);
            let at = |share: Option<f64>| share.and_then(|share| hist.quantile_ms(share));
            Interval(at(low), at(high))
        };
        Percentiles {
            n: hist.count(),
            p50: hist.quantile_ms(0.5),
            p90: hist.quantile_ms(0.9),
            p95: hist.quantile_ms(0.95),
            p99: hist.quantile_ms(0.99),
            p999: hist.quantile_ms(0.999),
            mean: hist.mean_ms(),
            max: hist.max_ms(),
            p50_ci: interval(0.5),
            p90_ci: interval(0.9),
            p99_ci: interval(0.99),
        }
    }
}

impl PartSummary {
    fn of(part: &Slice, tally: &Tally) -> PartSummary {
        let seconds = tally.seconds();
        let percentiles = |hist: &Hist| Percentiles::of(hist, |_| 1.0);
        let (graded, pairs) = (part.quality, part.quality_and_reference);
        let quality = graded.mean().map(|mean| mean / MILLION);
        let quality_error = graded.standard_error().map(|error| error / MILLION);
        let ratio = pairs.ratio();
        PartSummary {
            sent: part.sent,
            share: part.sent as f64 / tally.sent().max(1) as f64,
            ok: part.ok,
            errors: part.failed(),
            goodput_rps: (seconds > 0.0).then(|| part.good as f64 / seconds),
            ttft_ms: percentiles(&part.ttft),
            tpot_ms: percentiles(&part.tpot),
            e2e_ms: percentiles(&part.e2e),
            queue_ms: percentiles(&part.queued),
            input_tokens: part.input_tokens,
            cached_tokens: part.cached_tokens,
            cached_share: (part.input_tokens > 0)
                .then(|| part.cached_tokens as f64 / part.input_tokens as f64),
            output_tokens: part.output_tokens,
            cost_usd: (part.cost_nanousd.n > 0).then(|| usd(part.cost_nanousd.sum)),
            baseline_usd: (part.cost_and_baseline.second.n > 0)
                .then(|| usd(part.cost_and_baseline.second.sum)),
            saved_pct: part.cost_and_baseline.ratio().map(|ratio| 100.0 * (1.0 - ratio)),
            quality,
            quality_ci: Interval::of_mean(quality, quality_error, graded.n).map(score),
            reference_quality: pairs.second.mean().map(|mean| mean / MILLION),
            quality_ratio: ratio,
            quality_ratio_ci: Interval::of_mean(ratio, pairs.ratio_error(), pairs.first.n),
        }
    }
}

/// Scores end at 0 and 1, whatever a small sample's interval says.
fn score(interval: Interval) -> Interval {
    let within = |end: Option<f64>| end.map(|end| end.clamp(0.0, 1.0));
    Interval(within(interval.0), within(interval.1))
}

/// As far off as the mean cost of a request is.
fn cost_interval(cost_per_1k: f64, part: &Slice) -> Option<Interval> {
    let costs = part.cost_nanousd;
    let relative = costs.standard_error()? / costs.mean().filter(|mean| *mean > 0.0)?;
    Interval::of_mean(Some(cost_per_1k), Some(cost_per_1k * relative), costs.n)
}

fn saved_interval(part: &Slice) -> Option<Interval> {
    let pairs = part.cost_and_baseline;
    let Interval(low, high) = Interval::of_mean(pairs.ratio(), pairs.ratio_error(), pairs.first.n)?;
    let saved = |ratio: f64| 100.0 * (1.0 - ratio);
    Some(Interval(high.map(saved), low.map(saved)))
}

/// Nano-USD as dollars, at the very end.
fn usd(nanousd: i128) -> f64 {
    nanousd as f64 / 1e9
}
