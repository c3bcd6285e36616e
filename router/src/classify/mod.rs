//! A text becomes signals: its domains, its languages, and what each expert of a fleet is expected to make of it.

mod language;

use crate::panel::PanelView;
use crate::params::{Binding, Params};
use crate::prompt::{self, Counts};
use crate::scope::Scope;
use crate::signals::{ExpertSignal, Share, Signals};

/// What `params` sees in `text`, for the fleet that `binding` was made for.
///
/// An expert with grades in several panels is predicted by each panel as far as the text looks like that panel's
/// prompts. Bounded work for any text: about 100 microseconds for 2 KB and 14 experts.
pub fn classify(params: &Params, text: &str, binding: &Binding) -> Signals {
    let counts = prompt::count(text);
    let gate = Gate::open(params, &counts);
    Signals {
        domains: gate.domains,
        p_out_of_scope: gate.p_out_of_scope,
        inside: gate.inside,
        languages: gate.languages,
        experts: experts(params, &counts, &gate.panels, binding),
    }
}

/// Shares of the languages that `text` may be written in, most probable first.
pub fn languages(text: &str) -> Vec<Share> {
    language::languages(&prompt::count(text).scripts)
}

/// Domain shares, and how much the text looks like each panel's prompts.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Every domain, most probable first; empty when the model tells none apart.
    pub domains: Vec<Share>,
    /// How likely the text is in none of the domains; `None` when the model can't tell.
    pub p_out_of_scope: Option<f64>,
    /// The domains whose locked experts may see the text; `None` when the model can't tell.
    pub inside: Option<Vec<String>>,
    /// Every language, most probable first.
    pub languages: Vec<Share>,
    /// For each panel of the model; sums to 1.
    pub panels: Vec<f32>,
}

impl Gate {
    /// Places a text, given what is counted in it.
    pub fn open(params: &Params, counts: &Counts) -> Gate {
        let languages = language::languages(&counts.scripts);
        let parts = &params.parts;
        let mut features = Vec::with_capacity(counts.grams.len());
        // With one panel and no domains there is nothing to tell apart.
        if !parts.domains.is_empty() || parts.scope.is_some() || params.panels.len() > 1 {
            parts.lexicon.weigh(&counts.grams, &mut features);
        }
        let sums = parts.weights.apply(&features);
        let scores: Vec<f32> = parts.shares.iter().zip(&sums).map(|(share, sum)| share + sum).collect();
        let (domains, rest) = scores.split_at(parts.domains.len());
        let (outside, panels) = rest.split_at(usize::from(parts.scope.is_some()));
        let probable = domain_shares(domains, outside, parts.domain_sharpness, parts.scope.as_ref());
        let inside = parts.scope.as_ref().map(|scope| {
            let is_known =
                !counts.grams.is_empty() && languages.first().is_some_and(|top| scope.speaks(&top.name));
            let passes = |at: &usize| is_known && probable[*at] >= scope.thresholds[*at];
            (0..probable.len()).filter(passes).map(|at| parts.domains[at].clone()).collect()
        });
        let p_inside: f64 = probable.iter().map(|&p| f64::from(p)).sum();
        let named = parts.domains.iter().zip(&probable);
        let mut shares: Vec<Share> =
            named.map(|(name, &p)| Share { name: name.clone(), p: f64::from(p) }).collect();
        shares.sort_by(|a, b| b.p.total_cmp(&a.p));
        let panels = if panels.is_empty() { vec![1.0] } else { softmax(panels, parts.panel_sharpness) };
        let p_out_of_scope = parts.scope.as_ref().map(|_| (1.0 - p_inside).clamp(0.0, 1.0));
        Gate { domains: shares, p_out_of_scope, inside, languages, panels }
    }
}

/// The share of each domain: how likely it is among the domains, times how likely the text is in any of them.
///
/// `outside` is the score for "none of these", if there is a `scope`.
pub fn domain_shares(scores: &[f32], outside: &[f32], sharpness: f32, scope: Option<&Scope>) -> Vec<f32> {
    let mut shares = softmax(scores, sharpness);
    if let (Some(scope), Some(&outside)) = (scope, outside.first()) {
        let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let p_inside = scope.p_inside(best, outside);
        shares.iter_mut().for_each(|share| *share *= p_inside);
    }
    shares
}

fn experts(params: &Params, counts: &Counts, mass: &[f32], binding: &Binding) -> Vec<Option<ExpertSignal>> {
    let blends: Vec<Vec<(usize, usize, f32)>> =
        binding.places.iter().map(|places| blend(places, mass)).collect();
    let mut views: Vec<Option<PanelView>> = vec![None; params.panels.len()];
    for &(panel, _, _) in blends.iter().flatten() {
        views[panel].get_or_insert_with(|| params.panels[panel].parts.predict(counts));
    }
    let signal = |blend: &Vec<(usize, usize, f32)>| (!blend.is_empty()).then(|| mixed(params, &views, blend));
    blends.iter().map(signal).collect()
}

/// The panels that predict an expert, as (panel, column, weight), the weights summing to 1.
///
/// `places` says where the expert stands, as (panel, column); `mass` how much the text looks like each panel's
/// prompts. Panels with little weight are left out: they cost time and change nothing.
pub fn blend(places: &[(usize, usize)], mass: &[f32]) -> Vec<(usize, usize, f32)> {
    let whole: f32 = places.iter().map(|&(panel, _)| mass[panel]).sum();
    let counts = |panel: usize| places.len() == 1 || mass[panel] >= LEAST_MASS * whole;
    let kept: f32 = places.iter().filter(|(panel, _)| counts(*panel)).map(|&(panel, _)| mass[panel]).sum();
    let weight = |panel: usize| if kept > 0.0 { mass[panel] / kept } else { 1.0 / places.len() as f32 };
    let kept = places.iter().filter(|(panel, _)| counts(*panel));
    kept.map(|&(panel, column)| (panel, column, if places.len() == 1 { 1.0 } else { weight(panel) }))
        .collect()
}

fn mixed(params: &Params, views: &[Option<PanelView>], blend: &[(usize, usize, f32)]) -> ExpertSignal {
    let (mut p_capable, mut p_lower, mut output) = (0.0f32, 0.0f32, 0.0f32);
    for &(panel, column, weight) in blend {
        let view = views[panel].as_ref().expect("every panel of a blend was asked");
        p_capable += weight * view.scores[column];
        p_lower += weight * params.panels[panel].reliability.lower(column, view.scores[column]);
        // A panel without recorded lengths says 0 of all its experts. That counts as well: leaving it out would price
        // this expert's answers where those of its rivals are free.
        output += weight * view.output_tokens[column];
    }
    ExpertSignal {
        p_capable: f64::from(p_capable.clamp(0.0, 1.0)),
        p_lower: f64::from(p_lower.clamp(0.0, p_capable.clamp(0.0, 1.0))),
        output_tokens: f64::from(output),
    }
}

/// exp(sharpness * score), scaled to sum 1.
pub fn softmax(scores: &[f32], sharpness: f32) -> Vec<f32> {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f32> = scores.iter().map(|score| libm::expf(sharpness * (score - top))).collect();
    let sum: f32 = raised.iter().sum();
    raised.iter().map(|value| value / sum).collect()
}

/// A panel with less than this share of an expert's mass is not asked.
const LEAST_MASS: f32 = 0.02;
