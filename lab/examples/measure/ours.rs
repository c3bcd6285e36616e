//! The router's own model: trained without a fold, then asked about it as serving asks.

use crate::Set;
use crate::figures::{self, Answers, percent};
use crate::folds::FOLDS;
use sluice_lab::corpus::Row;
use sluice_lab::{mean_ci, train};
use sluice_router::{CertifyAsk, CertifyBy, Params, Price, classify};

/// What was predicted for every row of a set by a model that had not seen its fold.
pub(crate) struct Ours {
    pub(crate) answers: Answers,
    lower: Vec<f64>,
    /// For each floor the expert that each row goes to.
    choices: Vec<Vec<u16>>,
}

pub(crate) fn predict(sets: &[Set]) -> Result<Vec<Ours>, Box<dyn std::error::Error>> {
    let mut all: Vec<Ours> = sets.iter().map(Ours::empty).collect();
    for fold in 0..FOLDS {
        let seen: Vec<Row> = sets.iter().flat_map(|set| set.outside(fold)).cloned().collect();
        let (params, _) = train(&seen, &[], 1, &mut |_| {})?;
        for (set, ours) in sets.iter().zip(&mut all) {
            ours.see(set, &params, fold);
        }
        figures::say(&format!("fold {fold} done"));
    }
    Ok(all)
}

impl Set {
    fn outside(&self, fold: u8) -> impl Iterator<Item = &Row> {
        self.rows.iter().zip(&self.folds).filter(move |(_, at)| **at != fold).map(|(row, _)| row)
    }

    pub(crate) fn inside(&self, fold: u8) -> Vec<usize> {
        (0..self.rows.len()).filter(|&row| self.folds[row] == fold).collect()
    }
}

impl Ours {
    fn empty(set: &Set) -> Ours {
        let cells = set.rows.len() * set.experts.len();
        let answers = Answers { scores: vec![0.0; cells], tokens: vec![0.0; cells] };
        Ours { answers, lower: vec![0.0; cells], choices: vec![vec![0; set.rows.len()]; FLOORS] }
    }

    fn see(&mut self, set: &Set, params: &Params, fold: u8) {
        let names: Vec<&str> = set.experts.iter().map(|(name, _)| name.as_str()).collect();
        let binding = params.bind(&names);
        let rows = set.inside(fold);
        for &row in &rows {
            let signals = classify(params, &set.rows[row].prompt, &binding);
            for (at, signal) in signals.experts.iter().enumerate() {
                let (cell, signal) = (row * names.len() + at, signal.expect("it was trained on"));
                self.answers.scores[cell] = signal.p_capable;
                self.answers.tokens[cell] = signal.output_tokens;
                self.lower[cell] = signal.p_lower;
            }
        }
        let pairs = figures::pairs_of(set, &self.answers, &rows);
        for step in 0..FLOORS {
            let chosen = match certified(params, set, floor(step)) {
                Some(lambda) => pairs.choose(lambda),
                None => pairs.always(set.reference),
            };
            rows.iter().zip(chosen).for_each(|(&row, choice)| self.choices[step][row] = choice);
        }
    }

    /// The best saving among the swept floors whose realised ratio reaches each bar.
    pub(crate) fn swept(&self, set: &Set) -> String {
        let everyone: Vec<usize> = (0..set.rows.len()).collect();
        let pairs = figures::pairs_of(set, &self.answers, &everyone);
        let of = |bar: f64| {
            let reached =
                self.choices.iter().filter(|chosen| pairs.quality_ratio(chosen, set.reference) >= bar);
            percent(reached.map(|chosen| pairs.saved_pct(chosen, set.reference)).fold(0.0, f64::max))
        };
        format!("{} / {} / {}", of(1.0), of(0.98), of(0.95))
    }

    /// Ten bins of equal mass of each expert's lower bounds: in how many is the mean score at least the mean bound, and
    /// in how many beyond what the bin's own noise explains.
    pub(crate) fn coverage(&self, set: &Set) -> String {
        let (mut bins, mut held, mut within, mut below) = (0, 0, 0, 0.0);
        for at in 0..set.experts.len() {
            let mut cells: Vec<usize> = (0..set.rows.len()).map(|row| row * set.experts.len() + at).collect();
            cells.sort_by(|&a, &b| self.answers.scores[a].total_cmp(&self.answers.scores[b]));
            let scores = figures::scores(set, at);
            for bin in cells.chunks(cells.len().div_ceil(10)) {
                let over = |&cell: &usize| scores[cell / set.experts.len()] - self.lower[cell];
                let ci = mean_ci(&bin.iter().map(over).collect::<Vec<_>>(), 0.95);
                bins += 1;
                held += u32::from(ci.mean >= 0.0);
                within += u32::from(ci.mean >= -2.0 * ci.standard_error);
            }
            let gap = (0..set.rows.len()).map(|row| row * set.experts.len() + at);
            below += gap.map(|cell| self.answers.scores[cell] - self.lower[cell]).sum::<f64>()
                / (set.rows.len() * set.experts.len()) as f64;
        }
        format!(
            "p_lower: {held} of {bins} bins held, {within} within 2 s.e.; {below:.3} below the prediction on average"
        )
    }
}

fn certified(params: &Params, set: &Set, floor: f64) -> Option<f64> {
    let experts: Vec<(&str, Price)> =
        set.experts.iter().map(|(name, price)| (name.as_str(), *price)).collect();
    let reference = experts[set.reference].0;
    let ask = CertifyAsk { experts: &experts, reference, floor, confidence: 0.5, by: CertifyBy::Auto };
    params.certify(&ask).ok().map(|found| found.lambda)
}

/// From 0.80 in steps of a hundredth to 1.04.
fn floor(step: usize) -> f64 {
    0.8 + 0.01 * step as f64
}

const FLOORS: usize = 25;
