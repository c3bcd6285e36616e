//! Calibration rows that grade all experts of a route: what serving would predict, and what would come of it.

use super::Refusal;
use crate::calibration::UNKNOWN_TOKENS;
use crate::panel::PanelParts;
use crate::params::{Params, hex};
use crate::policy::certified_choice;
use crate::price::{Price, Tokens};
use crate::quote::{expected_cost, expected_output};
use sha2::{Digest as _, Sha256};

/// Rows with a prediction, a grade and a cost for each expert. Matrices are row-major, `width` experts a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    width: usize,
    /// Predicted score and expected cost in nano-USD: what the choice looks at.
    offers: Vec<(f64, f64)>,
    scores: Vec<f64>,
    /// Nano-USD at the tokens that were charged; unknown output counts nothing.
    costs: Vec<f64>,
    data: String,
}

impl Pairs {
    /// The calibration rows of a model that grade all `experts`, priced anew.
    ///
    /// # Errors
    /// [`Refusal`] when the model doesn't know an expert, or no row grades all.
    pub fn collect(params: &Params, experts: &[(&str, Price)]) -> Result<Pairs, Refusal> {
        let ids: Vec<Option<u32>> = experts.iter().map(|(name, _)| params.expert(name)).collect();
        let unknown = experts.iter().zip(&ids).filter(|(_, id)| id.is_none());
        let unknown: Vec<String> = unknown.map(|((name, _), _)| (*name).to_owned()).collect();
        if !unknown.is_empty() {
            return Err(Refusal::UnknownExperts(unknown));
        }
        let ids: Vec<u32> = ids.into_iter().flatten().collect();
        let mut pairs = Pairs::empty(experts.len());
        let mut digest = Sha256::new();
        for panel in params.panels() {
            if let Some(columns) = columns(panel, &ids) {
                pairs.add_panel(panel, &columns, experts, &mut digest);
            }
        }
        if pairs.is_empty() {
            return Err(no_common_rows(params, experts, &ids));
        }
        pairs.data = hex(&digest.finalize());
        Ok(pairs)
    }

    /// From rows given one by one: for each expert of a row its offer (predicted score, expected cost), its score and
    /// its cost.
    pub fn from_rows(width: usize, rows: impl Iterator<Item = Vec<((f64, f64), f64, f64)>>) -> Pairs {
        let mut pairs = Pairs::empty(width);
        for (offer, score, cost) in rows.flatten() {
            pairs.offers.push(offer);
            pairs.scores.push(score);
            pairs.costs.push(cost);
        }
        pairs
    }

    /// Two disjoint parts, the first with about this share of the rows; which row goes where depends on the seed alone.
    pub fn split(&self, seed: u64, share: f64) -> (Pairs, Pairs) {
        let mut parts = (Pairs::empty(self.width), Pairs::empty(self.width));
        for row in 0..self.len() {
            let part = if unit(seed, row as u64) < share { &mut parts.0 } else { &mut parts.1 };
            let cells = row * self.width..(row + 1) * self.width;
            part.offers.extend_from_slice(&self.offers[cells.clone()]);
            part.scores.extend_from_slice(&self.scores[cells.clone()]);
            part.costs.extend_from_slice(&self.costs[cells]);
        }
        parts
    }

    fn empty(width: usize) -> Pairs {
        Pairs { width, offers: vec![], scores: vec![], costs: vec![], data: String::new() }
    }

