//! Bill and ledger side by side: what makes them differ, in sums that add up.

use super::Tokens;
use super::bill::Billed;
use serde::Serialize;
use sluice_gateway::{PriceBook, Used};
use sluice_router::{NanoUsd, Price};
use std::collections::{BTreeMap, BTreeSet};

/// Bill and ledger for one expert on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) day: String,
    pub(super) expert: String,
    pub(super) kind: Kind,
    /// What the bill says; absent when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bill: Option<Side>,
    /// What the ledger says; absent when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<Side>,
    /// Bill less ledger: the sum of the next two where both have something.
    pub(super) difference_nanousd: i64,
    /// What other counts of tokens make, at the ledger's prices.
    pub(super) tokens_nanousd: i64,
    /// What is left: other prices, and roundings.
    pub(super) price_nanousd: i64,
    /// Of the ledger's amount, what rests on the gateway's own count.
    pub(super) estimated_nanousd: i64,
}

/// What a bill or a ledger says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Side {
    pub(super) tokens: Tokens,
    pub(super) amount_nanousd: i64,
}

/// How they agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// To the nano-dollar.
    Matched,
    /// Tokens are the same, money is not.
    Price,
    /// Tokens differ.
    Tokens,
    /// Only the bill has it.
    MissingInLedger,
    /// Only the ledger has it.
    MissingInBill,
}

/// The whole, with everything that makes it differ.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sums {
    pub(super) bill_nanousd: i64,
    pub(super) ledger_nanousd: i64,
    /// Bill less ledger: the sum of the next four, the last one taken away.
    pub(super) difference_nanousd: i64,
    pub(super) tokens_nanousd: i64,
    pub(super) price_nanousd: i64,
    pub(super) missing_in_ledger_nanousd: i64,
    pub(super) missing_in_bill_nanousd: i64,
    /// What agrees to the nano-dollar.
    pub(super) matched_nanousd: i64,
    pub(super) estimated_nanousd: i64,
}

/// What the ledger has of one expert on one day.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    side: Side,
    estimated: i64,
    /// The price of most of its tokens.
    price: Option<Price>,
    of_price: u64,
}

/// A row for each expert and day that either has.
pub(super) fn rows(bill: &BTreeMap<(String, String), Billed>, used: &[Used], book: &PriceBook) -> Vec<Row> {
    let kept = kept(used, book);
    let keys: BTreeSet<&(String, String)> = bill.keys().chain(kept.keys()).collect();
    keys.into_iter().map(|key| row(key, bill.get(key), kept.get(key))).collect()
}

fn kept(used: &[Used], book: &PriceBook) -> BTreeMap<(String, String), Kept> {
    let mut kept = BTreeMap::<(String, String), Kept>::new();
    for used in used.iter().filter(|used| used.attempts > 0 || used.amount > NanoUsd::ZERO) {
        let of_day = kept.entry((used.day.clone(), used.expert.clone())).or_default();
        let tokens = Tokens::of(used.tokens);
        of_day.side.tokens = of_day.side.tokens.saturating_plus(tokens);
        of_day.side.amount_nanousd = of_day.side.amount_nanousd.saturating_add(used.amount.0);
        of_day.estimated = of_day.estimated.saturating_add(used.estimated.0);
        let price = book.get(&used.price_version).and_then(|experts| experts.get(&used.expert));
        if let Some(offered) = price.filter(|_| tokens.total() >= of_day.of_price) {
            (of_day.price, of_day.of_price) = (Some(offered.price), tokens.total());
        }
    }
    kept
}

fn row((day, expert): &(String, String), bill: Option<&Billed>, kept: Option<&Kept>) -> Row {
    let billed = bill.map(|billed| Side { tokens: billed.tokens, amount_nanousd: billed.amount.0 });
    let ledger = kept.map(|kept| kept.side);
    let amount = |side: Option<Side>| side.map_or(0, |side| side.amount_nanousd);
    let difference = amount(billed).saturating_sub(amount(ledger));
    let (kind, of_tokens) = match (billed, kept) {
        (Some(_), None) => (Kind::MissingInLedger, 0),
        (None, _) => (Kind::MissingInBill, 0),
        (Some(_), Some(_)) if difference == 0 => (Kind::Matched, 0),
        (Some(billed), Some(kept)) if billed.tokens == kept.side.tokens => (Kind::Price, 0),
        (Some(billed), Some(kept)) => (Kind::Tokens, tokens_part(billed.tokens, kept)),
    };
    let is_both = billed.is_some() && ledger.is_some();
    Row {
        day: day.clone(),
        expert: expert.clone(),
        kind,
        bill: billed,
        ledger,
        difference_nanousd: difference,
        tokens_nanousd: of_tokens,
        price_nanousd: if is_both { difference.saturating_sub(of_tokens) } else { 0 },
        estimated_nanousd: kept.map_or(0, |kept| kept.estimated),
    }
}

