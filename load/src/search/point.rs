//! One rate and what was measured at it.

use crate::measure::{Percentiles, Summary, Tally};
use serde::{Deserialize, Serialize};

/// A test at one rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The rate that was asked for.
    pub asked_rps: f64,
    /// Whether the objective held; `None` without one, or when it can't be judged.
    pub held: Option<bool>,
    /// What it missed by, or why it was ended early.
    pub why: Option<String>,
    /// Whether it was ended early, so that its figures are of its beginning only.
    #[serde(default)]
    pub is_cut: bool,
    /// Requests whose end is known.
    pub sent: u64,
    /// Completed requests per second.
    pub rate_rps: Option<f64>,
    /// Good requests per second.
    pub goodput_rps: Option<f64>,
    /// Failed over sent.
    pub error_rate: Option<f64>,
    /// Time to first token.
    pub ttft_ms: Percentiles,
    /// Time per output token.
    pub tpot_ms: Percentiles,
    /// Time to the end.
    pub e2e_ms: Percentiles,
    /// Cost per thousand answered requests.
    pub cost_per_1k: Option<f64>,
    /// Cost per thousand requests within the objective.
    pub cost_per_1k_good: Option<f64>,
    /// Mean score.
    pub quality: Option<f64>,
}

impl Point {
    /// What was measured when `rate_rps` was asked for.
    pub fn of(rate_rps: f64, tally: &Tally) -> Point {
        let summary = Summary::of(tally);
        let good = tally.all().good;
        Point {
            asked_rps: rate_rps,
            held: tally.slo().and_then(|slo| slo.held(tally)),
            why: None,
            is_cut: false,
            sent: summary.sent,
            // In a probe the tail after the last arrival is long against the run; what counts is the pace before it.
            rate_rps: summary.throughput_rps.or(summary.rate_rps),
            goodput_rps: summary.goodput_share.zip(summary.throughput_rps.or(summary.rate_rps)).map(
                |(share, rate)| {
                    let ok = summary.ok as f64 / summary.sent.max(1) as f64;
                    if ok > 0.0 { rate * share / ok } else { 0.0 }
                },
            ),
            error_rate: summary.error_rate,
            ttft_ms: summary.ttft_ms,
            tpot_ms: summary.tpot_ms,
            e2e_ms: summary.e2e_ms,
            cost_per_1k: summary.cost_per_1k,
            cost_per_1k_good: summary.cost_usd.filter(|_| good > 0).map(|cost| 1000.0 * cost / good as f64),
            quality: summary.quality,
        }
    }
}
