//! A tuning as a table for people.

use super::report::{Point, Single, TuneReport};

/// A tuning as text.
pub fn tune_table(report: &TuneReport) -> String {
    let mut lines = vec![format!(
        "{} rows that grade all {} experts ({} groups of near-duplicates); reference {}, confidence {}",
        report.rows.used,
        report.experts.len(),
        report.rows.groups,
        report.reference,
        report.confidence
    )];
    lines.push(format!(
        "{:>6} {:>8} {:>8} {:>16} {:>10} {:>18}",
        "floor", "test", "saved %", "95 % band", "quality", "95 % band"
    ));
    lines.extend(report.distinct().into_iter().map(|found| point(found, report.recommended.as_ref())));
    lines.push("floors that choose as a higher one does are left out".to_owned());
    lines.push(format!("* recommended: {}", report.rule));
    lines.extend(report.traffic.iter().map(|(name, share)| format!("  {:>5.1} % to {name}", 100.0 * share)));
    lines.push(single("best single", &report.best_single));
    lines.push(single("", &report.oracle));
    lines.push(String::new());
    lines.join("\n") + "\n" + &report.route_toml
}

fn point(point: &Point, recommended: Option<&Point>) -> String {
    let mark = if recommended.is_some_and(|best| best.floor == point.floor) { "*" } else { " " };
    let Some(method) = &point.method else {
        let refusal = point.refusal.as_deref().unwrap_or_default();
        return format!("{:>5.2}{mark} {:>8} the reference serves all: {refusal}", point.floor, "none");
    };
    let (saved, ratio) = (point.band.saved_pct, point.band.quality_ratio);
    format!(
        "{:>5.2}{mark} {method:>8} {:>8.1} {:>16} {:>10.3} {:>18}",
        point.floor,
        point.saved_pct,
        format!("{:.1} to {:.1}", saved.0, saved.1),
        point.quality_ratio,
        format!("{:.3} to {:.3}", ratio.0, ratio.1)
    )
}

fn single(what: &str, single: &Single) -> String {
    format!(
        "{} {}: saves {:.1} %, quality {:.3}",
        what, single.expert, single.saved_pct, single.quality_ratio
    )
    .trim_start()
    .to_owned()
}