/// What other counts make at the ledger's price; nothing where none is known.
fn tokens_part(billed: Tokens, kept: &Kept) -> i64 {
    let Some(price) = kept.price else { return 0 };
    let part = |count: u64, price: i64| i128::from(count) * i128::from(price);
    let cost = |tokens: Tokens| {
        part(tokens.fresh(), price.input)
            + part(tokens.cached, price.cached_input)
            + part(tokens.cache_write, price.cache_write)
            + part(tokens.output, price.output)
    };
    let nano = (cost(billed) - cost(kept.side.tokens)).div_euclid(1_000_000);
    i64::try_from(nano).unwrap_or(if nano < 0 { i64::MIN } else { i64::MAX })
}

impl Sums {
    /// Over all rows; `None` beyond 64 bits.
    pub(super) fn of(rows: &[Row]) -> Option<Sums> {
        let mut sums = Sums::default();
        let add = |sum: &mut i64, amount: i64| sum.checked_add(amount).map(|added| *sum = added);
        for row in rows {
            let amount = |side: Option<Side>| side.map_or(0, |side| side.amount_nanousd);
            add(&mut sums.bill_nanousd, amount(row.bill))?;
            add(&mut sums.ledger_nanousd, amount(row.ledger))?;
            add(&mut sums.difference_nanousd, row.difference_nanousd)?;
            add(&mut sums.tokens_nanousd, row.tokens_nanousd)?;
            add(&mut sums.price_nanousd, row.price_nanousd)?;
            add(&mut sums.estimated_nanousd, row.estimated_nanousd)?;
            match row.kind {
                Kind::Matched => add(&mut sums.matched_nanousd, amount(row.bill))?,
                Kind::MissingInLedger => add(&mut sums.missing_in_ledger_nanousd, amount(row.bill))?,
                Kind::MissingInBill => add(&mut sums.missing_in_bill_nanousd, amount(row.ledger))?,
                Kind::Price | Kind::Tokens => {}
            }
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_gateway::TokenSums;

    fn billed(input: u64, output: u64, amount: i64) -> Billed {
        let tokens = Tokens { input, output, ..Tokens::default() };
        Billed { lines: 1, tokens, amount: NanoUsd(amount) }
    }

    fn used(expert: &str, version: &str, input: u64, output: u64, amount: i64) -> Used {
        Used {
            day: "2026-08-01".to_owned(),
            expert: expert.to_owned(),
            price_version: version.to_owned(),
            attempts: 1,
            amount: NanoUsd(amount),
            tokens: TokenSums { prompt: input, output, ..TokenSums::default() },
            estimated: NanoUsd(1),
        }
    }

    /// A dollar a million for input, two for output.
    fn book() -> PriceBook {
        let json = r#"{"name":"","price":{"input":1000000000,"cached_input":0,"output":2000000000}}"#;
        let offered: sluice_gateway::Offered = serde_json::from_str(json).expect("an expert");
        let experts = ["same", "dearer", "longer", "ours"].map(|name| (name.to_owned(), offered.clone()));
        PriceBook::from([("v".to_owned(), BTreeMap::from(experts))])
    }

    #[test]
    fn every_difference_has_its_reason_and_all_add_up() {
        let key = |expert: &str| ("2026-08-01".to_owned(), expert.to_owned());
        let bill = BTreeMap::from([
            (key("same"), billed(10, 5, 20_000)),
            (key("dearer"), billed(10, 5, 20_700)),
            (key("longer"), billed(10, 8, 26_100)),
            (key("unpriced"), billed(2, 2, 50)),
            (key("theirs"), billed(1, 1, 777)),
        ]);
        let ledger = [
            used("same", "v", 10, 5, 20_000),
            used("dearer", "v", 10, 5, 20_000),
            // Two versions of prices on one day.
            used("longer", "v", 9, 4, 17_000),
            used("longer", "old", 1, 1, 3_000),
            used("unpriced", "none", 1, 1, 30),
            used("ours", "v", 100, 0, 100_000),
        ];
        let rows = rows(&bill, &ledger, &book());
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                (row.expert.as_str(), row.kind, row.difference_nanousd, row.tokens_nanousd, row.price_nanousd)
            })
            .collect();
        let expected = [
            ("dearer", Kind::Price, 700, 0, 700),
            ("longer", Kind::Tokens, 6_100, 6_000, 100),
            ("ours", Kind::MissingInBill, -100_000, 0, 0),
            ("same", Kind::Matched, 0, 0, 0),
            ("theirs", Kind::MissingInLedger, 777, 0, 0),
            ("unpriced", Kind::Tokens, 20, 0, 20),
        ];
        assert_eq!(told, expected);
        let sums = Sums::of(&rows).expect("small");
        assert_eq!(sums.difference_nanousd, sums.bill_nanousd - sums.ledger_nanousd);
        let explained = sums.tokens_nanousd + sums.price_nanousd + sums.missing_in_ledger_nanousd
            - sums.missing_in_bill_nanousd;
        assert_eq!(sums.difference_nanousd, explained);
        assert_eq!((sums.matched_nanousd, sums.estimated_nanousd), (20_000, 6));
    }
}
