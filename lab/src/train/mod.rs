//! Graded outcomes and domain texts become a router model.
//!
//! The method is explained in `docs/reference/router.md`. Everything is fitted out of fold first: what a model says of
//! a prompt that it has seen tells nothing, so the calibration rows hold what the other folds say.

mod add;
mod design;
mod domains;
mod gate;
mod groups;
mod heads;
pub(crate) mod jobs;
mod mixing;
mod outside;
mod panel;
mod panels;
mod report;
mod ridge;
mod rotate;
mod scope;

pub use add::{AddError, AddReport, Admission, Certified, add, add_table};
pub use report::{DomainReport, ExpertReport, PanelReport, TrainReport};

use crate::clock::Stopwatch;
use crate::corpus::{DomainText, Row};
use panel::{Chosen, FoldFit, PENALTIES, Panel, Prepared};
use sluice_router::{Counts, PanelParts, Params, ParamsError, count, prompt_hash};
use std::collections::BTreeSet;

/// Why nothing was trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is not enough to learn from.
    #[error("no {} rows are graded on the same experts; give more graded rows", panels::LEAST_ROWS)]
    TooFewRows,
    /// Rounding the weights to 16 bits would change decisions.
    #[error(
        "rounding the weights moves a probability by {moved:.4}, more than {MOST_MOVED}; the model is not written"
    )]
    Rounding {
        /// By how much.
        moved: f32,
    },
    /// The numbers make no model.
    #[error("the fitted numbers make no model: {0}")]
    Params(#[from] ParamsError),
}

/// What is counted in each text.
struct Texts {
    graded: Vec<Counts>,
    /// Domain texts, then texts that are out of scope.
    extra: Vec<Counts>,
    /// How many of the extra ones are domain texts.
    domain_texts: usize,
    /// Hash of each graded prompt.
    keys: Vec<u64>,
}

/// Fits a model. The same rows, texts and seed give the same bytes.
///
/// `progress` hears what is being done. Takes about a minute for 27,000 rows on two cores, seconds for a few thousand.
///
/// # Errors
/// [`TrainError`] when there are too few rows with the same experts.
pub fn train(
    rows: &[Row],
    domain_texts: &[DomainText],
    seed: u64,
    progress: &mut dyn FnMut(&str),
) -> Result<(Params, TrainReport), TrainError> {
    let clock = Stopwatch::start();
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.outcomes).map(|outcome| outcome.expert.as_str()).collect();
    let experts: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let (groups, left_over) = panels::split(rows, &experts);
    if groups.is_empty() {
        return Err(TrainError::TooFewRows);
    }
    progress(&format!("counting n-grams of {} prompts and {} domain texts", rows.len(), domain_texts.len()));
    let (kept, groups) = renumber(rows, groups);
    let texts = count_all(&kept, domain_texts);
    let ground = gate::ground(&texts, seed);
    progress("fitting domains and panels");
    let mut panel_of = vec![0u32; kept.len()];
    for (at, group) in groups.iter().enumerate() {
        group.rows.iter().for_each(|&row| panel_of[row] = at as u32);
    }
    let (mut gate, mass, domains) =
        gate::fit(&ground, &kept, domain_texts, &texts.keys, &panel_of, groups.len(), seed);
    gate.experts.clone_from(&experts);
    let prepared = prepare(groups, &kept, &texts, &ground.folds, &experts, progress);
    progress("fitting experts, out of fold");
    let fits = fit_folds(&prepared);
    let chosen: Vec<Chosen> = prepared.iter().zip(&fits).map(|(panel, fits)| panel.choose(fits)).collect();
    let predicted = mixing::mix(&prepared, &fits, &chosen, &mass);
    progress("fitting experts on all rows");
    let parts = fit_all(&prepared, &chosen)?;
    let keyed = panel::Keyed { keys: &texts.keys, groups: &ground.groups, domains: &domains.of_rows };
    let parts: Vec<PanelParts> = with_calibration(parts, &prepared, &predicted, &keyed, &experts);
    let params = Params::new(gate, parts)?;
    let mut report = report::report(&params, &prepared, &chosen, domains, kept.len());
    report.skip("too_few_rows_with_these_experts", left_over.len());
    report.seconds = clock.seconds();
    Ok((params, report))
}

/// Keeps the rows that belong to a panel, so that positions are dense.
fn renumber(rows: &[Row], mut groups: Vec<panels::Group>) -> (Vec<&Row>, Vec<panels::Group>) {
    let mut kept = vec![];
    for group in &mut groups {
        group.rows.sort_unstable();
        for row in &mut group.rows {
            kept.push(&rows[*row]);
            *row = kept.len() - 1;
        }
    }
    (kept, groups)
}

