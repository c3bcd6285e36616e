//! A try that runs, with its place on a replica.

use super::usage::{Bounds, Used, used};
use super::{Attempt, Ending};
use crate::gpus::Occupied;
use crate::lane::Slot;
use crate::money::Held;
use crate::observe::{AttemptEnd, Span};
use sluice_experts::{ErrorKind, ExpertError};
use sluice_router::{
    DEFAULT_COOLDOWN_MS, NanoUsd, Step, Tick, Verdict, estimate_tokens, estimate_twentieths,
};

/// A try that runs, with its place on a replica.
pub(crate) struct OpenAttempt {
    n: u8,
    step: Step,
    slot: Slot,
    /// What is held for it.
    held: Held,
    /// Its part of GPUs of one's own.
    occupied: Option<Occupied>,
    span: Span,
    wait_ms: f64,
    dispatched: Tick,
    first: Option<Tick>,
    /// Whether the answer was asked for in one piece: its first event is then its end as well, and tells of no token.
    whole: bool,
    /// Tokens relayed, by our own estimate.
    relayed: u32,
    /// Pieces of the answer that have come, and their length in twentieths of a token.
    pieces: u32,
    length: u64,
}

/// Where a try is sent, and with whose money.
pub(crate) struct Place {
    /// The place on a replica.
    pub(crate) slot: Slot,
    /// How long that took, in milliseconds.
    pub(crate) wait_ms: f64,
    /// What is held for it.
    pub(crate) held: Held,
}

/// A try that has ended, before it is paid for.
pub(super) struct Closed {
    pub(super) attempt: Attempt,
    pub(super) held: Held,
    pub(super) occupied: Option<Occupied>,
}

impl OpenAttempt {
    /// A try that begins now.
    pub(crate) fn new(
        n: u8,
        step: Step,
        place: Place,
        occupied: Option<Occupied>,
        span: Span,
        now: Tick,
        whole: bool,
    ) -> OpenAttempt {
        let (first, relayed, pieces, length) = (None, 0, 0, 0);
        let Place { slot, wait_ms, held } = place;
        let dispatched = now;
        OpenAttempt {
            n,
            step,
            slot,
            held,
            occupied,
            span,
            wait_ms,
            dispatched,
            first,
            whole,
            relayed,
            pieces,
            length,
        }
    }

    /// Which of the request's tries it is.
    pub(crate) fn n(&self) -> u8 {
        self.n
    }

    /// The place that it runs in.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Its stage in traces.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// What it tries.
    pub(crate) fn step(&self) -> Step {
        self.step
    }

    /// Which replica of its pool it runs on.
    pub(crate) fn replica(&self) -> usize {
        self.slot.replica()
    }

    /// More of the answer has come. Returns whether the engine is over the limit of its output.
    ///
    /// An engine sends a piece for each token or for more, so more pieces than tokens are over it. Proxies that smooth
    /// a stream cut tokens to pieces; then the text alone must be too long as well.
    pub(crate) fn overruns(&mut self, piece: &str) -> bool {
        self.pieces = self.pieces.saturating_add(1);
        self.length = self.length.saturating_add(estimate_twentieths(piece));
        let (limit, length) = (u64::from(self.step.max_output_tokens), self.length / 20);
        let by_pieces = u64::from(self.pieces) > limit + SLACK && length > limit + limit / 2 + SLACK;
        by_pieces || length > limit * FAR_TOO_LONG + SLACK
    }

    /// A piece of the answer goes to the client. Returns the time to the first of them, the first time; nothing for an
    /// answer in one piece, of which nobody knows when its first token was there.
    pub(crate) fn relayed(&mut self, piece: &str, now: Tick) -> Option<f64> {
        self.relayed = self.relayed.saturating_add(estimate_tokens(piece));
        if self.first.is_some() {
            return None;
        }
        self.first = Some(now);
        #[cfg(test)]
        if crate::netsim::plant::frees_early() {
            self.slot.free_early(now);
        }
        (!self.whole).then(|| now.since_ms(self.dispatched))
    }

