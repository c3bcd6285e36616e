//! Whether a fitted profile says what the engine does: the same requests at the same times on both.

use super::replay::{Job, replay};
use crate::arrivals::{Trace, TraceRow};
use crate::random::Random;
use crate::sample::Sample;
use serde::Serialize;
use sluice_sim::Capacity;

/// What is compared, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Time to first token, the middle one.
    pub ttft_p50_ms: f64,
    /// Time to first token that 9 of 10 keep below.
    pub ttft_p90_ms: f64,
    /// Time per token, the middle one.
    pub tpot_p50_ms: f64,
    /// Time per token that 9 of 10 keep below.
    pub tpot_p90_ms: f64,
}

impl Figures {
    /// Names and values, in the order of reports.
    pub fn rows(&self) -> [(&'static str, f64); 4] {
        [
            ("ttft p50", self.ttft_p50_ms),
            ("ttft p90", self.ttft_p90_ms),
            ("tpot p50", self.tpot_p50_ms),
            ("tpot p90", self.tpot_p90_ms),
        ]
    }

    /// Of samples; `None` without an answer of two tokens.
    pub fn of(samples: &[Sample]) -> Option<Figures> {
        let sorted = |of: fn(&Sample) -> Option<f64>| {
            let mut all: Vec<f64> = samples.iter().filter_map(of).collect();
            all.sort_by(f64::total_cmp);
            (!all.is_empty()).then_some(all)
        };
        let (ttft, tpot) = (sorted(Sample::ttft_ms)?, sorted(Sample::tpot_ms)?);
        Some(Figures {
            ttft_p50_ms: quantile(&ttft, 50),
            ttft_p90_ms: quantile(&ttft, 90),
            tpot_p50_ms: quantile(&tpot, 50),
            tpot_p90_ms: quantile(&tpot, 90),
        })
    }
}

/// Of sorted values, by rank.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// One run on both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Round {
    /// The engine.
    pub measured: Figures,
    /// The profile.
    pub simulated: Figures,
}

impl Round {
    /// The figures of a run, and of the same requests on the profile. `None` without an answer.
    pub fn of(samples: &[Sample], capacity: Capacity, overhead_ns: u64) -> Option<Round> {
        let mut jobs: Vec<Job> = samples.iter().map(Job::of).collect();
        jobs.sort_by_key(|job| job.at);
        let simulated = replay(capacity, overhead_ns, &jobs);
        Some(Round { measured: Figures::of(samples)?, simulated: Figures::of(&simulated)? })
    }
}

/// A figure over all rounds of a load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which figure.
    pub name: &'static str,
    /// The engine: median, least and most of the rounds.
    pub measured_ms: [f64; 3],
    /// The profile, likewise.
    pub simulated_ms: [f64; 3],
    /// By how much the profile's median is off, in percent of the engine's.
    pub error_pct: f64,
}

/// The rows of a load; empty without rounds.
pub(super) fn rows(rounds: &[Round]) -> Vec<Row> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let names = first.measured.rows().map(|(name, _)| name);
    let row = |(at, name): (usize, &'static str)| {
        let measured_ms = spread(rounds.iter().map(|round| round.measured.rows()[at].1));
        let simulated_ms = spread(rounds.iter().map(|round| round.simulated.rows()[at].1));
        let error_pct = (simulated_ms[0] / measured_ms[0] - 1.0) * 100.0;
        Row { name, measured_ms, simulated_ms, error_pct }
    };
    names.into_iter().enumerate().map(row).collect()
}

/// Median, least and most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
    [quantile(&all, 50), end(all.first()), end(all.last())]
}

/// The requests of a check: lengths drawn from those that were tried, all equally likely.
pub(super) fn mix(seed: u64, requests: usize, inputs: &[u32], output: u32) -> Trace {
    /// The purpose of the random sequence.
    const MIX: u64 = 0x0F17;
    let mut random = Random::new(seed, MIX);
    let outputs = [output.div_ceil(2), output];
    let row = |_| TraceRow {
        arrival_s: 0.0,
        input_tokens: inputs[random.below(inputs.len())],
        output_tokens: outputs[random.below(outputs.len())],
        session: None,
    };
    Trace { rows: (0..requests).map(row).collect() }
}

/// The requests a second that a profile can do when it never waits for one.
pub(super) fn saturation(capacity: Capacity, jobs: &[Job]) -> f64 {
    let at_once: Vec<Job> = jobs.iter().map(|job| Job { at: 0, ..*job }).collect();
    let took = replay(capacity, 0, &at_once).iter().map(|sample| sample.ended).max().unwrap_or(0);
    jobs.len() as f64 * 1e9 / took.max(1) as f64
}
