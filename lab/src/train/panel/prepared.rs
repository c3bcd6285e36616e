//! A panel with its subject head and its design: ready for the ridge, and its rows for the model file.

use super::super::design::Design;
use super::super::heads::Head;
use super::super::mixing::Mixed;
use super::super::rotate;
use super::Panel;
use super::scales::{GRAM_WEIGHT, Scales};
use sluice_router::{Calibration, Counts, MISSING_SCORE, SHAPE, UNKNOWN_TOKENS, posterior};

/// A panel with its subject head, ready for the ridge.
pub(in crate::train) struct Prepared<'a> {
    pub(in crate::train) panel: Panel<'a>,
    pub(super) head: Head,
    /// For each row its out-of-fold subjects.
    pub(super) posteriors: Vec<Vec<(usize, f32)>>,
    pub(super) design: Design,
    pub(super) scales: Scales,
    pub(super) axes: Vec<Vec<f64>>,
}

/// What is known of all graded rows besides their grades.
pub(in crate::train) struct Keyed<'a> {
    pub(in crate::train) keys: &'a [u64],
    pub(in crate::train) groups: &'a [u32],
    pub(in crate::train) domains: &'a [u32],
}

impl<'a> Prepared<'a> {
    pub(in crate::train) fn new(panel: Panel<'a>, head: Head) -> Prepared<'a> {
        let flat = vec![0.0; panel.subjects];
        let posteriors: Vec<Vec<(usize, f32)>> = head
            .sums
            .iter()
            .map(|sums| posterior(&head.share, sums.as_ref().unwrap_or(&flat), head.sharpness))
            .collect();
        let scales = Scales::fit(&panel, &posteriors);
        let mut design = Design::new(panel.lexicon.len() + panel.subjects + SHAPE + panel.subjects * SHAPE);
        for (row, posterior) in posteriors.iter().enumerate() {
            let grams = panel.design.row(row).iter();
            let mut features: Vec<(u32, f32)> = grams.map(|&(at, value)| (at, GRAM_WEIGHT * value)).collect();
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

    /// The rows with `predicted` for each.
    pub(in crate::train) fn calibration(
        &self,
        predicted: &Mixed,
        keyed: &Keyed,
        experts: &[String],
    ) -> Calibration {
        let width = self.panel.width();
        let mut out = Calibration::default();
        for (at, row) in self.panel.data.iter().enumerate() {
            let estimated = sluice_router::estimate_tokens(&row.prompt);
            out.prompts.push(keyed.keys[self.panel.rows[at]]);
            out.groups.push(keyed.groups[self.panel.rows[at]]);
            out.domains.push(keyed.domains[self.panel.rows[at]]);
            out.prompt_tokens.push(estimated);
            for (column, &expert) in self.panel.experts.iter().enumerate() {
                let outcome = row.outcome(&experts[expert as usize]);
                out.predicted.push(predicted.own_scores[at * width + column]);
                out.predicted_output.push(predicted.own_lengths[at * width + column]);
                out.mixed.push(predicted.scores[at * width + column]);
                out.mixed_output.push(predicted.lengths[at * width + column]);
                out.scores.push(outcome.map_or(MISSING_SCORE, |outcome| outcome.score as f32));
                out.input_tokens.push(outcome.and_then(|outcome| outcome.input_tokens).unwrap_or(estimated));
                let output = outcome.and_then(|outcome| outcome.output_tokens);
                out.output_tokens.push(output.unwrap_or(UNKNOWN_TOKENS));
            }
        }
        out
    }

    /// [rows x experts] expected output tokens by out-of-fold subjects.
    pub(in crate::train) fn lengths(&self) -> Vec<f32> {
        let (table, width) = (&self.panel.lengths.by_subject, self.panel.width());
        let mut lengths = Vec::with_capacity(self.posteriors.len() * width);
        for posterior in &self.posteriors {
            let of = |column| posterior.iter().map(|&(subject, p)| p * table[subject * width + column]).sum();
            lengths.extend((0..width).map(of).collect::<Vec<f32>>());
        }
        lengths
    }

    /// Subjects and their head's out-of-fold accuracy, for reports.
    pub(in crate::train) fn subject_accuracy(&self) -> (usize, f64) {
        (self.panel.subjects, self.head.accuracy)
    }

    pub(in crate::train) fn counts(&self, row: usize) -> &Counts {
        self.panel.counts[row]
    }
}
