//! What is counted for a part of a run: one expert's requests, one tenant's, or all.

use crate::measure::hist::Hist;
use crate::measure::series::Times;
use crate::measure::sums::{PairSums, Sums};
use crate::sample::{End, Sample};
use serde::{Deserialize, Serialize};

/// By what a run is cut into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The route that was asked for.
    Route,
    /// The expert that answered.
    Expert,
    /// Its pool.
    Pool,
    /// Its replica, as `pool/number`.
    Replica,
    /// The tenant that asked.
    Tenant,
}

/// One part. Scores are kept in millionths, so that their sums are exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Requests sent.
    pub sent: u64,
    /// Answered completely.
    pub ok: u64,
    /// Cancelled as planned.
    pub cancelled: u64,
    /// Answered within the SLO.
    pub good: u64,
    /// Prompt tokens of what was answered.
    pub input_tokens: u64,
    /// Those of them that were in a prefix cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Produced tokens.
    pub output_tokens: u64,
    /// Time to first token.
    pub ttft: Hist,
    /// Time per output token.
    pub tpot: Hist,
    /// Time to the end.
    pub e2e: Hist,
    /// Time in the target's lines, where that can be seen.
    #[serde(default = "hist")]
    pub queued: Hist,
    /// Cost in nano-USD of each request whose cost is known.
    pub cost_nanousd: Sums,
    /// Cost and baseline, where both are known.
    pub cost_and_baseline: PairSums,
    /// Score of each graded request.
    pub quality: Sums,
    /// Score and the reference's score, where both are known.
    pub quality_and_reference: PairSums,
}

impl Slice {
    pub(crate) fn new() -> Slice {
        Slice {
            sent: 0,
            ok: 0,
            cancelled: 0,
            good: 0,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            ttft: hist(),
            tpot: hist(),
            e2e: hist(),
            queued: hist(),
            cost_nanousd: Sums::default(),
            cost_and_baseline: PairSums::default(),
            quality: Sums::default(),
            quality_and_reference: PairSums::default(),
        }
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.sent - self.ok - self.cancelled
    }

    pub(crate) fn add(&mut self, sample: &Sample, times: &Times, is_good: bool) {
        self.sent += 1;
        self.ok += u64::from(sample.is_ok());
        self.cancelled += u64::from(sample.end == End::Cancelled);
        self.good += u64::from(is_good);
        self.input_tokens += u64::from(sample.input_tokens);
        self.cached_tokens += u64::from(sample.cached_tokens);
        self.output_tokens += u64::from(sample.output_tokens);
        times.ttft.into_iter().for_each(|ns| self.ttft.record(ns));
        times.tpot.into_iter().for_each(|ns| self.tpot.record(ns));
        times.e2e.into_iter().for_each(|ns| self.e2e.record(ns));
        sample.queued.into_iter().for_each(|ns| self.queued.record(ns));
        if let Some(cost) = sample.cost_nanousd {
            self.cost_nanousd.add(cost);
            sample
                .baseline_nanousd
                .into_iter()
                .for_each(|baseline| self.cost_and_baseline.add(cost, baseline));
        }
        // An answer that nobody got has no quality.
        if let Some(quality) = sample.quality.filter(|_| sample.is_ok()) {
            self.quality.add(millionths(quality));
            let reference = sample.reference_quality;
            reference
                .into_iter()
                .for_each(|r| self.quality_and_reference.add(millionths(quality), millionths(r)));
        }
    }

    pub(crate) fn merge(&mut self, other: &Slice) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.cancelled += other.cancelled;
        self.good += other.good;
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.ttft.merge(&other.ttft);
        self.tpot.merge(&other.tpot);
        self.e2e.merge(&other.e2e);
        self.queued.merge(&other.queued);
        self.cost_nanousd.merge(&other.cost_nanousd);
        self.cost_and_baseline.merge(&other.cost_and_baseline);
        self.quality.merge(&other.quality);
        self.quality_and_reference.merge(&other.quality_and_reference);
    }
}

fn hist() -> Hist {
    Hist::new(3)
}

fn millionths(score: f64) -> i64 {
    (score * MILLION).round() as i64
}

/// Scores are kept as whole millionths.
pub(crate) const MILLION: f64 = 1e6;
