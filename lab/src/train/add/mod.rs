//! One new expert joins a fitted model, on a hundred grades or more: what the experts of a panel share is known, so
//! little is left to learn.
//!
//! The new expert becomes a column of the panel that its rows belong to; no other number of the model changes.
//! Explained in `docs/reference/router.md`, "A new expert".

mod axes;
mod column;
mod report;
mod rows;

pub use report::{AddReport, Admission, Certified, add_table};

use super::{FOLDS, MOST_MOVED, groups, jobs};
use crate::clock::Stopwatch;
use crate::corpus::Row;
use axes::Axes;
use column::{Numbers, Sample};
use rows::{Facts, Known};
use sluice_router::{Counts, Gate, PanelParts, Params, ParamsError, ParamsParts, count, prompt_hash};

/// Why no expert was added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// It is there.
    #[error(
        "{name} is in the model already, with {grades} grades; add it to a model that lacks it (--model), \
         or train anew with all its grades"
    )]
    Known {
        /// Its name.
        name: String,
        /// How many grades of it the model keeps.
        grades: usize,
    },
    /// No row grades it.
    #[error("no row grades {name}; the data grades {}", found.join(", "))]
    NotGraded {
        /// Its name.
        name: String,
        /// Whom the data grades.
        found: Vec<String>,
    },
    /// There is not enough to learn from.
    #[error("{rows} rows grade {name}, at least {LEAST_ROWS} are needed: {} are missing", LEAST_ROWS - rows)]
    TooFewRows {
        /// Its name.
        name: String,
        /// How many there are.
        rows: usize,
    },
    /// Rounding the weights to 16 bits would change decisions.
    #[error(
        "rounding the weights moves a probability by {moved:.4}, more than {MOST_MOVED}; nothing is written"
    )]
    Rounding {
        /// By how much.
        moved: f32,
    },
    /// The numbers make no model.
    #[error("the fitted numbers make no model: {0}")]
    Params(#[from] ParamsError),
}

/// The rows that grade the new expert, counted.
struct Graded<'a> {
    name: &'a str,
    rows: Vec<&'a Row>,
    counts: Vec<Counts>,
    keys: Vec<u64>,
}

/// Adds the expert `name`, graded in `rows`, to a model. The same model, rows and seed give the same bytes.
///
/// Predictions of the other experts stay the same, bit for bit. Takes a second or two for 500 rows.
///
/// # Errors
/// [`AddError`]: the model knows it, or fewer than 60 rows grade it.
pub fn add(params: Params, name: &str, rows: &[Row], seed: u64) -> Result<(Params, AddReport), AddError> {
    let clock = Stopwatch::start();
    let graded = Graded::new(&params, name, rows)?;
    let at = graded.panel(&params);
    let panel = params.panels().nth(at).expect("it is one of the panels");
    let known = Known::of(&graded.keys, panel);
    let (column, parts) = fitted(&params, panel, &graded, &known, seed)?;
    let mut report = report::report(&graded, panel, &known, &column);
    report.skipped_rows = rows.len() - graded.rows.len();
    let (gate, mut panels) = params.into_parts();
    panels[at] = parts;
    let experts = gate.experts.into_iter().chain([name.to_owned()]).collect();
    let params = Params::new(ParamsParts { experts, ..gate }, panels)?;
    report.seconds = clock.seconds();
    report.model_bytes = params.to_bytes().len();
    Ok((params, report))
}

/// What the fit has found, for the report.
struct Found {
    predicted: Vec<f64>,
    penalty: Option<f32>,
}

fn fitted(
    params: &Params,
    panel: &PanelParts,
    graded: &Graded,
    known: &Known,
    seed: u64,
) -> Result<(Found, PanelParts), AddError> {
    let axes = Axes::of(panel);
    let sample = Sample::new(panel, &axes, &graded.counts, &graded.others(panel, known), graded.scores());
    let (groups, folds) = graded.folds(panel, seed);
    let (column, predicted) = sample.fit(&axes, &folds);
    let numbers = sample.numbers(panel, &axes, &column);
    let lengths = Lengths::of(graded, &sample, panel);
    let mut parts = widened(params, panel, &numbers, &lengths);
    let moved = moved_by_rounding(&sample, &parts, &numbers);
    if moved > MOST_MOVED {
        return Err(AddError::Rounding { moved });
    }
    let rows = panel.calibration.predicted.chunks_exact(panel.experts.len());
    let elsewhere: Vec<f32> = rows.map(|row| column.shared(&axes, row)).collect();
    let facts = Facts {
        name: graded.name,
        rows: &graded.rows,
        counts: &graded.counts,
        keys: &graded.keys,
        groups: &groups,
        predicted: &predicted,
        predicted_output: &sample.subjects.iter().map(|at| lengths.expected(at)).collect::<Vec<_>>(),
        known,
    };
    parts.calibration = rows::extended(params, panel, &facts, &elsewhere, lengths.usual);
    Ok((Found { predicted, penalty: column.penalty }, parts))
}

