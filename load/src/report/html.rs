//! The report as one HTML file that needs nothing else. Every number in it is in the JSON too.

use crate::measure::{Interval, PartSummary};
use crate::report::Report;
use crate::report::html_charts::{over_time, percentiles, points};
use crate::report::table::{ends, fault, found_line};
use crate::report::text::{count, digits, ms};
use crate::search::Point;
use sluice_lab::{escape, page};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The page.
pub fn html(report: &Report) -> String {
    let body = [
        head(report),
        cards(report),
        warnings(report),
        verdicts(report),
        experts(report),
        over_time(report),
        percentiles(report),
        times(report),
        rates(report),
        other_parts(report),
        errors(report),
        facts(report),
    ];
    page(&title(report), STYLE, &body.concat())
}

const STYLE: &str = "\
.curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\
.curve.first{stroke:var(--first)}.curve.second{stroke:var(--second)}.curve.third{stroke:var(--third);stroke-dasharray:6 5}.curve.bad{stroke:var(--bad)}\
.dot.first{fill:var(--first)}.dot.second{fill:var(--second)}.dot.third{fill:var(--third)}.dot.bad{fill:var(--bad)}\
.row{display:grid;gap:8px 12px}.row.three{grid-template-columns:repeat(3,1fr)}.row.two{grid-template-columns:repeat(2,1fr)}.row>div{min-width:0}\
.good{color:var(--good)}.bad{color:var(--bad)}.note{border-left:3px solid var(--second);padding:2px 12px;margin:12px 0}\
main{max-width:1240px}td small{display:block;color:var(--soft);line-height:1.2}th small{font-weight:400}td{vertical-align:top}\
.parts td,.parts th{padding:5px 8px}\
@media (max-width:640px){.row.two,.row.three{grid-template-columns:1fr}.parts tr:first-child{display:none}.parts tr{display:grid;grid-template-columns:repeat(4,1fr);border-bottom:1px solid var(--line);padding:6px 0}\
.parts td{display:block;border:0;padding:3px 4px;text-align:left}.parts td:first-child{grid-column:1/-1;font-weight:600}.parts td[data-head]::before{content:attr(data-head);display:block;color:var(--soft);font-size:11px}}\n";

fn head(report: &Report) -> String {
    let run = &report.run;
    let kind = if run.is_virtual { " in virtual time, against simulated pools" } else { "" };
    let seed = if run.merged == 0 { format!(", seed {}", run.seed) } else { String::new() };
    let ended =
        if run.ended == "complete" { String::new() } else { format!("; the run ended early: {}", run.ended) };
    format!(
        "<h1>{}</h1>\n<p class=\"soft\">{} requests in {:.1} s{kind}{seed}{}</p>\n",
        escape(&title(report)),
        count(report.summary.sent),
        report.summary.seconds,
        escape(&ended)
    )
}

fn title(report: &Report) -> String {
    match report.run.merged {
        0 => format!("Load test of {}", report.run.target),
        1 => "Load test, one saved run".to_owned(),
        n => format!("Load test, {n} testers merged"),
    }
}

