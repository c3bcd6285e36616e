//! How fast a pool's replicas are: the law of a step, learned from what they answer, and what it predicts for a request.
//!
//! A step of continuous batching takes a base time, more for each sequence of the batch, for each token of their
//! context, and for each prompt token that is worked on in it. The time per output token follows that law; the time to
//! the first token follows from the prompt tokens ahead and the batch that they share steps with. Coefficients are never
//! negative. Time is in milliseconds throughout.

mod crowd;
mod declared;
mod learn;
mod ridge;

pub(crate) use crowd::Newcomer;
pub use declared::{Declared, Steps};
pub use learn::{Observation, SpeedLearner};
pub(crate) use ridge::Ridge;

use self::ridge::dot;
use crate::fleet::{RATES_OVER_MS, ReplicaState};
use serde::{Deserialize, Serialize};

/// The law of a pool's replicas, and how far off it has been lately.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Coefficients of the time to the first token.
    ttft: [f64; TTFT_TERMS],
    /// Coefficients of the time per output token.
    tpot: [f64; TPOT_TERMS],
    /// Real over predicted time to the first token.
    ttft_error: Spread,
    /// Real over predicted time per output token.
    tpot_error: Spread,
}

/// How real times lie around predicted ones: their ratio is taken as log-normal, once a time that matters to nobody is
/// added to both. Without it the noise of short times would pass for doubt about long ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// What is added, in milliseconds.
    #[serde(default)]
    slack_ms: f64,
    /// Mean logarithm of real over predicted.
    bias: f64,
    /// Its variance.
    variance: f64,
}

/// What is predicted for one request on one replica.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// Dispatch to first token.
    pub ttft_ms: f64,
    /// Each token after that, at the batch that the replica is about to have.
    pub tpot_ms: f64,
}

const TTFT_TERMS: usize = 6;
const TPOT_TERMS: usize = 4;
/// The place of prompt tokens among the terms of the time per output token, and how many of them make one.
const PROMPTS: usize = 3;
const PER_TOKEN: f64 = 100.0;

impl Speed {
    /// What a request with `uncached` tokens to work on, of `prompt` in all, and an answer of `output` tokens may expect
    /// of a replica.
    pub fn pace(&self, replica: &ReplicaState, prompt: f64, uncached: f64, output: f64) -> Pace {
        let replica = replica.with_foreign();
        let ttft = dot(&self.ttft, &ttft_terms(&replica, uncached));
        let tpot = self.tpot(&replica, prompt, ttft, output);
        Pace { ttft_ms: self.ttft_error.corrected(ttft), tpot_ms: self.tpot_error.corrected(tpot) }
    }

    /// The time per token beside the prompts that are yet to come, which take a share of all time for themselves.
    ///
    /// They are taken to come as they did lately, over about as much time as the answer takes. Those that come while the
    /// request waits for its first token are behind it in line and ahead of the rest of its answer; a short answer is over
    /// before they are, so they weigh most there.
    ///
    /// Source: a server's time is what its work takes over the share that other work leaves; exact for a fluid.
    fn tpot(&self, replica: &ReplicaState, prompt: f64, ttft_ms: f64, output: f64) -> f64 {
        // Once everybody who is there, and the request, puts tokens out.
        let alone = dot(&self.tpot, &batch_terms(f64::from(replica.in_flight) + 1.0, replica, prompt));
        let rate = rate_over(&replica.prompt_rates, RECENT * (ttft_ms + output * alone));
        let busy = (rate / 1e3 * self.tpot[PROMPTS] / PER_TOKEN).min(MOST_BUSY);
        let behind = busy * ttft_ms / (output - 1.0).max(1.0);
        (alone + behind) / (1.0 - busy)
    }

    /// The probability that the time to the first token is above `limit_ms` where `predicted_ms` is expected.
    pub fn p_ttft_above(&self, predicted_ms: f64, limit_ms: f64) -> f64 {
        self.ttft_error.p_above(predicted_ms, limit_ms)
    }

    /// The probability that the time per output token is above `limit_ms` where `predicted_ms` is expected.
    pub fn p_tpot_above(&self, predicted_ms: f64, limit_ms: f64) -> f64 {
        self.tpot_error.p_above(predicted_ms, limit_ms)
    }

    /// The time to the first token that 95 of 100 requests stay below where `predicted_ms` is expected.
    pub fn ttft_p95_ms(&self, predicted_ms: f64) -> f64 {
        let Spread { slack_ms, variance, .. } = self.ttft_error;
        (predicted_ms + slack_ms) * libm::exp(NORMAL_P95 * libm::sqrt(variance)) - slack_ms
    }
}

impl Spread {
    /// What the law says, less what it is usually off by; never below a quarter of it.
    fn corrected(&self, predicted_ms: f64) -> f64 {
        let corrected = (predicted_ms + self.slack_ms) * libm::exp(self.bias) - self.slack_ms;
        corrected.max(predicted_ms / 4.0)
    }

    fn p_above(&self, predicted_ms: f64, limit_ms: f64) -> f64 {
        if predicted_ms <= 0.0 {
            return 0.0;
        }
        let log = |ms: f64| libm::log(ms + self.slack_ms);
        let z = (log(limit_ms) - log(predicted_ms)) / libm::sqrt(self.variance);
        0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
    }
}

/// Terms of the time to the first token: prompt tokens ahead, alone and beside a batch, the batch, its context.
fn ttft_terms(replica: &ReplicaState, uncached: f64) -> [f64; TTFT_TERMS] {
    let tokens = (replica.prefill_tokens + uncached) / 1e3;
    let batch = f64::from(replica.decoding) / 10.0;
    [1.0, tokens, tokens * batch, batch, replica.context_tokens / 1e4, tokens * tokens / 10.0]
}

/// Terms of the time per output token of so many sequences, without prompts that are worked on: what the replica has in
/// work, and `prompt` tokens more.
fn batch_terms(sequences: f64, replica: &ReplicaState, prompt: f64) -> [f64; TPOT_TERMS] {
    tpot_terms(sequences, replica.context_tokens + replica.prefill_tokens + prompt, 0.0)
}

/// Tokens a second over the last `ms`, between those that are known.
fn rate_over(rates: &[f64; RATES_OVER_MS.len()], ms: f64) -> f64 {
    let last = RATES_OVER_MS.len() - 1;
    let place = libm::log(ms.max(1.0) / RATES_OVER_MS[0]) / libm::log(RATES_OVER_MS[1] / RATES_OVER_MS[0]);
    let place = place.clamp(0.0, last as f64);
    let at = (place as usize).min(last - 1);
    rates[at] + (rates[at + 1] - rates[at]) * (place - at as f64)
}

/// Terms of the time per output token: sequences, their context, prompt tokens worked on in each step.
fn tpot_terms(sequences: f64, context: f64, prefill: f64) -> [f64; TPOT_TERMS] {
    [1.0, sequences / 10.0, context / 1e4, prefill / PER_TOKEN]
}

/// The standard normal distribution's quantile at 0.95.
const NORMAL_P95: f64 = 1.644_853_626_951_472_2;
/// Over which part of the time that an answer takes the flow of prompts is looked at: what came long ago tells less.
const RECENT: f64 = 0.7;
/// Prompts never take more of the time than this by what is foreseen: whatever the law says then, it is too late.
const MOST_BUSY: f64 = 0.9;
