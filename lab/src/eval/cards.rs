//! Each expert by itself: its grades, and how well they are predicted, over all and slice by slice.

use super::Seen;
use crate::measures;
use crate::slices;
use serde::Serialize;
use std::collections::BTreeMap;

/// One expert's grades and how well they are predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpertCard {
    /// Graded rows.
    pub n: usize,
    /// Mean score.
    pub mean_score: f64,
    /// Mean squared error of the predicted score.
    pub brier: f64,
    /// Calibration error, 15 bins of equal mass.
    pub ece: f64,
    /// What it costs for all rows.
    pub cost_usd: f64,
    /// How well its scores are predicted in each domain, by the rows' own label.
    pub domains: BTreeMap<String, Calibrated>,
    /// The same in each language.
    pub languages: BTreeMap<String, Calibrated>,
}

/// How well scores are predicted over some rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Calibrated {
    /// Rows.
    pub n: usize,
    /// Mean squared error of the predicted score.
    pub brier: f64,
    /// Calibration error, 15 bins of equal mass.
    pub ece: f64,
    /// The calibration error that chance alone gives perfect predictions of right or wrong on so many rows: an `ece`
    /// about as large says nothing.
    pub ece_by_chance: f64,
}

pub(super) fn card(seen: &Seen, at: usize) -> ExpertCard {
    let (predicted, scores) = seen.columns(at);
    let sliced = |slices: &BTreeMap<&str, Vec<usize>>| {
        slices
            .iter()
            .map(|(name, rows)| ((*name).to_owned(), calibrated(&predicted, &scores, rows)))
            .collect()
    };
    ExpertCard {
        n: seen.rows.len(),
        mean_score: seen.pairs.mean_score(at),
        brier: measures::brier(&predicted, &scores),
        ece: measures::ece(&predicted, &scores),
        cost_usd: seen.pairs.mean_cost(at) * seen.rows.len() as f64 / 1e9,
        domains: sliced(&slices::by(&seen.rows, slices::domain)),
        languages: sliced(&slices::by(&seen.rows, slices::language)),
    }
}

fn calibrated(predicted: &[f64], scores: &[f64], rows: &[usize]) -> Calibrated {
    let (predicted, scores): (Vec<f64>, Vec<f64>) =
        rows.iter().map(|&row| (predicted[row], scores[row])).unzip();
    Calibrated {
        n: rows.len(),
        brier: measures::brier(&predicted, &scores),
        ece: measures::ece(&predicted, &scores),
        ece_by_chance: by_chance(predicted),
    }
}

/// Mean |sum of (p - outcome)| over the bins where outcomes are drawn with the predicted p, by the half-normal.
fn by_chance(mut predicted: Vec<f64>) -> f64 {
    predicted.sort_by(f64::total_cmp);
    let n = predicted.len();
    let bin = |at: usize| {
        let bin = &predicted[at * n / BINS..(at + 1) * n / BINS];
        libm::sqrt(bin.iter().map(|p| p * (1.0 - p)).sum::<f64>() * 2.0 / std::f64::consts::PI)
    };
    (0..BINS).map(bin).sum::<f64>() / n.max(1) as f64
}

/// The bins of [`measures::ece`].
const BINS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_by_chance_is_that_of_drawn_outcomes() {
        let mut state = 7u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let predicted: Vec<f64> = (0..900).map(|at| f64::from(at) / 900.0).collect();
        let mut run = || {
            let scores: Vec<f64> = predicted.iter().map(|p| f64::from(u8::from(draw() < *p))).collect();
            measures::ece(&predicted, &scores)
        };
        let mean = (0..400).map(|_| run()).sum::<f64>() / 400.0;
        let expected = by_chance(predicted.clone());
        assert!((mean - expected).abs() < 0.002, "{mean} drawn, {expected} computed");
        assert_eq!(by_chance(vec![]), 0.0);
    }
}
