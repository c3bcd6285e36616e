//! A panel's fit as the numbers that serve.

use super::super::design::Block;
use super::scales::{GRAM_WEIGHT, SUBJECT_WEIGHT};
use super::subjects::common_name;
use super::{FoldFit, Prepared};
use sluice_router::{Calibration, PanelParts, SHAPE, Weights};

impl Prepared<'_> {
    /// The panel's numbers by one fit and the subject head of the same rows; with no calibration rows yet.
    pub(in crate::train) fn assemble(
        &self,
        fit: &FoldFit,
        penalties: &[Option<usize>],
        fold: Option<u8>,
    ) -> (PanelParts, Vec<f32>) {
        let (panel, width, subjects, known) =
            (&self.panel, self.panel.width(), self.panel.subjects, self.panel.lexicon.len());
        let weights = self.design.transposed_times(&fit.trained_on, &self.unrotated(fit, penalties));
        let subject_weights = match fold.map(|fold| &self.head.fold_duals[fold as usize]) {
            Some((trained_on, duals)) => panel.design.transposed_times(trained_on, duals),
            None => panel
                .design
                .transposed_times(&(0..panel.rows.len() as u32).collect::<Vec<_>>(), &self.head.duals),
        };
        let mut matrix = Vec::with_capacity(known * (subjects + width));
        for row in 0..known {
            matrix.extend_from_slice(&subject_weights.row(row)[..subjects]);
            matrix.extend(weights.row(row)[..width].iter().map(|w| GRAM_WEIGHT * w));
        }
        let dense = |from: usize, rows: usize, scale: &dyn Fn(usize) -> f32| -> Vec<f32> {
            (0..rows)
                .flat_map(|at| {
                    weights.row(from + at)[..width].iter().map(move |w| (at, *w)).collect::<Vec<_>>()
                })
                .map(|(at, w)| w * scale(at))
                .collect()
        };
        let scales = &self.scales;
        let parts = PanelParts {
            experts: panel.experts.clone(),
            lexicon: panel.lexicon.clone(),
            weights: Weights::from_f32(subjects + width, &matrix),
            subject_share: self.head.share.clone(),
            sharpness: self.head.sharpness,
            mean: fit.mean.clone(),
            shape_mean: scales.shape_mean.clone(),
            shape_spread: scales.shape_spread.clone(),
            by_subject: dense(known, subjects, &|at| SUBJECT_WEIGHT * scales.subject[at]),
            by_shape: dense(known + subjects, SHAPE, &|_| scales.shape),
            by_both: dense(known + subjects + SHAPE, subjects * SHAPE, &|at| {
                scales.subject[at / SHAPE] * scales.shape
            }),
            output_tokens: panel.lengths.by_subject.clone(),
            has_lengths: panel.lengths.has.clone(),
            calibration: Calibration::default(),
            name: common_name(&panel.data),
            subjects: panel.names.clone(),
        };
        (parts, matrix)
    }

    /// Duals for each expert from duals for each axis.
    fn unrotated(&self, fit: &FoldFit, penalties: &[Option<usize>]) -> Block {
        let mut out = Block::zero(fit.trained_on.len(), self.panel.width());
        for (axis, penalty) in penalties.iter().enumerate() {
            let Some(penalty) = *penalty else { continue };
            for at in 0..fit.trained_on.len() {
                let dual = fit.duals[penalty].row(at)[axis];
                for (cell, share) in out.row_mut(at).iter_mut().zip(&self.axes[axis]) {
                    *cell += dual * *share as f32;
                }
            }
        }
        out
    }
}
