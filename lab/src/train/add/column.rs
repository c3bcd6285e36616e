//! A new expert's scores: a line along what the others share, and a residual of its own where the folds favour one.

use super::axes::{Axes, Line};
use crate::train::design::{Block, Design};
use crate::train::{FOLDS, ridge};
use sluice_router::{Counts, PanelParts, posterior};

/// The graded rows of a new expert as numbers.
pub(super) struct Sample {
    pub(super) scores: Vec<f64>,
    /// Where each row's predictions by the other experts stand on the axes.
    along: Vec<Vec<f64>>,
    /// The panel's n-grams, then its subjects.
    design: Design,
    /// For each row its most probable subjects.
    pub(super) subjects: Vec<Vec<(usize, f32)>>,
    /// What a subject's probability is multiplied by.
    scales: Vec<f32>,
    known: usize,
}

/// A fitted expert.
pub(super) struct Column {
    line: Line,
    /// The penalty of the residual; `None` without one.
    pub(super) penalty: Option<f32>,
    /// A weight for each feature of the design; empty without a residual.
    own: Vec<f32>,
}

/// A column of each of a panel's matrices.
pub(super) struct Numbers {
    pub(super) mean: f32,
    pub(super) weights: Vec<f32>,
    pub(super) by_subject: Vec<f32>,
    pub(super) by_shape: Vec<f32>,
    pub(super) by_both: Vec<f32>,
}

impl Column {
    /// What the line alone predicts where the other experts' predictions are known and the text is not; 0 to 1.
    pub(super) fn shared(&self, axes: &Axes, others: &[f32]) -> f32 {
        self.line.at(&axes.along(others)).clamp(0.0, 1.0) as f32
    }
}

impl Sample {
    /// `others` holds each row's predictions by the panel's experts.
    pub(super) fn new(
        panel: &PanelParts,
        axes: &Axes,
        counts: &[Counts],
        others: &[Vec<f32>],
        scores: Vec<f64>,
    ) -> Sample {
        let known = panel.lexicon.len();
        let mut features: Vec<Vec<(u32, f32)>> = vec![];
        let mut subjects = vec![];
        for counts in counts {
            let mut row = vec![];
            panel.lexicon.weigh(&counts.grams, &mut row);
            let sums = panel.weights.apply(&row);
            let scored = &sums[..panel.subject_share.len()];
            subjects.push(posterior(&panel.subject_share, scored, panel.sharpness));
            features.push(row);
        }
        let scales = subject_scales(&panel.subject_share, &subjects);
        let mut design = Design::new(known + scales.len());
        for (mut row, subjects) in features.into_iter().zip(&subjects) {
            row.extend(subjects.iter().map(|&(subject, p)| ((known + subject) as u32, p * scales[subject])));
            design.push(&row);
        }
        Sample {
            scores,
            along: others.iter().map(|row| axes.along(row)).collect(),
            design,
            subjects,
            scales,
            known,
        }
    }

    /// N-grams of one row, each with its weight.
    pub(super) fn grams(&self, row: usize) -> impl Iterator<Item = (u32, f32)> {
        self.design.row(row).iter().copied().filter(|(feature, _)| (*feature as usize) < self.known)
    }

