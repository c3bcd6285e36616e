//! One panel: its features, its subject head, its rotated ridge, its answer lengths.

use super::design::{Block, Design};
use super::heads::{self, Head, HeadTask};
use super::panels::Group;
use super::{FOLDS, Texts, ridge, rotate};
use crate::corpus::Row;
use sluice_router::{
    Calibration, Counts, Lexicon, MISSING_SCORE, PanelParts, SHAPE, UNKNOWN_TOKENS, Weights, posterior,
    standardise,
};
use std::collections::BTreeMap;

/// A panel's rows as numbers, before anything is fitted.
pub(super) struct Panel<'a> {
    pub(super) experts: Vec<u32>,
    /// Positions in the list of all graded rows.
    pub(super) rows: Vec<usize>,
    data: Vec<&'a Row>,
    counts: Vec<&'a Counts>,
    pub(super) folds: Vec<u8>,
    lexicon: Lexicon,
    design: Design,
    subjects: usize,
    labels: Vec<u32>,
    /// [rows x experts] grades; NaN where missing.
    grades: Vec<f32>,
    lengths: Lengths,
}

/// Mean output tokens within each subject.
struct Lengths {
    by_subject: Vec<f32>,
    has: Vec<u32>,
}

/// A panel with its subject head, ready for the ridge.
pub(super) struct Prepared<'a> {
    pub(super) panel: Panel<'a>,
    head: Head,
    /// For each row its out-of-fold subjects.
    posteriors: Vec<Vec<(usize, f32)>>,
    design: Design,
    scales: Scales,
    axes: Vec<Vec<f64>>,
}

/// What is known of all graded rows besides their grades.
pub(super) struct Keyed<'a> {
    pub(super) keys: &'a [u64],
    pub(super) groups: &'a [u32],
    pub(super) domains: &'a [u32],
}

/// How dense features are scaled.
struct Scales {
    shape_mean: Vec<f32>,
    shape_spread: Vec<f32>,
    /// What a subject's probability is multiplied by.
    subject: Vec<f32>,
    shape: f32,
}

/// The ridge on all folds but one: duals for each penalty, and predictions of that fold.
pub(super) struct FoldFit {
    trained_on: Vec<u32>,
    mean: Vec<f32>,
    duals: Vec<Block>,
    tested: Vec<u32>,
    /// For each penalty [tested x axes].
    predicted: Vec<Block>,
}

/// What the folds have shown: the penalty of each axis (`None` drops it), and each row's prediction by the others.
pub(super) struct Chosen {
    pub(super) penalties: Vec<Option<usize>>,
    /// [rows x experts], 0 to 1.
    pub(super) predicted: Vec<f32>,
}

impl<'a> Panel<'a> {
    pub(super) fn new(
        group: Group,
        rows: &[&'a Row],
        texts: &'a Texts,
        folds: &[u8],
        experts: &[String],
    ) -> Panel<'a> {
        let data: Vec<&Row> = group.rows.iter().map(|&row| rows[row]).collect();
        let counts: Vec<&Counts> = group.rows.iter().map(|&row| &texts.graded[row]).collect();
        let lexicon = Lexicon::from_texts(counts.iter().map(|counts| &counts.grams[..]), LEAST_TEXTS);
        let (mut design, mut features) = (Design::new(lexicon.len()), vec![]);
        for counts in &counts {
            lexicon.weigh(&counts.grams, &mut features);
            design.push(&features);
        }
        let (subjects, labels) = subjects(&data);
        let names: Vec<&str> = group.experts.iter().map(|&at| experts[at as usize].as_str()).collect();
        let grade =
            |row: &Row, name: &str| row.outcome(name).map_or(f32::NAN, |outcome| outcome.score as f32);
        let grades =
            data.iter().flat_map(|row| names.iter().map(|name| grade(row, name)).collect::<Vec<_>>());
        Panel {
            grades: grades.collect(),
            lengths: lengths(&data, &names, &labels, subjects),
            folds: group.rows.iter().map(|&row| folds[row]).collect(),
            experts: group.experts,
            rows: group.rows,
            data,
            counts,
            lexicon,
            design,
            subjects,
            labels,
        }
    }

