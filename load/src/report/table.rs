//! The report as a table for a terminal.

use crate::measure::{Interval, PartSummary, Percentiles, Summary};
use crate::report::Report;
use crate::report::text::{count, digits, ms};
use crate::search::Point;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The figures that a person wants first.
pub fn report_table(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, &report.summary);
    times(&mut out, &report.summary);
    money(&mut out, &report.summary);
    for (title, parts) in [
        ("expert", &report.summary.per_expert),
        ("pool", &report.summary.per_pool),
        ("tenant", &report.summary.per_tenant),
    ] {
        // One pool for each expert says what the experts' rows say already.
        let is_new = parts.len() > 1 && (title != "pool" || parts.len() > report.summary.per_expert.len());
        if is_new || title == "expert" {
            part_rows(&mut out, title, parts);
        }
    }
    for (kind, codes) in &report.summary.errors_by_fault {
        let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{} x {code}", count(*n))).collect();
        let _ = writeln!(out, "errors, {}: {}", fault(*kind), codes.join(", "));
    }
    for bound in &report.bounds {
        let held = match bound.held {
            Some(true) => "held",
            Some(false) => "missed",
            None => "can't be judged: the target doesn't show this",
        };
        let _ = writeln!(out, "SLO {}: {held}", bound.expr);
    }
    if let Some(found) = &report.search {
        let _ = writeln!(out, "\n{}", found_line(found));
        out.push_str(&points_table(&found.probes));
    }
    if !report.sweep.is_empty() {
        out.push('\n');
        out.push_str(&points_table(&report.sweep));
    }
    for gate in &report.gates {
        let _ = writeln!(out, "gate {}", gate.line);
    }
    out
}

/// What a search found, in a sentence.
pub(crate) fn found_line(found: &crate::search::Found) -> String {
    match (found.rate_rps, found.missed_rps) {
        (Some(held), Some(missed)) => {
            format!("highest rate that holds: {}/s (missed at {}/s)", digits(held), digits(missed))
        }
        (Some(held), None) => format!("holds up to {}/s, the highest rate tried", digits(held)),
        (None, _) => "no rate that was tried holds".to_owned(),
    }
}

