//! The table of a small fixed result, letter by letter; the widths of a large one; the JSON's keys.

use super::grid::width;
use super::*;
use crate::demo::result::{CertificateResult, DomainResult, Interval, Single, Usd, Versions};

fn small() -> DemoResult {
    let expert = |requests, nano, quality| ExpertResult { requests, cost_usd: Usd(nano), quality };
    let domain = |counts: &[(&str, u64)]| DomainResult {
        requests: counts.iter().map(|(_, n)| n).sum(),
        experts: counts.iter().map(|&(name, n)| (name.to_owned(), n)).collect(),
    };
    DemoResult {
        requests: 1_200,
        errors: 0,
        cost_usd: Usd(1_048_500_001),
        baseline_usd: Usd(2_001_000_000),
        saved_pct: 47.6,
        quality: 0.79,
        reference_quality: 0.81,
        reference: "general-large".to_owned(),
        quality_floor: 0.95,
        floor_held: true,
        quality_ratio: Interval { low: 0.951, high: 0.999, confidence: 0.95 },
        experts: [
            ("general-large".to_owned(), expert(400, 1_000_500_000, Some(0.8))),
            ("law-14b".to_owned(), expert(800, 48_000_001, Some(0.785))),
            ("device-3b".to_owned(), expert(0, 0, None)),
        ]
        .into(),
        domains: [
            ("law".to_owned(), domain(&[("law-14b", 800), ("general-large", 100)])),
            ("医疗".to_owned(), domain(&[("general-large", 300)])),
        ]
        .into(),
        best_single: Some(Single { expert: "law-14b".to_owned(), quality: 0.66, cost_usd: Usd(72_000_000) }),
        decide_us: Percentiles { p50: 81.4, p99: 190.2 },
        request_ms: Percentiles { p50: 3.25, p99: 1_234.0 },
        simulated: true,
        time_scale: 20.0,
        seed: 7,
        certificate: Some(CertificateResult {
            method: "normal".to_owned(),
            rows: 2_400,
            confidence: 0.95,
            lambda: 3e-8,
        }),
        versions: Versions { model: "0123456789abcdef".to_owned(), config: "fedcba9876543210".to_owned() },
    }
}

#[test]
fn the_table_of_a_small_run_reads_as_it_should() {
    let expected = "\
sluice demo, SIMULATED: 1,200 requests of our own to experts that don't exist, 0 errors

Requests by domain and expert
                                    general-
domain             total   law-14b     large
law                  900       800       100
医疗                 300         ·       300
all                1,200       800       400

expert                                          requests     share     quality         cost in USD
law-14b                                              800    66.7 %       0.785         0.048000001
general-large                                        400    33.3 %       0.800         1.000500000
1 expert got no request

cost and quality                                                       quality         cost in USD
routed                                                                   0.790         1.048500001
always general-large (reference)                                         0.810         2.001000000
always law-14b (best other single)                                       0.660         0.072000000
Saved 47.6 % against always general-large.

Quality floor 0.95: HELD. 0.790 is 0.975 of the reference's 0.810 (95 % interval 0.951 to 0.999).
Certified before sending: one-sided normal test on 2,400 calibration rows, confidence 95 %.

Decision, text to expert                  81 us p50       190 us p99
Request, at the client                  3.25 ms p50     1,234 ms p99
The simulated GPUs ran 20 times as fast as the wall clock.
Seed 7, model 0123456789ab, configuration fedcba987654.";
    let shown = lines(&small()).join("\n");
    assert_eq!(shown, expected, "\n{shown}\n");
}

#[test]
fn bad_news_is_said_plainly() {
    let mut result = small();
    (result.floor_held, result.errors, result.saved_pct, result.certificate) = (false, 3, -4.0, None);
    let shown = lines(&result).join("\n");
    for words in
        ["NOT HELD", "3 ERRORS", "NOTHING SAVED: 4.0 % dearer", "No cheaper choice could be certified"]
    {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}

#[test]
fn fourteen_experts_with_long_names_fit_in_100_columns() {
    let mut result = small();
    result.simulated = false;
    result.reference = "organisation/an-extraordinarily-long-model-name-2024-05-13".to_owned();
    for n in 0..14 {
        let name = format!("organisation/another-extraordinarily-long-model-name-{n}-十四个专家");
        let expert =
            ExpertResult { requests: 10_000 + n, cost_usd: Usd(9_000_000_000_000_000), quality: Some(0.5) };
        for (_, domain) in result.domains.iter_mut() {
            domain.experts.insert(name.clone(), 5_000 + n);
        }
        result.experts.insert(name, expert);
    }
    let shown = lines(&result);
    assert!(shown.iter().any(|line| line.contains("others")), "{}", shown.join("\n"));
    for line in &shown {
        assert!(width(line) <= 100, "{} columns: {line}", width(line));
    }
}

#[test]
fn the_json_has_the_keys_of_the_contract() {
    let json = serde_json::to_value(small()).expect("serialises");
    let has = |at: &serde_json::Value, keys: &[&str]| {
        for key in keys {
            assert!(at.get(key).is_some(), "{key} is missing in {at}");
        }
    };
    has(
        &json,
        &["requests", "errors", "cost_usd", "baseline_usd", "saved_pct", "quality", "reference_quality"],
    );
    has(
        &json,
        &["quality_floor", "floor_held", "experts", "domains", "decide_us", "request_ms", "simulated"],
    );
    has(&json["experts"]["law-14b"], &["requests", "cost_usd", "quality"]);
    has(&json["domains"]["law"], &["requests", "experts"]);
    has(&json["decide_us"], &["p50", "p99"]);
    has(&json["request_ms"], &["p50", "p99"]);
    assert_eq!(json["cost_usd"].to_string(), "1.048500001");
}