fn card(value: &str, what: &str) -> String {
    format!("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escape(value), escape(what))
}

fn cards(report: &Report) -> String {
    let of = &report.summary;
    let within = |ci: Interval, show: fn(f64) -> String| format!("; 95 %: {}", ends(ci, show));
    let mut out = String::from("<div class=\"cards\">\n");
    if let Some(rate) = of.rate_rps {
        let ok = 100.0 * of.ok as f64 / of.sent.max(1) as f64;
        out += &card(
            &format!("{}/s", digits(rate)),
            &format!("completed; {} of {} answered ({ok:.1} %)", count(of.ok), count(of.sent)),
        );
    }
    if let Some(p99) = of.ttft_ms.p99 {
        let p50 = of.ttft_ms.p50.map_or(String::new(), |p50| format!(", p50 {}", ms(p50)));
        out += &card(&ms(p99), &format!("to the first token, p99{p50}{}", within(of.ttft_ms.p99_ci, ms)));
    }
    if let Some(p99) = of.tpot_ms.p99 {
        let p50 = of.tpot_ms.p50.map_or(String::new(), |p50| format!(", p50 {}", ms(p50)));
        out += &card(&ms(p99), &format!("per output token, p99{p50}"));
    }
    if let Some(p99) = of.e2e_ms.p99 {
        let p50 = of.e2e_ms.p50.map_or(String::new(), |p50| format!(", p50 {}", ms(p50)));
        out += &card(&ms(p99), &format!("end to end, p99{p50}"));
    }
    if let Some((share, rate)) = of.slo.as_ref().and(of.goodput_share).zip(of.goodput_rps) {
        out +=
            &card(&format!("{}/s", digits(rate)), &format!("goodput: {:.1} % within the SLO", 100.0 * share));
    }
    if let Some(cost) = of.cost_usd {
        let per_1k =
            of.cost_per_1k.map_or(String::new(), |cost| format!("; ${} per 1,000 answers", digits(cost)));
        out += &card(&format!("${}", digits(cost)), &format!("cost{per_1k}"));
    }
    if let Some(saved) = of.saved_pct {
        let baseline = of.baseline_usd.map_or(String::new(), |usd| format!(", which is ${}", digits(usd)));
        out += &card(&format!("{saved:.1} %"), &format!("saved against the reference{baseline}"));
    }
    if let Some(quality) = of.quality {
        let ratio =
            of.quality_ratio.map_or(String::new(), |ratio| format!(", {ratio:.3} of the reference's"));
        let ci = of.quality_ci.map_or(String::new(), |ci| within(ci, |value| format!("{value:.3}")));
        out += &card(&format!("{quality:.3}"), &format!("mean score{ratio}{ci}"));
    }
    out + "</div>\n"
}

fn warnings(report: &Report) -> String {
    let warnings = report.overhead.iter().flat_map(|overhead| &overhead.warnings);
    warnings.map(|warning| format!("<p class=\"note\">{}</p>\n", escape(warning))).collect()
}

fn verdicts(report: &Report) -> String {
    if report.bounds.is_empty() && report.gates.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Objectives and gates</h2>\n<div class=\"wide-table\"><table>\n<tr><th>condition</th><th class=\"say\">outcome</th></tr>\n",
    );
    let mut row = |expr: &str, class: &str, outcome: &str| {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"say {class}\">{}</td></tr>",
            escape(expr),
            escape(outcome)
        );
    };
    for bound in &report.bounds {
        match bound.held {
            Some(true) => row(&format!("SLO {}", bound.expr), "good", "held"),
            Some(false) => row(&format!("SLO {}", bound.expr), "bad", "missed"),
            None => {
                row(&format!("SLO {}", bound.expr), "soft", "can't be judged: the target doesn't show this")
            }
        }
    }
    for gate in &report.gates {
        let (class, word) = if gate.held { ("good", "held") } else { ("bad", "did not hold") };
        let line = gate.line.strip_prefix(&format!("{}: ", gate.expr)).unwrap_or(&gate.line);
        let line = line.strip_prefix("held, ").unwrap_or(line);
        row(&format!("fail if {}", gate.expr), class, &format!("{word}: {line}"));
    }
    out + "</table></div>\n"
}

/// Latency, cost, saving and quality of each expert in one table.
fn experts(report: &Report) -> String {
    if report.summary.per_expert.is_empty() {
        return String::new();
    }
    part_table("Experts", "expert", &report.summary.per_expert)
}

fn other_parts(report: &Report) -> String {
    let of = &report.summary;
    let tables = [
        ("Routes", "route", &of.per_route),
        ("Pools", "pool", &of.per_pool),
        ("Replicas", "replica", &of.per_replica),
        ("Tenants", "tenant", &of.per_tenant),
    ];
    // One pool for each expert says what the experts' table says already.
    let is_new = |word: &str, parts: usize| {
        parts > 1 && (!matches!(word, "pool" | "replica") || parts > of.per_expert.len())
    };
    let several = tables.into_iter().filter(|(_, word, parts)| is_new(word, parts.len()));
    let mut out: String = several.map(|(title, word, parts)| part_table(title, word, parts)).collect();
    if let Some(fairness) = &of.fairness {
        let ratio = fairness
            .max_over_min
            .map_or("one got nothing".to_owned(), |ratio| format!("most over least {ratio:.2}"));
        let _ = writeln!(
            out,
            "<p class=\"soft\">Served tokens per weight over tenants: Jain's index {:.3} (1 is even), {ratio}.</p>",
            fairness.jain
        );
    }
    out
}