impl<'a> Graded<'a> {
    fn new(params: &Params, name: &'a str, rows: &'a [Row]) -> Result<Graded<'a>, AddError> {
        let name_owned = || name.to_owned();
        if let Some(expert) = params.experts().iter().position(|known| known == name) {
            let column = |panel: &PanelParts| panel.experts.binary_search(&(expert as u32)).ok();
            let grades = |panel: &PanelParts| {
                column(panel).map_or(0, |at| panel.calibration.graded(at, panel.experts.len()).0.len())
            };
            return Err(AddError::Known { name: name_owned(), grades: params.panels().map(grades).sum() });
        }
        let graded: Vec<&Row> = rows.iter().filter(|row| row.outcome(name).is_some()).collect();
        if graded.is_empty() {
            let mut found: Vec<String> =
                rows.iter().flat_map(|row| &row.outcomes).map(|outcome| outcome.expert.clone()).collect();
            found.sort();
            found.dedup();
            return Err(AddError::NotGraded { name: name_owned(), found });
        }
        if graded.len() < LEAST_ROWS {
            return Err(AddError::TooFewRows { name: name_owned(), rows: graded.len() });
        }
        Ok(Graded {
            name,
            counts: jobs::run(graded.clone(), |row| count(&row.prompt)),
            keys: graded.iter().map(|row| prompt_hash(&row.prompt)).collect(),
            rows: graded,
        })
    }

    /// The panel that has most of the prompts; those that none has count as far as they look like its prompts.
    fn panel(&self, params: &Params) -> usize {
        let panels: Vec<&PanelParts> = params.panels().collect();
        let holds: Vec<std::collections::HashSet<u64>> =
            panels.iter().map(|panel| panel.calibration.prompts.iter().copied().collect()).collect();
        let mut votes = vec![0.0f64; panels.len()];
        for (counts, key) in self.counts.iter().zip(&self.keys) {
            let with: Vec<usize> = (0..panels.len()).filter(|&at| holds[at].contains(key)).collect();
            with.iter().for_each(|&at| votes[at] += 1.0);
            if with.is_empty() {
                let mass = Gate::open(params, counts).panels;
                votes.iter_mut().zip(mass).for_each(|(vote, mass)| *vote += f64::from(mass));
            }
        }
        (0..votes.len()).max_by(|&a, &b| votes[a].total_cmp(&votes[b]).then(b.cmp(&a))).unwrap_or(0)
    }

    fn scores(&self) -> Vec<f64> {
        self.rows.iter().filter_map(|row| row.outcome(self.name)).map(|outcome| outcome.score).collect()
    }

    /// What the panel predicts of its experts on each prompt, never by a model that has seen it.
    fn others(&self, panel: &PanelParts, known: &Known) -> Vec<Vec<f32>> {
        let width = panel.experts.len();
        let of = |(counts, same): (&Counts, &Option<usize>)| match same {
            Some(row) => panel.calibration.predicted[row * width..(row + 1) * width].to_vec(),
            None => panel.predict(counts).scores,
        };
        self.counts.iter().zip(&known.same).map(of).collect()
    }

    /// Groups of near-duplicates, and folds that keep them together.
    fn folds(&self, panel: &PanelParts, seed: u64) -> (Vec<u32>, Vec<u8>) {
        let mut design = super::design::Design::new(panel.lexicon.len());
        let mut row = vec![];
        for counts in &self.counts {
            panel.lexicon.weigh(&counts.grams, &mut row);
            design.push(&row);
        }
        groups::folds(&self.counts.iter().collect::<Vec<_>>(), &design, &self.keys, FOLDS, seed)
    }
}

