//! What one more request does to those who are on its replica already.
//!
//! Whoever looks at its own time alone joins a full batch as long as it makes it itself, and fails to see that a hundred
//! others are just about to be late. So what they lose is counted too.
//!
//! Source: the price of joining a queue is the delay that it puts on the others: A. Pigou, "The economics of welfare"
//! (1920); for queues P. Naor, "The regulation of queue size by levying tolls", Econometrica 37 (1969).

use super::{MOST_BUSY, PER_TOKEN, PROMPTS, RECENT, Speed, batch_terms, dot, rate_over, tpot_terms};
use crate::fleet::ReplicaState;

/// What a request brings along.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newcomer {
    /// Tokens of its prompt.
    pub(crate) prompt: f64,
    /// Those of them that must be worked on.
    pub(crate) uncached: f64,
    /// Expected tokens of its answer.
    pub(crate) output: f64,
}

impl Speed {
    /// How many of our requests on the replica take more than `limit_ms` for each token because one more comes: for each
    /// of them the chance with it less the chance without. Who is late anyway loses nothing more.
    pub(crate) fn harmed(&self, replica: &ReplicaState, newcomer: Newcomer, limit_ms: f64) -> f64 {
        // Receipts from before the answers' tokens were known tell of none.
        if replica.in_flight == 0 || replica.output_tokens <= 0.0 {
            return 0.0;
        }
        let ours = f64::from(replica.in_flight);
        let usual = (replica.output_tokens / ours).max(1.0);
        let without = self.crowd_tpot(&replica.with_foreign(), usual);
        let with = without.tpot_ms + self.slowed(newcomer, usual, without.busy);
        let late = |tpot_ms| self.p_tpot_above(self.tpot_error.corrected(tpot_ms), limit_ms);
        ours * (late(with) - late(without.tpot_ms)).max(0.0)
    }

    /// The time per token of those who are there, whose answers have `usual` tokens.
    fn crowd_tpot(&self, replica: &ReplicaState, usual: f64) -> Crowd {
        let alone = dot(&self.tpot, &batch_terms(f64::from(replica.in_flight), replica, 0.0));
        let rate = rate_over(&replica.prompt_rates, RECENT * usual * alone);
        let busy = (rate / 1e3 * self.tpot[PROMPTS] / PER_TOKEN).min(MOST_BUSY);
        Crowd { tpot_ms: alone / (1.0 - busy), busy }
    }

    /// What the newcomer adds to each token of a usual answer: its prompt holds the answer up once, and each of its own
    /// tokens that falls into what is left of the answer, half of it on average, makes a step longer.
    fn slowed(&self, newcomer: Newcomer, usual: f64, busy: f64) -> f64 {
        let held_up = newcomer.uncached * self.tpot[PROMPTS] / PER_TOKEN;
        let context = newcomer.prompt + newcomer.output / 2.0;
        let each = dot(&self.tpot, &tpot_terms(1.0, context, 0.0)) - self.tpot[0];
        let steps = newcomer.output.min(usual / 2.0);
        (held_up + each * steps / (1.0 - busy)) / usual
    }
}

/// How those fare who are there.
struct Crowd {
    tpot_ms: f64,
    /// The share of all time that prompts take.
    busy: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speed::{Declared, SpeedLearner, Steps};

    const STEPS: Steps = Steps {
        base_ms: 20.0,
        sequence_ms: 0.1,
        context_ms: 0.05,
        prompt_ms: 70.0,
        half: 20_000.0,
        chunk: 2_048.0,
    };
    const SHORT: Newcomer = Newcomer { prompt: 200.0, uncached: 200.0, output: 20.0 };
    const LONG: Newcomer = Newcomer { prompt: 4_000.0, uncached: 4_000.0, output: 400.0 };

    /// A replica with so many who have answers of 200 tokens, and so many prompt tokens a second.
    fn replica(ours: u32, rate: f64) -> ReplicaState {
        ReplicaState {
            is_up: true,
            in_flight: ours,
            limit: 128,
            decoding: ours,
            context_tokens: f64::from(ours) * 1_000.0,
            output_tokens: f64::from(ours) * 200.0,
            prompt_rates: [rate; 3],
            ..ReplicaState::default()
        }
    }

    fn harmed(replica: &ReplicaState, newcomer: Newcomer, limit_ms: f64) -> f64 {
        SpeedLearner::declared(&Declared::Steps(STEPS)).speed().harmed(replica, newcomer, limit_ms)
    }

    #[test]
    fn those_near_their_limit_are_harmed_and_those_far_from_it_on_either_side_are_not() {
        let full = replica(100, 5_000.0);
        let near = harmed(&full, LONG, 60.0);
        assert!(
            near > 0.5 && near < 100.0,
            "about 35 ms a token alone, half as much again by prompts: {near}"
        );
        assert!(harmed(&full, LONG, 1_000.0) < 1e-3, "nobody comes near");
        assert!(harmed(&full, LONG, 3.0) < 1e-3, "all are late anyway");
    }

    #[test]
    fn the_more_are_there_and_the_more_is_brought_the_more_harm_is_done() {
        let full = replica(100, 5_000.0);
        assert!(harmed(&full, LONG, 60.0) > 5.0 * harmed(&full, SHORT, 60.0));
        let cached = Newcomer { uncached: 100.0, ..LONG };
        assert!(harmed(&full, LONG, 60.0) > harmed(&full, cached, 60.0));
        assert!(harmed(&full, LONG, 60.0) > 10.0 * harmed(&replica(10, 5_000.0), LONG, 60.0));
    }

    #[test]
    fn nobody_is_harmed_where_nobody_is_or_where_their_answers_are_not_known() {
        assert_eq!(harmed(&replica(0, 5_000.0), LONG, 60.0), 0.0);
        assert_eq!(harmed(&ReplicaState { output_tokens: 0.0, ..replica(100, 5_000.0) }, LONG, 60.0), 0.0);
    }

    #[test]
    fn foreign_load_slows_ours_down_and_is_not_harmed_itself() {
        let ours = replica(20, 1_000.0);
        let shared = ReplicaState { foreign: 80, ..ours };
        // A fifth of what a replica of our own with as many loses.
        let harm = harmed(&shared, LONG, 60.0);
        assert!(harm > harmed(&ours, LONG, 60.0) && harm <= 20.0, "{harm}");
    }
}
