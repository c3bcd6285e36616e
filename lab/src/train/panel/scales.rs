//! How subject and shape are scaled beside n-grams.

use super::Panel;
use sluice_router::{SHAPE, standardise};

/// How dense features are scaled.
pub(super) struct Scales {
    pub(super) shape_mean: Vec<f32>,
    pub(super) shape_spread: Vec<f32>,
    /// What a subject's probability is multiplied by.
    pub(super) subject: Vec<f32>,
    pub(super) shape: f32,
}

impl Scales {
    pub(super) fn fit(panel: &Panel, posteriors: &[Vec<(usize, f32)>]) -> Scales {
        let n = panel.counts.len().max(1) as f64;
        let mean = |value: &dyn Fn(usize) -> f64| (0..panel.counts.len()).map(value).sum::<f64>() / n;
        let shape_mean: Vec<f32> =
            (0..SHAPE).map(|at| mean(&|row| f64::from(panel.counts[row].shape[at])) as f32).collect();
        let variance =
            |at: usize| mean(&|row| f64::from(panel.counts[row].shape[at] - shape_mean[at]).powi(2));
        // A count that never varies gets spread 1: its deviation is 0 on all rows, and stays modest on others.
        let spread =
            |at: usize| Some(variance(at).sqrt() as f32).filter(|spread| *spread > 1e-6).unwrap_or(1.0);
        let shape_spread: Vec<f32> = (0..SHAPE).map(spread).collect();
        let mut share = vec![0.0f64; panel.subjects];
        posteriors.iter().flatten().for_each(|&(subject, p)| share[subject] += f64::from(p) / n);
        // Rare subjects get the same room as frequent ones.
        let room: Vec<f64> = share.iter().map(|share| 1.0 / (share + 1e-3).sqrt()).collect();
        let square = |row: usize| {
            posteriors[row].iter().map(|&(subject, p)| (f64::from(p) * room[subject]).powi(2)).sum()
        };
        let subject_size = mean(&square).sqrt().max(1e-6);
        let size = |row: usize| {
            let z = standardise(&panel.counts[row].shape, &shape_mean, &shape_spread);
            z.iter().map(|z| f64::from(*z).powi(2)).sum()
        };
        let shape_size = mean(&size).sqrt().max(1e-6);
        Scales {
            subject: room.iter().map(|room| (room / subject_size) as f32).collect(),
            shape: (1.0 / shape_size) as f32,
            shape_mean,
            shape_spread,
        }
    }

    /// Subject, shape, and shape within subject as features from number `from` on.
    pub(super) fn dense(
        &self,
        posterior: &[(usize, f32)],
        shape: &[f32; SHAPE],
        from: usize,
        subjects: usize,
    ) -> Vec<(u32, f32)> {
        let z = standardise(shape, &self.shape_mean, &self.shape_spread).map(|z| z * self.shape);
        let mut features = vec![];
        let mut push = |at: usize, value: f32| features.push(((from + at) as u32, value));
        for &(subject, p) in posterior {
            let f = p * self.subject[subject];
            push(subject, SUBJECT_WEIGHT * f);
            z.iter().enumerate().for_each(|(at, z)| push(subjects + SHAPE + subject * SHAPE + at, f * z));
        }
        z.iter().enumerate().for_each(|(at, z)| push(subjects + at, *z));
        features
    }
}

/// Weights of n-grams and of the subject against shape, and shape within subject.
pub(super) const GRAM_WEIGHT: f32 = 2.0;
pub(super) const SUBJECT_WEIGHT: f32 = 1.4;
