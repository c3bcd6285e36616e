//! The calibration rows of a panel: what was predicted for each training prompt by a model that had not seen it, and
//! what then happened. No text is kept.

use crate::codec::{Reader, Writer};
use crate::params::ParamsError;
use crate::stats;

/// Graded rows of one panel. Matrices are row-major: rows of the panel's experts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// Hash of each row's prompt, [`crate::prompt_hash`].
    pub prompts: Vec<u64>,
    /// Estimated tokens of each prompt, as serving estimates them.
    pub prompt_tokens: Vec<u32>,
    /// Which rows are near-duplicates of one another: they have the same number.
    pub groups: Vec<u32>,
    /// The most probable domain of each row by a model that had not seen it, as an index into the model's domains;
    /// [`UNKNOWN_DOMAIN`] when the model tells none apart.
    pub domains: Vec<u32>,
    /// Score that this panel alone predicts, out of fold.
    pub predicted: Vec<f32>,
    /// Output tokens that this panel alone predicts.
    pub predicted_output: Vec<f32>,
    /// The same by all panels that know the expert, each as far as the prompt looks like its own.
    pub mixed: Vec<f32>,
    /// See `mixed`.
    pub mixed_output: Vec<f32>,
    /// Graded score, 0 to 1; [`MISSING_SCORE`] where the expert was not graded on the row.
    pub scores: Vec<f32>,
    /// Input tokens that were charged.
    pub input_tokens: Vec<u32>,
    /// Output tokens that were charged; [`UNKNOWN_TOKENS`] when not recorded.
    pub output_tokens: Vec<u32>,
}

/// Marks output tokens that were not recorded.
pub const UNKNOWN_TOKENS: u32 = u32::MAX;
/// Marks the domain of a row by a model without domains.
pub const UNKNOWN_DOMAIN: u32 = u32::MAX;
/// Marks a grade that doesn't exist.
pub const MISSING_SCORE: f32 = -1.0;

impl Calibration {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.u64s(&self.prompts);
        out.u32s(&self.prompt_tokens);
        out.u32s(&self.groups);
        out.u32s(&self.domains);
        out.f32s(&self.predicted);
        out.f32s(&self.predicted_output);
        out.f32s(&self.mixed);
        out.f32s(&self.mixed_output);
        out.f32s(&self.scores);
        out.u32s(&self.input_tokens);
        out.u32s(&self.output_tokens);
    }

    pub(crate) fn read(from: &mut Reader) -> Result<Calibration, ParamsError> {
        Ok(Calibration {
            prompts: from.u64s()?,
            prompt_tokens: from.u32s()?,
            groups: from.u32s()?,
            domains: from.u32s()?,
            predicted: from.f32s()?,
            predicted_output: from.f32s()?,
            mixed: from.f32s()?,
            mixed_output: from.f32s()?,
            scores: from.f32s()?,
            input_tokens: from.u32s()?,
            output_tokens: from.u32s()?,
        })
    }

    /// Whether every one of these columns, of `width` in all, is graded in this row.
    pub fn has_grades(&self, row: usize, width: usize, columns: &[usize]) -> bool {
        columns.iter().all(|column| self.scores[row * width + column] >= 0.0)
    }

    /// Predictions and grades of one column, of `width` in all, over the rows that grade it.
    pub fn graded(&self, column: usize, width: usize) -> (Vec<f64>, Vec<f64>) {
        let cells = (0..self.len()).map(|row| row * width + column).filter(|&cell| self.scores[cell] >= 0.0);
        cells.map(|cell| (f64::from(self.predicted[cell]), f64::from(self.scores[cell]))).unzip()
    }

    pub(crate) fn check(&self, experts: usize, domains: usize) -> Result<(), ParamsError> {
        let cells = self.len() * experts;
        let lengths = [
            self.predicted.len(),
            self.predicted_output.len(),
            self.mixed.len(),
            self.mixed_output.len(),
            self.scores.len(),
            self.input_tokens.len(),
            self.output_tokens.len(),
        ];
        let by_row = [self.prompt_tokens.len(), self.groups.len(), self.domains.len()];
        let by_row_agree = by_row.iter().all(|&length| length == self.len());
        if !by_row_agree || lengths.iter().any(|&length| length != cells) {
            return Err(ParamsError::Invalid("its calibration rows don't match its experts"));
        }
        let unit = |values: &[f32]| values.iter().all(|value| (0.0..=1.0).contains(value));
        let is_grade = |score: &f32| *score == MISSING_SCORE || (0.0..=1.0).contains(score);
        if !unit(&self.predicted) || !unit(&self.mixed) || !self.scores.iter().all(is_grade) {
            return Err(ParamsError::Invalid("a calibration score is outside 0 to 1"));
        }
        let is_domain = |&domain: &u32| domain == UNKNOWN_DOMAIN || (domain as usize) < domains;
        if !self.domains.iter().all(is_domain) {
            return Err(ParamsError::Invalid("a calibration row has a domain that the model doesn't know"));
        }
        let mut lengths = self.predicted_output.iter().chain(&self.mixed_output);
        let lengths_ok = lengths.all(|&tokens| (0.0..1e9).contains(&tokens));
        if lengths_ok { Ok(()) } else { Err(ParamsError::Invalid("a predicted length is absurd")) }
    }
}

