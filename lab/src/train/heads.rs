//! Heads that tell labels apart (subjects, domains, panels): ridge on one-hot labels over n-grams.

use super::design::{Block, Design};
use super::{FOLDS, jobs, ridge};
use sluice_router::{posterior, softmax};

/// What a head is fitted on: rows of `design`, each with its label and its fold.
pub(super) struct HeadTask<'a> {
    pub(super) design: &'a Design,
    pub(super) rows: Vec<u32>,
    pub(super) labels: Vec<u32>,
    pub(super) folds: Vec<u8>,
    pub(super) classes: usize,
    /// Rows that it learns from; the others are only scored. Empty means all.
    pub(super) teaches: Vec<bool>,
    /// Folds to leave out in turn for out-of-fold scores.
    pub(super) left_out: Vec<u8>,
    /// Weak, since labels are not noisy as grades are.
    pub(super) penalty: f32,
    /// Of conjugate gradient; more rows need more.
    pub(super) steps: usize,
    /// How many of the last classes stand for "none of these": they count neither for sharpness nor for accuracy.
    pub(super) open: usize,
}

/// A fitted head.
pub(super) struct Head {
    /// The rows (positions in the task) that `duals` belong to.
    pub(super) trained_on: Vec<u32>,
    /// Share of each class.
    pub(super) share: Vec<f32>,
    pub(super) sharpness: f32,
    /// Duals of the fit on all rows.
    pub(super) duals: Block,
    /// For each left-out fold, the rows (positions in the task) that it was fitted on and its duals.
    pub(super) fold_duals: Vec<(Vec<u32>, Block)>,
    /// [rows of the task x classes] out-of-fold sums; `None` for rows whose fold wasn't left out.
    pub(super) sums: Vec<Option<Vec<f32>>>,
    /// Share of the out-of-fold rows whose most probable class is theirs.
    pub(super) accuracy: f64,
}

/// Fits several heads at once: all folds of all of them share the threads.
pub(super) fn fit(tasks: &[HeadTask]) -> Vec<Head> {
    let mut items = vec![];
    for (at, task) in tasks.iter().enumerate() {
        items.extend(task.left_out.iter().map(|&fold| (at, Some(fold))));
        items.push((at, None));
    }
    let mut fits = jobs::run(items, |(at, fold)| fit_one(&tasks[at], fold)).into_iter();
    tasks.iter().map(|task| gather(task, fits.by_ref().take(task.left_out.len() + 1).collect())).collect()
}

struct Fit {
    trained_on: Vec<u32>,
    duals: Block,
    tested: Vec<u32>,
    sums: Block,
}

fn fit_one(task: &HeadTask, left_out: Option<u8>) -> Fit {
    let all = 0..task.rows.len() as u32;
    let (tested, others): (Vec<u32>, Vec<u32>) =
        all.partition(|&at| Some(task.folds[at as usize]) == left_out);
    let trained_on: Vec<u32> = others.into_iter().filter(|&at| task.teaches(at)).collect();
    let share = task.share();
    let mut targets = Block::zero(trained_on.len(), task.classes);
    for (at, &row) in trained_on.iter().enumerate() {
        let target = targets.row_mut(at);
        target[..task.classes].iter_mut().zip(&share).for_each(|(cell, share)| *cell = -share);
        target[task.labels[row as usize] as usize] += 1.0;
    }
    let rows = task.design_rows(&trained_on);
    let duals = ridge::solve(task.design, &rows, &targets, &[task.penalty], task.steps).swap_remove(0);
    let sums = if tested.is_empty() {
        Block::zero(0, task.classes)
    } else {
        task.design.times(&task.design_rows(&tested), &task.design.transposed_times(&rows, &duals))
    };
    Fit { trained_on, duals, tested, sums }
}

fn gather(task: &HeadTask, mut fits: Vec<Fit>) -> Head {
    let whole = fits.pop().expect("the fit on all rows comes last");
    let share = task.share();
    let mut sums = vec![None; task.rows.len()];
    for fit in &fits {
        for (at, &row) in fit.tested.iter().enumerate() {
            sums[row as usize] = Some(fit.sums.row(at)[..task.classes].to_vec());
        }
    }
    let named = task.classes - task.open;
    let known: Vec<(&[f32], usize)> = sums
        .iter()
        .zip(&task.labels)
        .enumerate()
        .filter(|(at, (_, label))| task.teaches(*at as u32) && (**label as usize) < named)
        .filter_map(|(_, (sums, &label))| Some((&sums.as_ref()?[..named], label as usize)))
        .collect();
    let sharpness = sharpest(&share[..named], &known);
    let is_right = |(sums, label): &&(&[f32], usize)| posterior(&share[..named], sums, 1.0)[0].0 == *label;
    let right = known.iter().filter(is_right).count();
    Head {
        accuracy: right as f64 / known.len().max(1) as f64,
        share,
        sharpness,
        trained_on: whole.trained_on,
        duals: whole.duals,
        fold_duals: fits.into_iter().map(|fit| (fit.trained_on, fit.duals)).collect(),
        sums,
    }
}

/// The sharpness with the least log loss.
fn sharpest(share: &[f32], known: &[(&[f32], usize)]) -> f32 {
    let loss = |sharpness: f32| -> f64 {
        let of = |(sums, label): &(&[f32], usize)| {
            let scores: Vec<f32> = share.iter().zip(*sums).map(|(share, sum)| share + sum).collect();
            -libm::log(f64::from(softmax(&scores, sharpness)[*label]).max(1e-6))
        };
        known.iter().map(of).sum()
    };
    let losses = SHARPNESS.map(|sharpness| (sharpness, loss(sharpness)));
    losses.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1.0, |(sharpness, _)| sharpness)
}

impl HeadTask<'_> {
    fn share(&self) -> Vec<f32> {
        let mut share = vec![0.0; self.classes];
        let taught = (0..self.rows.len() as u32).filter(|&at| self.teaches(at));
        taught.for_each(|at| share[self.labels[at as usize] as usize] += 1.0);
        let sum = share.iter().sum::<f32>().max(1.0);
        share.iter_mut().for_each(|share| *share /= sum);
        share
    }

    fn teaches(&self, at: u32) -> bool {
        self.teaches.get(at as usize).copied().unwrap_or(true)
    }

    pub(super) fn design_rows(&self, positions: &[u32]) -> Vec<u32> {
        positions.iter().map(|&at| self.rows[at as usize]).collect()
    }
}

const SHARPNESS: [f32; 8] = [2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0];

/// Every fold, for [`HeadTask::left_out`].
pub(super) fn all_folds() -> Vec<u8> {
    (0..FOLDS as u8).collect()
}