    pub(super) fn head_task(&self) -> HeadTask<'_> {
        HeadTask {
            design: &self.design,
            rows: (0..self.rows.len() as u32).collect(),
            labels: self.labels.clone(),
            folds: self.folds.clone(),
            classes: self.subjects,
            teaches: vec![],
            left_out: heads::all_folds(),
            open: 0,
            penalty: SUBJECT_PENALTY,
            steps: SUBJECT_STEPS,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.experts.len()
    }

    /// Mean grade of each expert over some rows; over all when these have none.
    fn means(&self, rows: &[u32]) -> Vec<f32> {
        let mean = |expert: usize, rows: &mut dyn Iterator<Item = u32>| {
            let grades = rows.map(|row| self.grades[row as usize * self.width() + expert]);
            let (sum, n) = grades
                .filter(|grade| !grade.is_nan())
                .fold((0.0f64, 0u32), |(sum, n), grade| (sum + f64::from(grade), n + 1));
            (n > 0).then(|| (sum / f64::from(n)) as f32)
        };
        let of = |expert| {
            let everywhere = || mean(expert, &mut (0..self.rows.len() as u32));
            mean(expert, &mut rows.iter().copied()).or_else(everywhere).unwrap_or(0.5)
        };
        (0..self.width()).map(of).collect()
    }

    /// Grades minus the mean; 0 where missing.
    fn residuals(&self, row: usize, mean: &[f32]) -> Vec<f32> {
        let grades = &self.grades[row * self.width()..(row + 1) * self.width()];
        grades.iter().zip(mean).map(|(grade, mean)| if grade.is_nan() { 0.0 } else { grade - mean }).collect()
    }
}

