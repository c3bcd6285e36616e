//! Learns a pool's speed from its answers.

use super::ridge::{Ridge, dot};
use super::{Declared, Speed, Spread, TPOT_TERMS, TTFT_TERMS, tpot_terms, ttft_terms};
use crate::fleet::ReplicaState;

/// The law so far, and what it is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedLearner {
    ttft: Ridge<TTFT_TERMS>,
    tpot: Ridge<TPOT_TERMS>,
    ttft_error: Spread,
    tpot_error: Spread,
}

/// What one answer tells of its tokens after the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Mean sequences that put tokens out meanwhile, this one included.
    pub sequences: f64,
    /// Mean tokens of their context.
    pub context: f64,
    /// Prompt tokens that were worked on meanwhile.
    pub prefill: f64,
    /// Tokens after the first.
    pub steps: f64,
    /// Time for each of them.
    pub tpot_ms: f64,
}

impl Default for SpeedLearner {
    fn default() -> SpeedLearner {
        SpeedLearner::new()
    }
}

impl SpeedLearner {
    /// Knows only what is usual.
    pub fn new() -> SpeedLearner {
        SpeedLearner {
            ttft: Ridge::new(TTFT_PRIOR, LEAST_TTFT_MS),
            tpot: Ridge::new(TPOT_PRIOR, LEAST_TPOT_MS),
            ttft_error: Spread::prior(TTFT_SLACK_MS),
            tpot_error: Spread::prior(TPOT_SLACK_MS),
        }
    }

    /// Knows what was declared of the pool, and doubts it. What was declared weighs as much as a handful of answers.
    pub fn declared(declared: &Declared) -> SpeedLearner {
        let spread = |usual: Spread| Spread { variance: DECLARED_VARIANCE, ..usual };
        SpeedLearner {
            ttft: within_doubt(declared.ttft(), TTFT_PRIOR, LEAST_TTFT_MS),
            tpot: within_doubt(declared.tpot(), TPOT_PRIOR, LEAST_TPOT_MS),
            ttft_error: spread(Spread::prior(TTFT_SLACK_MS)),
            tpot_error: spread(Spread::prior(TPOT_SLACK_MS)),
        }
    }

    /// What is known now.
    pub fn speed(&self) -> Speed {
        Speed {
            ttft: self.ttft.theta(),
            tpot: self.tpot.theta(),
            ttft_error: self.ttft_error,
            tpot_error: self.tpot_error,
        }
    }

    /// A first token has come: `replica` is how its replica was when the request went there, without it.
    pub fn first_token(&mut self, replica: &ReplicaState, uncached: f64, ttft_ms: f64) {
        let terms = ttft_terms(replica, uncached);
        self.ttft_error.add(ttft_ms.max(LEAST_TTFT_MS), dot(&self.ttft.theta(), &terms).max(LEAST_TTFT_MS));
        self.ttft.add(terms, ttft_ms);
    }

    /// An answer is complete. The doubt that is learned is about the law, at the batch that was met: how batches grow is
    /// decided by those who ask.
    pub fn answer(&mut self, seen: Observation) {
        let terms = tpot_terms(seen.sequences, seen.context, seen.prefill / seen.steps);
        let predicted_ms = dot(&self.tpot.theta(), &terms);
        self.tpot.add(terms, seen.tpot_ms);
        self.tpot_error.add(seen.tpot_ms.max(LEAST_TPOT_MS), predicted_ms.max(LEAST_TPOT_MS));
    }
}

/// What was declared may be off by half of itself; where that is next to nothing, by a tenth of what is usual.
fn within_doubt<const N: usize>(declared: [f64; N], usual: [f64; N], least: f64) -> Ridge<N> {
    let doubt = std::array::from_fn(|at: usize| (0.5 * declared[at]).max(0.1 * usual[at]));
    Ridge::within(declared, doubt, least)
}

impl Spread {
    /// Off by about a third either way, until more is known.
    fn prior(slack_ms: f64) -> Spread {
        Spread { slack_ms, bias: 0.0, variance: 0.09 }
    }

