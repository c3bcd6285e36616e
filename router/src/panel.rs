//! The part of a model that was fitted on one panel: rows that the same experts were graded on.
//!
//! One linear model over n-grams, a soft subject, shape counts, and shape within subject. See `docs/reference/router.md`.

use crate::calibration::{Calibration, Reliability};
use crate::codec::{Reader, Writer};
use crate::lexicon::Lexicon;
use crate::params::ParamsError;
use crate::prompt::{Counts, HASH_ROWS, SHAPE, TABLES};
use crate::weights::Weights;

/// What a panel predicts of its experts.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelView {
    /// Expected score of each expert, 0 to 1.
    pub scores: Vec<f32>,
    /// Expected output tokens of each expert, at least 0.
    pub output_tokens: Vec<f32>,
}

/// The numbers of one panel. `S` subjects, `E` experts, [`SHAPE`] shape counts; matrices are row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelParts {
    /// Its experts, as indices into the model's list.
    pub experts: Vec<u32>,
    /// N-grams that it knows.
    pub lexicon: Lexicon,
    /// N-gram weights; the first S outputs score the subjects, the next E the experts.
    pub weights: Weights,
    /// `[S]` share of each subject among the training rows.
    pub subject_share: Vec<f32>,
    /// Sharpness of the subject posterior.
    pub sharpness: f32,
    /// `[E]` mean score.
    pub mean: Vec<f32>,
    /// [SHAPE] mean and spread that shape counts are standardised by.
    pub shape_mean: Vec<f32>,
    /// [SHAPE] see `shape_mean`; above 0.
    pub shape_spread: Vec<f32>,
    /// [S x E] what a subject adds.
    pub by_subject: Vec<f32>,
    /// [SHAPE x E] what a standardised shape count adds.
    pub by_shape: Vec<f32>,
    /// [S x SHAPE x E] what it adds within a subject.
    pub by_both: Vec<f32>,
    /// [S x E] mean output tokens within a subject.
    pub output_tokens: Vec<f32>,
    /// `[E]` 1 where the expert's output tokens were recorded, else 0.
    pub has_lengths: Vec<u32>,
    /// The graded rows with what was predicted for them.
    pub calibration: Calibration,
    /// What its rows' sources have in common, for people; may be empty.
    pub name: String,
    /// `[S]` what the data calls each subject; empty for the class of the rest.
    pub subjects: Vec<String>,
}

/// A checked panel with what is derived from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub(crate) parts: PanelParts,
    pub(crate) reliability: Reliability,
}

impl PanelParts {
    /// Predicts every expert of the panel on a text.
    pub fn predict(&self, counts: &Counts) -> PanelView {
        let mut features = Vec::with_capacity(counts.grams.len());
        self.lexicon.weigh(&counts.grams, &mut features);
        self.predict_from(&self.weights.apply(&features), counts)
    }

    /// The same, given the weighted sums over the n-grams: `[S]` for the subjects, then `[E]` for the experts.
    pub fn predict_from(&self, sums: &[f32], counts: &Counts) -> PanelView {
        let (mut scores, subjects) = self.uncut(sums, counts);
        scores.iter_mut().for_each(|score| *score = score.clamp(0.0, 1.0));
        PanelView { scores, output_tokens: self.lengths(&subjects) }
    }

    /// Expected scores before they are cut to 0..1, and the subjects, from the weighted sums over the n-grams.
    pub fn uncut(&self, sums: &[f32], counts: &Counts) -> (Vec<f32>, Vec<(usize, f32)>) {
        let (subject_sums, expert_sums) = sums.split_at(self.subject_share.len());
        let subjects = posterior(&self.subject_share, subject_sums, self.sharpness);
        let shape = standardise(&counts.shape, &self.shape_mean, &self.shape_spread);
        let mut scores: Vec<f32> = self.mean.iter().zip(expert_sums).map(|(mean, sum)| mean + sum).collect();
        self.add_shape(&mut scores, &subjects, &shape);
        (scores, subjects)
    }

    /// Expected output tokens of each expert where the subject is so distributed.
    pub fn lengths(&self, subjects: &[(usize, f32)]) -> Vec<f32> {
        let mut lengths = vec![0.0; self.experts.len()];
        for &(subject, p) in subjects {
            add_scaled(&mut lengths, row(&self.output_tokens, subject, self.experts.len()), p);
        }
        lengths
    }

