//! The charts of the page, each for wide and for narrow screens.

use crate::report::curve::Curve;
use crate::report::svg::{Axis, Chart, HALF, Line, NARROW, Scale, Size, THIRD, WIDE, scale_of};
use crate::report::text::{digits, ms};
use crate::report::{Report, Second};
use crate::search::Point;
use std::fmt::Write as _;

fn both(chart: &Chart<'_>, wide: Size) -> String {
    format!("{}{}{}", chart.draw(wide), chart.draw(NARROW), chart.legend())
}

fn titled(title: &str, chart: &Chart<'_>, wide: Size) -> String {
    let drawn = both(chart, wide);
    if drawn.is_empty() { drawn } else { format!("<div><h3>{title}</h3>\n{drawn}</div>\n") }
}

fn seconds(value: f64) -> String {
    format!("{} s", plain(value))
}

/// A number on an axis, without needless zeros.
fn plain(value: f64) -> String {
    let text = digits(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn time(value: f64) -> String {
    let text = ms(value);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

fn dollars(value: f64) -> String {
    format!("${}", plain(value))
}

type Figure = fn(&Second) -> Option<f64>;

/// What is shown, and its p50 and p99.
type Shown = (&'static str, Figure, Figure);

/// Rate and latency over the run.
pub(crate) fn over_time(report: &Report) -> String {
    let series = &report.series;
    if series.len() < 2 {
        return String::new();
    }
    // Unary answers show no first token; their end stands for it.
    let has_ttft = series.iter().any(|second| second.ttft_p50_ms.is_some());
    let (what, p50, p99): Shown = if has_ttft {
        ("time to the first token", |second| second.ttft_p50_ms, |second| second.ttft_p99_ms)
    } else {
        ("time to the end", |second| second.e2e_p50_ms, |second| second.e2e_p99_ms)
    };
    let line = |name, class, of: &dyn Fn(&Second) -> Option<f64>| Line {
        name,
        class,
        points: series.iter().map(|second| (second.at_s, of(second))).collect(),
        has_dots: false,
    };
    let lines = vec![line("p50", "first", &p50), line("p99", "second", &p99)];
    let latency = Chart {
        about: "Latency over time",
        x: Axis { label: "start of the request", scale: Scale::Linear, show: seconds },
        y: Axis { label: what, scale: scale_of(&lines), show: time },
        lines,
    };
    let mut lines = vec![
        line("offered", "third", &|second| Some(second.offered_rps)),
        line("completed", "first", &|second| Some(second.ok_rps)),
    ];
    if report.summary.errors > 0 {
        lines.push(line("failed", "bad", &|second| Some(second.errors_rps)));
    }
    let rates = Chart {
        about: "Requests per second over time",
        x: Axis { label: "time", scale: Scale::Linear, show: seconds },
        y: Axis { label: "requests per second", scale: Scale::Linear, show: plain },
        lines,
    };
    format!("<h2>Over time</h2>\n{}{}", both(&latency, WIDE), titled("Requests per second", &rates, WIDE))
}

/// Times by percentile.
pub(crate) fn percentiles(report: &Report) -> String {
    let curves = &report.curves;
    let line = |name, class, curve: &Curve| Line {
        name,
        class,
        points: curve.iter().map(|(percentile, ms)| (*percentile, Some(*ms))).collect(),
        has_dots: false,
    };
    let mut ttft = vec![line("from the intended start", "first", &curves.ttft_ms)];
    if !curves.ttft_ms.is_empty() && curves.ttft_uncorrected_ms != curves.ttft_ms {
        ttft.push(line("from the true start", "third", &curves.ttft_uncorrected_ms));
    }
    let tpot = vec![line("per output token", "first", &curves.tpot_ms)];
    let e2e = vec![line("end to end", "first", &curves.e2e_ms)];
    let mut out = String::from("<h2>By percentile</h2>\n<div class=\"row three\">\n");
    for (title, lines) in
        [("Time to the first token", ttft), ("Time per output token", tpot), ("Time to the end", e2e)]
    {
        let chart = Chart {
            about: title,
            x: Axis { label: "percentile", scale: Scale::Nines, show: |value| format!("p{value}") },
            y: Axis { label: "", scale: scale_of(&lines), show: time },
            lines,
        };
        out += &titled(title, &chart, THIRD);
    }
    out + "</div>\n"
}

/// Latency against throughput, and cost against goodput.
pub(crate) fn points(points: &[Point]) -> String {
    // What was ended early has no latency or throughput of its own.
    let mut sorted: Vec<&Point> = points.iter().filter(|point| !point.is_cut).collect();
    sorted.sort_by(|a, b| a.asked_rps.total_cmp(&b.asked_rps));
    let has_ttft = sorted.iter().any(|point| point.ttft_ms.p50.is_some());
    let times = |point: &&Point| if has_ttft { point.ttft_ms.clone() } else { point.e2e_ms.clone() };
    let line = |name, class, of: &dyn Fn(&&Point) -> Option<(f64, f64)>| Line {
        name,
        class,
        points: sorted.iter().filter_map(of).map(|(x, y)| (x, Some(y))).collect(),
        has_dots: true,
    };
    let lines = vec![
        line("p50", "first", &|point| point.rate_rps.zip(times(point).p50)),
        line("p99", "second", &|point| point.rate_rps.zip(times(point).p99)),
    ];
    let latency = Chart {
        about: "Latency against throughput",
        x: Axis { label: "completed requests per second", scale: Scale::Linear, show: plain },
        y: Axis {
            label: if has_ttft { "time to the first token" } else { "time to the end" },
            scale: scale_of(&lines),
            show: time,
        },
        lines,
    };
    let cost = Chart {
        about: "Cost against goodput",
        x: Axis { label: "good requests per second", scale: Scale::Linear, show: plain },
        y: Axis { label: "cost of 1,000 good ones", scale: Scale::Linear, show: dollars },
        lines: vec![line("cost of 1,000 good requests", "first", &|point| {
            point.goodput_rps.zip(point.cost_per_1k_good)
        })],
    };
    let mut out = String::from("<div class=\"row two\">\n");
    let _ = write!(
        out,
        "{}{}",
        titled("Latency against throughput", &latency, HALF),
        titled("Cost against goodput", &cost, HALF)
    );
    out + "</div>\n"
}
