//! How many requests a replica may have in work at once: learned, so that its batch is full and its own queue is short.
//!
//! What waits inside an engine has lost its order, its fairness and its cheap cancellation; what is not inside leaves
//! the batch half empty. The signal is the time to the first token, for each token that the engine has to read, against
//! what it takes without a queue: that is learned as a low quantile for prompts of each size, beside two steps of the
//! batch as it is, which the time per output token tells. Whole round trips say nothing: they are as long as the answer.
//!
//! Growth is additive and the cut multiplicative, as in TCP. A cut takes off what the answers' waits say is queued
//! inside (Vegas: L x wait / time inside), at most half, and is judged anew only by requests that
//! went after it. Sources: Jacobson (1988); Brakmo and Peterson, TCP Vegas (1995).

use super::entrant::Seat;
use crate::time::Tick;
use std::collections::BTreeMap;

/// Who sets a replica's limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LimitRule {
    /// Learned: it begins at `max_concurrency`, and goes up to eight times that.
    #[default]
    Adaptive,
    /// `max_concurrency`, always.
    Fixed,
}

/// The limits of a pool's replicas.
#[derive(Debug)]
pub(super) struct Limits {
    rule: LimitRule,
    replicas: Vec<Limit>,
    /// What a replica begins with.
    fresh: Limit,
    /// Requests without a first token, by the number of their seats.
    flights: BTreeMap<u64, Flight>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    dispatched: Tick,
    /// Tokens that the engine has to read.
    tokens: u32,
    /// Whether the replica was at its limit then.
    was_full: bool,
}

/// One replica's.
#[derive(Debug, Clone)]
struct Limit {
    now: u32,
    least: u32,
    most: u32,
    baseline: Baseline,
    tpot_ms: Option<f64>,
    service_ms: Option<f64>,
    round: Round,
    /// Rounds in a row that found room for more.
    growing: u32,
    /// Whether the engine has never yet been seen to queue.
    is_new: bool,
}

/// What the answers say since the limit was changed last.
#[derive(Debug, Clone, Copy, Default)]
struct Round {
    /// Requests that went before tell of another limit.
    since: Tick,
    answers: u32,
    /// Those that went when the replica was at its limit.
    full: u32,
    /// Those that waited inside the engine.
    queued: u32,
    /// What these waited in all.
    wait_ms: f64,
}

impl Limits {
    pub(super) fn new(rule: LimitRule, replicas: usize, max_concurrency: u32) -> Limits {
        let most = match rule {
            LimitRule::Adaptive => max_concurrency.saturating_mul(MOST_GROWTH),
            LimitRule::Fixed => max_concurrency,
        };
        let limit = Limit {
            now: max_concurrency,
            least: LEAST.min(max_concurrency),
            most,
            baseline: Baseline::default(),
            tpot_ms: None,
            service_ms: None,
            round: Round::default(),
            growing: 0,
            is_new: true,
        };
        Limits { rule, replicas: vec![limit.clone(); replicas], fresh: limit, flights: BTreeMap::new() }
    }

    /// A replica joins at this index: nothing is known of it.
    pub(super) fn join(&mut self, replica: usize) {
        match self.replicas.get_mut(replica) {
            Some(limit) => *limit = self.fresh.clone(),
            None => self.replicas.push(self.fresh.clone()),
        }
    }

    /// The limit of a replica.
    pub(super) fn of(&self, replica: usize) -> u32 {
        self.replicas[replica].now
    }

    /// A request goes to this seat, as the `in_flight`-th, with so many tokens to be read.
    pub(super) fn begin(&mut self, seat: Seat, in_flight: u32, tokens: u32, now: Tick) {
        if self.rule == LimitRule::Fixed {
            return;
        }
        let was_full = in_flight >= self.of(seat.replica);
        self.flights.insert(seat.number, Flight { dispatched: now, tokens, was_full });
    }

    /// Its first token has come.
    pub(super) fn first_token(&mut self, seat: Seat, now: Tick) {
        if let Some(flight) = self.flights.remove(&seat.number) {
            let ttft_ms = now.since_ms(flight.dispatched);
            self.replicas[seat.replica].first_token(flight, ttft_ms, now);
        }
    }

    /// Its answer has come in one piece; this long after it went, its first token is thought to have been there.
    pub(super) fn first_token_after(&mut self, seat: Seat, ttft_ms: f64, now: Tick) {
        if let Some(flight) = self.flights.remove(&seat.number) {
            self.replicas[seat.replica].first_token(flight, ttft_ms, now);
        }
    }

    /// It has ended, with these times if it was answered.
    pub(super) fn end(&mut self, seat: Seat, answered: Option<(Option<f64>, f64)>) {
        self.flights.remove(&seat.number);
        let Some((tpot_ms, service_ms)) = answered else { return };
        let limit = &mut self.replicas[seat.replica];
        let mean =
            |before: Option<f64>, value: f64| before.map_or(value, |mean| mean + 0.05 * (value - mean));
        limit.service_ms = Some(mean(limit.service_ms, service_ms));
        limit.tpot_ms = tpot_ms.map(|tpot_ms| mean(limit.tpot_ms, tpot_ms)).or(limit.tpot_ms);
    }

    /// The fastest first token that any prompt may expect of any replica, whatever its cache holds; 0 when nothing is
    /// known.
    pub(super) fn fastest_ms(&self) -> f64 {
        let known = self.replicas.iter().filter_map(|limit| limit.baseline.of(1));
        known.min_by(f64::total_cmp).unwrap_or(0.0)
    }
}

