//! The calibration rows of a panel with one more expert: grades of known prompts fill a column, new prompts follow.

use crate::corpus::Row;
use sluice_router::{
    Calibration, Counts, ExpertSignal, Gate, MISSING_SCORE, PanelParts, Params, UNKNOWN_DOMAIN,
    UNKNOWN_TOKENS, classify, estimate_tokens,
};
use std::collections::HashMap;

/// Where the prompts of some rows stand in a panel.
pub(super) struct Known {
    /// A row of the panel with the same prompt.
    pub(super) same: Vec<Option<usize>>,
    /// The panel's row that takes the grade; `None` for a prompt that the panel doesn't have, or has too seldom.
    pub(super) fills: Vec<Option<usize>>,
}

impl Known {
    /// Each row of the panel takes one grade, so that a prompt that was graded twice is asked for twice.
    pub(super) fn of(keys: &[u64], panel: &PanelParts) -> Known {
        let mut free: HashMap<u64, Vec<usize>> = HashMap::new();
        for (row, key) in panel.calibration.prompts.iter().enumerate().rev() {
            free.entry(*key).or_default().push(row);
        }
        let first: HashMap<u64, usize> =
            free.iter().filter_map(|(key, rows)| Some((*key, *rows.last()?))).collect();
        Known {
            same: keys.iter().map(|key| first.get(key).copied()).collect(),
            fills: keys.iter().map(|key| free.get_mut(key)?.pop()).collect(),
        }
    }
}

/// What is known of each of the new expert's rows.
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) rows: &'a [&'a Row],
    pub(super) counts: &'a [Counts],
    pub(super) keys: &'a [u64],
    /// Near-duplicates within these rows share a number.
    pub(super) groups: &'a [u32],
    /// Out of fold.
    pub(super) predicted: &'a [f64],
    pub(super) predicted_output: &'a [f32],
    pub(super) known: &'a Known,
}

/// One cell of the table.
struct Cell {
    predicted: f32,
    predicted_output: f32,
    /// By all panels that know the expert; a new one is known to its own alone.
    mixed: (f32, f32),
    score: f32,
    input: u32,
    output: u32,
}

/// The panel's calibration rows with a column for the new expert behind the others, then a row for each new prompt.
///
/// `elsewhere` is what is predicted of the new expert for each old row where it wasn't graded, `usual` what it is then
/// expected to write.
pub(super) fn extended(
    params: &Params,
    panel: &PanelParts,
    facts: &Facts,
    elsewhere: &[f32],
    usual: f32,
) -> Calibration {
    let old = &panel.calibration;
    let width = panel.experts.len();
    let mut new = Calibration {
        prompts: old.prompts.clone(),
        prompt_tokens: old.prompt_tokens.clone(),
        groups: old.groups.clone(),
        domains: old.domains.clone(),
        ..Calibration::default()
    };
    let filled: HashMap<usize, usize> =
        facts.known.fills.iter().enumerate().filter_map(|(at, row)| Some(((*row)?, at))).collect();
    for (row, &elsewhere) in elsewhere.iter().enumerate() {
        (0..width).for_each(|column| push(&mut new, &stored(old, row * width + column)));
        let absent = missing(old.prompt_tokens[row]).said(elsewhere, usual);
        push(&mut new, &filled.get(&row).map_or(absent, |&at| facts.cell(at, facts.name)));
    }
    append_new(params, panel, facts, &mut new);
    new
}

