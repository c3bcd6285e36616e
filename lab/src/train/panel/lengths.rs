//! How long each expert's answers are.

use crate::corpus::Row;

/// Mean output tokens within each subject.
pub(super) struct Lengths {
    pub(super) by_subject: Vec<f32>,
    pub(super) has: Vec<u32>,
}

impl Lengths {
    /// Mean output tokens of each expert within each subject, shrunk to its mean over all by [`SHRINK`] rows.
    ///
    /// An expert without any recorded length gets the panel's mean; without any in the panel, 0: cost then counts the
    /// input alone, as the data does.
    pub(super) fn of(rows: &[&Row], names: &[&str], labels: &[u32], subjects: usize) -> Lengths {
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
        let mean = |column: usize| {
            Some(total(&counts, column)).filter(|n| *n > 0.0).map(|n| total(&sums, column) / n)
        };
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
}

const SHRINK: f64 = 20.0;