fn part_table(title: &str, word: &str, parts: &BTreeMap<String, PartSummary>) -> String {
    let heads = [
        "sent", "errors", "line p99", "TTFT p50", "TTFT p99", "TPOT p50", "E2E p99", "cost, $", "saved, %",
        "quality", "of ref.",
    ];
    let head: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    let mut out = format!(
        "<h2>{title}</h2>\n<div class=\"wide-table\"><table class=\"parts\">\n<tr><th>{word}</th>{head}</tr>\n"
    );
    for (name, part) in parts {
        let cells = heads.iter().zip(part_cells(part));
        // On a phone each part is a block whose cells carry their heads.
        let cells: String =
            cells.map(|(head, cell)| format!("<td data-head=\"{head}\">{cell}</td>")).collect();
        let _ = writeln!(out, "<tr><td>{}</td>{cells}</tr>", escape(name));
    }
    out + "</table></div>\n"
}

fn part_cells(part: &PartSummary) -> [String; 11] {
    let time = |value: Option<f64>| value.map_or("-".to_owned(), ms);
    let ci = part
        .quality_ci
        .map_or(String::new(), |ci| format!(" <small>{}</small>", ends(ci, |q| format!("{q:.3}"))));
    [
        format!("{} <small>{:.1} %</small>", count(part.sent), 100.0 * part.share),
        count(part.errors),
        time(part.queue_ms.p99),
        time(part.ttft_ms.p50),
        time(part.ttft_ms.p99),
        time(part.tpot_ms.p50),
        time(part.e2e_ms.p99),
        part.cost_usd.map_or("-".to_owned(), digits),
        part.saved_pct.map_or("-".to_owned(), |saved| format!("{saved:.1}")),
        part.quality.map_or("-".to_owned(), |quality| format!("{quality:.3}{ci}")),
        part.quality_ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")),
    ]
}

fn times(report: &Report) -> String {
    let of = &report.summary;
    let mut out = String::from(
        "<h2>Times</h2>\n<div class=\"wide-table\"><table>\n<tr><th>time</th><th>n</th><th>mean</th><th>p50 <small>95 %</small></th>\
         <th>p90 <small>95 %</small></th><th>p99 <small>95 %</small></th><th>p99.9</th><th>max</th></tr>\n",
    );
    for (name, times) in [
        ("to the first token", &of.ttft_ms),
        ("to the first token, uncorrected", &of.ttft_uncorrected_ms),
        ("per output token", &of.tpot_ms),
        ("between text events", &of.itl_ms),
        ("end to end", &of.e2e_ms),
        ("sent later than planned", &of.late_ms),
    ] {
        if times.n == 0 {
            continue;
        }
        let show = |value: Option<f64>| value.map_or("-".to_owned(), ms);
        let with =
            |value: Option<f64>, ci: Interval| format!("{} <small>{}</small>", show(value), ends(ci, ms));
        let _ = writeln!(
            out,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            count(times.n),
            show(times.mean),
            with(times.p50, times.p50_ci),
            with(times.p90, times.p90_ci),
            with(times.p99, times.p99_ci),
            show(times.p999),
            show(times.max),
        );
    }
    out + "</table></div>\n"
}

/// The search and the sweep, each with its charts and its table.
fn rates(report: &Report) -> String {
    let mut out = String::new();
    if let Some(found) = &report.search {
        let _ = writeln!(out, "<h2>Highest rate</h2>\n<p>{}</p>", escape(&found_line(found)));
        // A sweep draws the same better.
        if report.sweep.is_empty() {
            out += &points(&found.probes);
        }
        out += &point_rows(&found.probes);
    }
    if !report.sweep.is_empty() {
        out += "<h2>Rate by rate</h2>\n";
        out += &points(&report.sweep);
        out += &point_rows(&report.sweep);
    }
    out
}