    /// Fits the expert, and says what models that hadn't seen a row's fold predict for it.
    pub(super) fn fit(&self, axes: &Axes, folds: &[u8]) -> (Column, Vec<f64>) {
        let all: Vec<u32> = (0..self.scores.len() as u32).collect();
        // One list of predictions for each option; the first has no residual.
        let mut predicted = vec![vec![0.0f64; all.len()]; PENALTIES.len() + 1];
        for fold in 0..FOLDS as u8 {
            let (tested, trained): (Vec<u32>, Vec<u32>) =
                all.iter().partition(|&&row| folds[row as usize] == fold);
            if tested.is_empty() || trained.is_empty() {
                continue;
            }
            let line = self.line(axes, &trained);
            let owns = self.residuals(&line, &trained, &PENALTIES);
            for &row in &tested {
                let shared = line.at(&self.along[row as usize]);
                predicted[0][row as usize] = shared;
                for (predicted, own) in predicted[1..].iter_mut().zip(&owns) {
                    predicted[row as usize] = shared + self.own_part(own, row as usize);
                }
            }
        }
        predicted.iter_mut().flatten().for_each(|p| *p = p.clamp(0.0, 1.0));
        let error =
            |of: &Vec<f64>| of.iter().zip(&self.scores).map(|(p, score)| (p - score).powi(2)).sum::<f64>();
        let errors: Vec<f64> = predicted.iter().map(error).collect();
        let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b])).unwrap_or(0);
        let line = self.line(axes, &all);
        let penalty = best.checked_sub(1).map(|at| PENALTIES[at]);
        let own = penalty.map_or(vec![], |penalty| self.residuals(&line, &all, &[penalty]).swap_remove(0));
        (Column { line, penalty, own }, predicted.swap_remove(best))
    }

    fn line(&self, axes: &Axes, rows: &[u32]) -> Line {
        let along: Vec<&[f64]> = rows.iter().map(|&row| &self.along[row as usize][..]).collect();
        let scores: Vec<f64> = rows.iter().map(|&row| self.scores[row as usize]).collect();
        axes.line(&along, &scores)
    }

    /// What the line leaves of the scores, by ridge over n-grams and subjects: weights for each penalty.
    fn residuals(&self, line: &Line, rows: &[u32], penalties: &[f32]) -> Vec<Vec<f32>> {
        let mut targets = Block::zero(rows.len(), 1);
        for (at, &row) in rows.iter().enumerate() {
            targets.row_mut(at)[0] = (self.scores[row as usize] - line.at(&self.along[row as usize])) as f32;
        }
        let duals = ridge::solve(&self.design, rows, &targets, penalties, STEPS);
        let weights = |duals: &Block| {
            let weights = self.design.transposed_times(rows, duals);
            (0..self.known + self.scales.len()).map(|at| weights.row(at)[0]).collect()
        };
        duals.iter().map(weights).collect()
    }

    fn own_part(&self, own: &[f32], row: usize) -> f64 {
        self.design.row(row).iter().map(|&(feature, value)| f64::from(own[feature as usize] * value)).sum()
    }

    /// The fitted expert in the terms of its panel: linear in the features, as the others are.
    pub(super) fn numbers(&self, panel: &PanelParts, axes: &Axes, column: &Column) -> Numbers {
        let (alone, slopes) = axes.by_expert(&column.line);
        let width = panel.experts.len();
        let blend = |matrix: &[f32]| -> Vec<f32> {
            let row = |row: &[f32]| {
                slopes.iter().zip(row).map(|(slope, value)| slope * f64::from(*value)).sum::<f64>()
            };
            matrix.chunks_exact(width).map(|values| row(values) as f32).collect()
        };
        let mut weights = vec![0.0f32; self.known];
        for (at, slope) in slopes.iter().enumerate() {
            let others = panel.weights.column(panel.subject_share.len() + at);
            weights.iter_mut().zip(others).for_each(|(sum, weight)| *sum += *slope as f32 * weight);
        }
        let mut by_subject = blend(&panel.by_subject);
        if !column.own.is_empty() {
            weights.iter_mut().zip(&column.own).for_each(|(sum, own)| *sum += own);
            let own = column.own[self.known..].iter().zip(&self.scales);
            by_subject.iter_mut().zip(own).for_each(|(sum, (own, scale))| *sum += own * scale);
        }
        Numbers {
            mean: alone as f32 + blend(&panel.mean)[0],
            weights,
            by_subject,
            by_shape: blend(&panel.by_shape),
            by_both: blend(&panel.by_both),
        }
    }
}

/// Rare subjects get the same room as frequent ones, all together [`SUBJECT_WEIGHT`] times that of the n-grams.
fn subject_scales(share: &[f32], subjects: &[Vec<(usize, f32)>]) -> Vec<f32> {
    let room: Vec<f64> = share.iter().map(|share| 1.0 / (f64::from(*share) + 1e-3).sqrt()).collect();
    let square =
        |row: &Vec<(usize, f32)>| row.iter().map(|&(at, p)| (f64::from(p) * room[at]).powi(2)).sum::<f64>();
    let size = (subjects.iter().map(square).sum::<f64>() / subjects.len().max(1) as f64).sqrt().max(1e-6);
    room.iter().map(|room| (SUBJECT_WEIGHT * room / size) as f32).collect()
}

/// Penalties tried for a residual, rising. Whether to have one is for the folds to say: a rule by number of grades
/// (from 100 on) was worse with 60 grades on all three sets that were tried.
const PENALTIES: [f32; 3] = [10.0, 30.0, 100.0];
const STEPS: usize = 12;
/// The same as in the panel's own fit.
const SUBJECT_WEIGHT: f64 = 2.0;
