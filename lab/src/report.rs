//! A training run as a table for people.

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
