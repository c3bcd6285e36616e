//! One panel: rows that the same experts were graded on, as numbers.

mod assemble;
mod fit;
mod lengths;
mod prepared;
mod scales;
mod subjects;

pub(super) use fit::{Chosen, FoldFit, PENALTIES};
pub(super) use prepared::{Keyed, Prepared};

use super::design::Design;
use super::heads::{self, HeadTask};
use super::panels::Group;
use super::{FOLDS, Texts};
use crate::corpus::Row;
use lengths::Lengths;
use sluice_router::{Counts, Lexicon};

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
    names: Vec<String>,
    labels: Vec<u32>,
    /// [rows x experts] grades; NaN where missing.
    grades: Vec<f32>,
    lengths: Lengths,
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
        let (subject_names, labels) = subjects::label(&data);
        let subjects = subject_names.len();
        let names: Vec<&str> = group.experts.iter().map(|&at| experts[at as usize].as_str()).collect();
        let grade =
            |row: &Row, name: &str| row.outcome(name).map_or(f32::NAN, |outcome| outcome.score as f32);
        let grades =
            data.iter().flat_map(|row| names.iter().map(|name| grade(row, name)).collect::<Vec<_>>());
        Panel {
            grades: grades.collect(),
            lengths: Lengths::of(&data, &names, &labels, subjects),
            folds: group.rows.iter().map(|&row| folds[row]).collect(),
            experts: group.experts,
            rows: group.rows,
            data,
            counts,
            lexicon,
            design,
            subjects,
            names: subject_names,
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

const SUBJECT_PENALTY: f32 = 0.7;
const SUBJECT_STEPS: usize = 10;
/// N-grams of a single prompt can't be tested out of fold; without them the file is half as large.
const LEAST_TEXTS: u32 = 2;

/// Every fold, and the fit on all rows.
pub(super) fn all_folds() -> impl Iterator<Item = u8> {
    0..FOLDS as u8
}
