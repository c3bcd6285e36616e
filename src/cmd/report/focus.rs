//! The ledger as a FOCUS 1.2 cost and usage file: one row for each day, payer, expert and class of tokens.
//!
//! Amounts are decimal strings whose sum is the ledger's, to the nano-dollar: what was booked is shared out among its
//! classes by largest remainder.

use super::when;
use serde_json::{Map, Value};
use sluice_gateway::{Booked, Offered, PriceBook, TokenSums};
use sluice_router::{NanoUsd, Period, Price, split};

/// The whole file.
pub(super) fn csv(booked: &[Booked], book: &PriceBook) -> String {
    let rows = booked.iter().flat_map(|booked| rows(booked, book));
    let lines = std::iter::once(COLUMNS.map(str::to_owned)).chain(rows).map(|row| line(&row));
    lines.collect()
}

/// One class of what was used, as a meter counts it.
struct Class {
    meter: &'static str,
    /// `None` for money that no count belongs to.
    quantity: Option<u64>,
    /// In nano-USD for a million tokens, or for a request.
    unit_price: Option<i64>,
    is_tokens: bool,
    /// Its part of the money.
    weight: u128,
}

fn rows(booked: &Booked, book: &PriceBook) -> Vec<[String; WIDTH]> {
    let offered = book.get(&booked.price_version).and_then(|experts| experts.get(&booked.expert));
    let classes = classes(booked, offered.map(|offered| offered.price));
    let weights: Vec<u128> = classes.iter().map(|class| class.weight).collect();
    let amounts = split(booked.amount.0, &weights);
    classes.iter().zip(amounts).map(|(class, amount)| row(booked, class, NanoUsd(amount), offered)).collect()
}

/// What was used of each class; by its price where that is known, else by its tokens.
fn classes(booked: &Booked, price: Option<Price>) -> Vec<Class> {
    let TokenSums { prompt, cached, cache_write, output } = booked.tokens;
    let fresh = prompt.saturating_sub(cached).saturating_sub(cache_write);
    let tokens = |meter, quantity: u64, of: fn(&Price) -> i64| {
        let each = price.as_ref().map(of);
        // On GPUs of one's own a token has no price that holds: what is charged depends on the load.
        let unit_price = each.filter(|_| price.is_none_or(|price| !price.is_own()));
        let each = each.map_or(1, |price| u128::from(price.unsigned_abs()));
        let weight = u128::from(quantity) * each;
        Class { meter, quantity: Some(quantity), unit_price, is_tokens: true, weight }
    };
    let fee = price.map_or(0, |price| price.per_request);
    let requests = if prompt + output > 0 && fee > 0 { booked.entries } else { 0 };
    let weight = u128::from(requests) * u128::from(fee.unsigned_abs()) * 1_000_000;
    let requests = Class {
        meter: "Requests",
        quantity: Some(requests),
        unit_price: Some(fee),
        is_tokens: false,
        weight,
    };
    let all = [
        tokens("Input Tokens", fresh, |price| price.input),
        tokens("Cached Input Tokens", cached, |price| price.cached_input),
        tokens("Cache Write Tokens", cache_write, |price| price.cache_write),
        tokens("Output Tokens", output, |price| price.output),
        requests,
    ];
    let mut used: Vec<Class> = all.into_iter().filter(|class| class.quantity > Some(0)).collect();
    if used.is_empty() {
        let meter = if ["abandon", "idle"].contains(&booked.phase.as_str()) { "" } else { "Output Tokens" };
        used.push(Class { meter, quantity: None, unit_price: None, is_tokens: true, weight: 1 });
    }
    used
}

