//! What reports read: SQL that every store understands, and what its rows mean.
//!
//! A query gives texts first, then integers. `$1` and `$2` stand for the ends of the span, in this order.

use super::{By, Dialect, Group};
use sluice_router::NanoUsd;

/// One query.
pub(in crate::store) struct Query {
    pub(in crate::store) sql: String,
    /// How many columns are texts.
    pub(in crate::store) texts: usize,
    /// How many are integers, after those.
    pub(in crate::store) numbers: usize,
}

/// One row of a query's answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Line {
    pub(in crate::store) texts: Vec<String>,
    pub(in crate::store) numbers: Vec<i64>,
}

impl Line {
    /// A number that is never below 0.
    pub(super) fn count(&self, at: usize) -> u64 {
        u64::try_from(self.numbers[at]).unwrap_or(0)
    }

    pub(super) fn money(&self, at: usize) -> NanoUsd {
        NanoUsd(self.numbers[at])
    }
}

/// Rows that have sums of their own: requests, tries, entries of requests, and two kinds of entries of none.
pub(super) struct Part {
    /// Where they are, the requests called `r`.
    tables: fn(Dialect) -> &'static str,
    /// Sums, one column each.
    sums: &'static [&'static str],
    /// Adds them to a group.
    pub(super) take: fn(&mut Group, &Line),
}

impl Part {
    /// Its sums over a span, for each group.
    pub(super) fn query(&self, by: &[By], dialect: Dialect) -> Query {
        let columns: Vec<String> = by.iter().map(|by| by.column(dialect)).collect();
        let sums = self.sums.iter().map(|sum| format!("CAST(coalesce({sum}, 0) AS bigint)"));
        let selected: Vec<String> = columns.into_iter().chain(sums).collect();
        let group = ordinals(by.len());
        let sql =
            format!("SELECT {} FROM {} WHERE {SPAN} {group}", selected.join(", "), (self.tables)(dialect));
        Query { sql, texts: by.len(), numbers: self.sums.len() }
    }
}

/// What is asked for a report. Apart, as each has rows of its own.
pub(super) const PARTS: &[Part] = &[
    Part {
        tables: |_| "requests AS r",
        sums: &["count(*)", "sum(1 - floor_held)", "sum(cost_nanousd)", "sum(baseline_nanousd)"],
        take: |group, line| {
            group.requests = line.count(0);
            group.below_floor = line.count(1);
            group.cost = line.money(2);
            group.baseline = line.money(3);
        },
    },
    Part {
        tables: |dialect| dialect.attempts,
        sums: &[
            "count(*)",
            "sum(prompt_tokens)",
            "sum(cached_tokens)",
            "sum(cache_write_tokens)",
            "sum(output_tokens)",
        ],
        take: |group, line| {
            group.attempts = line.count(0);
            group.tokens.prompt = line.count(1);
            group.tokens.cached = line.count(2);
            group.tokens.cache_write = line.count(3);
            group.tokens.output = line.count(4);
        },
    },
    Part {
        tables: |dialect| dialect.entries,
        sums: &[
            "count(*)",
            "sum(amount_nanousd) FILTER (WHERE debit = 'overhead')",
            "sum(amount_nanousd) FILTER (WHERE debit = 'overrun')",
        ],
        take: |group, line| {
            group.entries += line.count(0);
            group.overhead = line.money(1);
            group.overrun = line.money(2);
        },
    },
    Part {
        tables: |_| "(SELECT * FROM ledger_entries WHERE phase = 'abandon') AS r",
        sums: &["count(*)", "sum(amount_nanousd)"],
        take: |group, line| {
            group.entries += line.count(0);
            group.unattributed = line.money(1);
        },
    },
    Part {
        tables: |_| "(SELECT * FROM ledger_entries WHERE phase = 'idle') AS r",
        sums: &["count(*)", "sum(amount_nanousd)"],
        take: |group, line| {
            group.entries += line.count(0);
            group.idle = line.money(1);
        },
    },
];

/// Sums of the bookings of each day that have everything in common which a bill tells apart.
pub(super) fn booked(dialect: Dialect) -> Query {
    let sums = ["amount_nanousd", "prompt_tokens", "cached_tokens", "cache_write_tokens", "output_tokens"]
        .map(|column| format!("CAST(sum(r.{column}) AS bigint)"));
    let sql = format!(
        "SELECT {}, r.tenant, r.project, r.expert, r.pool, r.tags, r.price_version, r.debit, r.phase, count(*), {}
         FROM ledger_entries AS r WHERE {SPAN} {group} {order}",
        dialect.day,
        sums.join(", "),
        group = ordinals(9),
        order = ordinals(9).replace("GROUP", "ORDER"),
    );
    Query { sql, texts: 9, numbers: 6 }
}

/// What each expert was asked to do on each day, whether or not it cost anything.
pub(super) fn used(dialect: Dialect) -> Query {
    let sums = ["amount", "prompt_tokens", "cached_tokens", "cache_write_tokens", "output_tokens"]
        .map(|column| format!("CAST(coalesce(sum(r.{column}), 0) AS bigint)"));
    let sql = format!(
        "SELECT {}, r.asked, coalesce(r.version, ''),
             count(*) FILTER (WHERE r.prompt_tokens + r.output_tokens > 0), {},
             CAST(coalesce(sum(r.amount) FILTER (WHERE r.estimated = 1), 0) AS bigint)
         FROM {} WHERE {SPAN} {group} {order}",
        dialect.day,
        sums.join(", "),
        dialect.used,
        group = ordinals(3),
        order = ordinals(3).replace("GROUP", "ORDER"),
    );
    Query { sql, texts: 3, numbers: 7 }
}

/// The configurations whose prices were used.
pub(super) fn snapshots() -> Query {
    let sql = format!(
        "SELECT config, json FROM snapshots
         WHERE config IN (SELECT r.price_version FROM ledger_entries AS r WHERE {SPAN})"
    );
    Query { sql, texts: 2, numbers: 0 }
}

/// Groups by the first columns; nothing for none.
fn ordinals(count: usize) -> String {
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    if numbers.is_empty() { String::new() } else { format!("GROUP BY {}", numbers.join(", ")) }
}

const SPAN: &str = "r.at_unix_ms >= $1 AND r.at_unix_ms < $2";
