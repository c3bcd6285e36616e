//! What a ledger can be asked: sums over a span of time, by whatever the requests have in common.

use super::StoreError;
use sluice_router::NanoUsd;
use std::collections::BTreeMap;

/// The read side of a store.
pub trait Ledger: Send {
    /// Sums over the requests that ended within the asked span, all from one consistent state.
    ///
    /// # Errors
    /// A store that can't be read, or sums beyond 64 bits.
    fn report(&self, ask: &ReportAsk) -> Result<Report, StoreError>;

    /// A stored decision with the configuration that it refers to: two JSON texts, receipt and snapshot.
    ///
    /// # Errors
    /// A store that can't be read.
    fn receipt(&self, decision_id: &str) -> Result<Option<(String, String)>, StoreError>;
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
    pub(super) fn span_ms(&self) -> (i64, i64) {
        (self.from_ms.unwrap_or(i64::MIN), self.to_ms.unwrap_or(i64::MAX))
    }

    /// SQL for sums over `tables`, where the requests are `r`: a row for each group, first what makes it. The values
    /// stand for the ends of the span.
    pub(super) fn sql(&self, tables: &str, sums: &str, [from, to]: [&str; 2]) -> String {
        let columns: Vec<String> = self.by.iter().map(|by| format!("r.{}", by.name())).collect();
        let columns = columns.join(", ");
        let (comma, group_by) = if columns.is_empty() { ("", "") } else { (", ", "GROUP BY ") };
        format!(
            "SELECT {columns}{comma}{sums} FROM {tables}
             WHERE r.at_unix_ms >= {from} AND r.at_unix_ms < {to} {group_by}{columns}"
        )
    }
}

/// Something that requests have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Whose they are.
    Tenant,
    /// Who answered; empty when nobody did.
    Expert,
    /// The most probable domain; empty without a model.
    Domain,
    /// The route or pinned expert.
    Route,
    /// The most probable language; empty without a model.
    Language,
    /// `ok`, or the name of the fault.
    Status,
}

impl By {
    /// Everything to group by.
    pub const ALL: &[By] = &[By::Tenant, By::Expert, By::Domain, By::Route, By::Language, By::Status];

    /// Its name on the command line, in reports, and as a column of `requests`.
    pub fn name(self) -> &'static str {
        match self {
            By::Tenant => "tenant",
            By::Expert => "expert",
            By::Domain => "domain",
            By::Route => "route",
            By::Language => "language",
            By::Status => "status",
        }
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
        sum(&mut self.tokens.output, other.tokens.output)?;
        money(&mut self.cost, other.cost)?;
        money(&mut self.baseline, other.baseline)?;
        money(&mut self.overhead, other.overhead)
    }
}

/// Groups by what they have in common, filled by one query after the other.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<Vec<String>, Group>);

impl Groups {
    /// The group of these.
    pub(super) fn of(&mut self, by: Vec<String>) -> &mut Group {
        self.0.entry(by.clone()).or_insert_with(|| Group { by, ..Group::default() })
    }

    /// With their total.
    pub(super) fn report(self) -> Result<Report, StoreError> {
        let groups: Vec<Group> = self.0.into_values().collect();
        let mut total = Group::default();
        for group in &groups {
            let added = total.add(group);
            added.ok_or_else(|| StoreError("the sums exceed 64 bits; ask for less time".to_owned()))?;
        }
        Ok(Report { total, groups })
    }
}

/// Tokens of many tries; `prompt` includes `cached`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenSums {
    /// Tokens of prompts, cached ones included.
    pub prompt: u64,
    /// Prompt tokens that came from a cache.
    pub cached: u64,
    /// Tokens produced.
    pub output: u64,
}

/// The account of what no client saw, as records name it.
pub(super) const OVERHEAD: &str = "overhead";
