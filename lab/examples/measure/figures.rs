//! The figures of a row: how well scores are predicted, what routing by them saves, how a pair is ranked.

use crate::Set;
use sluice_lab::{auc, brier, ece, pair_curve};
use sluice_router::{Pairs, Tokens, estimate_tokens, expected_cost, expected_output};
use std::collections::BTreeSet;

/// What a design says of every row and expert. Matrices are row-major, the set's experts wide.
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) scores: Vec<f64>,
    /// Expected output tokens.
    pub(crate) tokens: Vec<f64>,
}

pub(crate) fn row(set: &Set, answers: &Answers) -> String {
    let each = |measure: fn(&[f64], &[f64]) -> f64| -> Vec<f64> {
        (0..set.experts.len()).map(|at| measure(&column(set, answers, at), &scores(set, at))).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let errors = each(ece);
    let everyone: Vec<usize> = (0..set.rows.len()).collect();
    let curve = curve(&pairs_of(set, answers, &everyone), set.reference).map(percent).join(" / ");
    format!(
        "Brier {:.4}  AUC {:.3}  ECE mean {:.3} max {:.3}  curve 100/98/95: {curve}",
        mean(&each(brier)),
        mean(&each(auc)),
        mean(&errors),
        errors.iter().copied().fold(0.0, f64::max),
    )
}

/// For a set of two experts, a line for each source.
pub(crate) fn pairs(set: &Set, answers: &Answers) -> Vec<String> {
    if set.experts.len() != 2 {
        return vec![];
    }
    let (strong, weak) = (set.reference, 1 - set.reference);
    let sources: BTreeSet<&str> = set.rows.iter().filter_map(|row| row.source.as_deref()).collect();
    let line = |source: &str| {
        let rows: Vec<usize> =
            (0..set.rows.len()).filter(|&row| set.rows[row].source.as_deref() == Some(source)).collect();
        let of = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let (p_strong, p_weak) = (of(&column(set, answers, strong)), of(&column(set, answers, weak)));
        let gains: Vec<f64> = p_strong.iter().zip(&p_weak).map(|(strong, weak)| strong - weak).collect();
        let (s_strong, s_weak) = (of(&scores(set, strong)), of(&scores(set, weak)));
        let found = pair_curve(&gains, &s_strong, &s_weak);
        format!(
            "{source}: APGR {:.3}  CPT50 {}  CPT80 {}  Brier of the weak {:.4}",
            found.apgr,
            percent(found.cpt50.unwrap_or(f64::NAN)),
            percent(found.cpt80.unwrap_or(f64::NAN)),
            brier(&p_weak, &s_weak),
        )
    };
    sources.into_iter().map(line).collect()
}

/// Cost saved against always-reference at 100, 98 and 95 % of its realised quality, best trade-off in hindsight.
fn curve(pairs: &Pairs, reference: usize) -> [f64; 3] {
    let mut saved = [0.0f64; 3];
    for step in 0..1_000 {
        let chosen = pairs.choose((-30.0 + 30.0 * f64::from(step) / 1_000.0).exp());
        let (ratio, save) = (pairs.quality_ratio(&chosen, reference), pairs.saved_pct(&chosen, reference));
        for (best, bar) in saved.iter_mut().zip([1.0, 0.98, 0.95]) {
            if ratio >= bar {
                *best = best.max(save);
            }
        }
    }
    saved
}

/// Some rows of a set with what is offered, what was scored and what was charged.
pub(crate) fn pairs_of(set: &Set, answers: &Answers, rows: &[usize]) -> Pairs {
    let width = set.experts.len();
    let cells = rows.iter().map(|&row| {
        let data = &set.rows[row];
        let estimated = estimate_tokens(&data.prompt);
        let cell = |(at, (name, price)): (usize, &(String, sluice_router::Price))| {
            let output = expected_output(answers.tokens[row * width + at], USUAL_OUTPUT_BOUND);
            let offer = (answers.scores[row * width + at], expected_cost(price, estimated, output).0 as f64);
            let outcome = data.outcome(name);
            let prompt = outcome.and_then(|outcome| outcome.input_tokens).unwrap_or(estimated);
            let output = outcome.and_then(|outcome| outcome.output_tokens).unwrap_or(0);
            let charged = price.cost(Tokens { prompt, output, ..Tokens::default() }).0 as f64;
            (offer, outcome.map_or(0.0, |outcome| outcome.score), charged)
        };
        set.experts.iter().enumerate().map(cell).collect()
    });
    Pairs::from_rows(width, cells)
}

/// What is predicted for one expert.
pub(crate) fn column(set: &Set, answers: &Answers, at: usize) -> Vec<f64> {
    answers.scores.iter().skip(at).step_by(set.experts.len()).copied().collect()
}

/// What one expert was graded.
pub(crate) fn scores(set: &Set, at: usize) -> Vec<f64> {
    let name = &set.experts[at].0;
    set.rows.iter().map(|row| row.outcome(name).map_or(0.0, |outcome| outcome.score)).collect()
}

pub(crate) fn percent(value: f64) -> String {
    format!("{value:.1}")
}

/// Progress, beside the figures.
#[allow(clippy::print_stderr, reason = "an example talks to its user")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// The bound on an answer's length when neither client nor configuration names one.
const USUAL_OUTPUT_BOUND: u32 = 4_096;
