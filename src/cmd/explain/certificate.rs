//! What a route promises, and on what evidence, as lines.

use super::story::Story;
use sluice_router::{Certificate, NanoUsd};

/// The promise behind a decision; nothing when the receipt's configuration lacks the route.
pub(super) fn lines(story: &Story) -> Vec<String> {
    let Some(route) = story.route() else { return vec![] };
    let reference = story.name(route.reference);
    if route.pinned {
        return vec!["pinned: the client named the expert; no floor".to_owned()];
    }
    let (needs, signals) = (&story.receipt.needs, &story.receipt.signals);
    let of_domain = route.domain_promise(needs, signals).map(|promise| promise.domain.as_str());
    let whose = of_domain.map_or(String::new(), |domain| format!(" of the domain {domain}"));
    match route.promise(needs, signals) {
        (_, Some(certificate)) => evidence(certificate, reference, &whose),
        (floor, None) => vec![format!(
            "no certificate for floor {floor}{whose}: the reference {reference} answers, unless the client's domain or \
             a keyword names another"
        )],
    }
}

fn evidence(certificate: &Certificate, reference: &str, whose: &str) -> Vec<String> {
    let usd = NanoUsd::from_usd("1").map_or(0.0, |usd| usd.0 as f64);
    let mut lines = vec![
        format!("certificate{whose}: {}", certificate.promise(reference)),
        format!("  by {}", certificate.evidence()),
        format!(
            "  on those rows {:.3} x its quality, {:.1} % saved",
            certificate.quality_ratio, certificate.saved_pct
        ),
        format!("  0.01 of score is worth up to {} USD", in_usd(0.01 / (certificate.lambda * usd))),
    ];
    lines.extend(certificate.regret_lines().iter().map(|line| format!("  {line}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_three_digits() {
        assert_eq!(in_usd(0.000_045_454), "0.0000455");
        assert_eq!(in_usd(1.0), "1.00");
        assert_eq!(in_usd(123_456.0), "123456");
        assert_eq!(in_usd(f64::INFINITY), "any number of");
    }
}
