//! What a ledger can be asked: sums over a span of time, by whatever the requests have in common.
//!
//! A store only runs queries ([`Tables`]); what they are and what their rows mean is the same for all.

mod booked;
mod by;
mod purge;
mod read;

pub use booked::{Booked, Offered, PriceBook, Used};
pub use by::By;
pub(super) use by::{Dialect, quoted};
pub(super) use purge::{ATTEMPTS, DECISIONS, REQUESTS};
pub use purge::{PurgeAsk, Purged};
pub(super) use read::{Line, Query};

use super::StoreError;
use sluice_router::NanoUsd;
use std::collections::BTreeMap;

/// The read side of a store. Each call sees one consistent state.
///
/// # Errors
/// Of every call: a store that can't be read, or sums beyond 64 bits.
pub trait Ledger: Send {
    /// Sums over the requests that ended within the asked span.
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError>;

    /// Every booking of the span, summed as bills are, with the prices that were used.
    fn booked(&self, window: Window) -> Result<(Vec<Booked>, PriceBook), StoreError>;

    /// What each expert was asked to do in the span, with the prices that were used.
    fn used(&self, window: Window) -> Result<(Vec<Used>, PriceBook), StoreError>;

    /// A stored decision with the configuration that it refers to: two JSON texts, receipt and snapshot.
    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError>;

    /// Forgets what a tenant's requests were, beyond their money. Bookings stay: they are never changed or deleted.
    fn purge(&self, ask: &PurgeAsk) -> Result<Purged, StoreError>;
}

/// A store that answers queries.
pub(super) trait Tables: Send {
    /// What it says in its own way.
    const DIALECT: Dialect;

    /// The rows of each query, all from one state of the store.
    fn read(&self, queries: &[Query], window: Window) -> Result<Vec<Vec<Line>>, StoreError>;

    /// As [`Ledger::receipt`].
    fn find_receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError>;

    /// As [`Ledger::purge`].
    fn forget(&self, ask: &PurgeAsk) -> Result<Purged, StoreError>;
}

impl<T: Tables> Ledger for T {
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError> {
        let queries: Vec<Query> = read::PARTS.iter().map(|part| part.query(&ask.by, T::DIALECT)).collect();
        let answers = self.read(&queries, ask.window())?;
        let mut groups = Groups::default();
        for (part, lines) in read::PARTS.iter().zip(answers) {
            for line in lines {
                (part.take)(groups.of(line.texts.clone()), &line);
            }
        }
        groups.report()
    }

    fn booked(&self, window: Window) -> Result<(Vec<Booked>, PriceBook), StoreError> {
        let (lines, book) = with_prices(self.read(&[read::booked(T::DIALECT), read::snapshots()], window)?);
        Ok((lines.into_iter().map(Booked::of).collect(), book))
    }

    fn used(&self, window: Window) -> Result<(Vec<Used>, PriceBook), StoreError> {
        let (lines, book) = with_prices(self.read(&[read::used(T::DIALECT), read::snapshots()], window)?);
        Ok((lines.into_iter().map(Used::of).collect(), book))
    }

    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError> {
        self.find_receipt(decision_id)
    }

    fn purge(&self, ask: &PurgeAsk) -> Result<Purged, StoreError> {
        self.forget(ask)
    }
}

/// Rows of a first query, and the prices of a second one.
fn with_prices(answers: Vec<Vec<Line>>) -> (Vec<Line>, PriceBook) {
    let mut answers = answers.into_iter();
    let lines = answers.next().unwrap_or_default();
    (lines, booked::price_book(answers.next().unwrap_or_default()))
}

/// From when until when requests must have ended, in milliseconds since 1970; the end is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At this time or later.
    pub from_ms: i64,
    /// Before this time.
    pub to_ms: i64,
}

/// What to sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportAsk {
    /// What makes a group; empty means one group of everything.
    pub by: Vec<By>,
    /// Requests that ended at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Requests that ended before this time, in milliseconds since 1970.
    pub to_ms: Option<i64>,
}