/// How far below its predictions an expert may truly be, by prediction.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reliability {
    /// For each expert: bins by rising prediction, as (upper edge, margin).
    bins: Vec<Vec<(f32, f32)>>,
}

impl Reliability {
    /// Ten bins of equal mass for each expert, fewer with fewer than 30 rows a bin.
    ///
    /// Margin: what the lower 95 % bound of mean(score - prediction) in the bin falls short of 0.
    pub(crate) fn from_rows(rows: &Calibration, experts: usize) -> Reliability {
        let of = |expert: usize| {
            let cell =
                |row: usize| (rows.predicted[row * experts + expert], rows.scores[row * experts + expert]);
            let graded = (0..rows.len()).map(cell).filter(|(_, score)| *score >= 0.0);
            let mut pairs: Vec<(f32, f32)> = graded.collect();
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let bins = (pairs.len() / LEAST_IN_BIN).clamp(1, BINS);
            pairs.chunks(pairs.len().div_ceil(bins).max(1)).map(bin).collect()
        };
        Reliability { bins: (0..experts).map(of).collect() }
    }

    /// A lower bound of the expert's score where `predicted` is predicted; at most that, at least 0.
    pub(crate) fn lower(&self, expert: usize, predicted: f32) -> f32 {
        let bins = &self.bins[expert];
        let bin = bins.iter().find(|(edge, _)| predicted <= *edge).or(bins.last());
        bin.map_or(0.0, |(_, margin)| (predicted - margin).max(0.0))
    }
}

fn bin(pairs: &[(f32, f32)]) -> (f32, f32) {
    let residual = |&(predicted, score): &(f32, f32)| f64::from(score) - f64::from(predicted);
    let moments = stats::Moments::of(pairs.iter().map(residual));
    let bound = moments.mean - stats::normal_quantile(0.95) * moments.standard_error();
    (pairs.last().map_or(1.0, |last| last.0), (-bound).max(0.0) as f32)
}

const BINS: usize = 10;
const LEAST_IN_BIN: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_is_below_the_prediction_and_follows_the_grades() {
        let n = 600;
        let predicted: Vec<f32> = (0..n).map(|row| row as f32 / n as f32).collect();
        let scores = (0..n).map(|row| f32::from(u8::from(row > n / 2))).collect();
        let rows = Calibration { prompts: vec![0; n], predicted, scores, ..Calibration::default() };
        let reliability = Reliability::from_rows(&rows, 1);
        assert!(reliability.lower(0, 0.4) < 0.1, "predicted 0.4, never right");
        assert!(reliability.lower(0, 0.9) > 0.88, "predicted 0.9, always right");
        assert!((0..=100).all(|p| reliability.lower(0, p as f32 / 100.0) <= p as f32 / 100.0));
    }
}
