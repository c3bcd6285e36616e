//! What training found, for people and for `train --json`.

use super::PENALTIES;
use super::gate::DomainFit;
use super::panel::{Chosen, Prepared};
use crate::measures;
use serde::Serialize;
use sluice_router::{PanelParts, Params};
use std::collections::BTreeMap;

/// The report of a training run; its JSON keys are fixed, more may be added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// Graded rows that were used.
    pub rows: usize,
    /// Each expert's grades.
    pub experts: BTreeMap<String, ExpertReport>,
    /// Each domain's texts.
    pub domains: BTreeMap<String, DomainReport>,
    /// Share of held-out texts whose domain is recognised; absent without domains.
    pub domain_accuracy: Option<f64>,
    /// The panels.
    pub panels: Vec<PanelReport>,
    /// Rows that were left out, by reason.
    pub skipped: BTreeMap<String, usize>,
    /// Wall time.
    pub seconds: f64,
    /// Size of the model file.
    pub model_bytes: usize,
}

/// An expert's grades.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpertReport {
    /// Graded rows.
    pub n: usize,
    /// Mean score over them.
    pub mean_score: f64,
}

/// A domain's texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainReport {
    /// Texts that it was learned from.
    pub n: usize,
}

/// A panel: rows that the same experts were graded on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanelReport {
    /// Its experts.
    pub experts: usize,
    /// Its rows.
    pub rows: usize,
    /// Its subjects, and how often the subject head finds the right one out of fold.
    pub subjects: usize,
    /// See `subjects`.
    pub subject_accuracy: f64,
    /// Mean over experts of the out-of-fold Brier score (mean squared error of the predicted score).
    pub brier: f64,
    /// Mean over experts of the out-of-fold area under the ROC curve.
    pub auc: f64,
    /// Mean over experts of the out-of-fold calibration error, 15 bins.
    pub ece: f64,
    /// The penalty of each axis; `null` for an axis that was dropped.
    pub penalties: Vec<Option<f32>>,
}

impl TrainReport {
    /// Counts rows that were left out.
    pub fn skip(&mut self, reason: &str, rows: usize) {
        if rows > 0 {
            *self.skipped.entry(reason.to_owned()).or_default() += rows;
        }
    }
}

pub(super) fn report(
    params: &Params,
    prepared: &[Prepared],
    chosen: &[Chosen],
    domains: DomainFit,
    rows: usize,
) -> TrainReport {
    let domain_accuracy = (domains.names.len() > 1).then_some(domains.accuracy);
    let texts = domains.names.into_iter().zip(domains.texts);
    TrainReport {
        rows,
        experts: experts(params),
        domains: texts.map(|(name, n)| (name, DomainReport { n })).collect(),
        domain_accuracy,
        panels: params
            .panels()
            .zip(prepared.iter().zip(chosen))
            .map(|(parts, (p, c))| panel(parts, p, c))
            .collect(),
        skipped: BTreeMap::new(),
        seconds: 0.0,
        model_bytes: params.to_bytes().len(),
    }
}

fn experts(params: &Params) -> BTreeMap<String, ExpertReport> {
    let mut found: BTreeMap<String, ExpertReport> = BTreeMap::new();
    for panel in params.panels() {
        for (column, &expert) in panel.experts.iter().enumerate() {
            let (_, scores) = panel.calibration.graded(column, panel.experts.len());
            let sum: f64 = scores.iter().sum();
            let name = params.experts()[expert as usize].clone();
            let entry = found.entry(name).or_insert(ExpertReport { n: 0, mean_score: 0.0 });
            let n = entry.n + scores.len();
            entry.mean_score = (entry.mean_score * entry.n as f64 + sum) / n.max(1) as f64;
            entry.n = n;
        }
    }
    found
}

fn panel(parts: &PanelParts, prepared: &Prepared, chosen: &Chosen) -> PanelReport {
    let rows = &parts.calibration;
    let width = parts.experts.len();
    let mean = |measure: fn(&[f64], &[f64]) -> f64| {
        let of = |column| {
            let (predicted, scores) = rows.graded(column, width);
            measure(&predicted, &scores)
        };
        (0..width).map(of).sum::<f64>() / width as f64
    };
    let (subjects, subject_accuracy) = prepared.subject_accuracy();
    PanelReport {
        experts: width,
        rows: rows.len(),
        subjects,
        subject_accuracy,
        brier: mean(measures::brier),
        auc: mean(measures::auc),
        ece: mean(measures::ece),
        penalties: chosen.penalties.iter().map(|penalty| penalty.map(|at| PENALTIES[at])).collect(),
    }
}