impl<'a> Prepared<'a> {
    pub(super) fn new(panel: Panel<'a>, head: Head) -> Prepared<'a> {
        let flat = vec![0.0; panel.subjects];
        let posteriors: Vec<Vec<(usize, f32)>> = head
            .sums
            .iter()
            .map(|sums| posterior(&head.share, sums.as_ref().unwrap_or(&flat), head.sharpness))
            .collect();
        let scales = Scales::fit(&panel, &posteriors);
        let mut design = Design::new(panel.lexicon.len() + panel.subjects + SHAPE + panel.subjects * SHAPE);
        for (row, posterior) in posteriors.iter().enumerate() {
            let mut features = panel.design.row(row).to_vec();
            features.extend(scales.dense(
                posterior,
                &panel.counts[row].shape,
                panel.lexicon.len(),
                panel.subjects,
            ));
            design.push(&features);
        }
        let everyone: Vec<u32> = (0..panel.rows.len() as u32).collect();
        let mean = panel.means(&everyone);
        let residuals: Vec<f32> = (0..panel.rows.len()).flat_map(|row| panel.residuals(row, &mean)).collect();
        let axes = rotate::axes(&residuals, panel.width());
        Prepared { panel, head, posteriors, design, scales, axes }
    }

    /// Fits on all rows outside `fold` (on all rows for `None`), for every penalty.
    pub(super) fn fit(&self, fold: Option<u8>) -> FoldFit {
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
    pub(super) fn choose(&self, fits: &[FoldFit]) -> Chosen {
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

    /// The panel's numbers by one fit and the subject head of the same rows; with no calibration rows yet.
    pub(super) fn assemble(
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
            matrix.extend_from_slice(&weights.row(row)[..width]);
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

    /// The rows with `predicted` for each.
    pub(super) fn calibration(
        &self,
        predicted: &[f32],
        keyed: &Keyed,
        experts: &[String],
        parts: &PanelParts,
    ) -> Calibration {
        let width = self.panel.width();
        let mut out = Calibration::default();
        for (at, row) in self.panel.data.iter().enumerate() {
            let estimated = sluice_router::estimate_tokens(&row.prompt);
            out.prompts.push(keyed.keys[self.panel.rows[at]]);
            out.groups.push(keyed.groups[self.panel.rows[at]]);
            out.domains.push(keyed.domains[self.panel.rows[at]]);
            out.prompt_tokens.push(estimated);
            out.predicted_output.extend(parts.lengths(&self.posteriors[at]));
            for (column, &expert) in self.panel.experts.iter().enumerate() {
                let outcome = row.outcome(&experts[expert as usize]);
                out.predicted.push(predicted[at * width + column]);
                out.scores.push(outcome.map_or(MISSING_SCORE, |outcome| outcome.score as f32));
                out.input_tokens.push(outcome.and_then(|outcome| outcome.input_tokens).unwrap_or(estimated));
                let output = outcome.and_then(|outcome| outcome.output_tokens);
                out.output_tokens.push(output.unwrap_or(UNKNOWN_TOKENS));
            }
        }
        out
    }

    /// Subjects and their head's out-of-fold accuracy, for reports.
    pub(super) fn subject_accuracy(&self) -> (usize, f64) {
        (self.panel.subjects, self.head.accuracy)
    }

    pub(super) fn counts(&self, row: usize) -> &Counts {
        self.panel.counts[row]
    }
}

impl Scales {
    fn fit(panel: &Panel, posteriors: &[Vec<(usize, f32)>]) -> Scales {
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
    fn dense(
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

/// The subjects of a panel's rows: the source's labels, rare ones in one class.
fn subjects(rows: &[&Row]) -> (usize, Vec<u32>) {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *sizes.entry(row.label()).or_default() += 1);
    let mut common: Vec<(&str, usize)> =
        sizes.into_iter().filter(|(_, size)| *size >= LEAST_OF_SUBJECT).collect();
    common.sort_by_key(|(name, size)| (std::cmp::Reverse(*size), *name));
    common.truncate(MOST_SUBJECTS);
    let label =
        |row: &&Row| common.iter().position(|(name, _)| *name == row.label()).unwrap_or(common.len()) as u32;
    let labels: Vec<u32> = rows.iter().map(label).collect();
    (labels.iter().max().map_or(1, |last| *last as usize + 1), labels)
}

/// Mean output tokens of each expert within each subject, shrunk to its mean over all by [`SHRINK`] rows.
///
/// An expert without any recorded length gets the panel's mean; without any in the panel, 0: cost then counts the
/// input alone, as the data does.
fn lengths(rows: &[&Row], names: &[&str], labels: &[u32], subjects: usize) -> Lengths {
    let width = names.len();
    let (mut sums, mut counts) = (vec![0.0f64; subjects * width], vec![0.0f64; subjects * width]);
    for (row, &label) in rows.iter().zip(labels) {
        for (column, name) in names.iter().enumerate() {
            if let Some(tokens) = row.outcome(name).and_then(|outcome| outcome.output_tokens) {
                sums[label as usize * width + column] += f64::from(tokens);
                counts[label as usize * width + column] += 1.0;
            }
        }
    }
    let total = |values: &[f64], column: usize| {
        (0..subjects).map(|subject| values[subject * width + column]).sum::<f64>()
    };
    let mean =
        |column: usize| Some(total(&counts, column)).filter(|n| *n > 0.0).map(|n| total(&sums, column) / n);
    let means: Vec<Option<f64>> = (0..width).map(mean).collect();
    let known: Vec<f64> = means.iter().flatten().copied().collect();
    let fallback = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let cell = |at: usize| {
        let overall = means[at % width].unwrap_or(fallback);
        ((sums[at] + SHRINK * overall) / (counts[at] + SHRINK)) as f32
    };
    Lengths {
        by_subject: (0..subjects * width).map(cell).collect(),
        has: means.iter().map(|mean| u32::from(mean.is_some())).collect(),
    }
}

/// Penalties tried for each axis, rising; beyond the last an axis is dropped.
pub(super) const PENALTIES: [f32; 4] = [3.0, 10.0, 30.0, 100.0];
const STEPS: usize = 8;
const SUBJECT_PENALTY: f32 = 0.7;
const SUBJECT_STEPS: usize = 6;
/// Weight of the subject block against n-grams, shape, and shape within subject.
const SUBJECT_WEIGHT: f32 = 2.0;
const LEAST_OF_SUBJECT: usize = 5;
const MOST_SUBJECTS: usize = 127;
/// N-grams of a single prompt can't be tested out of fold; without them the file is half as large.
const LEAST_TEXTS: u32 = 2;
const SHRINK: f64 = 20.0;

/// Every fold, and the fit on all rows.
pub(super) fn all_folds() -> impl Iterator<Item = u8> {
    0..FOLDS as u8
}