fn point_rows(rows: &[Point]) -> String {
    let mut out = String::from(
        "<div class=\"wide-table\"><table>\n<tr><th>asked /s</th><th>completed /s</th><th>goodput /s</th><th>TTFT p50</th><th>TTFT p99</th>\
         <th>TPOT p99</th><th>end to end p99</th><th>errors</th><th>$ per 1,000</th><th class=\"say\">verdict</th></tr>\n",
    );
    for point in rows {
        let time = |value: Option<f64>| value.map_or("-".to_owned(), ms);
        let number = |value: Option<f64>| value.map_or("-".to_owned(), digits);
        let (class, verdict) = match (&point.why, point.held) {
            (Some(why), _) => ("bad", format!("missed: {why}")),
            (None, Some(true)) => ("good", "held".to_owned()),
            (None, Some(false)) => ("bad", "missed".to_owned()),
            (None, None) => ("soft", "-".to_owned()),
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1} %</td><td>{}</td>\
             <td class=\"say {class}\">{}</td></tr>",
            digits(point.asked_rps),
            number(point.rate_rps),
            number(point.goodput_rps),
            time(point.ttft_ms.p50),
            time(point.ttft_ms.p99),
            time(point.tpot_ms.p99),
            time(point.e2e_ms.p99),
            100.0 * point.error_rate.unwrap_or_default(),
            number(point.cost_per_1k),
            escape(&verdict)
        );
    }
    out + "</table></div>\n"
}

fn errors(report: &Report) -> String {
    if report.summary.errors == 0 {
        return String::new();
    }
    let mut out = String::from(
        "<h2>Errors</h2>\n<div class=\"wide-table\"><table>\n<tr><th>fault</th><th class=\"say\">code</th><th>requests</th><th>of all</th></tr>\n",
    );
    for (kind, codes) in &report.summary.errors_by_fault {
        for (code, n) in codes {
            let share = 100.0 * *n as f64 / report.summary.sent.max(1) as f64;
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"say\">{}</td><td>{}</td><td>{share:.2} %</td></tr>",
                escape(&fault(*kind)),
                escape(code),
                count(*n)
            );
        }
    }
    out + "</table></div>\n"
}

fn facts(report: &Report) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    if report.run.merged == 0 {
        rows.push(("Target".into(), report.run.target.clone()));
        rows.push(("Seed".into(), report.run.seed.to_string()));
    }
    rows.push(("Program".into(), format!("sluice {}", report.run.version)));
    rows.extend(report.run.inputs.iter().map(|(name, value)| (format!("--{name}"), value.clone())));
    if let Some(slo) = &report.summary.slo {
        rows.push(("SLO".into(), slo.clone()));
    }
    if report.run.unfinished > 0 {
        rows.push((
            "Cut off at the end".into(),
            format!("{} requests, not counted", count(report.run.unfinished)),
        ));
    }
    if let Some(own) = &report.overhead {
        let us = |value: u64| ms(value as f64 / 1e3);
        let cpu = own
            .cpu_share
            .map_or(String::new(), |share| format!("; {:.0} % of {} cores", 100.0 * share, own.cores));
        rows.push((
            "The tester itself".into(),
            format!(
                "sent {} late at the median, {} at p99, {} at most; event loop {} behind at p99{cpu}",
                us(own.late_us_p50),
                us(own.late_us_p99),
                us(own.late_us_max),
                us(own.lag_us_p99)
            ),
        ));
    }
    rows.push((
        "Latency".into(),
        "from the moment a request was meant to start, whenever it really went; \"uncorrected\" counts from when it went".into(),
    ));
    rows.push((
        "Intervals".into(),
        "95 %; percentiles by order statistics over as many samples as are independent, means by their standard error".into(),
    ));
    let rows =
        rows.iter().map(|(what, text)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(what), escape(text)));
    format!("<h2>How it was measured</h2>\n<dl>\n{}</dl>\n", rows.collect::<String>())
}
