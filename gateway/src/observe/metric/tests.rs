//! The metrics as a scraper sees them.

use super::*;
use crate::observe::{AttemptEnd, Observer};
use sluice_router::{Certificate, ChosenBy, Decision, NanoUsd, Tokens, Why};
use std::collections::{BTreeMap, BTreeSet};

/// A series with its labels as written, and its value.
type Samples = BTreeMap<String, f64>;

fn decision() -> Decision {
    Decision {
        steps: vec![],
        ceiling: NanoUsd(1),
        quotes: vec![],
        propensity: 1.0,
        chosen_by: ChosenBy::Reference,
        seed: 1,
    }
}

fn certificate() -> Certificate {
    Certificate {
        floor: 0.95,
        confidence: 0.9,
        method: "normal".to_owned(),
        rows: 2_790,
        made_on: "2026-11-25".to_owned(),
        data: "0123456789abcdef".to_owned(),
        ..Certificate::default()
    }
}

fn settled<'a>(tenant: &'a str, fault: Option<FaultCode>, http_status: u16) -> Event<'a> {
    Event::Settled {
        request: "r-1",
        route: "auto",
        tenant,
        expert: "small",
        fault,
        detail: "",
        http_status,
        tokens: Tokens { prompt: 10, cached: 4, cache_write: 2, output: 20 },
        cost: NanoUsd(70),
        baseline: NanoUsd(900),
        total_ms: 80.0,
        overhead_ms: 0.3,
    }
}

/// One of every event, so that every metric moves.
fn everything() -> Observer {
    let observer = Observer::new();
    let attempt = |end, tpot_ms| Event::Attempt {
        request: "r-1",
        expert: "small",
        pool: "small-a",
        replica: "127.0.0.1:1",
        end,
        detail: "",
        tpot_ms,
        ttft_ratio: tpot_ms.map(|_| 1.5),
        tpot_ratio: tpot_ms.map(|_| 0.5),
    };
    let decided = Event::Decided {
        request: "r-1",
        route: "auto",
        expert: "small",
        decision: &decision(),
        classify_us: 60,
        decide_us: 90,
    };
    let events = [
        Event::Configured { config: "c0ffee", is_reload: false, routes: &[] },
        Event::Promised { route: "auto", ratio: 0.95 },
        Event::Certified { route: "auto", domain: "", certificate: &certificate() },
        Event::ReloadRefused { why: "no such expert" },
        Event::Ready { data: "127.0.0.1:1", admin: "127.0.0.1:2" },
        Event::Pool {
            pool: "small-a",
            queued: 3,
            in_flight: 8,
            limit: 16,
            up: 2,
            resting: 0,
            ejected: 1,
            draining: 0,
        },
        Event::Discovered { pool: "small-a", joined: 1, left: 0 },
        Event::DiscoveryFailed { pool: "small-a", why: "gone" },
        Event::Replica {
            pool: "small-a",
            replica: "127.0.0.1:1",
            change: Change::Ejected(Why::FailuresInRow),
        },
        decided,
        Event::Batch { pool: "small-a", rows: 12 },
        Event::Joined { pool: "small-a", wait_ms: 4.0 },
        Event::FirstToken { expert: "small", ttft_ms: 30.0 },
        attempt(AttemptEnd::Refused, None),
        attempt(AttemptEnd::Done, Some(7.0)),
        settled("acme", None, 200),
        settled("acme", Some(FaultCode::NoCapacity), 503),
        Event::Admin { what: "create", key: "k", tenant: "acme", outcome: "done" },
        Event::Budget { level: "acme", remaining: NanoUsd(5), trouble: None },
        Event::Overran { request: "r", expert: "small", amount: NanoUsd(7) },
        Event::PoolMinute { pool: "small-a", bill: NanoUsd(50), charged: NanoUsd(20) },
        Event::Keys { known: 3, trouble: None, is_news: true },
        Event::Journal { trouble: None, lag_s: 0.25 },
        Event::Shipping { trouble: None, unshipped: 12, lag_s: 1.5 },
        Event::SharedStore { warning: "forgetful" },
        Event::Panicked { task: "request" },
        Event::Draining { in_flight: 0 },
    ];
    events.into_iter().for_each(|event| observer.emit(event));
    observer
}

/// Reads the text format strictly: every line a comment or `name{label="value",...} number`, each series once, and
/// each after the type of its family.
fn parse(text: &str) -> (BTreeSet<String>, Samples) {
    let (mut families, mut samples) = (BTreeSet::new(), Samples::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a name and a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned()), "declared once: {line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            check_labels(series);
            let name = series.split('{').next().expect("a first part");
            assert!(families.iter().any(|family| is_of(name, family)), "no type before {line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    (families, samples)
}

fn is_of(name: &str, family: &str) -> bool {
    let rest = name.strip_prefix(family);
    rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
}

fn check_labels(series: &str) {
    let Some((_, labels)) = series.split_once('{') else { return };
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end: {series}"));
    for label in labels.split("\",") {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no value: {series}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{series}");
        assert!(!value.trim_end_matches('"').contains(['"', '\n']), "{series}");
    }
}

#[test]
fn every_metric_of_the_table_is_rendered_and_no_other() {
    let (families, _) = parse(&everything().render());
    let table: BTreeSet<String> = METRICS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(families, table);
}

#[test]
fn the_reference_page_lists_every_metric_and_no_other() {
    let page = include_str!("../../../../docs/reference/metrics.md");
    let listed: Vec<&str> = page.lines().filter(|line| line.starts_with("| `sluice_")).collect();
    let expected: Vec<String> = METRICS.iter().map(line_of).collect();
    assert_eq!(listed, expected, "docs/reference/metrics.md");
}

/// A metric's line in the reference page.
fn line_of(row: &Row) -> String {
    let kind = match row.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram(_) => "histogram",
    };
    let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {kind} | {} | {} |", row.name, labels.join(", "), row.help)
}

