//! An evaluation as tables for people.

use super::EvalReport;
use crate::perturb::PerturbReport;
use crate::scorecard::{ALL, Entry, Slice};

/// An evaluation as text.
pub fn eval_table(report: &EvalReport) -> String {
    let mut lines = head(report);
    lines.extend(experts(report));
    lines.extend(pair(report));
    lines.extend(floors(report));
    lines.extend(scorecards(report));
    lines.extend(report.perturb.iter().flat_map(perturbed));
    lines.join("\n") + "\n"
}

fn head(report: &EvalReport) -> Vec<String> {
    let mut lines =
        vec![format!("{} rows read, {} used; reference {}", report.read, report.rows, report.reference)];
    lines.extend(report.skipped.iter().map(|(reason, rows)| format!("left out: {rows} rows ({reason})")));
    lines.extend(report.left_out.iter().map(|(name, reason)| format!("left out: expert {name} ({reason})")));
    if report.seen_rows > 0 {
        lines.push(format!(
            "warning: the model was trained on {} of these rows; figures over them flatter it",
            report.seen_rows
        ));
    }
    lines
}

fn experts(report: &EvalReport) -> Vec<String> {
    let mut lines =
        vec![format!("{:<40} {:>10} {:>8} {:>7} {:>12}", "expert", "mean score", "brier", "ece", "cost USD")];
    lines.extend(report.experts.iter().map(|(name, card)| {
        format!(
            "{name:<40} {:>10.3} {:>8.4} {:>7.3} {:>12.4}",
            card.mean_score, card.brier, card.ece, card.cost_usd
        )
    }));
    lines.push(format!(
        "{:<40} {:>10.3} {:>8} {:>7} {:>12.4}",
        "(oracle)", report.oracle.mean_score, "", "", report.oracle.cost_usd
    ));
    lines
}

fn pair(report: &EvalReport) -> Option<String> {
    let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} %"));
    report.pair.as_ref().map(|pair| {
        format!(
            "{} against {}: APGR {:.3}, CPT50 {}, CPT80 {}",
            pair.strong,
            pair.weak,
            pair.apgr,
            share(pair.cpt50),
            share(pair.cpt80)
        )
    })
}

fn floors(report: &EvalReport) -> Vec<String> {
    let mut lines = vec![format!(
        "{:>6} {:>10} {:>8} {:>8} {:>16} {:>5}",
        "floor", "confidence", "test", "saved %", "quality ratio", "held"
    )];
    for floor in &report.floors {
        lines.push(format!(
            "{:>6} {:>10} {:>8} {:>8.1} {:>8.3} +- {:.3} {:>5}",
            floor.floor,
            floor.confidence,
            floor.method.as_deref().unwrap_or("none"),
            floor.saved_pct,
            floor.quality_ratio,
            2.0 * floor.standard_error,
            if floor.held { "yes" } else { "no" }
        ));
        lines.extend(floor.evidence.iter().map(|evidence| format!("       {evidence}")));
        lines.extend(floor.regrets.iter().map(|regret| format!("       {regret}")));
        lines.extend(
            floor.refusal.iter().map(|refusal| format!("       the reference serves all: {refusal}")),
        );
    }
    lines
}

/// The best of each slice, and who gives a right answer cheapest; `--scorecard` has every expert.
fn scorecards(report: &EvalReport) -> Vec<String> {
    let cards = &report.scorecards;
    let mut lines = vec![format!(
        "{:<32} {:>6}  {:<32} {:<22} cheapest right answer",
        "scorecard", "rows", "best quality (95 % interval)", "not told apart from it"
    )];
    lines.extend(cards.slices.iter().map(slice));
    lines.push(format!(
        "* fewer than {} rows; every expert: --scorecard FILE.md, .svg or .json",
        cards.small_below
    ));
    lines
}

fn slice(slice: &Slice) -> String {
    let name = match (slice.domain.as_str(), slice.difficulty) {
        (ALL, ALL) => "all rows".to_owned(),
        (ALL, level) => format!("all rows, {level}"),
        (domain, ALL) => format!("{domain}, {}", slice.language),
        (_, level) => format!("  {level}"),
    };
    let best = slice.experts.first();
    let best = best.map_or(String::new(), |best| {
        format!("{} {:.3} ({:.2}-{:.2})", best.expert, best.quality, best.low, best.high)
    });
    let tied = slice.experts.iter().skip(1).filter(|entry| entry.best_rank == 1).count();
    let priced = |entry: &&Entry| entry.cost_per_right_usd.is_some();
    let cost = |entry: &Entry| entry.cost_per_right_usd.unwrap_or(f64::INFINITY);
    let cheapest = slice
        .experts
        .iter()
        .filter(priced)
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
        .map_or(String::new(), |entry| format!("{} {:.7} USD", entry.expert, cost(entry)));
    let mark = if slice.small { "*" } else { "" };
    format!("{name:<32} {:>6}{mark:<1} {best:<32} {:<22} {cheapest}", slice.n, format!("{tied} others"))
}

fn perturbed(report: &PerturbReport) -> Vec<String> {
    let mut lines = vec![format!(
        "in other words, floor {} at confidence {}{}:",
        report.floor,
        report.confidence,
        if report.certified {
            ""
        } else {
            " (no certificate: the reference serves all, so nothing can flip)"
        }
    )];
    lines.push(format!(
        "{:<24} {:>6} {:>10} {:>14} {:>9} {:>8} {:>7} {:>8}",
        "wording", "rows", "flipped %", "by prediction", "saved %", "change", "ratio", "change"
    ));
    lines.extend(report.kinds.iter().map(|kind| {
        format!(
            "{:<24} {:>6} {:>10.1} {:>14.1} {:>9.1} {:>+8.2} {:>7.3} {:>+8.4}",
            kind.kind,
            kind.rows,
            kind.flipped_pct,
            kind.flipped_by_prediction_pct,
            kind.saved_pct,
            kind.saved_change,
            kind.quality_ratio,
            kind.ratio_change
        )
    }));
    lines.push(format!(
        "{:.1} % of these decisions flip; saving changes by {:+.2} points at most",
        report.flipped_pct, report.most_saved_change
    ));
    lines.push(format!(
        "{:<24} {:>6} {:>14} {:>10} {:>13}   (dearest: {})",
        "suffix", "rows", "to dearest %", "to dearer", "cost change %", report.dearest
    ));
    lines.extend(report.forcing.iter().map(|force| {
        format!(
            "{:<24} {:>6} {:>14.1} {:>10.1} {:>+13.1}",
            force.suffix, force.rows, force.to_dearest_pct, force.to_dearer_pct, force.cost_change_pct
        )
    }));
    lines
}