    fn add_panel(
        &mut self,
        panel: &PanelParts,
        columns: &[usize],
        experts: &[(&str, Price)],
        digest: &mut Sha256,
    ) {
        let rows = &panel.calibration;
        let width = panel.experts.len();
        for row in (0..rows.len()).filter(|&row| rows.has_grades(row, width, columns)) {
            digest.update(rows.prompts[row].to_le_bytes());
            for (&column, (_, price)) in columns.iter().zip(experts) {
                let cell = row * width + column;
                let length = expected_output(f64::from(rows.predicted_output[cell]), USUAL_OUTPUT_BOUND);
                let expected = expected_cost(price, rows.prompt_tokens[row], length).0 as f64;
                self.offers.push((f64::from(rows.predicted[cell]), expected));
                self.scores.push(f64::from(rows.scores[cell]));
                self.costs.push(charged(price, rows.input_tokens[cell], rows.output_tokens[cell]));
                digest.update(rows.predicted[cell].to_le_bytes());
                digest.update(rows.scores[cell].to_le_bytes());
            }
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offers.len() / self.width.max(1)
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// SHA-256 of the rows, hex; empty for rows that don't come from a model.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// The expert that each row would go to: the very rule that serves.
    pub fn choose(&self, lambda: f64) -> Vec<u16> {
        let choice =
            |offers: &[(f64, f64)]| certified_choice(offers.iter().copied(), lambda).unwrap_or(0) as u16;
        self.offers.chunks_exact(self.width.max(1)).map(choice).collect()
    }

    /// Mean expected cost of a choice, in nano-USD.
    pub(super) fn expected_cost(&self, chosen: &[u16]) -> f64 {
        self.mean(chosen, |cell| self.offers[cell].1)
    }

    /// Mean score of a choice.
    pub fn score(&self, chosen: &[u16]) -> f64 {
        self.mean(chosen, |cell| self.scores[cell])
    }

    /// Mean cost of a choice, in nano-USD.
    pub fn cost(&self, chosen: &[u16]) -> f64 {
        self.mean(chosen, |cell| self.costs[cell])
    }

    /// The choice that always takes one expert.
    pub fn always(&self, expert: usize) -> Vec<u16> {
        vec![expert as u16; self.len()]
    }

    /// Mean score of one expert.
    pub fn mean_score(&self, expert: usize) -> f64 {
        self.score(&self.always(expert))
    }

    /// Mean cost of one expert, in nano-USD.
    pub fn mean_cost(&self, expert: usize) -> f64 {
        self.cost(&self.always(expert))
    }

    /// What one expert's answer to one row costs, in nano-USD.
    pub fn cell_cost(&self, row: usize, expert: usize) -> f64 {
        self.costs[row * self.width + expert]
    }

    /// The expert with the highest mean score; the dearer of equals, then the first. `None` without experts.
    pub fn best_expert(&self) -> Option<usize> {
        let rank = |at: usize| (self.mean_score(at), self.mean_cost(at));
        (0..self.width).max_by(|&a, &b| {
            let ((score_a, cost_a), (score_b, cost_b)) = (rank(a), rank(b));
            score_a.total_cmp(&score_b).then(cost_a.total_cmp(&cost_b)).then(b.cmp(&a))
        })
    }

    /// Mean score of a choice over the reference's; 1 when both are 0.
    pub fn quality_ratio(&self, chosen: &[u16], reference: usize) -> f64 {
        let (score, bar) = (self.score(chosen), self.mean_score(reference));
        if bar > 0.0 { score / bar } else { 1.0 }
    }

    /// Cost saved against always taking the reference, in percent; 0 when the reference costs nothing.
    pub fn saved_pct(&self, chosen: &[u16], reference: usize) -> f64 {
        let (cost, baseline) = (self.cost(chosen), self.mean_cost(reference));
        if baseline > 0.0 { 100.0 * (1.0 - cost / baseline) } else { 0.0 }
    }

    /// For each row the score of the choice minus `floor` times the reference's: the promise is that their mean is
    /// at least 0.
    pub fn margins(&self, chosen: &[u16], reference: usize, floor: f64) -> Vec<f64> {
        let margin = |(row, &choice): (usize, &u16)| {
            self.scores[row * self.width + usize::from(choice)]
                - floor * self.scores[row * self.width + reference]
        };
        chosen.iter().enumerate().map(margin).collect()
    }

    /// In how many rows the choice scores better than the reference, and in how many worse.
    pub(super) fn wins_and_losses(&self, chosen: &[u16], reference: usize) -> (usize, usize) {
        let differences = self.margins(chosen, reference, 1.0);
        let count = |sign: f64| differences.iter().filter(|&&difference| difference * sign > 0.0).count();
        (count(1.0), count(-1.0))
    }

    fn mean(&self, chosen: &[u16], value: impl Fn(usize) -> f64) -> f64 {
        let cells = chosen.iter().enumerate().map(|(row, &choice)| row * self.width + usize::from(choice));
        cells.map(value).sum::<f64>() / chosen.len().max(1) as f64
    }
}

/// A number in [0, 1) from a seed and a row: SplitMix64.
fn unit(seed: u64, row: u64) -> f64 {
    let mut z =
        seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add((row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn charged(price: &Price, prompt: u32, output: u32) -> f64 {
    let output = if output == UNKNOWN_TOKENS { 0 } else { output };
    price.cost(Tokens { prompt, cached: 0, output }).0 as f64
}

/// Where the panel has each expert, if it has all.
fn columns(panel: &PanelParts, ids: &[u32]) -> Option<Vec<usize>> {
    ids.iter().map(|id| panel.experts.binary_search(id).ok()).collect()
}

fn no_common_rows(params: &Params, experts: &[(&str, Price)], ids: &[u32]) -> Refusal {
    let shared = |panel: &PanelParts| -> Vec<String> {
        let in_panel = ids.iter().zip(experts).filter(|(id, _)| panel.experts.contains(id));
        in_panel.map(|(_, (name, _))| (*name).to_owned()).collect()
    };
    let largest = params.panels().map(shared).max_by_key(Vec::len).unwrap_or_default();
    Refusal::NoCommonRows {
        asked: experts.len(),
        largest: largest.len(),
        names: largest.into_iter().take(NAMES_IN_ERROR).collect(),
    }
}

/// The bound on an answer's length when neither client nor configuration names one.
const USUAL_OUTPUT_BOUND: u32 = 4_096;
const NAMES_IN_ERROR: usize = 20;