fn count_all(rows: &[&Row], domain_texts: &[DomainText]) -> Texts {
    let graded = rows.iter().map(|row| row.prompt.as_str());
    let with_domains = graded.chain(domain_texts.iter().map(|text| text.text.as_str()));
    let outside = outside::texts();
    let texts: Vec<&str> = with_domains.chain(outside.iter().map(|outside| outside.text)).collect();
    let chunks: Vec<&[&str]> = texts.chunks(256).collect();
    let counted = jobs::run(chunks, |chunk| chunk.iter().map(|text| count(text)).collect::<Vec<_>>());
    let mut graded: Vec<Counts> = counted.into_iter().flatten().collect();
    let extra = graded.split_off(rows.len());
    let domain_texts = domain_texts.len();
    Texts { graded, extra, domain_texts, keys: rows.iter().map(|row| prompt_hash(&row.prompt)).collect() }
}

fn prepare<'a>(
    groups: Vec<panels::Group>,
    rows: &[&'a Row],
    texts: &'a Texts,
    folds: &[u8],
    experts: &[String],
    progress: &mut dyn FnMut(&str),
) -> Vec<Prepared<'a>> {
    let panels = jobs::run(groups, |group| Panel::new(group, rows, texts, folds, experts));
    progress("fitting subjects, out of fold");
    let tasks: Vec<_> = panels.iter().map(Panel::head_task).collect();
    let heads = heads::fit(&tasks);
    drop(tasks);
    jobs::run(panels.into_iter().zip(heads).collect(), |(panel, head)| Prepared::new(panel, head))
}

/// For each panel, the fits that leave out one fold each.
fn fit_folds(prepared: &[Prepared]) -> Vec<Vec<FoldFit>> {
    let items = prepared.iter().flat_map(|panel| panel::all_folds().map(move |fold| (panel, fold)));
    let mut fits = jobs::run(items.collect(), |(panel, fold)| panel.fit(Some(fold))).into_iter();
    prepared.iter().map(|_| fits.by_ref().take(FOLDS as usize).collect()).collect()
}

/// Fits each panel on all of its rows and checks what rounding does.
fn fit_all(prepared: &[Prepared], chosen: &[Chosen]) -> Result<Vec<PanelParts>, TrainError> {
    let items: Vec<(&Prepared, &Chosen)> = prepared.iter().zip(chosen).collect();
    let fitted = jobs::run(items, |(panel, chosen)| {
        let (parts, exact) = panel.assemble(&panel.fit(None), &chosen.penalties, None);
        let moved = moved_by_rounding(panel, &parts, &exact);
        (parts, moved)
    });
    let moved = fitted.iter().map(|(_, moved)| *moved).fold(0.0, f32::max);
    if moved > MOST_MOVED {
        return Err(TrainError::Rounding { moved });
    }
    Ok(fitted.into_iter().map(|(parts, _)| parts).collect())
}

/// The largest change of a predicted score when weights are rounded, over a sample of rows.
fn moved_by_rounding(panel: &Prepared, parts: &PanelParts, exact: &[f32]) -> f32 {
    let outputs = parts.subject_share.len() + parts.experts.len();
    let mut features = vec![];
    let mut moved = 0.0f32;
    for row in (0..panel.panel.rows.len()).step_by((panel.panel.rows.len() / SAMPLE).max(1)) {
        let counts = panel.counts(row);
        parts.lexicon.weigh(&counts.grams, &mut features);
        let mut sums = vec![0.0f32; outputs];
        for &(feature, value) in &features {
            let weights = &exact[feature as usize * outputs..(feature as usize + 1) * outputs];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
        }
        let (is, should) = (parts.predict(counts), parts.predict_from(&sums, counts));
        moved = is.scores.iter().zip(&should.scores).map(|(a, b)| (a - b).abs()).fold(moved, f32::max);
    }
    moved
}

fn with_calibration(
    parts: Vec<PanelParts>,
    prepared: &[Prepared],
    predicted: &[mixing::Mixed],
    keyed: &panel::Keyed,
    experts: &[String],
) -> Vec<PanelParts> {
    let all = parts.into_iter().zip(prepared).zip(predicted);
    all.map(|((mut parts, panel), predicted)| {
        parts.calibration = panel.calibration(predicted, keyed, experts);
        parts
    })
    .collect()
}

/// Folds of near-duplicate groups.
const FOLDS: u64 = 5;
/// The most that rounding may move a probability.
const MOST_MOVED: f32 = 0.01;
/// Rows that rounding is checked on.
const SAMPLE: usize = 500;

#[cfg(test)]
#[path = "../train_tests.rs"]
mod tests;
