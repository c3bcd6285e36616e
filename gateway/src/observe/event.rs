//! Everything worth telling, as a type. Prompts and keys have no field.

use crate::error::FaultCode;
use sluice_router::{Certificate, Change, Decision, NanoUsd, Tokens};

/// Something that happened. Emitting it writes the log line and moves the metrics.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A configuration took effect.
    Configured {
        /// Its SHA-256.
        config: &'a str,
        /// Whether it replaced another one.
        is_reload: bool,
        /// One line for each route: what it promises or why it goes to the reference.
        routes: &'a [&'a str],
    },
    /// What a route promises; sent for each route that isn't a pinned expert when a configuration takes effect.
    Promised {
        /// The route.
        route: &'a str,
        /// Mean quality of at least this share of the reference's: the certified floor, else 1, as then only the
        /// reference answers.
        ratio: f64,
    },
    /// A certificate in force; sent for each one when a configuration takes effect.
    Certified {
        /// The route.
        route: &'a str,
        /// The domain whose floor it is for; empty for the route's own.
        domain: &'a str,
        /// The evidence.
        certificate: &'a Certificate,
    },
    /// A new configuration or model was refused; the old one stays.
    ReloadRefused {
        /// What is wrong with it.
        why: &'a str,
    },
    /// The listeners are up.
    Ready {
        /// Address of the data port.
        data: &'a str,
        /// Address of the admin port.
        admin: &'a str,
    },
    /// The gateway takes no more requests.
    Draining {
        /// How many are under way.
        in_flight: usize,
    },
    /// A plan was chosen.
    Decided {
        /// The request's label.
        request: &'a str,
        /// The route.
        route: &'a str,
        /// The expert of the first step.
        expert: &'a str,
        /// The plan.
        decision: &'a Decision,
        /// Time for features and classification, in microseconds.
        classify_us: u64,
        /// Time from text in memory to the decision, in microseconds, classification included.
        decide_us: u64,
    },
    /// A request got its slot.
    Joined {
        /// The pool.
        pool: &'a str,
        /// Time in the pool's line, in milliseconds.
        wait_ms: f64,
    },
    /// A batch went to an engine that takes them whole.
    Batch {
        /// The pool.
        pool: &'a str,
        /// Its requests.
        rows: usize,
    },
    /// How a pool is; sent whenever it changes.
    Pool {
        /// The pool.
        pool: &'a str,
        /// Requests in its line.
        queued: usize,
        /// Requests being answered.
        in_flight: usize,
        /// Requests that may be answered at once.
        limit: usize,
        /// Replicas that take work.
        up: usize,
        /// Replicas that are well, but have asked for a pause.
        resting: usize,
        /// Replicas that don't.
        ejected: usize,
        /// Replicas that leave and still have work.
        draining: usize,
    },
    /// The first token of an answer came.
    FirstToken {
        /// The expert.
        expert: &'a str,
        /// Dispatch to first token, in milliseconds.
        ttft_ms: f64,
    },
    /// A try ended.
    Attempt {
        /// The request's label.
        request: &'a str,
        /// The expert.
        expert: &'a str,
        /// The pool.
        pool: &'a str,
        /// The replica's address.
        replica: &'a str,
        /// How.
        end: AttemptEnd,
        /// Why it failed; empty when it didn't.
        detail: &'a str,
        /// First token to end over the tokens between them, in milliseconds.
        tpot_ms: Option<f64>,
        /// The time to its first token over what was predicted, for a request's first try.
        ttft_ratio: Option<f64>,
        /// `tpot_ms` over what was predicted, for a request's first try.
        tpot_ratio: Option<f64>,
    },
    /// A replica stopped taking work, or takes it again.
    Replica {
        /// The pool.
        pool: &'a str,
        /// The replica's address.
        replica: &'a str,
        /// Which of the two, and why.
        change: Change,
    },
    /// Replicas of a pool were found, or have gone.
    Discovered {
        /// The pool.
        pool: &'a str,
        /// How many are new.
        joined: usize,
        /// How many have gone.
        left: usize,
    },
    /// Looking for a pool's replicas failed, wholly or in part; it keeps those that it has.
    DiscoveryFailed {
        /// The pool.
        pool: &'a str,
        /// Why.
        why: &'a str,
    },
    /// A request ended.
    Settled {
        /// The request's label.
        request: &'a str,
        /// The route.
        route: &'a str,
        /// Whose it is.
        tenant: &'a str,
        /// Who answered; empty when nobody did.
        expert: &'a str,
        /// What went wrong; `None` when nothing did.
        fault: Option<FaultCode>,
        /// Why; empty when nothing went wrong.
        detail: &'a str,
        /// The HTTP status that stands for its end.
        http_status: u16,
        /// What all attempts used.
        tokens: Tokens,
        /// What all attempts cost.
        cost: NanoUsd,
        /// What the reference would have cost.
        baseline: NanoUsd,
        /// From the door to the last byte, in milliseconds.
        total_ms: f64,
        /// Of which was neither line nor engine, in milliseconds.
        overhead_ms: f64,
    },
    /// Somebody used the admin port's keys, or tried to.
    Admin {
        /// `list`, `create` or `revoke`.
        what: &'a str,
        /// The id of the key that it was about; empty when none was.
        key: &'a str,
        /// Its tenant.
        tenant: &'a str,
        /// `done`, or `refused` for want of the admin key.
        outcome: &'a str,
    },
    /// The keys that were made since have been read; sent every second.
    Keys {
        /// How many are known, those of the configuration included.
        known: usize,
        /// Why they could not be read, so that the last ones hold; `None` when they were.
        trouble: Option<&'a str>,
        /// Whether that is otherwise than the last time.
        is_news: bool,
    },
    /// How a budget stands; sent every second.
    Budget {
        /// Whose it is, as in `acme/web`.
        level: &'a str,
        /// What is left of it, as far as this gateway knows.
        remaining: NanoUsd,
        /// Why the place that gateways share could not be asked; `None` when it could.
        trouble: Option<&'a str>,
    },
    /// More of a budget has been used than before, by a step that its owner wants to know of.
    BudgetUsed {
        /// Whose it is, as in `acme/web`.
        level: &'a str,
        /// What may be spent in the period.
        budget: NanoUsd,
        /// 50, 80 or 100.
        percent: u8,
    },
    /// The webhook was not told that more of a budget has been used.
    AlertLost {
        /// Whose budget it is.
        level: &'a str,
        /// 50, 80 or 100.
        percent: u8,
        /// What came in between; without the webhook's URL.
        why: &'a str,
    },
    /// An engine charged more than what it was allowed to: the operator pays.
    Overran {
        /// Which request.
        request: &'a str,
        /// Whose engine.
        expert: &'a str,
        /// By how much.
        amount: NanoUsd,
    },
    /// A minute of a pool on GPUs of one's own has been booked.
    PoolMinute {
        /// The pool.
        pool: &'a str,
        /// What the minute cost.
        bill: NanoUsd,
        /// What requests were charged of it.
        charged: NanoUsd,
    },
    /// The journal can't be written to, or can again.
    Journal {
        /// What is wrong; `None` when it works.
        trouble: Option<&'a str>,
        /// Age of the oldest record that is not yet durable, in seconds.
        lag_s: f64,
    },
    /// How far the fleet's ledger is behind the journal.
    Shipping {
        /// Why nothing can be shipped; `None` when it works.
        trouble: Option<&'a str>,
        /// Records that wait.
        unshipped: u64,
        /// Age of the oldest request that waits, in seconds.
        lag_s: f64,
    },
    /// The shared store works, but its operator should know something of it.
    SharedStore {
        /// What, and the mend.
        warning: &'a str,
    },
    /// A part of the gateway panicked; the request that it was for failed, nothing else.
    Panicked {
        /// Which task.
        task: &'a str,
    },
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The answer is complete.
    Done,
    /// The engine accepted nothing.
    Refused,
    /// The answer broke off.
    Broken,
    /// The client left, the deadline passed, or the gateway's drain ended.
    Cut,
    /// Another try of the same request answered first.
    HedgeLost,
    /// The engine sent more than it was asked for: the answer ends at its limit.
    Overran,
}

impl AttemptEnd {
    /// As written in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            AttemptEnd::Done => "done",
            AttemptEnd::Refused => "refused",
            AttemptEnd::Broken => "broken",
            AttemptEnd::Cut => "cut",
            AttemptEnd::HedgeLost => "hedge_lost",
            AttemptEnd::Overran => "overran",
        }
    }
}
