//! Bookings as bills see them: by day, by what they were for, at which prices.

use super::TokenSums;
use super::read::Line;
use serde::Deserialize;
use sluice_router::{NanoUsd, Price};
use std::collections::BTreeMap;

/// Bookings of one day that a bill doesn't tell apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Booked {
    /// The day in UTC, as in `2026-08-01`.
    pub day: String,
    /// Whose.
    pub tenant: String,
    /// Of which of its projects; empty when of none.
    pub project: String,
    /// Who was asked; empty for what a crash left unattributed.
    pub expert: String,
    /// Where.
    pub pool: String,
    /// The requests' tags, a JSON object.
    pub tags: String,
    /// Which prices were used.
    pub price_version: String,
    /// The account that grew.
    pub account: String,
    /// Which step of the attempts' life.
    pub phase: String,
    /// How many bookings.
    pub entries: u64,
    /// Their sum.
    pub amount: NanoUsd,
    /// Tokens of their attempts; none for what went beyond a cap, whose tokens stand with what was within it.
    pub tokens: TokenSums,
}

impl Booked {
    pub(super) fn of(line: Line) -> Booked {
        let (entries, amount) = (line.count(0), line.money(1));
        let tokens = tokens(&line, 2);
        let mut texts = line.texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        let booked = Booked {
            day: text(),
            tenant: text(),
            project: text(),
            expert: text(),
            pool: text(),
            tags: text(),
            price_version: text(),
            account: text(),
            phase: text(),
            entries,
            amount,
            tokens,
        };
        if booked.phase == "settle" { booked } else { Booked { tokens: TokenSums::default(), ..booked } }
    }
}

/// What an expert was asked to do on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// The day in UTC, as in `2026-08-01`.
    pub day: String,
    /// Who.
    pub expert: String,
    /// Which prices were used; empty for what cost nothing.
    pub price_version: String,
    /// Tries that used any tokens.
    pub attempts: u64,
    /// What was booked for them, what went beyond caps included.
    pub amount: NanoUsd,
    /// What they used.
    pub tokens: TokenSums,
    /// Of the amount, what was booked by the gateway's own count.
    pub estimated: NanoUsd,
}

impl Used {
    pub(super) fn of(line: Line) -> Used {
        let (attempts, amount, estimated) = (line.count(0), line.money(1), line.money(6));
        let tokens = tokens(&line, 2);
        let mut texts = line.texts.into_iter();
        let mut text = || texts.next().unwrap_or_default();
        Used { day: text(), expert: text(), price_version: text(), attempts, amount, tokens, estimated }
    }
}

fn tokens(line: &Line, at: usize) -> TokenSums {
    TokenSums {
        prompt: line.count(at),
        cached: line.count(at + 1),
        cache_write: line.count(at + 2),
        output: line.count(at + 3),
    }
}

/// Prices by their version, and by the expert's name in it.
pub type PriceBook = BTreeMap<String, BTreeMap<String, Offered>>;

/// An expert as a stored configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Offered {
    name: String,
    /// What it charged.
    pub price: Price,
    /// Where it ran.
    #[serde(default)]
    pub region: Option<String>,
}

#[derive(Deserialize)]
struct Stored {
    fleet: StoredFleet,
}

#[derive(Deserialize)]
struct StoredFleet {
    experts: Vec<Offered>,
}

/// The book of stored configurations; those that can't be read have no prices in it.
pub(super) fn price_book(lines: Vec<Line>) -> PriceBook {
    let read = |line: Line| {
        let [version, json] = <[String; 2]>::try_from(line.texts).ok()?;
        let stored: Stored = serde_json::from_str(&json).ok()?;
        let offered = stored.fleet.experts.into_iter().map(|expert| (expert.name.clone(), expert));
        Some((version, offered.collect()))
    };
    lines.into_iter().filter_map(read).collect()
}
