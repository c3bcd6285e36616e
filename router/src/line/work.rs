//! What a replica has in work, by the gateway's own count: the batch, its context, and the prompt tokens ahead.
//!
//! Tokens of answers aren't counted one by one: each sequence is taken to have grown at the pool's pace since its first
//! token, so that nothing is to be done between its first event and its last.

use super::entrant::Work;
use super::lately::Lately;
use crate::fleet::ReplicaState;
use crate::speed::{Observation, Pace, SpeedLearner};
use crate::time::Tick;
use std::collections::HashMap;

/// The requests on one replica.
#[derive(Debug, Clone, Default)]
pub(super) struct InWork {
    /// Looked up by seat, never walked through: its order is of no account.
    seats: HashMap<u64, Seated>,
    sums: Sums,
    /// When the first tokens of answers in one piece are thought to be there, for those that have not passed yet.
    presumed: Vec<(Tick, u64)>,
    sent: Lately,
}

/// One request on the replica.
#[derive(Debug, Clone, Copy)]
struct Seated {
    prompt: f64,
    uncached: f64,
    output: f64,
    since: Tick,
    /// How the replica was before it came.
    met: ReplicaState,
    first: Option<(Tick, Sums)>,
    /// Set for an answer in one piece: what its times were thought to be when it went.
    foreseen: Option<Pace>,
}

/// Sums over what is in work now, and over all time.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    at: Tick,
    /// Sequences whose first token has come, the tokens of their prompts, and the instants of those first tokens.
    decoding: u32,
    prompts: f64,
    firsts_us: u64,
    /// Prompt tokens of those whose first token hasn't come.
    prefill: f64,
    /// Expected tokens of all answers.
    outputs: f64,
    /// Integrals over milliseconds: sequences, and their context.
    sequence_ms: f64,
    context_ms: f64,
    /// Prompt tokens that have been worked on.
    prefilled: f64,
}

impl InWork {
    /// How the replica is, as far as its work goes. `tpot_ms` is the pool's pace, 0 when unknown.
    pub(super) fn state(&self, now: Tick, tpot_ms: f64) -> ReplicaState {
        let mut sums = self.sums;
        for (first, seat) in self.presumed.iter().filter(|(first, _)| *first <= now) {
            if let Some(seated) = self.seats.get(seat) {
                sums.begin_decoding(seated, *first);
            }
        }
        ReplicaState {
            decoding: sums.decoding,
            context_tokens: sums.context(now, tpot_ms),
            prefill_tokens: sums.prefill,
            output_tokens: sums.outputs,
            prompt_rates: self.sent.rates(now),
            ..ReplicaState::default()
        }
    }

    /// Tokens of a request's prompt that the replica's cache doesn't hold, by estimate.
    pub(super) fn uncached(&self, seat: u64) -> Option<u32> {
        self.seats.get(&seat).map(|seated| seated.uncached as u32)
    }

    /// What is in work as one number: prompt tokens ahead, and the answers' tokens at what they weigh beside them.
    pub(super) fn tokens(&self) -> f64 {
        self.sums.prefill + OUTPUT_WEIGHT * self.sums.outputs
    }

    /// A request goes there; `met` is how the replica is before that.
    pub(super) fn add(&mut self, seat: u64, work: Work, met: ReplicaState, speed: &SpeedLearner, now: Tick) {
        let prompt = f64::from(work.prompt_tokens);
        let uncached = (prompt - f64::from(met.hit_tokens)).max(1.0);
        self.sent.add(uncached, now);
        self.sums.prefill += uncached;
        self.sums.outputs += work.output_tokens;
        let output = work.output_tokens;
        let foreseen = work.whole.then(|| speed.speed().pace(&met, prompt, uncached, work.output_tokens));
        if let Some(pace) = foreseen {
            self.presumed.push((after(now, pace.ttft_ms), seat));
        }
        self.seats.insert(seat, Seated { prompt, uncached, output, since: now, met, first: None, foreseen });
    }

    /// Whether the seat's answer comes in one piece.
    pub(super) fn is_whole(&self, seat: u64) -> bool {
        self.seats.get(&seat).is_some_and(|seated| seated.foreseen.is_some())
    }

    /// The parts of the time that an answer in one piece took: to its first token, and for each one after that. They
    /// are to each other as was foreseen, since nobody has seen them.
    pub(super) fn parts(&self, seat: u64, output_tokens: u32, service_ms: f64) -> (f64, Option<f64>) {
        let foreseen = self.seats.get(&seat).and_then(|seated| seated.foreseen);
        let (Some(pace), 2..) = (foreseen, output_tokens) else { return (service_ms, None) };
        let later = f64::from(output_tokens - 1);
        let off = service_ms / (pace.ttft_ms + later * pace.tpot_ms).max(f64::MIN_POSITIVE);
        (pace.ttft_ms * off, Some(pace.tpot_ms * off))
    }