    fn add(&mut self, real: f64, predicted: f64) {
        let error = libm::log((real + self.slack_ms) / (predicted + self.slack_ms))
            .clamp(-LARGEST_ERROR, LARGEST_ERROR);
        self.bias += ERROR_WEIGHT * (error - self.bias);
        let off = error - self.bias;
        self.variance += ERROR_WEIGHT * (off * off - self.variance);
        self.variance = self.variance.max(LEAST_VARIANCE);
    }
}

/// Before anything is known: 10,000 prompt tokens a second, in steps of 20 ms.
const TTFT_PRIOR: [f64; TTFT_TERMS] = [20.0, 100.0, 5.0, 2.0, 1.0, 1.0];
const TPOT_PRIOR: [f64; TPOT_TERMS] = [20.0, 0.5, 1.0, 10.0];
/// Errors below these don't matter to anybody.
const LEAST_TTFT_MS: f64 = 2.0;
const LEAST_TPOT_MS: f64 = 0.5;
/// Differences of so much are noise at any speed: a few steps for the first token, one for the others.
const TTFT_SLACK_MS: f64 = 200.0;
const TPOT_SLACK_MS: f64 = 20.0;
/// How much one answer moves the spread of errors: about the last hundred count.
const ERROR_WEIGHT: f64 = 0.01;
/// One prediction that was off by a thousand must not drown the others.
const LARGEST_ERROR: f64 = 3.0;
/// A declared law is off by about a fifth.
const DECLARED_VARIANCE: f64 = 0.04;
/// Nobody is right to better than a tenth.
const LEAST_VARIANCE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(decoding: u32, prefill_tokens: f64) -> ReplicaState {
        ReplicaState {
            is_up: true,
            in_flight: decoding,
            limit: 64,
            foreign: 0,
            decoding,
            context_tokens: f64::from(decoding) * 800.0,
            prefill_tokens,
            output_tokens: 0.0,
            hit_tokens: 0,
            prompt_rates: [0.0; 3],
        }
    }

    /// A worker with a law of its own, seen at many loads.
    fn learned() -> SpeedLearner {
        let mut learner = SpeedLearner::new();
        for n in 0..2_000u32 {
            let (batch, ahead, own) = (n % 40, f64::from(n % 7) * 300.0, 200.0 + f64::from(n % 11) * 100.0);
            let state = replica(batch, ahead);
            learner.first_token(&state, own, 15.0 + (ahead + own) * 0.2 + f64::from(batch) * 0.3);
            let sequences = f64::from(batch) + 1.0;
            let (context, prefill) = (sequences * 800.0, sequences * 4.0);
            let tpot_ms = 12.0 + 0.1 * sequences + context * 2e-4 + prefill * 0.2;
            let seen = Observation { sequences, context, prefill: prefill * 100.0, steps: 100.0, tpot_ms };
            learner.answer(seen);
        }
        learner
    }

    #[test]
    fn a_worker_s_law_is_learned_from_its_answers() {
        let speed = learned().speed();
        let pace = speed.pace(&replica(20, 600.0), 800.0, 400.0, 100.0);
        assert!((pace.ttft_ms / (15.0 + 200.0 + 6.0) - 1.0).abs() < 0.1, "{pace:?}");
        let idle = speed.pace(&replica(0, 0.0), 800.0, 800.0, 100.0);
        assert!(idle.tpot_ms < pace.tpot_ms && pace.tpot_ms < 60.0, "{idle:?} {pace:?}");
    }

    #[test]
    fn the_chance_of_a_miss_grows_with_what_is_predicted() {
        let speed = learned().speed();
        let chances: Vec<f64> =
            [10.0, 50.0, 90.0, 110.0, 300.0].map(|ms| speed.p_tpot_above(ms, 100.0)).into();
        assert!(chances.is_sorted() && chances[0] < 1e-6 && chances[4] > 1.0 - 1e-6, "{chances:?}");
        assert_eq!(speed.p_ttft_above(0.0, 100.0), 0.0);
        assert!(speed.ttft_p95_ms(100.0) > 100.0);
    }
}