/// Rows for prompts that the panel doesn't have. Grades of the other experts count only where the present model has
/// never seen the prompt: its prediction is then an honest one.
fn append_new(params: &Params, panel: &PanelParts, facts: &Facts, out: &mut Calibration) {
    let names: Vec<&str> = panel.experts.iter().map(|&at| params.experts()[at as usize].as_str()).collect();
    let (alone, mixed, has_seen) = (params.bind(&names), params.bind_mixed(&names), params.has_seen());
    let mut numbers = Numbers::after(params);
    for at in (0..facts.rows.len()).filter(|&at| facts.known.fills[at].is_none()) {
        let row = facts.rows[at];
        let tokens = estimate_tokens(&row.prompt);
        out.prompts.push(facts.keys[at]);
        out.prompt_tokens.push(tokens);
        out.groups.push(numbers.group(facts, panel, at));
        out.domains.push(domain(params, &facts.counts[at]));
        let said = |binding| classify(params, &row.prompt, binding).experts;
        let honest = !has_seen(&row.prompt);
        for (name, (alone, mixed)) in names.iter().zip(said(&alone).iter().zip(said(&mixed))) {
            let of = |signal: Option<ExpertSignal>| {
                signal.map_or((0.5, 0.0), |signal| (signal.p_capable as f32, signal.output_tokens as f32))
            };
            let graded =
                honest.then(|| graded(row, name, tokens)).flatten().unwrap_or_else(|| missing(tokens));
            let (p, output) = of(*alone);
            push(out, &Cell { mixed: of(mixed), ..graded.said(p, output) });
        }
        push(out, &facts.cell(at, facts.name));
    }
}

/// Numbers for groups of near-duplicates that the model doesn't have yet.
struct Numbers {
    next: u32,
    given: HashMap<u32, u32>,
}

impl Numbers {
    fn after(params: &Params) -> Numbers {
        let last = params.panels().flat_map(|panel| panel.calibration.groups.iter()).max();
        Numbers { next: last.map_or(0, |last| last + 1), given: HashMap::new() }
    }

    /// The group of a row: that of a known prompt that it resembles, if there is one.
    fn group(&mut self, facts: &Facts, panel: &PanelParts, at: usize) -> u32 {
        let alike = (0..facts.rows.len()).filter(|&other| facts.groups[other] == facts.groups[at]);
        let known = alike.filter_map(|other| facts.known.same[other]).next();
        if let Some(row) = known {
            return panel.calibration.groups[row];
        }
        *self.given.entry(facts.groups[at]).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

impl Facts<'_> {
    fn cell(&self, at: usize, name: &str) -> Cell {
        let tokens = estimate_tokens(&self.rows[at].prompt);
        let graded = graded(self.rows[at], name, tokens).unwrap_or_else(|| missing(tokens));
        graded.said(self.predicted[at] as f32, self.predicted_output[at])
    }
}

impl Cell {
    /// The same cell with what is predicted of it, by its panel and by all.
    fn said(self, predicted: f32, predicted_output: f32) -> Cell {
        Cell { predicted, predicted_output, mixed: (predicted, predicted_output), ..self }
    }
}

fn graded(row: &Row, name: &str, tokens: u32) -> Option<Cell> {
    let outcome = row.outcome(name)?;
    Some(Cell {
        score: outcome.score as f32,
        input: outcome.input_tokens.unwrap_or(tokens),
        output: outcome.output_tokens.unwrap_or(UNKNOWN_TOKENS),
        ..missing(tokens)
    })
}

fn missing(tokens: u32) -> Cell {
    Cell {
        predicted: 0.0,
        predicted_output: 0.0,
        mixed: (0.0, 0.0),
        score: MISSING_SCORE,
        input: tokens,
        output: UNKNOWN_TOKENS,
    }
}

fn stored(old: &Calibration, cell: usize) -> Cell {
    Cell {
        predicted: old.predicted[cell],
        predicted_output: old.predicted_output[cell],
        mixed: (old.mixed[cell], old.mixed_output[cell]),
        score: old.scores[cell],
        input: old.input_tokens[cell],
        output: old.output_tokens[cell],
    }
}

fn push(out: &mut Calibration, cell: &Cell) {
    out.predicted.push(cell.predicted);
    out.predicted_output.push(cell.predicted_output);
    out.mixed.push(cell.mixed.0);
    out.mixed_output.push(cell.mixed.1);
    out.scores.push(cell.score);
    out.input_tokens.push(cell.input);
    out.output_tokens.push(cell.output);
}

/// The most probable domain of a prompt, as an index into the model's.
fn domain(params: &Params, counts: &Counts) -> u32 {
    let gate = Gate::open(params, counts);
    let best =
        gate.domains.first().and_then(|share| params.domains().iter().position(|name| *name == share.name));
    best.map_or(UNKNOWN_DOMAIN, |at| at as u32)
}