#[test]
fn every_metric_has_its_help_and_its_labels() {
    let text = everything().render();
    for row in METRICS {
        assert!(text.contains(&format!("# HELP {} {}", row.name, row.help)), "{}", row.name);
        let labels = row.labels.iter().all(|label| {
            let mut lines = text.lines().filter(|line| line.starts_with(row.name));
            lines.any(|line| line.contains(&format!("{label}=\"")))
        });
        assert!(labels, "{} has {:?}", row.name, row.labels);
        let is_named = row.name.ends_with("_total") == matches!(row.kind, MetricKind::Counter);
        assert!(is_named, "{}: counters, and only they, end in _total", row.name);
    }
}

#[test]
fn amounts_times_and_states_are_as_the_events_said() {
    let (_, samples) = parse(&everything().render());
    let expected = [
        ("sluice_requests_total{route=\"auto\",expert=\"small\",status=\"200\"}", 1.0),
        ("sluice_requests_total{route=\"auto\",expert=\"small\",status=\"503\"}", 1.0),
        ("sluice_cost_nanousd_total{tenant=\"acme\",expert=\"small\"}", 140.0),
        ("sluice_baseline_nanousd_total{tenant=\"acme\"}", 1_800.0),
        ("sluice_tokens_total{expert=\"small\",type=\"input\"}", 8.0),
        ("sluice_tokens_total{expert=\"small\",type=\"cached_input\"}", 8.0),
        ("sluice_tokens_total{expert=\"small\",type=\"cache_write\"}", 4.0),
        ("sluice_tokens_total{expert=\"small\",type=\"output\"}", 40.0),
        ("sluice_replica_state{pool=\"small-a\",state=\"up\"}", 2.0),
        ("sluice_replica_state{pool=\"small-a\",state=\"ejected\"}", 1.0),
        ("sluice_queue_wait_seconds_sum{pool=\"small-a\"}", 0.004),
        ("sluice_ttft_prediction_ratio_sum{pool=\"small-a\"}", 1.5),
        ("sluice_ttft_prediction_ratio_count{pool=\"small-a\"}", 1.0),
        ("sluice_tpot_prediction_ratio_bucket{pool=\"small-a\",le=\"0.4\"}", 0.0),
        ("sluice_tpot_prediction_ratio_bucket{pool=\"small-a\",le=\"0.5\"}", 1.0),
        ("sluice_time_to_first_token_seconds_bucket{expert=\"small\",le=\"0.02\"}", 0.0),
        ("sluice_time_to_first_token_seconds_bucket{expert=\"small\",le=\"0.04\"}", 1.0),
        ("sluice_decide_seconds_sum", 0.000_09),
        ("sluice_shed_total{reason=\"no_capacity\"}", 1.0),
        ("sluice_errors_total{fault=\"no_capacity\"}", 1.0),
        ("sluice_errors_total{fault=\"internal_error\"}", 1.0),
        ("sluice_ledger_lag_seconds", 0.25),
        ("sluice_ledger_unshipped", 12.0),
        ("sluice_ledger_shipping_lag_seconds", 1.5),
    ];
    for (series, value) in expected {
        assert_eq!(samples.get(series), Some(&value), "{series} in {samples:#?}");
    }
}

#[test]
fn a_certificate_that_is_no_longer_in_force_reads_0() {
    let observer = everything();
    let renewed = Certificate { data: "fedcba9876543210".to_owned(), rows: 3_000, ..certificate() };
    observer.emit(Event::Configured { config: "new", is_reload: true, routes: &[] });
    observer.emit(Event::Certified { route: "auto", domain: "", certificate: &renewed });
    let (_, samples) = parse(&observer.render());
    let info = |data| {
        let labels = "route=\"auto\",domain=\"\",method=\"normal\",floor=\"0.95\",confidence=\"0.9\"";
        samples[&format!("sluice_certificate_info{{{labels},made=\"2026-11-25\",data=\"{data}\"}}")]
    };
    assert_eq!((info("0123456789ab"), info("fedcba987654")), (0.0, 1.0));
    assert_eq!(samples["sluice_certificate_rows{route=\"auto\",domain=\"\"}"], 3_000.0);
}

#[test]
fn tenants_beyond_the_bound_are_counted_together() {
    let observer = Observer::new();
    let tenants: Vec<String> = (0..MOST_TENANTS + 50).map(|n| format!("tenant-{n}")).collect();
    for tenant in tenants.iter().chain(&tenants) {
        observer.emit(settled(tenant, None, 200));
    }
    let (_, samples) = parse(&observer.render());
    let baselines = samples.keys().filter(|series| series.starts_with("sluice_baseline"));
    assert_eq!(baselines.count(), MOST_TENANTS + 1);
    assert_eq!(samples.get("sluice_baseline_nanousd_total{tenant=\"other\"}"), Some(&(100.0 * 900.0)));
}

#[test]
fn a_gateway_that_nobody_scrapes_counts_every_sample() {
    let observer = Observer::new();
    let samples = 3 * u64::from(FOLD_EVERY) + 17;
    for _ in 0..samples {
        observer.emit(Event::Joined { pool: "small-a", wait_ms: 1.0 });
    }
    let (_, rendered) = parse(&observer.render());
    assert_eq!(rendered["sluice_queue_wait_seconds_count{pool=\"small-a\"}"], samples as f64);
}

#[test]
fn gateways_in_one_process_count_apart() {
    let (one, other) = (everything(), Observer::new());
    assert!(one.render().contains("sluice_requests_total"));
    assert!(!other.render().contains("sluice_requests_total"));
}