impl Limit {
    fn first_token(&mut self, flight: Flight, ttft_ms: f64, now: Tick) {
        let steps_ms = STEPS * self.tpot_ms.unwrap_or(0.0);
        let reading_ms = (ttft_ms - steps_ms).max(0.0);
        let usual_ms = self.baseline.of(flight.tokens).unwrap_or(reading_ms) + steps_ms;
        let wait_ms = ttft_ms - usual_ms;
        let slack_ms = (SLACK * self.service_ms.unwrap_or(0.0)).clamp(NOISE_MS, MOST_SLACK_MS);
        let is_queued = ttft_ms > QUEUED * usual_ms && wait_ms > slack_ms;
        // What is unusual is not learned from, or a lasting queue would become the usual; but where the limit is as low
        // as may be, there is no queue of ours.
        let is_usual = ttft_ms <= USUAL * usual_ms || self.now <= self.least;
        self.baseline.add(flight.tokens, reading_ms, is_usual);
        if flight.dispatched < self.round.since {
            return;
        }
        self.round.answers += 1;
        self.round.full += u32::from(flight.was_full);
        self.round.queued += u32::from(is_queued);
        self.round.wait_ms += if is_queued { wait_ms } else { 0.0 };
        self.judge(ttft_ms, now);
    }

    fn judge(&mut self, ttft_ms: f64, now: Tick) {
        let Round { answers, full, queued, .. } = self.round;
        let was_full = 2 * full >= answers;
        if answers >= JUDGED.min(self.now) && 2 * queued > answers && was_full {
            self.cut(ttft_ms, now);
        } else if answers >= self.now {
            if was_full && 4 * queued <= answers {
                self.grow();
            } else {
                self.growing = 0;
            }
            self.round = Round { since: self.round.since, ..Round::default() };
        }
    }

    /// Takes off what is queued inside: that share of its requests that their waits are of their time there.
    fn cut(&mut self, ttft_ms: f64, now: Tick) {
        let mean_wait = self.round.wait_ms / f64::from(self.round.answers.max(1));
        let inside_ms = self.service_ms.unwrap_or(0.0).max(ttft_ms).max(mean_wait);
        let queued = (mean_wait / inside_ms).clamp(LEAST_CUT, MOST_CUT);
        let left = f64::from(self.now) * (1.0 - queued);
        self.now = (left as u32).min(self.now.saturating_sub(1)).max(self.least);
        self.round = Round { since: now, ..Round::default() };
        self.growing = 0;
        self.is_new = false;
    }

    /// By one; faster before the first cut, and the longer the more room is found.
    fn grow(&mut self) {
        self.growing += 1;
        let faster = self.now / 4;
        let step = if self.is_new { faster } else { (self.growing / 4).min(faster) };
        self.now = self.now.saturating_add(step.max(1)).min(self.most);
    }
}

/// How long an engine takes to read a prompt when nothing waits inside it: for each power of two of its tokens, a low
/// quantile of the time per token.
#[derive(Debug, Clone, Default)]
struct Baseline {
    per_token_ms: [Option<f64>; SIZES],
}

impl Baseline {
    /// The time for so many tokens; a shorter prompt takes no longer, and a longer one no longer for each token than
    /// one of half its size, nearly.
    fn of(&self, tokens: u32) -> Option<f64> {
        let (own, tokens) = (size(tokens), f64::from(tokens.max(1)));
        let of = |(at, per_token): (usize, Option<f64>)| {
            let longest = (2u64 << at) as f64;
            per_token.map(|per_token| per_token * tokens.max(if at > own { longest } else { 0.0 }))
        };
        self.per_token_ms.iter().copied().enumerate().filter_map(of).min_by(f64::total_cmp)
    }

    /// Moves down fast and up slowly, and up only for what is usual.
    fn add(&mut self, tokens: u32, reading_ms: f64, is_usual: bool) {
        let per_token = reading_ms / f64::from(tokens.max(1));
        let kept = &mut self.per_token_ms[size(tokens)];
        let Some(low) = kept else {
            *kept = Some(per_token);
            return;
        };
        if per_token < *low {
            *low += DOWN * (per_token - *low);
        } else if is_usual {
            *low += UP * per_token.min(2.0 * *low + UP_FROM_0);
        }
    }
}

fn size(tokens: u32) -> usize {
    (tokens.max(1).ilog2() as usize).min(SIZES - 1)
}

/// Prompts of up to a million tokens are told apart by size.
const SIZES: usize = 20;
/// A prompt waits for the step under way, and is read in one that the others' tokens are made in too.
const STEPS: f64 = 2.0;
/// Longer than this many times the usual, a first token has waited inside the engine for more than the few prompts that
/// keep it busy.
const QUEUED: f64 = 5.0;
/// Up to this many times the usual is usual.
const USUAL: f64 = 2.0;
/// Waits up to this are noise.
const NOISE_MS: f64 = 10.0;
/// Waits up to this share of an answer's time are the price of a full batch, where prompts have to wait for each other.
const SLACK: f64 = 0.05;
const MOST_SLACK_MS: f64 = 500.0;
/// So many answers are enough to see that the engine queues.
const JUDGED: u32 = 8;
/// The least and the most that one cut takes off, as shares.
const LEAST_CUT: f64 = 0.03;
const MOST_CUT: f64 = 0.5;
/// Below this, a batch saves nothing.
const LEAST: u32 = 4;
/// How far the limit may grow beyond `max_concurrency`.
const MOST_GROWTH: u32 = 8;
/// Steps of the low quantile: at rest, one observation of ten is below it.
const DOWN: f64 = 0.1;
const UP: f64 = 0.005;
const UP_FROM_0: f64 = 1e-6;

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
