//! Two runs beside each other: what changed, and what chance alone explains.

mod chance;
mod side;

use crate::measure::{Percentiles, Summary, Time};
use crate::report::text;
use chance::{differ_at_quantile, two_sided};
use serde::Serialize;
use std::fmt::Write as _;

pub use side::{Side, SideError};

/// One figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name, as gates write it.
    pub figure: String,
    /// In the first run.
    pub a: Option<f64>,
    /// In the second run.
    pub b: Option<f64>,
    /// From the first to the second, in percent of the first.
    pub change_pct: Option<f64>,
    /// How probable a difference at least as large is when nothing changed; `None` when the runs can't tell.
    pub p: Option<f64>,
    /// Whether the second run is better; `None` when they are equal or one doesn't know the figure.
    pub better: Option<bool>,
}

impl Row {
    /// Whether chance alone is unlikely: below 5 %.
    pub fn is_significant(&self) -> bool {
        self.p.is_some_and(|p| p < LEVEL)
    }
}

/// What is called significant.
const LEVEL: f64 = 0.05;

/// All figures of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The rows, in the order of the report.
    pub rows: Vec<Row>,
    /// Figures that are significantly worse in the second run.
    pub worse: Vec<String>,
    /// Figures that are significantly better in the second run.
    pub better: Vec<String>,
}

/// Compares `b` with `a`.
pub fn compare(a: &Side, b: &Side) -> Comparison {
    let mut rows = Vec::new();
    for (name, time, percentiles) in TIMES {
        for (suffix, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            let value = |side: &Side| quantile(percentiles(side.summary()), q);
            let p = match (a, b) {
                (Side::Tally(a, _), Side::Tally(b, _)) => differ_at_quantile(a, b, *time, q),
                _ => by_intervals(percentiles(a.summary()), percentiles(b.summary()), q),
            };
            rows.push(row(format!("{name}_{suffix}"), value(a), value(b), p, false));
        }
    }
    for (name, more_is_better, figure) in FIGURES {
        let (one, other) = (figure(a.summary()), figure(b.summary()));
        let p = one.error.zip(other.error).zip(one.value.zip(other.value));
        let p = p.map(|((ea, eb), (va, vb))| two_sided(vb - va, libm::hypot(ea, eb)));
        rows.push(row((*name).to_owned(), one.value, other.value, p, *more_is_better));
    }
    rows.retain(|row| row.a.is_some() || row.b.is_some());
    let named = |better: bool| {
        let rows = rows.iter().filter(|row| row.is_significant() && row.better == Some(better));
        rows.map(|row| row.figure.clone()).collect()
    };
    Comparison { worse: named(false), better: named(true), rows }
}

/// Name, kind and place of the times that are compared.
type TimeRow = (&'static str, Time, fn(&Summary) -> &Percentiles);
const TIMES: &[TimeRow] = &[
    ("ttft", Time::Ttft, |s| &s.ttft_ms),
    ("tpot", Time::Tpot, |s| &s.tpot_ms),
    ("e2e", Time::E2e, |s| &s.e2e_ms),
];

/// A value with its standard error.
struct Estimate {
    value: Option<f64>,
    error: Option<f64>,
}

/// Name, whether more is better, and the estimate.
type FigureRow = (&'static str, bool, fn(&Summary) -> Estimate);
const FIGURES: &[FigureRow] = &[
    ("rate_rps", true, |s| Estimate {
        value: s.throughput_rps.or(s.rate_rps),
        error: s.throughput_rps_ci.and_then(|ci| ci.standard_error()),
    }),
    ("goodput_share", true, |s| share(s.goodput_share, s.sent)),
    ("error_rate", false, |s| share(s.error_rate, s.sent)),
    ("cost_per_1k", false, |s| Estimate {
        value: s.cost_per_1k,
        error: s.cost_per_1k_ci.and_then(|ci| ci.standard_error()),
    }),
    ("saved_pct", true, |s| Estimate {
        value: s.saved_pct,
        error: s.saved_pct_ci.and_then(|ci| ci.standard_error()),
    }),
    ("quality", true, |s| Estimate {
        value: s.quality,
        error: s.quality_ci.and_then(|ci| ci.standard_error()),
    }),
    ("quality_ratio", true, |s| Estimate {
        value: s.quality_ratio,
        error: s.quality_ratio_ci.and_then(|ci| ci.standard_error()),
    }),
];

/// A share of `n` requests, each in or out. The half added keeps a share of 0 or 1 from looking certain.
fn share(value: Option<f64>, n: u64) -> Estimate {
    let n = n as f64;
    let error = value.map(|p| {
        let p = (p * n + 0.5) / (n + 1.0);
        libm::sqrt(p * (1.0 - p) / n)
    });
    Estimate { value, error }
}

fn row(figure: String, a: Option<f64>, b: Option<f64>, p: Option<f64>, more_is_better: bool) -> Row {
    let both = a.zip(b);
    let change_pct = both.filter(|(a, _)| *a != 0.0).map(|(a, b)| 100.0 * (b - a) / a.abs());
    let better = both.filter(|(a, b)| a != b).map(|(a, b)| (b > a) == more_is_better);
    Row { figure, a, b, change_pct, p, better }
}

fn quantile(percentiles: &Percentiles, q: f64) -> Option<f64> {
    if q == 0.5 {
        percentiles.p50
    } else if q == 0.9 {
        percentiles.p90
    } else {
        percentiles.p99
    }
}

/// Without the histograms, the intervals stand for the spread.
fn by_intervals(a: &Percentiles, b: &Percentiles, q: f64) -> Option<f64> {
    let interval = |of: &Percentiles| {
        if q == 0.5 {
            of.p50_ci
        } else if q == 0.9 {
            of.p90_ci
        } else {
            of.p99_ci
        }
    };
    let error = libm::hypot(interval(a).standard_error()?, interval(b).standard_error()?);
    Some(two_sided(quantile(b, q)? - quantile(a, q)?, error))
}

/// The comparison as a table for people.
pub fn compare_table(of: &Comparison) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{:<14} {:>12} {:>12} {:>9}  significant at 5 %?", "figure", "A", "B", "change");
    for row in &of.rows {
        let show = |value: Option<f64>| value.map_or("-".to_owned(), |value| shown(&row.figure, value));
        let change = row.change_pct.map_or("-".to_owned(), |change| format!("{change:+.1} %"));
        let verdict = match (row.p, row.better) {
            (None, _) => "too few samples to tell".to_owned(),
            (Some(p), better) if p < LEVEL => {
                let word = if better == Some(true) { "better" } else { "worse" };
                format!("yes, {word} (p = {p:.3})")
            }
            (Some(p), _) => format!("no (p = {p:.2})"),
        };
        let _ = writeln!(
            out,
            "{:<14} {:>12} {:>12} {change:>9}  {verdict}",
            row.figure,
            show(row.a),
            show(row.b)
        );
    }
    let _ = writeln!(out, "one row in twenty looks significant by chance alone");
    out
}

fn shown(figure: &str, value: f64) -> String {
    match figure {
        name if name.contains("_p") && !name.ends_with("_pct") && !name.starts_with("cost") => {
            text::ms(value)
        }
        "goodput_share" | "error_rate" => format!("{:.2} %", 100.0 * value),
        "saved_pct" => format!("{value:.1} %"),
        "cost_per_1k" => format!("${}", text::digits(value)),
        "rate_rps" => format!("{}/s", text::digits(value)),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod compare_tests;