    fn add_shape(&self, scores: &mut [f32], subjects: &[(usize, f32)], shape: &[f32; SHAPE]) {
        let experts = self.experts.len();
        for (at, &value) in shape.iter().enumerate() {
            add_scaled(scores, row(&self.by_shape, at, experts), value);
        }
        for &(subject, p) in subjects {
            add_scaled(scores, row(&self.by_subject, subject, experts), p);
            for (at, &value) in shape.iter().enumerate() {
                add_scaled(scores, row(&self.by_both, subject * SHAPE + at, experts), p * value);
            }
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.u32s(&self.experts);
        write_table(out, &self.lexicon, &self.weights);
        out.f32s(&self.subject_share);
        out.f32(self.sharpness);
        for numbers in [&self.mean, &self.shape_mean, &self.shape_spread, &self.by_subject, &self.by_shape] {
            out.f32s(numbers);
        }
        out.f32s(&self.by_both);
        out.f32s(&self.output_tokens);
        out.u32s(&self.has_lengths);
        self.calibration.write(out);
        out.text(&self.name);
        out.texts(&self.subjects);
    }

    pub(crate) fn read(from: &mut Reader) -> Result<PanelParts, ParamsError> {
        let experts = from.u32s()?;
        let (lexicon, weights) = read_table(from)?;
        Ok(PanelParts {
            experts,
            lexicon,
            weights,
            subject_share: from.f32s()?,
            sharpness: from.f32()?,
            mean: from.f32s()?,
            shape_mean: from.f32s()?,
            shape_spread: from.f32s()?,
            by_subject: from.f32s()?,
            by_shape: from.f32s()?,
            by_both: from.f32s()?,
            output_tokens: from.f32s()?,
            has_lengths: from.u32s()?,
            calibration: Calibration::read(from)?,
            name: from.text()?,
            subjects: from.texts()?,
        })
    }
}

impl Panel {
    /// Checks that all sizes agree, so that predicting can't fail.
    pub(crate) fn check(
        parts: PanelParts,
        known_experts: usize,
        domains: usize,
    ) -> Result<Panel, ParamsError> {
        let (subjects, experts) = (parts.subject_share.len(), parts.experts.len());
        let sorted = parts.experts.windows(2).all(|pair| pair[0] < pair[1]);
        let known = parts.experts.last().is_some_and(|&last| (last as usize) < known_experts);
        let sizes = [
            (parts.mean.len(), experts),
            (parts.shape_mean.len(), SHAPE),
            (parts.shape_spread.len(), SHAPE),
            (parts.by_subject.len(), subjects * experts),
            (parts.by_shape.len(), SHAPE * experts),
            (parts.by_both.len(), subjects * SHAPE * experts),
            (parts.output_tokens.len(), subjects * experts),
            (parts.has_lengths.len(), experts),
            (parts.subjects.len(), subjects),
            (parts.weights.outputs, subjects + experts),
        ];
        if !sorted || !known || subjects == 0 || sizes.iter().any(|(is, should)| is != should) {
            return Err(ParamsError::Invalid("the sizes of a panel don't agree"));
        }
        if parts.shape_spread.iter().any(|&spread| spread <= 0.0) {
            return Err(ParamsError::Invalid("a spread is not above 0"));
        }
        parts.calibration.check(experts, domains)?;
        let reliability = Reliability::from_rows(&parts.calibration, experts);
        Ok(Panel { parts, reliability })
    }
}

/// Probabilities of the few most probable subjects, as (subject, p), summing to 1, most probable first.
///
/// softmax(sharpness * (share + sum)), cut to the few likeliest: the tail costs time and says nothing.
pub fn posterior(share: &[f32], sums: &[f32], sharpness: f32) -> Vec<(usize, f32)> {
    let mut scored: Vec<(usize, f32)> =
        share.iter().zip(sums).map(|(share, sum)| share + sum).enumerate().collect();
    scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.truncate(MOST_SUBJECTS);
    let top = scored.first().map_or(0.0, |best| best.1);
    scored.iter_mut().for_each(|(_, score)| *score = libm::expf(sharpness * (*score - top)));
    scored.retain(|(_, raised)| *raised >= LEAST_SHARE);
    let sum: f32 = scored.iter().map(|(_, p)| p).sum();
    scored.iter_mut().for_each(|(_, p)| *p /= sum);
    scored
}

/// Shape counts as deviations from the training mean in units of spread, cut to -3..3.
pub fn standardise(shape: &[f32; SHAPE], mean: &[f32], spread: &[f32]) -> [f32; SHAPE] {
    std::array::from_fn(|at| ((shape[at] - mean[at]) / spread[at]).clamp(-3.0, 3.0))
}

pub(crate) fn write_table(out: &mut Writer, lexicon: &Lexicon, weights: &Weights) {
    out.u32s(&lexicon.rows);
    out.u32s(&lexicon.frequencies);
    out.u32(lexicon.documents);
    out.u32(u32::try_from(weights.outputs).expect("few outputs"));
    out.f32s(&weights.scales);
    out.i16s(&weights.values);
}

pub(crate) fn read_table(from: &mut Reader) -> Result<(Lexicon, Weights), ParamsError> {
    let (rows, frequencies, documents) = (from.u32s()?, from.u32s()?, from.u32()?);
    let weights = Weights { outputs: from.u32()? as usize, scales: from.f32s()?, values: from.i16s()? };
    let in_range = rows.iter().all(|&row| row < HASH_ROWS * TABLES as u32);
    let cells = rows.len().checked_mul(weights.outputs);
    let agree = rows.len() == frequencies.len()
        && weights.scales.len() == weights.outputs
        && cells == Some(weights.values.len());
    if !in_range || !agree {
        return Err(ParamsError::Invalid("the sizes of a table don't agree"));
    }
    Ok((Lexicon::new(rows, frequencies, documents), weights))
}

fn row(matrix: &[f32], at: usize, columns: usize) -> &[f32] {
    &matrix[at * columns..(at + 1) * columns]
}

fn add_scaled(sums: &mut [f32], row: &[f32], scale: f32) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += scale * value;
    }
}

/// A subject with less than this of the most probable one's probability is left out.
const LEAST_SHARE: f32 = 0.02;
/// Subjects that a posterior keeps.
const MOST_SUBJECTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posterior_sums_to_one_and_is_sorted() {
        let share: Vec<f32> = (0..20).map(|at| at as f32 / 190.0).collect();
        let sums = vec![0.0; 20];
        let found = posterior(&share, &sums, 12.0);
        assert_eq!(found.len(), MOST_SUBJECTS);
        assert_eq!(found[0].0, 19);
        assert!(found.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        assert!((found.iter().map(|(_, p)| p).sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(posterior(&[1.0], &[-0.5], 24.0), [(0, 1.0)]);
    }
}