/// A row, in the order of [`COLUMNS`].
fn row(booked: &Booked, class: &Class, amount: NanoUsd, offered: Option<&Offered>) -> [String; WIDTH] {
    let cost = amount.to_string();
    let unit = class.unit_price.map_or_else(String::new, |price| NanoUsd(price).to_string());
    let (period_from, period_to, from, to) = periods(&booked.day);
    let (pricing, consumed) = match class.quantity {
        Some(quantity) if class.is_tokens => (millions(quantity), quantity.to_string()),
        Some(quantity) => (quantity.to_string(), quantity.to_string()),
        None => (String::new(), String::new()),
    };
    let (pricing_unit, consumed_unit) = match (class.quantity, class.is_tokens) {
        (None, _) => ("", ""),
        (_, true) => ("1000000 Tokens", "Tokens"),
        (_, false) => ("Requests", "Requests"),
    };
    let own = |text: &str| text.to_owned();
    let version: String = booked.price_version.chars().take(12).collect();
    let sku_price = if version.is_empty() { version } else { format!("{}@{version}", booked.expert) };
    [
        cost.clone(),
        cost.clone(),
        cost.clone(),
        cost,
        own("sluice"),
        own("Sluice"),
        own("USD"),
        period_from,
        period_to,
        from,
        to,
        own("Usage"),
        // The ledger books no corrections: what is booked stays, and was true.
        own(""),
        description(booked, class),
        own("Sluice"),
        pricing,
        own(pricing_unit),
        own("Sluice"),
        own("Sluice"),
        own("AI and Machine Learning"),
        own("Sluice"),
        consumed,
        own(consumed_unit),
        unit.clone(),
        unit,
        booked.expert.clone(),
        sku_price,
        own(class.meter),
        booked.pool.clone(),
        booked.pool.clone(),
        own(if booked.pool.is_empty() { "" } else { "Pool" }),
        offered.and_then(|offered| offered.region.clone()).unwrap_or_default(),
        booked.tenant.clone(),
        booked.tenant.clone(),
        tags(booked),
        own("Standard"),
        own("Usage-Based"),
    ]
}

/// Month and day of a charge, each with its end, which is not in it.
fn periods(day: &str) -> (String, String, String, String) {
    let at_ms = when::parse(day).unwrap_or_default();
    let time = |day: &str| format!("{day}T00:00:00Z");
    let ends = |period: Period| period.span(at_ms).ends_on().as_deref().map_or_else(String::new, time);
    let month = format!("{}-01", day.get(..7).unwrap_or_default());
    (time(&month), ends(Period::Month), time(day), ends(Period::Day))
}

fn description(booked: &Booked, class: &Class) -> String {
    let what = format!("{} of {}", class.meter, booked.expert);
    if booked.phase == "idle" {
        return format!("GPU time of {} that no request was charged for", booked.expert);
    }
    match booked.account.as_str() {
        "spent" => what,
        "overhead" => format!("{what}, in tries that no client saw"),
        "overrun" => format!("{what}, charged beyond the engine's cap"),
        _ => "May have been spent before a crash".to_owned(),
    }
}

/// The request's tags, and its project under a name that no client's tag has by chance.
fn tags(booked: &Booked) -> String {
    let mut tags: Map<String, Value> = serde_json::from_str(&booked.tags).unwrap_or_default();
    if !booked.project.is_empty() {
        tags.insert("sluice.project".to_owned(), booked.project.as_str().into());
    }
    Value::Object(tags).to_string()
}