/// A fault in a word.
pub(crate) fn fault(kind: crate::FaultKind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

fn head(out: &mut String, of: &Summary) {
    let rate = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{}/s", digits(value)));
    let cancelled =
        if of.cancelled > 0 { format!(", {} cancelled", count(of.cancelled)) } else { String::new() };
    let _ = writeln!(
        out,
        "{} sent, {} ok, {} errors{cancelled} in {:.1} s: offered {}, completed {}{}, goodput {}",
        count(of.sent),
        count(of.ok),
        count(of.errors),
        of.seconds,
        rate(of.offered_rps),
        rate(of.rate_rps),
        of.throughput_rps_ci.map_or(String::new(), |ci| format!(" [{}]", ends(ci, digits))),
        rate(of.goodput_rps),
    );
}

/// `low to high`; where the sample has no such end, `≥ low` or `≤ high`.
pub(crate) fn ends(interval: Interval, show: impl Fn(f64) -> String) -> String {
    match interval {
        Interval(Some(low), Some(high)) => format!("{} to {}", show(low), show(high)),
        Interval(Some(low), None) => format!("≥ {}", show(low)),
        Interval(None, Some(high)) => format!("≤ {}", show(high)),
        Interval(None, None) => "-".to_owned(),
    }
}

fn times(out: &mut String, of: &Summary) {
    let _ =
        writeln!(out, "{:<17} {:>9} {:>9} {:>9} {:>9}  p99 95 % interval", "", "p50", "p90", "p99", "max");
    for (name, times) in [
        ("time to 1st token", &of.ttft_ms),
        ("  uncorrected", &of.ttft_uncorrected_ms),
        ("per output token", &of.tpot_ms),
        ("between events", &of.itl_ms),
        ("end to end", &of.e2e_ms),
    ] {
        // Without coordinated omission there is nothing to correct.
        let is_same = name.starts_with(' ') && times.p99 == of.ttft_ms.p99;
        if times.n > 0 && !is_same {
            let show = |value: Option<f64>| value.map_or("-".to_owned(), ms);
            let _ = writeln!(
                out,
                "{name:<17} {:>9} {:>9} {:>9} {:>9}  {}",
                show(times.p50),
                show(times.p90),
                show(times.p99),
                show(times.max),
                ends(times.p99_ci, ms)
            );
        }
    }
}

fn money(out: &mut String, of: &Summary) {
    let mut parts = Vec::new();
    if let Some(cost) = of.cost_usd {
        let per_1k = of.cost_per_1k.map_or(String::new(), |cost| format!(" (${} per 1,000)", digits(cost)));
        parts.push(format!("cost ${}{per_1k}", digits(cost)));
    }
    if let Some(saved) = of.saved_pct {
        parts.push(format!("saved {saved:.1} %"));
    }
    if let Some(quality) = of.quality {
        let ratio =
            of.quality_ratio.map_or(String::new(), |ratio| format!(", {ratio:.3} of the reference's"));
        let interval =
            of.quality_ci.map_or(String::new(), |ci| format!(" [{}]", ends(ci, |q| format!("{q:.3}"))));
        parts.push(format!("quality {quality:.3}{interval}{ratio}"));
    }
    if let Some(share) = of.cached_share.filter(|share| *share > 0.0) {
        parts.push(format!("cached {:.1} % of prompt tokens", 100.0 * share));
    }
    if let Some(fairness) = &of.fairness {
        parts.push(format!("fairness {:.3}", fairness.jain));
    }
    if !parts.is_empty() {
        let _ = writeln!(out, "{}", parts.join(", "));
    }
}

fn part_rows(out: &mut String, title: &str, parts: &BTreeMap<String, PartSummary>) {
    if parts.is_empty() {
        return;
    }
    // A column for those who have something to say in it.
    let is_cached = parts.values().any(|part| part.cached_tokens > 0);
    let width = parts.keys().map(|name| name.chars().count()).max().unwrap_or(0).clamp(title.len(), 40);
    let _ = writeln!(
        out,
        "{title:<width$} {:>7} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7}{}",
        "sent",
        "errors",
        "line p99",
        "TTFT p50",
        "TTFT p99",
        "e2e p99",
        "cost $",
        "saved %",
        "quality",
        if is_cached { " cached %" } else { "" },
    );
    for (name, part) in parts {
        let p99 = |times: &Percentiles| times.p99.map_or("-".to_owned(), ms);
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let _ = writeln!(
            out,
            "{name:<width$} {:>7} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7}{}",
            count(part.sent),
            count(part.errors),
            p99(&part.queue_ms),
            part.ttft_ms.p50.map_or("-".to_owned(), ms),
            p99(&part.ttft_ms),
            p99(&part.e2e_ms),
            part.cost_usd.map_or("-".to_owned(), digits),
            number(part.saved_pct, 1),
            number(part.quality, 3),
            if is_cached {
                format!(" {:>8}", number(part.cached_share.map(|share| 100.0 * share), 1))
            } else {
                String::new()
            },
        );
    }
}

/// Tests at several rates, one line each.
pub fn points_table(points: &[Point]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>7} {:>10}  verdict",
        "asked/s", "completed", "goodput", "TTFT p50", "TTFT p99", "TPOT p99", "errors", "$ per 1k"
    );
    for point in points {
        let rate = |value: Option<f64>| value.map_or("-".to_owned(), digits);
        let time = |value: Option<f64>| value.map_or("-".to_owned(), ms);
        let verdict = match (&point.why, point.held) {
            (Some(why), _) => format!("missed: {why}"),
            (None, Some(true)) => "held".to_owned(),
            (None, Some(false)) => "missed".to_owned(),
            (None, None) => String::new(),
        };
        let _ = writeln!(
            out,
            "{:>9} {:>10} {:>9} {:>9} {:>9} {:>9} {:>6.1}% {:>10}  {verdict}",
            digits(point.asked_rps),
            rate(point.rate_rps),
            rate(point.goodput_rps),
            time(point.ttft_ms.p50),
            time(point.ttft_ms.p99),
            time(point.tpot_ms.p99),
            100.0 * point.error_rate.unwrap_or_default(),
            rate(point.cost_per_1k),
        );
    }
    out
}
