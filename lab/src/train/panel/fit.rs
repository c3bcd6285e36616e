//! The rotated ridge of a panel, fold by fold, and the penalty of each axis.

use super::super::design::Block;
use super::super::ridge;
use super::Prepared;

/// The ridge on all folds but one: duals for each penalty, and predictions of that fold.
pub(in crate::train) struct FoldFit {
    pub(super) trained_on: Vec<u32>,
    pub(super) mean: Vec<f32>,
    pub(super) duals: Vec<Block>,
    pub(super) tested: Vec<u32>,
    /// For each penalty [tested x axes].
    pub(super) predicted: Vec<Block>,
}

/// What the folds have shown: the penalty of each axis (`None` drops it), and each row's prediction by the others.
pub(in crate::train) struct Chosen {
    pub(in crate::train) penalties: Vec<Option<usize>>,
    /// [rows x experts], 0 to 1.
    pub(in crate::train) predicted: Vec<f32>,
}

impl Prepared<'_> {
    /// Fits on all rows outside `fold` (on all rows for `None`), for every penalty.
    pub(in crate::train) fn fit(&self, fold: Option<u8>) -> FoldFit {
        let all = 0..self.panel.rows.len() as u32;
        let (tested, trained_on): (Vec<u32>, Vec<u32>) =
            all.partition(|&row| Some(self.panel.folds[row as usize]) == fold);
        let mean = self.panel.means(&trained_on);
        let mut targets = Block::zero(trained_on.len(), self.axes.len());
        for (at, &row) in trained_on.iter().enumerate() {
            let rotated = self.rotated(row as usize, &mean);
            targets.row_mut(at)[..self.axes.len()].copy_from_slice(&rotated);
        }
        let duals = ridge::solve(&self.design, &trained_on, &targets, &PENALTIES, STEPS);
        let predict =
            |duals: &Block| self.design.times(&tested, &self.design.transposed_times(&trained_on, duals));
        let predicted = if tested.is_empty() { vec![] } else { duals.iter().map(predict).collect() };
        FoldFit { trained_on, mean, duals, tested, predicted }
    }

    fn rotated(&self, row: usize, mean: &[f32]) -> Vec<f32> {
        let residuals = self.panel.residuals(row, mean);
        let along =
            |axis: &Vec<f64>| axis.iter().zip(&residuals).map(|(a, r)| a * f64::from(*r)).sum::<f64>() as f32;
        self.axes.iter().map(along).collect()
    }

    /// The penalty of each axis by out-of-fold squared error, and the predictions that follow.
    pub(in crate::train) fn choose(&self, fits: &[FoldFit]) -> Chosen {
        let axes = self.axes.len();
        let mut errors = vec![vec![0.0f64; PENALTIES.len() + 1]; axes];
        for fit in fits {
            for (at, &row) in fit.tested.iter().enumerate() {
                let target = self.rotated(row as usize, &fit.mean);
                for (axis, errors) in errors.iter_mut().enumerate() {
                    for (penalty, block) in fit.predicted.iter().enumerate() {
                        errors[penalty] += f64::from(target[axis] - block.row(at)[axis]).powi(2);
                    }
                    errors[PENALTIES.len()] += f64::from(target[axis]).powi(2);
                }
            }
        }
        let best = |errors: &Vec<f64>| {
            let least =
                (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b])).unwrap_or(PENALTIES.len());
            (least < PENALTIES.len()).then_some(least)
        };
        let penalties: Vec<Option<usize>> = errors.iter().map(best).collect();
        let predicted = self.out_of_fold(fits, &penalties);
        Chosen { penalties, predicted }
    }

    fn out_of_fold(&self, fits: &[FoldFit], penalties: &[Option<usize>]) -> Vec<f32> {
        let width = self.panel.width();
        let mut predicted = vec![0.0f32; self.panel.rows.len() * width];
        for fit in fits {
            for (at, &row) in fit.tested.iter().enumerate() {
                for expert in 0..width {
                    let axes =
                        penalties.iter().enumerate().filter_map(|(axis, penalty)| Some((axis, (*penalty)?)));
                    let sum: f64 = axes
                        .map(|(axis, penalty)| {
                            self.axes[axis][expert] * f64::from(fit.predicted[penalty].row(at)[axis])
                        })
                        .sum();
                    predicted[row as usize * width + expert] =
                        (fit.mean[expert] + sum as f32).clamp(0.0, 1.0);
                }
            }
        }
        predicted
    }
}

/// Penalties tried for each axis, rising; beyond the last an axis is dropped.
pub(in crate::train) const PENALTIES: [f32; 4] = [10.0, 30.0, 100.0, 300.0];
/// With 8 steps the weak penalties are not solved, look worse than they are, and strong ones are chosen instead.
const STEPS: usize = 20;
