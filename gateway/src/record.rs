//! What the journal keeps of a request: its decision, its attempts, and its money as double entries.

use sluice_router::{NanoUsd, Receipt, Tokens};
use uuid::Uuid;

/// One unit of the journal; each is written in one transaction, wholly or not at all.
#[derive(Debug, Clone)]
pub enum Record {
    /// A configuration that decisions refer to.
    Snapshot {
        /// SHA-256 of `json`, hex.
        config: String,
        /// A [`sluice_router::Snapshot`].
        json: String,
    },
    /// A request has ended, with everything that belongs to it.
    Settled(Box<Settled>),
    /// Up to where this start of the gateway may draw on its share of a budget; the last one of an account counts.
    Mark {
        /// Whose share: the name of a budget in one period.
        account: String,
        /// In all, since the start.
        amount: NanoUsd,
    },
    /// Money is held for a request: durable before anything is sent for it.
    Held(Held),
    /// The share of an earlier start is about to be closed. It is once its vault has been kept; until then a later start has to
    /// know what was left open, and does it again.
    Closed(Closing),
    /// The vault of a budget has been kept with the shares of these starts closed: nobody has to look at them again.
    Kept {
        /// The name of the budget in one period.
        account: String,
        /// Which starts.
        epochs: Vec<u64>,
    },
    /// A minute of a pool on GPUs of one's own is over, and so is every request that ran in it.
    Minute(Minute),
}

/// Money held for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub request_id: Uuid,
    /// Counts the holds of the request.
    pub hold: u32,
    /// In which budgets.
    pub accounts: Vec<String>,
    /// How much, in each of them.
    pub amount: NanoUsd,
}

/// The share of a budget that an earlier start of this gateway held, as it turned out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Whose share: the name of a budget in one period.
    pub account: String,
    /// Which start.
    pub epoch: u64,
    /// Whose budget.
    pub tenant: String,
    /// When it was closed, in milliseconds since 1970.
    pub at_unix_ms: i64,
    /// Spent for certain.
    pub spent: NanoUsd,
    /// May have been spent, and can't be known.
    pub unattributed: NanoUsd,
}

/// A minute of a pool on GPUs of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// Which pool.
    pub pool: String,
    /// Whose it is.
    pub expert: String,
    /// When it began, in milliseconds since 1970. A pool has at most one record of each minute from one start of a gateway.
    pub start_ms: i64,
    /// What it cost, above 0.
    pub bill: NanoUsd,
    /// What requests were charged of it: at most the bill. Their settlements are booked with them.
    pub charged: NanoUsd,
    /// Version of the prices: the snapshot's SHA-256.
    pub price_version: String,
}

/// What a request has drawn from a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The name of a budget in one period.
    pub account: String,
    /// All its tries together, at least 0.
    pub amount: NanoUsd,
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The request's id, a UUIDv7.
    pub request_id: Uuid,
    /// What the client calls it.
    pub label: String,
    /// When it ended, in milliseconds since 1970.
    pub at_unix_ms: i64,
    /// Whose it is.
    pub tenant: String,
    /// The project that it belongs to; empty when its key belongs to none.
    pub project: String,
    /// The id of the key that it came with, which is no secret; empty when none was needed.
    pub key: String,
    /// The route or pinned expert; empty when the name was unknown.
    pub route: String,
    /// Which edge it came through.
    pub front: &'static str,
    /// The most probable domain; empty without a model.
    pub domain: String,
    /// The most probable language; empty without a model.
    pub language: String,
    /// `ok`, or the name of the fault.
    pub status: &'static str,
    /// Who answered; empty when nobody did.
    pub expert: String,
    /// False when the route's floor was not held.
    pub floor_held: bool,
    /// All attempts together.
    pub cost: NanoUsd,
    /// What the reference would have cost.
    pub baseline: NanoUsd,
    /// Time to the first token, in milliseconds; `None` when none came.
    pub ttft_ms: Option<f64>,
    /// Time until the end, in milliseconds.
    pub total_ms: f64,
    /// `x-sluice-tags`.
    pub tags: Vec<(String, String)>,
    /// The decision; `None` when none was made.
    pub receipt: Option<Box<Receipt>>,
    /// Every try, in order.
    pub attempts: Vec<AttemptRecord>,
    /// The money, one entry for each attempt that cost any.
    pub entries: Vec<LedgerEntry>,
    /// What it has drawn from each budget that bounds it.
    pub charges: Vec<Charge>,
}

/// One try of one step on one replica.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// 0, 1, ...
    pub n: u8,
    /// Who was asked.
    pub expert: String,
    /// Where.
    pub pool: String,
    /// At which address.
    pub replica: String,
    /// `done`, `refused`, `broken`, `cut`, `hedge_lost` or `overran`.
    pub end: &'static str,
    /// Why it failed, or what was wrong with its count; empty when nothing was.
    pub detail: String,
    /// What it used.
    pub tokens: Tokens,
    /// True when the gateway counted by itself because the engine did not.
    pub estimated: bool,
    /// What it cost.
    pub cost: NanoUsd,
    /// Time in the pool's line, in milliseconds.
    pub wait_ms: f64,
    /// Dispatch to first event, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// Dispatch to end, in milliseconds.
    pub total_ms: f64,
}

/// One booking: `amount` moves from `credit` to `debit`. The key (request, attempt, phase) is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Which attempt.
    pub attempt: u8,
    /// Which step of an attempt's life.
    pub phase: Phase,
    /// The account that grows.
    pub debit: Account,
    /// The account that shrinks.
    pub credit: Account,
    /// Above 0.
    pub amount: NanoUsd,
    /// Version of the prices: the snapshot's SHA-256.
    pub price_version: String,
}

/// Which step of an attempt's life a booking belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The one true booking at its end.
    Settle,
    /// What it cost beyond what it was allowed to.
    Overrun,
}

/// Where money stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What tenants put in.
    Funded,
    /// What answers that reached a client cost.
    Spent,
    /// What tries cost that no client saw.
    Overhead,
    /// What engines charged beyond their caps: the operator's, in nobody's budget.
    Overrun,
}