    /// What is learned of the time to the first token from an answer in one piece that is complete.
    pub(super) fn complete(
        &mut self,
        seat: u64,
        ttft_ms: f64,
        learner: &mut SpeedLearner,
        now: Tick,
        tpot_ms: f64,
    ) {
        self.pass(now, tpot_ms);
        let Some(seated) = self.seats.get(&seat) else { return };
        learner.first_token(&seated.met, seated.uncached, ttft_ms);
        if seated.first.is_none() {
            self.begin_decoding(seat, now, tpot_ms);
        }
    }

    /// Its first token has come.
    pub(super) fn first(&mut self, seat: u64, learner: &mut SpeedLearner, now: Tick, tpot_ms: f64) {
        self.pass(now, tpot_ms);
        let Some(seated) = self.seats.get(&seat).filter(|seated| seated.first.is_none()) else { return };
        learner.first_token(&seated.met, seated.uncached, now.since_ms(seated.since));
        self.begin_decoding(seat, now, tpot_ms);
    }

    /// Lets the first tokens pass that are thought to have come, then time.
    fn pass(&mut self, now: Tick, tpot_ms: f64) {
        while let Some(at) = earliest(&self.presumed).filter(|&at| self.presumed[at].0 <= now) {
            let (first, seat) = self.presumed.swap_remove(at);
            self.begin_decoding(seat, first, tpot_ms);
        }
        self.sums.pass(now, tpot_ms);
    }

    fn begin_decoding(&mut self, seat: u64, first: Tick, tpot_ms: f64) {
        self.sums.pass(first, tpot_ms);
        self.presumed.retain(|(_, other)| *other != seat);
        if let Some(seated) = self.seats.get_mut(&seat) {
            self.sums.begin_decoding(seated, first);
            seated.first = Some((first, self.sums));
        }
    }

    /// It is over. `answered` is its time per token after the first, where it is complete and had more than one.
    pub(super) fn end(
        &mut self,
        seat: u64,
        answered: Option<f64>,
        learner: &mut SpeedLearner,
        now: Tick,
        tpot_ms: f64,
    ) {
        self.pass(now, tpot_ms);
        let Some(seated) = self.seats.remove(&seat) else { return };
        self.presumed.retain(|(_, other)| *other != seat);
        self.sums.outputs = (self.sums.outputs - seated.output).max(0.0);
        let Some((first, then)) = seated.first else {
            self.sums.prefill = (self.sums.prefill - seated.uncached).max(0.0);
            return;
        };
        self.sums.decoding -= 1;
        self.sums.prompts -= seated.prompt;
        self.sums.firsts_us -= first.0;
        if self.seats.is_empty() {
            // What rounding has left over.
            (self.sums.prefill, self.sums.prompts, self.sums.outputs) = (0.0, 0.0, 0.0);
        }
        let took_ms = now.since_ms(first);
        if let Some(tpot) = answered.filter(|tpot| *tpot > 0.0 && took_ms > 0.0) {
            learner.answer(self.sums.since(&then, took_ms, tpot));
        }
    }
}

impl Sums {
    /// Tokens of prompts and answers of those that put tokens out.
    fn context(&self, now: Tick, tpot_ms: f64) -> f64 {
        if tpot_ms <= 0.0 {
            return self.prompts;
        }
        let waited_us = (u64::from(self.decoding) * now.0).saturating_sub(self.firsts_us);
        self.prompts + waited_us as f64 / 1e3 / tpot_ms
    }

    fn begin_decoding(&mut self, seated: &Seated, first: Tick) {
        self.prefill = (self.prefill - seated.uncached).max(0.0);
        self.prefilled += seated.uncached;
        self.decoding += 1;
        self.prompts += seated.prompt;
        self.firsts_us += first.0;
    }

    fn pass(&mut self, now: Tick, tpot_ms: f64) {
        let ms = now.since_ms(self.at);
        self.sequence_ms += f64::from(self.decoding) * ms;
        self.context_ms += (self.context(self.at, tpot_ms) + self.context(now, tpot_ms)) / 2.0 * ms;
        self.at = self.at.max(now);
    }

    /// What one answer has met since `then`, `took_ms` ago.
    fn since(&self, then: &Sums, took_ms: f64, tpot_ms: f64) -> Observation {
        Observation {
            sequences: (self.sequence_ms - then.sequence_ms) / took_ms,
            context: (self.context_ms - then.context_ms) / took_ms,
            prefill: self.prefilled - then.prefilled,
            steps: (took_ms / tpot_ms).max(1.0),
            tpot_ms,
        }
    }
}