impl ReportAsk {
    /// Its span, both ends given.
    pub fn window(&self) -> Window {
        Window { from_ms: self.from_ms.unwrap_or(i64::MIN), to_ms: self.to_ms.unwrap_or(i64::MAX) }
    }
}

/// Sums over all asked requests, and over each group of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Over everything; its `by` is empty.
    pub total: Group,
    /// In the order of their `by`; their sums add up to the total's.
    pub groups: Vec<Group>,
}

/// Sums over requests that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// What they have in common, in the order that was asked.
    pub by: Vec<String>,
    /// Requests, refused ones included.
    pub requests: u64,
    /// Requests whose answer did not keep the route's floor.
    pub below_floor: u64,
    /// Tries at replicas.
    pub attempts: u64,
    /// Ledger entries.
    pub entries: u64,
    /// What they cost.
    pub cost: NanoUsd,
    /// What the reference would have cost.
    pub baseline: NanoUsd,
    /// Of the cost, what was spent on tries that no client saw.
    pub overhead: NanoUsd,
    /// Beyond the cost: what engines charged beyond their caps, which is the operator's.
    pub overrun: NanoUsd,
    /// Beyond the cost: what crashes left unknown of budgets, of requests that nobody knows of any more.
    pub unattributed: NanoUsd,
    /// Beyond the cost: what GPUs of one's own cost that no request was charged for, of no request either.
    pub idle: NanoUsd,
    /// What all tries used.
    pub tokens: TokenSums,
}

impl Group {
    /// What the requests cost less than the reference would have; negative when they cost more.
    pub fn saved(&self) -> NanoUsd {
        self.baseline - self.cost
    }
}

impl Group {
    /// Adds another group's sums; `None` beyond 64 bits.
    fn add(&mut self, other: &Group) -> Option<()> {
        let sum = |a: &mut u64, b: u64| a.checked_add(b).map(|sum| *a = sum);
        let money = |a: &mut NanoUsd, b: NanoUsd| a.0.checked_add(b.0).map(|sum| *a = NanoUsd(sum));
        sum(&mut self.requests, other.requests)?;
        sum(&mut self.below_floor, other.below_floor)?;
        sum(&mut self.attempts, other.attempts)?;
        sum(&mut self.entries, other.entries)?;
        sum(&mut self.tokens.prompt, other.tokens.prompt)?;
        sum(&mut self.tokens.cached, other.tokens.cached)?;
        sum(&mut self.tokens.cache_write, other.tokens.cache_write)?;
        sum(&mut self.tokens.output, other.tokens.output)?;
        money(&mut self.cost, other.cost)?;
        money(&mut self.baseline, other.baseline)?;
        money(&mut self.overhead, other.overhead)?;
        money(&mut self.overrun, other.overrun)?;
        money(&mut self.idle, other.idle)?;
        money(&mut self.unattributed, other.unattributed)
    }
}

/// Groups by what they have in common, filled by one query after the other.
#[derive(Debug, Default)]
struct Groups(BTreeMap<Vec<String>, Group>);

impl Groups {
    /// The group of these.
    fn of(&mut self, by: Vec<String>) -> &mut Group {
        self.0.entry(by.clone()).or_insert_with(|| Group { by, ..Group::default() })
    }

    /// With their total.
    fn report(self) -> Result<Report, StoreError> {
        let groups: Vec<Group> = self.0.into_values().collect();
        let mut total = Group::default();
        for group in &groups {
            let added = total.add(group);
            added.ok_or_else(|| StoreError("the sums exceed 64 bits; ask for less time".to_owned()))?;
        }
        Ok(Report { total, groups })
    }
}

/// Tokens of many tries; `prompt` includes `cached` and `cache_write`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenSums {
    /// Tokens of prompts, cached ones included.
    pub prompt: u64,
    /// Prompt tokens that came from a cache.
    pub cached: u64,
    /// Prompt tokens that were written to one.
    pub cache_write: u64,
    /// Tokens produced.
    pub output: u64,
}
