//! What a request holds and what it has used, from the door to the last byte.
//!
//! Whatever happens is written here as it happens, so that a request that is cut short settles at what it really used.
//! Several tries may be open at once; each ends once.

use crate::choose::Chosen;
use crate::money::{Held, Purse};
use crate::observe::AttemptEnd;
use crate::record::Charge;
use crate::request::Request;
use crate::tenants::Pass;
use sluice_experts::{ExpertError, Finish};
use sluice_router::{Change, NanoUsd, Price, Step, Tick, Tokens};

mod open;
mod usage;

use open::Closed;
pub(crate) use open::{OpenAttempt, Place, verdict};

/// One request's holdings.
pub(crate) struct Lease {
    /// The request.
    pub(crate) request: Request,
    /// Its decision, once made.
    pub(crate) chosen: Option<Box<Chosen>>,
    /// Tries that have ended, in the order in which they did.
    pub(crate) attempts: Vec<Attempt>,
    /// What it holds of its limits.
    pub(crate) pass: Pass,
    /// Tries that run.
    open: Vec<OpenAttempt>,
    /// What it may draw on.
    pub(crate) purse: Purse,
    /// Money that is held for the next try.
    pub(crate) reserve: Option<Held>,
    /// What it has drawn from each budget so far.
    pub(crate) charges: Vec<Charge>,
    /// How often money was held for it.
    pub(crate) holds: u32,
    /// How long nothing was done because every pool that was left had asked to wait, in milliseconds.
    pub(crate) rested_ms: f64,
}

/// A try that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// Which of the request's tries, in the order in which they were sent.
    pub(crate) n: u8,
    pub(crate) step: Step,
    pub(crate) replica: String,
    pub(crate) end: AttemptEnd,
    pub(crate) detail: String,
    pub(crate) tokens: Tokens,
    pub(crate) estimated: bool,
    /// What is paid for it: at most what was held.
    pub(crate) cost: NanoUsd,
    /// What its engine charged beyond that.
    pub(crate) overrun: NanoUsd,
    /// Whether anything of it reached the client.
    pub(crate) reached_client: bool,
    pub(crate) wait_ms: f64,
    pub(crate) ttft_ms: Option<f64>,
    pub(crate) tpot_ms: Option<f64>,
    pub(crate) total_ms: f64,
    /// What has become of its replica, where something has.
    pub(crate) replica_change: Option<Change>,
}

/// Why a running try ends.
pub(crate) enum Ending<'a> {
    /// The answer is complete.
    Complete(&'a Finish),
    /// The engine sent more than it was asked for.
    Overran,
    /// The engine failed.
    Failed(&'a ExpertError),
    /// The engine failed in an answer of which nothing has reached the client yet.
    Unseen(&'a ExpertError),
    /// Another try answered first.
    HedgeLost,
    /// The client left, or time was up.
    Cut,
}

impl Lease {
    /// A lease for a request that has just come in.
    pub(crate) fn new(request: Request, purse: Purse) -> Lease {
        Lease {
            request,
            chosen: None,
            attempts: Vec::new(),
            pass: Pass::default(),
            open: Vec::new(),
            purse,
            reserve: None,
            charges: Vec::new(),
            holds: 0,
            rested_ms: 0.0,
        }
    }

    /// The decision that every try follows.
    pub(crate) fn decided(&self) -> &Chosen {
        self.chosen.as_deref().expect("a try follows a decision")
    }

    /// Keeps a try that begins.
    pub(crate) fn open(&mut self, attempt: OpenAttempt) {
        self.open.push(attempt);
    }

    /// The running try with this number.
    pub(crate) fn running(&self, n: u8) -> Option<&OpenAttempt> {
        self.open.iter().find(|open| open.n() == n)
    }

    /// The running try with this number, to write to.
    pub(crate) fn running_mut(&mut self, n: u8) -> Option<&mut OpenAttempt> {
        self.open.iter_mut().find(|open| open.n() == n)
    }

    /// The numbers of the tries that run.
    pub(crate) fn running_all(&self) -> Vec<u8> {
        self.open.iter().map(OpenAttempt::n).collect()
    }

    /// Ends a running try, and frees its place; `None` when it has ended already.
    pub(crate) fn close(&mut self, n: u8, ending: Ending<'_>, now: Tick) -> Option<&Attempt> {
        let at = self.open.iter().position(|open| open.n() == n)?;
        let bounds = usage::Bounds::of(self.chosen.as_deref(), self.open[at].step());
        let Closed { attempt, held, occupied } = self.open.swap_remove(at).close(ending, bounds, now);
        let of_tokens = self.price(attempt.step).cost(attempt.tokens);
        let cost = occupied.map_or(of_tokens, |occupied| occupied.end(now, of_tokens));
        let settlement = held.settle(cost, &mut self.charges);
        self.attempts.push(Attempt { cost: settlement.paid, overrun: settlement.overrun, ..attempt });
        self.attempts.last()
    }

    /// What the expert of a step charges.
    pub(crate) fn price(&self, step: Step) -> Price {
        self.decided().live.rules.snapshot.fleet.experts[step.expert].price
    }

    /// Gives back what is held for a try that will not be made.
    pub(crate) fn release(&mut self) {
        if let Some(held) = self.reserve.take() {
            held.release(&mut self.charges);
        }
    }

    /// The try that answered, wholly or in part: at most one does.
    pub(crate) fn answered(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.is_for_client())
    }

    /// Tokens of all tries together.
    pub(crate) fn tokens(&self) -> Tokens {
        self.attempts.iter().fold(Tokens::default(), |sum, attempt| Tokens {
            prompt: sum.prompt.saturating_add(attempt.tokens.prompt),
            cached: sum.cached.saturating_add(attempt.tokens.cached),
            cache_write: sum.cache_write.saturating_add(attempt.tokens.cache_write),
            output: sum.output.saturating_add(attempt.tokens.output),
        })
    }

    /// Corrects what was taken of limits on tokens to what the answer used; tries that no client saw count for nothing.
    pub(crate) fn settle_pass(&mut self) {
        let tokens = self.answered().map(|attempt| attempt.tokens).unwrap_or_default();
        self.pass.settle(u64::from(tokens.prompt) + u64::from(tokens.output));
    }

    /// Time that was spent in lines, at engines and at rest, in milliseconds. A try that lost ran beside another.
    pub(crate) fn elsewhere_ms(&self) -> f64 {
        let counted = self.attempts.iter().filter(|attempt| attempt.end != AttemptEnd::HedgeLost);
        self.rested_ms + counted.map(|attempt| attempt.wait_ms + attempt.total_ms).sum::<f64>()
    }
}

impl Attempt {
    /// Whether its cost is the price of an answer rather than overhead.
    pub(crate) fn is_for_client(&self) -> bool {
        self.reached_client || self.end == AttemptEnd::Done
    }
}
