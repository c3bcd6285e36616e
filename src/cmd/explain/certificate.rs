//! What a route promises, and on what evidence, as lines.

use super::story::Story;
use sluice_router::{Certificate, NanoUsd};

/// The promise behind a decision; nothing when the receipt's configuration lacks the route.
pub(super) fn lines(story: &Story) -> Vec<String> {
    let Some(route) = story.route() else { return vec![] };
    let reference = story.name(route.reference);
    match &route.certificate {
        _ if route.pinned => vec!["pinned: the client named the expert; no floor".to_owned()],
        None => vec![format!(
            "no certificate: the reference {reference} answers, unless the client's domain or a keyword names another"
        )],
        Some(certificate) => evidence(certificate, reference, story.made_on),
    }
}

fn evidence(certificate: &Certificate, reference: &str, made_on: Option<u32>) -> Vec<String> {
    let usd = NanoUsd::from_usd("1").map_or(0.0, |usd| usd.0 as f64);
    let mut lines = vec![
        format!(
            "certificate: quality >= {} x {reference} with confidence {}, by {} on {} rows",
            certificate.floor,
            certificate.confidence,
            method(&certificate.method),
            certificate.rows
        ),
        format!(
            "  margin over the floor at least {:.4} of score; on those rows {:.3} x its quality, {:.1} % saved",
            certificate.lower_bound, certificate.quality_ratio, certificate.saved_pct
        ),
        format!("  0.01 of score is worth up to {} USD", in_usd(0.01 / (certificate.lambda * usd))),
    ];
    let data = certificate.data.get(..12).unwrap_or(&certificate.data);
    let trained = made_on.map(|day| format!(", model of {}", date(day)));
    lines.push(format!("  data {data}{}", trained.unwrap_or_default()));
    lines
}

/// Amounts of any size with three digits that count.
fn in_usd(usd: f64) -> String {
    if !usd.is_finite() {
        return "any number of".to_owned();
    }
    let places = (2.0 - usd.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    format!("{usd:.places$}")
}

fn method(name: &str) -> &str {
    match name {
        "normal" => "the t test",
        "bets" => "bets",
        "point" => "a plain estimate without margin",
        other => other,
    }
}

/// Days since 1970-01-01 as a date.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: u32) -> String {
    let days = i64::from(days) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let known = [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_000, "2024-10-04"),
            (20_782, "2026-11-25"),
        ];
        for (days, expected) in known {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn amounts_keep_three_digits() {
        assert_eq!(in_usd(0.000_045_454), "0.0000455");
        assert_eq!(in_usd(1.0), "1.00");
        assert_eq!(in_usd(123_456.0), "123456");
        assert_eq!(in_usd(f64::INFINITY), "any number of");
    }
}
