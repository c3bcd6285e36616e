//! Out-of-fold predictions of experts with grades in several panels: mixed as serving will mix them.

use super::jobs;
use super::panel::{Chosen, FoldFit, Prepared, all_folds};
use sluice_router::{PanelView, blend};
use std::collections::HashMap;

/// What a model that hasn't seen a row's fold predicts, all panels considered. [rows x experts] of one panel.
pub(super) struct Mixed {
    pub(super) scores: Vec<f32>,
    /// Output tokens.
    pub(super) lengths: Vec<f32>,
    /// What the row's own panel says by itself.
    pub(super) own_scores: Vec<f32>,
    /// See `own_scores`.
    pub(super) own_lengths: Vec<f32>,
}

/// The mixed predictions of each panel's rows.
///
/// `mass` says for each graded row how much it looks like each panel's prompts, out of fold as well.
pub(super) fn mix(
    prepared: &[Prepared],
    fits: &[Vec<FoldFit>],
    chosen: &[Chosen],
    mass: &[Vec<f32>],
) -> Vec<Mixed> {
    let own = |(panel, chosen): (&Prepared, &Chosen)| Mixed {
        scores: chosen.predicted.clone(),
        lengths: panel.lengths(),
        own_scores: chosen.predicted.clone(),
        own_lengths: panel.lengths(),
    };
    let mut mixed: Vec<Mixed> = prepared.iter().zip(chosen).map(own).collect();
    let places = places(prepared);
    let blends = blends(prepared, &places, mass);
    let mut wanted: HashMap<(usize, u8), Vec<(usize, usize)>> = HashMap::new();
    for ((panel, row, _), parts) in &blends {
        let fold = prepared[*panel].panel.folds[*row];
        for &(other, _, _) in parts.iter().filter(|(other, _, _)| other != panel) {
            let rows = wanted.entry((other, fold)).or_default();
            if rows.last() != Some(&(*panel, *row)) {
                rows.push((*panel, *row));
            }
        }
    }
    let items = (0..prepared.len()).flat_map(|panel| all_folds().map(move |fold| (panel, fold)));
    let items: Vec<_> = items.filter_map(|key| Some((key, wanted.remove(&key)?))).collect();
    let views = jobs::run(items, |((other, fold), mut rows)| {
        rows.sort_unstable();
        rows.dedup();
        let fit = &fits[other][fold as usize];
        let (parts, _) = prepared[other].assemble(fit, &chosen[other].penalties, Some(fold));
        let view =
            |(panel, row): (usize, usize)| ((other, panel, row), parts.predict(prepared[panel].counts(row)));
        rows.into_iter().map(view).collect::<Vec<((usize, usize, usize), PanelView)>>()
    });
    let views: HashMap<(usize, usize, usize), PanelView> = views.into_iter().flatten().collect();
    for ((panel, row, column), parts) in blends {
        let cell = row * prepared[panel].panel.width() + column;
        let own = (mixed[panel].scores[cell], mixed[panel].lengths[cell]);
        let said = |other: usize, at: usize| {
            let view = views.get(&(other, panel, row)).filter(|_| other != panel);
            view.map_or(own, |view| (view.scores[at], view.output_tokens[at]))
        };
        let (mut score, mut length) = (0.0f32, 0.0f32);
        for (other, at, weight) in parts {
            let (its_score, its_length) = said(other, at);
            score += weight * its_score;
            length += weight * its_length;
        }
        mixed[panel].scores[cell] = score.clamp(0.0, 1.0);
        mixed[panel].lengths[cell] = length;
    }
    mixed
}

/// For each expert with grades in several panels, where.
fn places(prepared: &[Prepared]) -> HashMap<u32, Vec<(usize, usize)>> {
    let mut places: HashMap<u32, Vec<(usize, usize)>> = HashMap::new();
    for (panel, prepared) in prepared.iter().enumerate() {
        for (column, &expert) in prepared.panel.experts.iter().enumerate() {
            places.entry(expert).or_default().push((panel, column));
        }
    }
    places.retain(|_, places| places.len() > 1);
    places
}

/// A cell of a panel: (panel, row, column), with the panels that predict it.
type Cell = ((usize, usize, usize), Vec<(usize, usize, f32)>);

/// The cells that more than their own panel predicts.
fn blends(prepared: &[Prepared], places: &HashMap<u32, Vec<(usize, usize)>>, mass: &[Vec<f32>]) -> Vec<Cell> {
    let mut cells = vec![];
    for (panel, prepared) in prepared.iter().enumerate() {
        for (row, &global) in prepared.panel.rows.iter().enumerate() {
            for (column, expert) in prepared.panel.experts.iter().enumerate() {
                let Some(places) = places.get(expert) else { continue };
                let parts = blend(places, &mass[global]);
                if parts.len() > 1 || parts[0].0 != panel {
                    cells.push(((panel, row, column), parts));
                }
            }
        }
    }
    cells
}
