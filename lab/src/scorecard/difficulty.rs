//! How hard a prompt is: by what the model predicts of it, never by a grade, so that no expert's own luck decides on
//! which of its cards a row stands.

use crate::eval::Seen;
use serde::Serialize;

/// How rows are told easy from hard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difficulty {
    /// What is looked at.
    pub axis: &'static str,
    /// Rows with less than this are hard.
    pub hard_below: f64,
    /// Rows with at least this are easy.
    pub easy_from: f64,
}

/// Names of the levels.
pub(super) const NAMES: [&str; 3] = ["easy", "medium", "hard"];

/// The level of each row, as a position in [`NAMES`].
pub(super) struct Levels {
    pub(super) of_rows: Vec<usize>,
    pub(super) report: Difficulty,
}

/// Thirds of all rows, so that a level means the same in every slice.
pub(super) fn levels(seen: &Seen) -> Levels {
    let width = seen.experts.len();
    let mean = |row| (0..width).map(|at| seen.predicted(row, at)).sum::<f64>() / width.max(1) as f64;
    let means: Vec<f64> = (0..seen.rows.len()).map(mean).collect();
    let mut sorted = means.clone();
    sorted.sort_by(f64::total_cmp);
    let cut = |third: usize| sorted[(sorted.len() * third / 3).min(sorted.len() - 1)];
    let (hard_below, easy_from) = (cut(1), cut(2));
    let level = |mean: &f64| match mean {
        mean if *mean < hard_below => 2,
        mean if *mean < easy_from => 1,
        _ => 0,
    };
    let of_rows = means.iter().map(level).collect();
    Levels {
        of_rows,
        report: Difficulty { axis: "mean predicted score over the experts", hard_below, easy_from },
    }
}