/// A number of tokens in millions, exact.
fn millions(tokens: u64) -> String {
    let fraction = format!("{:06}", tokens % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let whole = tokens / 1_000_000;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// A line of the file, by RFC 4180.
fn line(row: &[String; WIDTH]) -> String {
    let field = |text: &String| match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.clone(),
    };
    let fields: Vec<String> = row.iter().map(field).collect();
    format!("{}\r\n", fields.join(","))
}

const WIDTH: usize = 37;
/// The mandatory columns of FOCUS 1.2, then what Sluice also fills.
const COLUMNS: [&str; WIDTH] = [
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "InvoiceIssuerName",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ListUnitPrice",
    "ContractedUnitPrice",
    "SkuId",
    "SkuPriceId",
    "SkuMeter",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "RegionId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "PricingCategory",
    "ChargeFrequency",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn booked(phase: &str, account: &str, amount: i64, tokens: TokenSums) -> Booked {
        Booked {
            day: "2026-12-31".to_owned(),
            tenant: "acme".to_owned(),
            project: "web".to_owned(),
            expert: "small".to_owned(),
            pool: "small-a".to_owned(),
            tags: r#"{"team":"a \"b\", c"}"#.to_owned(),
            price_version: "c0ffee".to_owned(),
            account: account.to_owned(),
            phase: phase.to_owned(),
            entries: 2,
            amount: NanoUsd(amount),
            tokens,
        }
    }

    /// A row's cells by their columns.
    fn cells(row: &[String; WIDTH]) -> impl Fn(&str) -> String {
        let row = row.clone();
        move |name| row[COLUMNS.iter().position(|column| *column == name).expect(name)].clone()
    }

    const TOKENS: TokenSums = TokenSums { prompt: 1_000, cached: 400, cache_write: 100, output: 50 };

    #[test]
    fn idle_gpus_are_a_row_without_a_quantity_and_tokens_on_them_have_no_unit_price() {
        let idle = Booked { tenant: String::new(), ..booked("idle", "overhead", 77, TokenSums::default()) };
        let rows = rows(&idle, &PriceBook::new());
        let [row] = &rows[..] else { panic!("one row: {rows:?}") };
        let cell = cells(row);
        assert_eq!((cell("BilledCost"), cell("ConsumedQuantity")), ("0.000000077".to_owned(), String::new()));
        assert_eq!(cell("ChargeDescription"), "GPU time of small that no request was charged for");
        assert_eq!((cell("SkuMeter"), cell("ResourceId")), (String::new(), "small-a".to_owned()));
        let own = Price { input: 4, output: 8, replica_hour: 1, ..Price::default() };
        let classes = classes(&booked("settle", "spent", 100, TOKENS), Some(own));
        assert!(
            classes.iter().all(|class| class.unit_price.is_none()),
            "what is charged depends on the load"
        );
        let weights: Vec<_> = classes.iter().map(|class| (class.meter, class.weight)).collect();
        assert_eq!(weights[..1], [("Input Tokens", 2_000)], "its price at full load is its weight");
    }

    #[test]
    fn classes_share_what_was_booked_by_their_prices() {
        let price = Price {
            input: 4_000_000,
            cached_input: 1_000_000,
            cache_write: 5_000_000,
            output: 8_000_000,
            per_request: 30,
            replica_hour: 0,
        };
        let booked = booked("settle", "spent", 3_301, TOKENS);
        let classes = classes(&booked, Some(price));
        let meters: Vec<_> = classes.iter().map(|class| (class.meter, class.quantity)).collect();
        let expected = [
            ("Input Tokens", Some(500)),
            ("Cached Input Tokens", Some(400)),
            ("Cache Write Tokens", Some(100)),
            ("Output Tokens", Some(50)),
            ("Requests", Some(2)),
        ];
        assert_eq!(meters, expected);
        let weights: Vec<u128> = classes.iter().map(|class| class.weight / 1_000_000).collect();
        assert_eq!(weights, [2_000, 400, 500, 400, 60]);
        let sum: i64 = rows(&booked, &PriceBook::new())
            .iter()
            .map(|row| NanoUsd::from_usd(&cells(row)("BilledCost")).expect("decimal").0)
            .sum();
        assert_eq!(sum, 3_301, "also where no price is known");
    }

    #[test]
    fn a_row_says_whose_what_and_when() {
        let rows = rows(&booked("settle", "overhead", 7, TOKENS), &PriceBook::new());
        let cell = cells(&rows[0]);
        for (column, expected) in [
            ("BillingPeriodStart", "2026-12-01T00:00:00Z"),
            ("BillingPeriodEnd", "2027-01-01T00:00:00Z"),
            ("ChargePeriodStart", "2026-12-31T00:00:00Z"),
            ("ChargePeriodEnd", "2027-01-01T00:00:00Z"),
            ("ChargeCategory", "Usage"),
            ("ServiceCategory", "AI and Machine Learning"),
            ("ConsumedUnit", "Tokens"),
            ("ConsumedQuantity", "500"),
            ("PricingQuantity", "0.0005"),
            ("SkuMeter", "Input Tokens"),
            ("SubAccountId", "acme"),
            ("ResourceId", "small-a"),
            ("ChargeDescription", "Input Tokens of small, in tries that no client saw"),
            ("Tags", r#"{"team":"a \"b\", c","sluice.project":"web"}"#),
        ] {
            assert_eq!(cell(column), expected, "{column}");
        }
        assert!(line(&rows[0]).contains(r#","{""team"":""a \""b\"", c"",""sluice.project"":""web""}","#));
    }

    #[test]
    fn money_without_a_count_has_one_row() {
        for (phase, account, meter) in
            [("overrun", "overrun", "Output Tokens"), ("abandon", "unattributed", "")]
        {
            let rows = rows(&booked(phase, account, 9, TokenSums::default()), &PriceBook::new());
            let cell = cells(&rows[0]);
            assert_eq!(
                (rows.len(), cell("BilledCost").as_str(), cell("SkuMeter").as_str()),
                (1, "0.000000009", meter)
            );
            assert_eq!((cell("ConsumedQuantity"), cell("PricingUnit")), (String::new(), String::new()));
        }
    }
}
