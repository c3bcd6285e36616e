//! What the experts of a panel have in common: the leading axes of their predicted scores.

use crate::train::rotate;
use sluice_router::PanelParts;

/// The axes along which a panel's predictions vary most.
pub(super) struct Axes {
    axes: Vec<Vec<f64>>,
    /// Mean prediction of each expert.
    centre: Vec<f64>,
    /// Mean square along the first axis.
    pub(super) variance: f64,
}

/// A line along the axes: a score for each prompt whose other predictions are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) intercept: f64,
    /// One for each axis.
    pub(super) slopes: Vec<f64>,
}

impl Axes {
    /// From the out-of-fold predictions that the panel keeps.
    pub(super) fn of(panel: &PanelParts) -> Axes {
        let width = panel.experts.len();
        let predicted = &panel.calibration.predicted;
        let n = panel.calibration.len().max(1) as f64;
        let mut centre = vec![0.0f64; width];
        for row in predicted.chunks_exact(width) {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value) / n);
        }
        let residual = |(at, value): (usize, &f32)| value - centre[at % width] as f32;
        let residuals: Vec<f32> = predicted.iter().enumerate().map(residual).collect();
        let mut axes = rotate::axes(&residuals, width);
        axes.truncate(MOST_AXES);
        let mut found = Axes { axes, centre, variance: 0.0 };
        found.variance =
            predicted.chunks_exact(width).map(|row| found.along(row)[0].powi(2)).sum::<f64>() / n;
        found
    }

    /// Where the predictions for one prompt stand on each axis.
    pub(super) fn along(&self, predicted: &[f32]) -> Vec<f64> {
        let dot = |axis: &Vec<f64>| {
            let parts = axis.iter().zip(predicted).zip(&self.centre);
            parts.map(|((share, value), centre)| share * (f64::from(*value) - centre)).sum()
        };
        self.axes.iter().map(dot).collect()
    }

    /// The ridge line through some rows: their places on the axes and their scores.
    pub(super) fn line(&self, along: &[&[f64]], scores: &[f64]) -> Line {
        let (n, width) = (along.len().max(1) as f64, self.axes.len());
        let mean: Vec<f64> = (0..width).map(|at| along.iter().map(|row| row[at]).sum::<f64>() / n).collect();
        let mean_score = scores.iter().sum::<f64>() / n;
        let (mut normal, mut right) = (vec![vec![0.0f64; width]; width], vec![0.0f64; width]);
        for (row, score) in along.iter().zip(scores) {
            for at in 0..width {
                let here = row[at] - mean[at];
                right[at] += here * (score - mean_score);
                (0..width).for_each(|to| normal[at][to] += here * (row[to] - mean[to]));
            }
        }
        let penalty = (PENALTY * self.variance).max(f64::MIN_POSITIVE);
        (0..width).for_each(|at| normal[at][at] += penalty);
        let slopes = solve(normal, right);
        let intercept = mean_score - slopes.iter().zip(&mean).map(|(slope, mean)| slope * mean).sum::<f64>();
        Line { intercept, slopes }
    }

    /// The same line over the other experts' predictions: what stands for itself, and a slope for each expert.
    pub(super) fn by_expert(&self, line: &Line) -> (f64, Vec<f64>) {
        let mut slopes = vec![0.0; self.centre.len()];
        for (axis, slope) in self.axes.iter().zip(&line.slopes) {
            slopes.iter_mut().zip(axis).for_each(|(sum, share)| *sum += slope * share);
        }
        let centred: f64 = slopes.iter().zip(&self.centre).map(|(slope, centre)| slope * centre).sum();
        (line.intercept - centred, slopes)
    }
}

impl Line {
    pub(super) fn at(&self, along: &[f64]) -> f64 {
        self.intercept + self.slopes.iter().zip(along).map(|(slope, place)| slope * place).sum::<f64>()
    }
}

/// Solves a small symmetric system with a positive diagonal by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for at in 0..n {
        let (above, rest) = matrix.split_at_mut(at + 1);
        let pivot = &above[at];
        for (below, row) in rest.iter_mut().enumerate() {
            let factor = row[at] / pivot[at];
            row[at..].iter_mut().zip(&pivot[at..]).for_each(|(cell, top)| *cell -= factor * top);
            right[at + 1 + below] -= factor * right[at];
        }
    }
    for at in (0..n).rev() {
        let known: f64 = (at + 1..n).map(|column| matrix[at][column] * right[column]).sum();
        right[at] = (right[at] - known) / matrix[at][at];
    }
    right
}

/// Leading axes that are looked at: more are noise to a few hundred grades.
const MOST_AXES: usize = 4;
/// Times the variance along the first axis: what ten rows say counts half.
const PENALTY: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_system_is_solved() {
        let found =
            solve(vec![vec![4.0, 1.0, 0.0], vec![1.0, 3.0, 1.0], vec![0.0, 1.0, 2.0]], vec![6.0, 10.0, 8.0]);
        for (is, should) in found.iter().zip([1.0, 2.0, 3.0]) {
            assert!((is - should).abs() < 1e-12, "{found:?}");
        }
    }
}
