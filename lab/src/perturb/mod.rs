//! How decisions bear other wordings of the same prompt: those that mean nothing, and those that want the dear expert.
//!
//! Grades and costs are the recorded ones: what is measured is which expert is chosen, as if the answer to the other
//! wording were as good and as long.

mod kinds;
mod options;

use crate::corpus::{Prices, Row};
use crate::eval::{self, EvalAsk, EvalError, Seen};
use serde::Serialize;
use sluice_router::{Params, certified_choice, estimate_tokens};

/// What `eval --perturb` reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerturbReport {
    /// The floor that decisions were made at.
    pub floor: f64,
    /// The confidence that decisions were made at.
    pub confidence: f64,
    /// Whether anything but the reference is allowed; else no decision can flip, and that says nothing.
    pub certified: bool,
    /// Share of all decisions on other wordings that flip, in percent.
    pub flipped_pct: f64,
    /// The largest change of saving of any kind, in points.
    pub most_saved_change: f64,
    /// Each kind of wording that means the same.
    pub kinds: Vec<KindReport>,
    /// The expert whose answers cost most.
    pub dearest: String,
    /// Each suffix that wants the dear expert.
    pub forcing: Vec<ForceReport>,
}

/// One kind of wording that means the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KindReport {
    /// Its name.
    pub kind: &'static str,
    /// Rows that it applies to and whose text it changes.
    pub rows: usize,
    /// Share of them that go to another expert, in percent.
    pub flipped_pct: f64,
    /// The same if the added words cost nothing: what is left is what the model sees in them.
    pub flipped_by_prediction_pct: f64,
    /// Cost saved on these rows as they are, in percent of always taking the reference.
    pub saved_pct: f64,
    /// How much more is saved in the other wording, in points.
    pub saved_change: f64,
    /// Mean score over the reference's on these rows as they are.
    pub quality_ratio: f64,
    /// How much the ratio rises in the other wording.
    pub ratio_change: f64,
}

/// One suffix that wants the dear expert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForceReport {
    /// Its name.
    pub suffix: &'static str,
    /// Rows.
    pub rows: usize,
    /// Share of the rows that move from another expert to the dearest, in percent.
    pub to_dearest_pct: f64,
    /// Share of the rows that move to an expert whose answers to them cost more, in percent.
    pub to_dearer_pct: f64,
    /// How much more all rows cost, in percent; answers taken to be as long as recorded.
    pub cost_change_pct: f64,
}

/// Asks for the rows in other words and compares the decisions.
///
/// `progress` hears how many of how many wordings are done.
///
/// # Errors
/// [`EvalError`] when experts, model, prices and rows don't fit together.
pub fn perturb(
    params: &Params,
    rows: &[Row],
    prices: &Prices,
    ask: &EvalAsk,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PerturbReport, EvalError> {
    let (seen, reference) = eval::look(params, rows, prices, ask)?;
    let floor = ask.floors.iter().copied().find(|&floor| floor == USUAL_FLOOR);
    let floor = floor.or(ask.floors.first().copied()).unwrap_or(USUAL_FLOOR);
    let certificate = eval::certify(params, &seen, reference, floor, ask.confidence).ok();
    let world =
        World { params, seen: &seen, reference, lambda: certificate.as_ref().map(|found| found.lambda) };
    let all = kinds::KINDS.len() + kinds::FORCING.len();
    let mut step = 0;
    let mut tell = || {
        step += 1;
        progress(step, all);
    };
    let before = world.choices();
    let kinds: Vec<KindReport> = kinds::KINDS
        .iter()
        .map(|kind| {
            tell();
            world.kind(kind, &before)
        })
        .collect();
    let dearest = world.dearest();
    let forcing = kinds::FORCING
        .iter()
        .map(|suffix| {
            tell();
            world.force(suffix, &before, dearest)
        })
        .collect();
    let asked: usize = kinds.iter().map(|kind| kind.rows).sum();
    let flipped: f64 = kinds.iter().map(|kind| kind.flipped_pct * kind.rows as f64).sum();
    let most = kinds.iter().map(|kind| kind.saved_change).max_by(|a, b| a.abs().total_cmp(&b.abs()));
    Ok(PerturbReport {
        floor,
        confidence: ask.confidence,
        certified: certificate.is_some(),
        flipped_pct: flipped / asked.max(1) as f64,
        most_saved_change: most.unwrap_or(0.0),
        kinds,
        dearest: seen.name(dearest).to_owned(),
        forcing,
    })
}

struct World<'a> {
    params: &'a Params,
    seen: &'a Seen<'a>,
    reference: usize,
    /// `None` without a certificate: the reference serves all.
    lambda: Option<f64>,
}