    /// What became of it, its cost left open, and what was held and occupied for it.
    pub(super) fn close(self, ending: Ending<'_>, bounds: Bounds, now: Tick) -> Closed {
        let Used { tokens, estimated, doubt } = used(&ending, bounds, self.relayed, self.first.is_some());
        let seen = self.first.filter(|_| !self.whole);
        let ttft_ms = seen.map(|first| first.since_ms(self.dispatched));
        let total_ms = now.since_ms(self.dispatched);
        let after_first = seen.map(|first| now.since_ms(first));
        let tpot_ms = after_first.filter(|_| tokens.output > 1).map(|ms| ms / f64::from(tokens.output - 1));
        let reached_client = self.first.is_some() && !matches!(ending, Ending::Unseen(_));
        let answered = match self.whole {
            true => Verdict::Whole { output_tokens: tokens.output, service_ms: total_ms },
            false => {
                Verdict::Answered { ttft_ms: ttft_ms.unwrap_or(total_ms), tpot_ms, service_ms: total_ms }
            }
        };
        let (end, detail) = told(&ending, self.first.is_some(), doubt);
        let replica = self.slot.address().to_owned();
        self.slot.on_output(tokens.output);
        let replica_change = self.slot.end(judge(&ending, answered), now);
        let attempt = Attempt {
            n: self.n,
            step: self.step,
            replica,
            end,
            detail,
            tokens,
            estimated,
            cost: NanoUsd::ZERO,
            overrun: NanoUsd::ZERO,
            reached_client,
            wait_ms: self.wait_ms,
            ttft_ms,
            tpot_ms,
            total_ms,
            replica_change,
        };
        Closed { attempt, held: self.held, occupied: self.occupied }
    }
}

/// What the end of a try tells of its replica.
fn judge(ending: &Ending<'_>, answered: Verdict) -> Verdict {
    match ending {
        Ending::Complete(_) => answered,
        Ending::Failed(error) | Ending::Unseen(error) => verdict(error),
        // Late is not ill: the try that lost was merely slower than another.
        Ending::Cut | Ending::HedgeLost | Ending::Overran => Verdict::Neutral,
    }
}

/// What an engine's failure tells of its replica.
pub(crate) fn verdict(error: &ExpertError) -> Verdict {
    match error.kind {
        ErrorKind::Busy { retry_after, is_quota } => {
            let named = retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            Verdict::Busy { retry_after_ms: named.unwrap_or(DEFAULT_COOLDOWN_MS), is_quota }
        }
        kind if error.is_ill_health() => Verdict::Ill { unreachable: kind == ErrorKind::Unreachable },
        _ => Verdict::Neutral,
    }
}

/// How the try is written down, and why it failed or what is wrong with its count.
fn told(ending: &Ending<'_>, has_begun: bool, doubt: String) -> (AttemptEnd, String) {
    match ending {
        Ending::Complete(_) => (AttemptEnd::Done, doubt),
        Ending::Overran => {
            (AttemptEnd::Overran, "the engine went on after its limit and was cut off".to_owned())
        }
        Ending::Failed(error) | Ending::Unseen(error) if has_begun => {
            (AttemptEnd::Broken, error.detail.clone())
        }
        Ending::Failed(error) | Ending::Unseen(error) => (AttemptEnd::Refused, error.detail.clone()),
        Ending::HedgeLost => (AttemptEnd::HedgeLost, String::new()),
        Ending::Cut => (AttemptEnd::Cut, String::new()),
    }
}

/// Pieces and tokens that are within the error of counting.
const SLACK: u64 = 16;
/// No language has so many characters to a token that a text of this many times its limit, by estimate, keeps it.
const FAR_TOO_LONG: u64 = 8;
