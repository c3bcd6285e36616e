//! What adding an expert has found, for people and for `train --add --json`.

use super::rows::Known;
use super::{Found, GOOD_ROWS, Graded};
use crate::corpus::Prices;
use crate::measures;
use serde::Serialize;
use sluice_router::{CertifyAsk, CertifyBy, PanelParts, Params, Price};

/// The report of an added expert; its JSON keys are fixed, more may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AddReport {
    /// The new expert.
    pub expert: String,
    /// Rows that grade it.
    pub rows: usize,
    /// Rows of the data that don't.
    pub skipped_rows: usize,
    /// The panel that it joined: what its sources have in common.
    pub panel: String,
    /// Experts of that panel before.
    pub panel_experts: usize,
    /// Rows whose prompt the panel has: they compare the new expert with all of its experts.
    pub known_prompts: usize,
    /// Rows with a prompt that the panel didn't have.
    pub new_prompts: usize,
    /// Mean score.
    pub mean_score: f64,
    /// Out-of-fold Brier score.
    pub brier: f64,
    /// Brier score of always predicting the mean score.
    pub brier_of_mean: f64,
    /// Out-of-fold area under the ROC curve.
    pub auc: f64,
    /// Penalty of the expert's own residual; `null` when what all share predicts it better alone.
    pub own_penalty: Option<f32>,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// Certificates with and without the expert; `null` until [`AddReport::compare`].
    pub admission: Option<Admission>,
    /// Wall time.
    pub seconds: f64,
    /// Size of the model file.
    pub model_bytes: usize,
}

/// What a route over the panel's experts could promise with the new expert and without it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Admission {
    /// The expert that quality is measured against: the best without the new one.
    pub reference: String,
    /// The floor that was tried.
    pub floor: f64,
    /// With the confidence that was tried.
    pub confidence: f64,
    /// All experts of the panel that have a price, the new one included.
    pub with: Certified,
    /// The same without the new one.
    pub without: Certified,
}

/// A certificate in short, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Certified {
    /// There is one.
    Yes {
        /// By which test.
        method: String,
        /// On how many rows.
        rows: u32,
        /// Cost saved against the reference alone, in percent.
        saved_pct: f64,
    },
    /// There is none.
    No {
        /// Why.
        refused: String,
    },
}

pub(super) fn report(graded: &Graded, panel: &PanelParts, known: &Known, found: &Found) -> AddReport {
    let scores = graded.scores();
    let mean_score = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    let fills = known.fills.iter().flatten().count();
    let mut warnings = vec![];
    if scores.len() < GOOD_ROWS {
        warnings.push(format!(
            "{} grades are few: with fewer than {GOOD_ROWS} an added expert tends to make a pool worse",
            scores.len()
        ));
    }
    if scores.iter().all(|score| *score == scores[0]) {
        warnings.push(format!("every grade is {}: nothing tells where the expert is weak", scores[0]));
    }
    AddReport {
        expert: graded.name.to_owned(),
        rows: scores.len(),
        skipped_rows: 0,
        panel: panel.name.clone(),
        panel_experts: panel.experts.len(),
        known_prompts: fills,
        new_prompts: scores.len() - fills,
        mean_score,
        brier: measures::brier(&found.predicted, &scores),
        brier_of_mean: measures::brier(&vec![mean_score; scores.len()], &scores),
        auc: measures::auc(&found.predicted, &scores),
        own_penalty: found.penalty,
        warnings,
        admission: None,
        seconds: 0.0,
        model_bytes: 0,
    }
}

impl AddReport {
    /// Certifies a route over the panel's experts with the new one and without, so that its owner can tell whether to
    /// admit it. Does nothing when the new expert has no price.
    pub fn compare(&mut self, params: &Params, prices: &Prices) {
        let at = params.experts().iter().position(|name| *name == self.expert);
        let at = at.map(|at| at as u32);
        let panel = params.panels().find(|panel| at.is_some_and(|at| panel.experts.contains(&at)));
        let Some(panel) = panel.filter(|_| prices.contains_key(&self.expert)) else { return };
        let names = panel.experts.iter().map(|&at| params.experts()[at as usize].as_str());
        let all: Vec<(&str, Price)> = names.filter_map(|name| Some((name, *prices.get(name)?))).collect();
        let others: Vec<(&str, Price)> =
            all.iter().copied().filter(|(name, _)| *name != self.expert).collect();
        let Ok(reference) = params.default_reference(&others) else { return };
        let certified = |experts: &[(&str, Price)]| certified(params, experts, &reference);
        self.admission = Some(Admission {
            with: certified(&all),
            without: certified(&others),
            floor: FLOOR,
            confidence: CONFIDENCE,
            reference,
        });
    }
}

fn certified(params: &Params, experts: &[(&str, Price)], reference: &str) -> Certified {
    let ask = CertifyAsk { experts, reference, floor: FLOOR, confidence: CONFIDENCE, by: CertifyBy::Auto };
    match params.certify(&ask) {
        Ok(found) => Certified::Yes { method: found.method, rows: found.rows, saved_pct: found.saved_pct },
        Err(refusal) => Certified::No { refused: refusal.to_string() },
    }
}

/// The report as text.
pub fn add_table(report: &AddReport) -> String {
    let panel = if report.panel.is_empty() { "the panel" } else { &report.panel };
    let own = report.own_penalty.map_or_else(
        || "nothing of its own: what all share predicts it better alone".to_owned(),
        |penalty| format!("a residual of its own, penalty {penalty}"),
    );
    let mut lines = vec![
        format!(
            "{} joins {panel} ({} experts): {} grades, mean score {:.3}",
            report.expert, report.panel_experts, report.rows, report.mean_score
        ),
        format!(
            "{} grades are on prompts that the panel has, {} on new ones",
            report.known_prompts, report.new_prompts
        ),
        format!(
            "out of fold: Brier {:.4} (always its mean: {:.4}), AUC {:.3}; {own}",
            report.brier, report.brier_of_mean, report.auc
        ),
    ];
    if let Some(admission) = &report.admission {
        let (floor, confidence, reference) = (admission.floor, admission.confidence, &admission.reference);
        lines.push(format!(
            "a route over the panel's experts at floor {floor} x {reference}, confidence {confidence}:"
        ));
        lines.push(format!("  without {}: {}", report.expert, admission.without.told()));
        lines.push(format!("  with {}: {}", report.expert, admission.with.told()));
    }
    lines.push(format!("{:.1} s, {:.1} MB", report.seconds, report.model_bytes as f64 / 1e6));
    lines.join("\n")
}

impl Certified {
    fn told(&self) -> String {
        match self {
            Certified::Yes { method, rows, saved_pct } => {
                format!("saves {saved_pct:.1} % ({method}, {rows} rows)")
            }
            Certified::No { refused } => format!("everything goes to the reference: {refused}"),
        }
    }
}

/// What routes promise unless they say otherwise.
const FLOOR: f64 = 0.95;
const CONFIDENCE: f64 = 0.95;