impl World<'_> {
    /// The choice for every row as it is.
    fn choices(&self) -> Vec<u16> {
        let pairs = &self.seen.pairs;
        self.lambda.map_or_else(|| pairs.always(self.reference), |lambda| pairs.choose(lambda))
    }

    /// The choice for other texts, each costed at so many tokens.
    fn choices_for(&self, texts: &[String], tokens: &[u32]) -> Vec<u16> {
        let Some(lambda) = self.lambda else { return vec![self.reference as u16; texts.len()] };
        let binding = eval::bind(self.params, &self.seen.experts);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let signals = eval::classify_all(self.params, &binding, &texts);
        let choice = |(&tokens, signals): (&u32, _)| {
            let offers = eval::offers(signals, tokens, &self.seen.experts);
            certified_choice(offers.into_iter(), lambda).unwrap_or(0) as u16
        };
        tokens.iter().zip(&signals).map(choice).collect()
    }

    fn kind(&self, kind: &kinds::Kind, before: &[u16]) -> KindReport {
        let reworded = self.seen.rows.iter().enumerate();
        let reworded = reworded.filter_map(|(at, row)| Some((at, (kind.reword)(row)?)));
        let (rows, texts): (Vec<usize>, Vec<String>) = reworded.unzip();
        let after = self.choices_for(&texts, &estimates(&texts));
        let own: Vec<u32> = rows.iter().map(|&row| estimate_tokens(&self.seen.rows[row].prompt)).collect();
        let unpriced = self.choices_for(&texts, &own);
        let before: Vec<u16> = rows.iter().map(|&row| before[row]).collect();
        let flipped = |after: &[u16]| {
            let flips = before.iter().zip(after).filter(|(before, after)| before != after).count();
            100.0 * flips as f64 / rows.len().max(1) as f64
        };
        let reference = vec![self.reference as u16; rows.len()];
        let saved = |chosen: &[u16]| saved_pct(self.cost(&rows, chosen), self.cost(&rows, &reference));
        let ratio = |chosen: &[u16]| ratio(self.score(&rows, chosen), self.score(&rows, &reference));
        KindReport {
            kind: kind.name,
            rows: rows.len(),
            flipped_pct: flipped(&after),
            flipped_by_prediction_pct: flipped(&unpriced),
            saved_pct: saved(&before),
            saved_change: saved(&after) - saved(&before),
            quality_ratio: ratio(&before),
            ratio_change: ratio(&after) - ratio(&before),
        }
    }

    fn force(&self, suffix: &kinds::Suffix, before: &[u16], dearest: usize) -> ForceReport {
        let texts: Vec<String> =
            self.seen.rows.iter().map(|row| format!("{}\n\n{}", row.prompt, suffix.text)).collect();
        let after = self.choices_for(&texts, &estimates(&texts));
        let rows: Vec<usize> = (0..texts.len()).collect();
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let to_dearest = moved.filter(|(_, after)| usize::from(**after) == dearest).count();
        let cell = |row: usize, at: u16| self.seen.pairs.cell_cost(row, usize::from(at));
        let to_dearer = rows.iter().filter(|&&row| cell(row, after[row]) > cell(row, before[row])).count();
        let share = |count: usize| 100.0 * count as f64 / rows.len().max(1) as f64;
        ForceReport {
            suffix: suffix.name,
            rows: rows.len(),
            to_dearest_pct: share(to_dearest),
            to_dearer_pct: share(to_dearer),
            cost_change_pct: -saved_pct(self.cost(&rows, &after), self.cost(&rows, before)),
        }
    }

    fn dearest(&self) -> usize {
        let pairs = &self.seen.pairs;
        let dearer = |a: &usize, b: &usize| pairs.mean_cost(*a).total_cmp(&pairs.mean_cost(*b));
        (0..self.seen.experts.len()).max_by(dearer).unwrap_or(0)
    }

    fn cost(&self, rows: &[usize], chosen: &[u16]) -> f64 {
        let cells = rows.iter().zip(chosen);
        cells.map(|(&row, &at)| self.seen.pairs.cell_cost(row, usize::from(at))).sum()
    }

    fn score(&self, rows: &[usize], chosen: &[u16]) -> f64 {
        rows.iter().zip(chosen).map(|(&row, &at)| self.seen.score(row, usize::from(at))).sum()
    }
}

fn estimates(texts: &[String]) -> Vec<u32> {
    texts.iter().map(|text| estimate_tokens(text)).collect()
}

fn saved_pct(cost: f64, baseline: f64) -> f64 {
    if baseline > 0.0 { 100.0 * (1.0 - cost / baseline) } else { 0.0 }
}

fn ratio(score: f64, bar: f64) -> f64 {
    if bar > 0.0 { score / bar } else { 1.0 }
}

/// The floor of a route that names none.
const USUAL_FLOOR: f64 = 0.95;
