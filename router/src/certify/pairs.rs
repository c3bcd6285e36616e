//! Calibration rows that grade all experts of a route: what serving would predict, and what would come of it.

use super::Refusal;
use crate::calibration::{UNKNOWN_DOMAIN, UNKNOWN_TOKENS};
use crate::certificate::ExpertRegret;
use crate::panel::PanelParts;
use crate::params::{Params, hex};
use crate::policy::certified_choice;
use crate::price::{Price, Tokens};
use crate::quote::{expected_cost, expected_output};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What is known of one row and expert: (predicted score, expected cost), score, cost.
pub type Cell = ((f64, f64), f64, f64);

/// Rows with a prediction, a grade and a cost for each expert. Matrices are row-major, `width` experts a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pairs {
    width: usize,
    /// Predicted score and expected cost in nano-USD: what the choice looks at.
    offers: Vec<(f64, f64)>,
    scores: Vec<f64>,
    /// Nano-USD at the tokens that were charged; unknown output counts nothing.
    costs: Vec<f64>,
    /// For each row which of `sizes` it belongs to: near-duplicates share a group.
    groups: Vec<u32>,
    /// Rows of each group.
    sizes: Vec<f64>,
    /// For each row its most probable domain by a model that had not seen it, as an index into the model's domains.
    domains: Vec<u32>,
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
        let mut numbers = Numbers::default();
        // As serving predicts them: see `Params::bind`.
        let alone = params.alone(&ids).is_some();
        for panel in params.panels() {
            if let Some(columns) = columns(panel, &ids) {
                pairs.add_panel(panel, &columns, experts, alone, &mut numbers, &mut digest);
            }
        }
        if pairs.is_empty() {
            return Err(no_common_rows(params, experts, &ids));
        }
        pairs.data = hex(&digest.finalize());
        Ok(pairs)
    }

    /// From rows given one by one: for each expert of a row its offer (predicted score, expected cost), its score and
    /// its cost. Each row counts as a draw of its own.
    pub fn from_rows(width: usize, rows: impl Iterator<Item = Vec<Cell>>) -> Pairs {
        Pairs::from_grouped_rows(width, (0..).zip(rows))
    }

    /// The same from rows with the number of their group: rows of one group resemble each other and count as one draw.
    pub fn from_grouped_rows(width: usize, rows: impl Iterator<Item = (u32, Vec<Cell>)>) -> Pairs {
        let mut pairs = Pairs::empty(width);
        let mut numbers = Numbers::default();
        for (group, cells) in rows {
            pairs.join(numbers.of(group), UNKNOWN_DOMAIN);
            for (offer, score, cost) in cells {
                pairs.offers.push(offer);
                pairs.scores.push(score);
                pairs.costs.push(cost);
            }
        }
        pairs
    }

    /// Two disjoint parts, the first with about this share of the groups; which group goes where depends on the seed
    /// alone.
    pub fn split(&self, seed: u64, share: f64) -> (Pairs, Pairs) {
        let is_first = |row: &usize| unit(seed, u64::from(self.groups[*row])) < share;
        let (first, second): (Vec<usize>, Vec<usize>) = (0..self.len()).partition(is_first);
        (self.part(&first, |row| self.groups[row]), self.part(&second, |row| self.groups[row]))
    }

    /// As many groups drawn with replacement: another sample of a population that has these very rows.
    pub fn resample(&self, seed: u64) -> Pairs {
        let mut members = vec![vec![]; self.sizes.len()];
        self.groups.iter().enumerate().for_each(|(row, &group)| members[group as usize].push(row));
        let drawn = |draw: usize| (unit(seed, draw as u64) * members.len() as f64) as usize;
        let draws = (0..members.len()).map(|draw| (draw as u32, &members[drawn(draw)]));
        let (groups, rows): (Vec<u32>, Vec<usize>) =
            draws.flat_map(|(draw, rows)| rows.iter().map(move |&row| (draw, row))).unzip();
        let mut groups = groups.into_iter();
        self.part(&rows, |_| groups.next().unwrap_or(0))
    }

    /// Some of the rows, in this order, each with its group.
    fn part(&self, rows: &[usize], mut group: impl FnMut(usize) -> u32) -> Pairs {
        let mut part = Pairs::empty(self.width);
        let mut numbers = Numbers::default();
        for &row in rows {
            let cells = row * self.width..(row + 1) * self.width;
            part.join(numbers.of(group(row)), self.domains[row]);
            part.offers.extend_from_slice(&self.offers[cells.clone()]);
            part.scores.extend_from_slice(&self.scores[cells.clone()]);
            part.costs.extend_from_slice(&self.costs[cells]);
        }
        part.data.clone_from(&self.data);
        part
    }

    fn empty(width: usize) -> Pairs {
        Pairs { width, ..Pairs::default() }
    }

    /// The rows whose most probable domain is one of these, or is none of them.
    pub(super) fn within(&self, domains: &[u32], inside: bool) -> Pairs {
        let is_meant = |row: &usize| domains.contains(&self.domains[*row]) == inside;
        let rows: Vec<usize> = (0..self.len()).filter(is_meant).collect();
        self.part(&rows, |row| self.groups[row])
    }

    /// The next row belongs to this group and this domain.
    fn join(&mut self, group: u32, domain: u32) {
        self.domains.push(domain);
        self.groups.push(group);
        self.sizes.resize(self.sizes.len().max(group as usize + 1), 0.0);
        self.sizes[group as usize] += 1.0;
    }

    fn add_panel(
        &mut self,
        panel: &PanelParts,
        columns: &[usize],
        experts: &[(&str, Price)],
        alone: bool,
        numbers: &mut Numbers,
        digest: &mut Sha256,
    ) {
        let rows = &panel.calibration;
        let width = panel.experts.len();
        let (predicted, lengths) =
            if alone { (&rows.predicted, &rows.predicted_output) } else { (&rows.mixed, &rows.mixed_output) };
        for row in (0..rows.len()).filter(|&row| rows.has_grades(row, width, columns)) {
            digest.update(rows.prompts[row].to_le_bytes());
            self.join(numbers.of(rows.groups[row]), rows.domains[row]);
            for (&column, (_, price)) in columns.iter().zip(experts) {
                let cell = row * width + column;
                let length = expected_output(f64::from(lengths[cell]), USUAL_OUTPUT_BOUND);
                let expected = expected_cost(price, rows.prompt_tokens[row], length).0 as f64;
                self.offers.push((f64::from(predicted[cell]), expected));
                self.scores.push(f64::from(rows.scores[cell]));
                self.costs.push(charged(price, rows.input_tokens[cell], rows.output_tokens[cell]));
                digest.update(predicted[cell].to_le_bytes());
                digest.update(rows.scores[cell].to_le_bytes());
            }
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offers.len() / self.width.max(1)
    }

    /// How many groups of near-duplicates the rows make: as many as there are independent draws.
    pub fn groups(&self) -> usize {
        self.sizes.len()
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

    /// What the experts offer for each row.
    pub(super) fn offers(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        self.offers.chunks_exact(self.width.max(1))
    }

    /// Mean expected cost of a choice, in nano-USD.
    pub fn expected_cost(&self, chosen: &[u16]) -> f64 {
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

    /// Values of the rows, summed within each group.
    pub(super) fn by_group(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.sizes.len()];
        values.iter().zip(&self.groups).for_each(|(value, &group)| sums[group as usize] += value);
        sums
    }

    /// Rows of each group.
    pub(super) fn sizes(&self) -> &[f64] {
        &self.sizes
    }

    /// The variance that the margins of a choice would have if every prediction were right and every grade 0 or 1.
    pub(super) fn predicted_variance(&self, chosen: &[u16], reference: usize, floor: f64) -> f64 {
        let variance = |(row, &choice): (usize, &u16)| {
            let p = |expert: usize| self.offers[row * self.width + expert].0;
            let (p, bar) = (p(usize::from(choice)), p(reference));
            if usize::from(choice) == reference {
                return (1.0 - floor).powi(2) * p;
            }
            p * (1.0 - p) + floor.powi(2) * bar * (1.0 - bar) + (p - floor * bar).powi(2)
        };
        chosen.iter().enumerate().map(variance).sum::<f64>() / chosen.len().max(1) as f64
    }

    /// For each expert that a choice takes: its rows, and how much better the reference would have been in them.
    pub(super) fn regrets(
        &self,
        chosen: &[u16],
        reference: usize,
        experts: &[(&str, Price)],
    ) -> Vec<ExpertRegret> {
        let mut sums = vec![(0u32, 0.0); self.width];
        for (margin, &choice) in self.margins(chosen, reference, 1.0).into_iter().zip(chosen) {
            let sum = &mut sums[usize::from(choice)];
            *sum = (sum.0 + 1, sum.1 + (-margin).max(0.0));
        }
        let name = |at: usize| experts.get(at).map_or_else(|| at.to_string(), |(name, _)| (*name).to_owned());
        let regret = |(at, (rows, sum)): (usize, (u32, f64))| ExpertRegret {
            expert: name(at),
            rows,
            mean_regret: sum / f64::from(rows),
        };
        sums.into_iter().enumerate().filter(|(_, (rows, _))| *rows > 0).map(regret).collect()
    }

    /// In how many groups the choice scores better than the reference, and in how many worse.
    pub(super) fn wins_and_losses(&self, chosen: &[u16], reference: usize) -> (usize, usize) {
        let differences = self.by_group(&self.margins(chosen, reference, 1.0));
        let count = |sign: f64| differences.iter().filter(|&&difference| difference * sign > 0.0).count();
        (count(1.0), count(-1.0))
    }

    fn mean(&self, chosen: &[u16], value: impl Fn(usize) -> f64) -> f64 {
        let cells = chosen.iter().enumerate().map(|(row, &choice)| row * self.width + usize::from(choice));
        cells.map(value).sum::<f64>() / chosen.len().max(1) as f64
    }
}

/// Numbers groups from 0 on, in the order in which they are met.
#[derive(Default)]
struct Numbers(BTreeMap<u32, u32>);

impl Numbers {
    fn of(&mut self, group: u32) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(group).or_insert(next)
    }
}

/// A number in [0, 1) from a seed and a position: SplitMix64.
fn unit(seed: u64, at: u64) -> f64 {
    let mut z =
        seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn charged(price: &Price, prompt: u32, output: u32) -> f64 {
    let output = if output == UNKNOWN_TOKENS { 0 } else { output };
    price.cost(Tokens { prompt, output, ..Tokens::default() }).0 as f64
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
