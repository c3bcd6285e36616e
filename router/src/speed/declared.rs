//! What is said of a pool's speed before it has answered anything: the law that its learner begins with.

use super::{TPOT_TERMS, TTFT_TERMS};

/// The speed of one replica, as its operator declares it. It is believed until the pool's own answers tell more.
///
/// Numbers that aren't positive count as next to nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Declared {
    /// An engine that batches by steps.
    Steps(Steps),
    /// One that is known from outside only, and as fast with many requests as with one.
    Outside {
        /// Dispatch to first token, in milliseconds.
        ttft_ms: f64,
        /// Each token after that, in milliseconds.
        tpot_ms: f64,
    },
}

/// The law of an engine's steps: `max(base, prompt tokens / rate) + sequences + their context`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// A step with hardly anything in it, in milliseconds.
    pub base_ms: f64,
    /// What each sequence of the batch adds, in milliseconds.
    pub sequence_ms: f64,
    /// What a thousand tokens of their context add, in milliseconds.
    pub context_ms: f64,
    /// What a thousand prompt tokens take, in milliseconds.
    pub prompt_ms: f64,
    /// How deep in its prompt a token takes twice as long, in tokens.
    pub half: f64,
    /// Prompt tokens that one step takes on at most.
    pub chunk: f64,
}

impl Declared {
    /// Coefficients of the time to the first token, in the order of its terms: half a step until the next one begins,
    /// the prompts ahead and the request's own, and in each of their steps the batch beside them.
    pub(super) fn ttft(&self) -> [f64; TTFT_TERMS] {
        match *self {
            Declared::Outside { ttft_ms, .. } => [ttft_ms, 0.0, 0.0, 0.0, 0.0, 0.0],
            Declared::Steps(Steps { base_ms, sequence_ms, context_ms, prompt_ms, half, chunk }) => {
                // What is ahead is several prompts, each less deep than one of them all.
                let deep = 10.0 * prompt_ms * 1e3 / (4.0 * half.max(1.0));
                // Of each ten sequences.
                let beside = 10.0 * (sequence_ms + context_ms * USUAL_CONTEXT / 1e3);
                [
                    base_ms,
                    prompt_ms,
                    beside * 1e3 / chunk.max(1.0),
                    10.0 * sequence_ms,
                    10.0 * context_ms,
                    deep,
                ]
            }
        }
    }

    /// Coefficients of the time per output token. Prompt work hides behind the base time of the steps that it is in, so
    /// that much is taken off.
    pub(super) fn tpot(&self) -> [f64; TPOT_TERMS] {
        match *self {
            Declared::Outside { tpot_ms, .. } => [tpot_ms, 0.0, 0.0, 0.0],
            Declared::Steps(Steps { base_ms, sequence_ms, context_ms, prompt_ms, .. }) => {
                let beyond = (prompt_ms - base_ms * 1e3 / USUAL_CONTEXT).max(prompt_ms / 3.0);
                [base_ms, 10.0 * sequence_ms, 10.0 * context_ms, beyond / 10.0]
            }
        }
    }
}

/// Tokens of a prompt, and of a sequence's context, before anything is known of them.
const USUAL_CONTEXT: f64 = 1_000.0;

#[cfg(test)]
mod tests {
    use crate::fleet::ReplicaState;
    use crate::speed::{Declared, Observation, Pace, SpeedLearner, Steps};

    const STEPS: Steps = Steps {
        base_ms: 20.0,
        sequence_ms: 0.1,
        context_ms: 0.05,
        prompt_ms: 70.0,
        half: 20_000.0,
        chunk: 2_048.0,
    };

    fn busy() -> ReplicaState {
        ReplicaState {
            is_up: true,
            in_flight: 40,
            limit: 128,
            decoding: 40,
            context_tokens: 40_000.0,
            ..ReplicaState::default()
        }
    }

    fn pace(learner: &SpeedLearner) -> Pace {
        learner.speed().pace(&busy(), 1_000.0, 1_000.0, 200.0)
    }

    #[test]
    fn what_is_declared_is_foreseen_before_anything_was_served() {
        let pace = pace(&SpeedLearner::declared(&Declared::Steps(STEPS)));
        // 20 + 41 sequences at 0.1 + 41,000 tokens at 0.05 a thousand.
        assert!((pace.tpot_ms - 26.15).abs() < 0.01, "{pace:?}");
        assert!(
            (90.0..130.0).contains(&pace.ttft_ms),
            "a step, and its prompt's 70 ms beside a batch: {pace:?}"
        );
        let outside = SpeedLearner::declared(&Declared::Outside { ttft_ms: 600.0, tpot_ms: 20.0 });
        let pace = self::pace(&outside);
        assert!((pace.ttft_ms - 600.0).abs() < 1.0 && (pace.tpot_ms - 20.0).abs() < 0.1, "{pace:?}");
    }

    #[test]
    fn what_was_declared_wrongly_is_overruled_by_a_few_dozen_answers() {
        let mut learner = SpeedLearner::declared(&Declared::Steps(STEPS));
        for n in 0..60 {
            let sequences = 10.0 + f64::from(n % 5) * 15.0;
            let (context, tpot_ms) = (sequences * 1_000.0, 40.0 + sequences * 0.3);
            learner.answer(Observation { sequences, context, prefill: 0.0, steps: 100.0, tpot_ms });
        }
        let pace = pace(&learner);
        assert!((pace.tpot_ms / 52.3 - 1.0).abs() < 0.1, "half as fast as was said: {pace:?}");
    }

    #[test]
    fn prompts_that_come_meanwhile_slow_answers_down_and_short_ones_most() {
        let speed = SpeedLearner::declared(&Declared::Steps(STEPS)).speed();
        let rates = |each| ReplicaState { prompt_rates: [each; 3], ..busy() };
        let tpot = |state: &ReplicaState, output| speed.pace(state, 1_000.0, 1_000.0, output).tpot_ms;
        let (alone, half) = (tpot(&busy(), 200.0), tpot(&rates(7_000.0), 200.0));
        assert!(
            half > alone * 1.4 && half < alone * 2.2,
            "about half of all time is theirs: {half} of {alone}"
        );
        assert!(tpot(&rates(7_000.0), 10.0) > half * 1.1);
        assert!(tpot(&rates(1e9), 200.0).is_finite());
    }
}