/// So long after `now`, in whole microseconds.
fn after(now: Tick, ms: f64) -> Tick {
    Tick(now.0.saturating_add((ms * 1e3) as u64))
}

/// Where the first of these instants stands.
fn earliest(presumed: &[(Tick, u64)]) -> Option<usize> {
    (0..presumed.len()).min_by_key(|&at| presumed[at])
}

/// What a token of an answer weighs against one of a prompt: it takes a share of many steps, and holds memory for them.
const OUTPUT_WEIGHT: f64 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work = Work { prompt_tokens: 100, output_tokens: 10.0, whole: false };

    fn at(ms: u64) -> Tick {
        Tick(0).plus_ms(ms)
    }

    #[test]
    fn prompts_ahead_become_context_that_grows() {
        let (mut work, mut learner) = (InWork::default(), SpeedLearner::new());
        work.add(1, WORK, ReplicaState { hit_tokens: 40, ..ReplicaState::default() }, &learner, at(0));
        let before = work.state(at(5), 10.0);
        assert_eq!((before.decoding, before.prefill_tokens, before.context_tokens), (0, 60.0, 0.0));
        assert_eq!(work.tokens(), 80.0, "60 of the prompt, 10 of the answer at their weight");
        work.first(1, &mut learner, at(50), 10.0);
        let after = work.state(at(150), 10.0);
        assert_eq!((after.decoding, after.prefill_tokens, after.context_tokens), (1, 0.0, 110.0));
        work.first(1, &mut learner, at(60), 10.0);
        assert_eq!(work.state(at(150), 10.0).decoding, 1, "told twice");
        work.end(1, Some(10.0), &mut learner, at(250), 10.0);
        let idle =
            ReplicaState { prompt_rates: work.state(at(250), 10.0).prompt_rates, ..ReplicaState::default() };
        assert_eq!(work.state(at(250), 10.0), idle);
    }

    #[test]
    fn whoever_leaves_takes_everything_along() {
        let (mut work, mut learner) = (InWork::default(), SpeedLearner::new());
        for seat in 0..50 {
            let whole = seat % 2 == 0;
            work.add(seat, Work { whole, ..WORK }, ReplicaState::default(), &learner, at(seat));
            if seat % 3 > 0 {
                work.first(seat, &mut learner, at(seat + 20), 7.0);
            }
        }
        for seat in (0..50).rev() {
            let answered = (seat % 3 > 1).then_some(7.0);
            work.end(seat, answered, &mut learner, at(500 + seat), 7.0);
            work.end(seat, answered, &mut learner, at(500 + seat), 7.0);
        }
        let idle =
            ReplicaState { prompt_rates: work.state(at(900), 7.0).prompt_rates, ..ReplicaState::default() };
        assert_eq!((work.state(at(900), 7.0), work.tokens()), (idle, 0.0));
    }

    #[test]
    fn an_answer_in_one_piece_is_thought_to_decode_from_when_its_first_token_was_foreseen() {
        let (mut work, mut learner) = (InWork::default(), SpeedLearner::new());
        let met = ReplicaState::default();
        let pace = learner.speed().pace(&met, 100.0, 100.0, 10.0);
        work.add(1, Work { whole: true, ..WORK }, met, &learner, at(0));
        assert!(work.is_whole(1));
        let later = after(Tick(0), pace.ttft_ms).plus_ms(10);
        assert_eq!(work.state(Tick(1), 10.0).prefill_tokens, 100.0);
        let state = work.state(later, 10.0);
        assert_eq!((state.decoding, state.prefill_tokens), (1, 0.0));
        assert_eq!(state.context_tokens, 101.0, "one token in 10 ms");
        let (ttft_ms, tpot_ms) = work.parts(1, 11, 2.0 * (pace.ttft_ms + 10.0 * pace.tpot_ms));
        assert!((ttft_ms - 2.0 * pace.ttft_ms).abs() < 1e-9, "{ttft_ms}");
        assert!((tpot_ms.unwrap() - 2.0 * pace.tpot_ms).abs() < 1e-9);
        assert_eq!(work.parts(1, 1, 70.0), (70.0, None), "nothing after the first token");
        work.complete(1, ttft_ms, &mut learner, at(900), 10.0);
        work.end(1, tpot_ms, &mut learner, at(900), 10.0);
        assert_eq!((work.state(at(900), 10.0).decoding, work.tokens()), (0, 0.0));
        assert!(work.presumed.is_empty());
    }
}
