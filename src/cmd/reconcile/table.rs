//! The explanation for people: the whole in a few lines, then every row that differs.

use super::{Kind, Row, Sums};
use sluice_router::NanoUsd;

/// The text. Amounts are exact.
pub(super) fn render(sums: &Sums, rows: &[Row]) -> String {
    let usd = |nano: i64| NanoUsd(nano).to_string();
    let mut lines = vec![
        format!("bill        {} USD", usd(sums.bill_nanousd)),
        format!(
            "ledger      {} USD, of which by our own count {}",
            usd(sums.ledger_nanousd),
            usd(sums.estimated_nanousd)
        ),
        format!("difference  {} USD", usd(sums.difference_nanousd)),
        format!("  tokens    {} USD: counted otherwise, at our prices", usd(sums.tokens_nanousd)),
        format!("  price     {} USD: charged at other prices, roundings included", usd(sums.price_nanousd)),
        format!("  billed    {} USD: only the bill has it", usd(sums.missing_in_ledger_nanousd)),
        format!(
            "  unbilled  {} USD: only the ledger has it",
            usd(sums.missing_in_bill_nanousd.saturating_neg())
        ),
        format!("matched     {} USD, to the nano-dollar", usd(sums.matched_nanousd)),
    ];
    let differing: Vec<&Row> = rows.iter().filter(|row| row.kind != Kind::Matched).collect();
    if !differing.is_empty() {
        lines.push(String::new());
        lines.extend(differing.into_iter().map(line));
    }
    lines.join("\n")
}

fn line(row: &Row) -> String {
    let kind = match row.kind {
        Kind::Matched => "matched",
        Kind::Price => "price",
        Kind::Tokens => "tokens",
        Kind::MissingInLedger => "only billed",
        Kind::MissingInBill => "not billed",
    };
    let side = |side: Option<super::explain::Side>| match side {
        Some(side) => format!(
            "{} in, {} cached, {} out, {} USD",
            side.tokens.input,
            side.tokens.cached,
            side.tokens.output,
            NanoUsd(side.amount_nanousd)
        ),
        None => "-".to_owned(),
    };
    let expert = row.expert.replace(char::is_control, "?");
    let difference = NanoUsd(row.difference_nanousd);
    format!(
        "{}  {expert}  {kind}  {difference} USD  (bill: {}; ledger: {})",
        row.day,
        side(row.bill),
        side(row.ledger)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed() {
        let row = |expert: &str, kind, difference_nanousd| Row {
            day: "2026-08-01".to_owned(),
            expert: expert.to_owned(),
            kind,
            bill: None,
            ledger: None,
            difference_nanousd,
            tokens_nanousd: 0,
            price_nanousd: difference_nanousd,
            estimated_nanousd: 0,
        };
        let rows = [row("same", Kind::Matched, 0), row("a\u{1b}[2J", Kind::Price, -5)];
        let text = render(&Sums { price_nanousd: -5, ..Sums::default() }, &rows);
        assert!(!text.contains("same") && text.contains("  price     -0.000000005 USD"), "{text}");
        assert!(text.ends_with("2026-08-01  a?[2J  price  -0.000000005 USD  (bill: -; ledger: -)"), "{text}");
    }
}