/// How much the new expert writes.
struct Lengths {
    by_subject: Vec<f32>,
    usual: f32,
    recorded: bool,
}

impl Lengths {
    /// Mean output tokens by subject, shrunk to the mean over all by [`SHRINK`] rows; without any recorded length that
    /// of the panel's experts.
    fn of(graded: &Graded, sample: &Sample, panel: &PanelParts) -> Lengths {
        let (mut sums, mut weights) =
            (vec![0.0f64; panel.subject_share.len()], vec![0.0f64; panel.subject_share.len()]);
        for (row, subjects) in graded.rows.iter().zip(&sample.subjects) {
            let Some(tokens) = row.outcome(graded.name).and_then(|outcome| outcome.output_tokens) else {
                continue;
            };
            for &(subject, p) in subjects {
                sums[subject] += f64::from(p) * f64::from(tokens);
                weights[subject] += f64::from(p);
            }
        }
        let whole: f64 = weights.iter().sum();
        let recorded = whole > 0.0;
        let usual = if recorded { sums.iter().sum::<f64>() / whole } else { usual_length(panel) };
        let of = |(sum, weight): (&f64, &f64)| ((sum + SHRINK * usual) / (weight + SHRINK)) as f32;
        Lengths { by_subject: sums.iter().zip(&weights).map(of).collect(), usual: usual as f32, recorded }
    }

    fn expected(&self, subjects: &[(usize, f32)]) -> f32 {
        subjects.iter().map(|&(subject, p)| p * self.by_subject[subject]).sum()
    }
}

/// Mean over the panel's experts whose lengths were recorded; 0 without any.
fn usual_length(panel: &PanelParts) -> f64 {
    let width = panel.experts.len();
    let columns: Vec<usize> = (0..width).filter(|&at| panel.has_lengths[at] != 0).collect();
    let mean = |column: usize| -> f64 {
        let by_subject = panel.output_tokens.iter().skip(column).step_by(width).zip(&panel.subject_share);
        by_subject.map(|(tokens, share)| f64::from(tokens * share)).sum()
    };
    columns.iter().map(|&at| mean(at)).sum::<f64>() / columns.len().max(1) as f64
}

/// The panel with one column more; its calibration rows are still the old ones.
fn widened(params: &Params, panel: &PanelParts, numbers: &Numbers, lengths: &Lengths) -> PanelParts {
    let width = panel.experts.len();
    let with = |matrix: &[f32], column: &[f32]| -> Vec<f32> {
        let rows = matrix.chunks_exact(width).zip(column);
        rows.flat_map(|(row, last)| row.iter().chain([last]).copied().collect::<Vec<_>>()).collect()
    };
    PanelParts {
        experts: panel.experts.iter().copied().chain([params.experts().len() as u32]).collect(),
        weights: panel.weights.with_column(&numbers.weights),
        mean: with(&panel.mean, &[numbers.mean]),
        by_subject: with(&panel.by_subject, &numbers.by_subject),
        by_shape: with(&panel.by_shape, &numbers.by_shape),
        by_both: with(&panel.by_both, &numbers.by_both),
        output_tokens: with(&panel.output_tokens, &lengths.by_subject),
        has_lengths: panel.has_lengths.iter().copied().chain([u32::from(lengths.recorded)]).collect(),
        ..panel.clone()
    }
}

/// The largest change of the new expert's score when its weights are rounded.
fn moved_by_rounding(sample: &Sample, parts: &PanelParts, numbers: &Numbers) -> f32 {
    let mut moved = 0.0f32;
    for row in 0..sample.scores.len() {
        let grams: Vec<(u32, f32)> = sample.grams(row).collect();
        let exact: f32 =
            grams.iter().map(|&(feature, value)| value * numbers.weights[feature as usize]).sum();
        let rounded = parts.weights.apply(&grams).last().copied().unwrap_or(0.0);
        moved = moved.max((exact - rounded).abs());
    }
    moved
}

/// Fewer grades say less of an expert than its name.
pub(crate) const LEAST_ROWS: usize = 60;
/// Fewer grades are enough to fit, but an expert known so little tends to make a pool worse.
const GOOD_ROWS: usize = 100;
const SHRINK: f64 = 20.0;

#[cfg(test)]
#[path = "../../add_tests.rs"]
mod tests;
