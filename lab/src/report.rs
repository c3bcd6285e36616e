//! Reports as tables for people.

use crate::eval::EvalReport;
use crate::train::TrainReport;
use std::fmt::Write as _;

/// A training run as text.
pub fn train_table(report: &TrainReport) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}"); // a String takes everything
    };
    line(format!("{:<40} {:>8} {:>11}", "expert", "rows", "mean score"));
    for (name, expert) in &report.experts {
        line(format!("{name:<40} {:>8} {:>11.3}", expert.n, expert.mean_score));
    }
    line(String::new());
    line("panels (rows graded by the same experts), out of fold:".to_owned());
    line(format!(
        "{:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "experts", "rows", "subjects", "brier", "auc", "ece"
    ));
    for panel in &report.panels {
        line(format!(
            "{:>8} {:>8} {:>9} {:>8.4} {:>8.3} {:>8.3}",
            panel.experts, panel.rows, panel.subjects, panel.brier, panel.auc, panel.ece
        ));
    }
    if let Some(accuracy) = report.domain_accuracy {
        line(format!(
            "{} domains, {:.1} % of held-out texts recognised",
            report.domains.len(),
            100.0 * accuracy
        ));
    }
    for (reason, rows) in &report.skipped {
        line(format!("left out: {rows} ({reason})"));
    }
    line(format!(
        "{} rows in {:.1} s, {:.1} MB",
        report.rows,
        report.seconds,
        report.model_bytes as f64 / 1e6
    ));
    out
}

/// An evaluation as text.
pub fn eval_table(report: &EvalReport) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    line(format!("{} rows, reference {}", report.rows, report.reference));
    if report.seen_rows > 0 {
        line(format!(
            "warning: the model was trained on {} of these rows; figures over them flatter it",
            report.seen_rows
        ));
    }
    line(format!("{:<40} {:>10} {:>8} {:>7} {:>12}", "expert", "mean score", "brier", "ece", "cost USD"));
    for (name, card) in &report.experts {
        line(format!(
            "{name:<40} {:>10.3} {:>8.4} {:>7.3} {:>12.4}",
            card.mean_score, card.brier, card.ece, card.cost_usd
        ));
    }
    line(format!(
        "{:<40} {:>10.3} {:>8} {:>7} {:>12.4}",
        "(oracle)", report.oracle.mean_score, "", "", report.oracle.cost_usd
    ));
    if let Some(pair) = &report.pair {
        let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} %"));
        line(format!(
            "{} against {}: APGR {:.3}, CPT50 {}, CPT80 {}",
            pair.strong,
            pair.weak,
            pair.apgr,
            share(pair.cpt50),
            share(pair.cpt80)
        ));
    }
    line(format!(
        "{:>6} {:>10} {:>8} {:>8} {:>16} {:>5}",
        "floor", "confidence", "test", "saved %", "quality ratio", "held"
    ));
    for floor in &report.floors {
        line(format!(
            "{:>6} {:>10} {:>8} {:>8.1} {:>8.3} +- {:.3} {:>5}",
            floor.floor,
            floor.confidence,
            floor.method.as_deref().unwrap_or("none"),
            floor.saved_pct,
            floor.quality_ratio,
            2.0 * floor.standard_error,
            if floor.held { "yes" } else { "no" }
        ));
        if let Some(refusal) = &floor.refusal {
            line(format!("       the reference serves all: {refusal}"));
        }
    }
    out
}
