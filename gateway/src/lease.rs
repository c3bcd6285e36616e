//! What a request holds and what it has used, from the door to the last byte.
//!
//! Whatever happens is written here as it happens, so that a request that is cut short settles at what it really used.

use crate::choose::Chosen;
use crate::lane::Slot;
use crate::observe::AttemptEnd;
use crate::request::Request;
use sluice_experts::{ErrorKind, ExpertError, Finish};
use sluice_router::{Step, Tick, Tokens, Verdict};

/// One request's holdings.
pub(crate) struct Lease {
    /// The request.
    pub(crate) request: Request,
    /// Its decision, once made.
    pub(crate) chosen: Option<Chosen>,
    /// Tries that have ended.
    pub(crate) attempts: Vec<Attempt>,
    /// The try that runs.
    pub(crate) open: Option<OpenAttempt>,
}

/// A try that runs, with its place on a replica.
pub(crate) struct OpenAttempt {
    step: Step,
    slot: Slot,
    wait_ms: f64,
    dispatched: Tick,
    first: Option<Tick>,
    /// Tokens relayed, by our own estimate.
    relayed: u32,
}

/// A try that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) step: Step,
    pub(crate) replica: String,
    pub(crate) end: AttemptEnd,
    pub(crate) detail: String,
    pub(crate) tokens: Tokens,
    pub(crate) estimated: bool,
    /// Whether anything of it reached the client.
    pub(crate) reached_client: bool,
    pub(crate) wait_ms: f64,
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) tpot_ms: Option<f64>,
    pub(crate) total_ms: f64,
    /// Whether its replica takes work now, where that changed.
    pub(crate) replica_up: Option<bool>,
}

/// Why a running try ends.
pub(crate) enum Ending<'a> {
    /// The answer is complete.
    Complete(&'a Finish),
    /// The engine failed.
    Failed(&'a ExpertError),
    /// The client left, or time was up.
    Cut,
}

impl Lease {
    /// A lease for a request that has just come in.
    pub(crate) fn new(request: Request) -> Lease {
        Lease { request, chosen: None, attempts: Vec::new(), open: None }
    }

    /// Opens a try.
    pub(crate) fn open(&mut self, step: Step, slot: Slot, wait_ms: f64, now: Tick) -> &OpenAttempt {
        self.open.insert(OpenAttempt { step, slot, wait_ms, dispatched: now, first: None, relayed: 0 })
    }

    /// Ends the running try, if there is one, and frees its place.
    pub(crate) fn close(&mut self, ending: Ending<'_>, now: Tick) -> Option<&Attempt> {
        let open = self.open.take()?;
        let prompt = self.chosen.as_ref().map_or(0, |chosen| chosen.needs.prompt_tokens);
        self.attempts.push(open.close(ending, prompt, now));
        self.attempts.last()
    }

    /// The try that answered, wholly or in part.
    pub(crate) fn answered(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.is_for_client())
    }

    /// Tokens of all tries together.
    pub(crate) fn tokens(&self) -> Tokens {
        self.attempts.iter().fold(Tokens::default(), |sum, attempt| Tokens {
            prompt: sum.prompt.saturating_add(attempt.tokens.prompt),
            cached: sum.cached.saturating_add(attempt.tokens.cached),
            output: sum.output.saturating_add(attempt.tokens.output),
        })
    }
}

impl Attempt {
    /// Whether its cost is the price of an answer rather than overhead.
    pub(crate) fn is_for_client(&self) -> bool {
        self.reached_client || self.end == AttemptEnd::Done
    }
}

impl OpenAttempt {
    /// The place that it runs in.
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// What it tries.
    pub(crate) fn step(&self) -> Step {
        self.step
    }

    /// Which replica of its pool it runs on.
    pub(crate) fn replica(&self) -> usize {
        self.slot.replica()
    }

    /// Text was relayed to the client. Returns the time to the first of it, the first time.
    pub(crate) fn relayed(&mut self, tokens: u32, now: Tick) -> Option<f64> {
        self.relayed = self.relayed.saturating_add(tokens);
        if self.first.is_some() {
            return None;
        }
        self.first = Some(now);
        Some(now.since_ms(self.dispatched))
    }

    fn close(self, ending: Ending<'_>, prompt_estimate: u32, now: Tick) -> Attempt {
        let (tokens, estimated) = self.used(&ending, prompt_estimate);
        let ttft_ms = self.first.map(|first| first.since_ms(self.dispatched));
        let total_ms = now.since_ms(self.dispatched);
        let after_first = self.first.map(|first| now.since_ms(first));
        let tpot_ms = after_first.filter(|_| tokens.output > 1).map(|ms| ms / f64::from(tokens.output - 1));
        let reached_client = self.first.is_some();
        let verdict = match &ending {
            Ending::Complete(_) => {
                Verdict::Answered { ttft_ms: ttft_ms.unwrap_or(total_ms), tpot_ms, service_ms: total_ms }
            }
            Ending::Failed(error) if error.is_ill_health() => {
                Verdict::Ill { unreachable: error.kind == ErrorKind::Unreachable }
            }
            Ending::Failed(_) | Ending::Cut => Verdict::Neutral,
        };
        let (end, detail) = match ending {
            Ending::Complete(_) => (AttemptEnd::Done, String::new()),
            Ending::Failed(error) if reached_client => (AttemptEnd::Broken, error.detail.clone()),
            Ending::Failed(error) => (AttemptEnd::Refused, error.detail.clone()),
            Ending::Cut => (AttemptEnd::Cut, String::new()),
        };
        let replica = self.slot.address().to_owned();
        self.slot.on_output(tokens.output);
        let replica_up = self.slot.end(verdict, now);
        Attempt {
            step: self.step,
            replica,
            end,
            detail,
            tokens,
            estimated,
            reached_client,
            wait_ms: self.wait_ms,
            ttft_ms,
            tpot_ms,
            total_ms,
            replica_up,
        }
    }

    /// What the try used, and whether that is our own estimate.
    ///
    /// The engine's count holds where it gives one. Else: nothing, if the engine accepted nothing; otherwise the
    /// prompt by estimate and the tokens relayed, because the engine has worked for them.
    fn used(&self, ending: &Ending<'_>, prompt_estimate: u32) -> (Tokens, bool) {
        let so_far = Tokens { prompt: prompt_estimate, cached: 0, output: self.relayed };
        match ending {
            // Some engines send zeros for what they don't count.
            Ending::Complete(Finish { usage: Some(usage), .. }) if usage.prompt > 0 || usage.output > 0 => {
                let cached = usage.cached.min(usage.prompt);
                (Tokens { prompt: usage.prompt, cached, output: usage.output }, false)
            }
            Ending::Failed(error) if self.first.is_none() && accepted_nothing(error.kind) => {
                (Tokens::default(), false)
            }
            Ending::Complete(_) | Ending::Failed(_) | Ending::Cut => (so_far, true),
        }
    }
}

/// Whether an engine that failed so, before its first event, has done no work that it could bill.
fn accepted_nothing(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unreachable
        | ErrorKind::Busy { .. }
        | ErrorKind::Rejected { .. }
        | ErrorKind::ContextTooLong
        | ErrorKind::Unauthorised
        | ErrorKind::Failed => true,
        ErrorKind::FirstTokenTimeout
        | ErrorKind::IdleTimeout
        | ErrorKind::Truncated
        | ErrorKind::Protocol
        | ErrorKind::Deadline => false,
    }
}
