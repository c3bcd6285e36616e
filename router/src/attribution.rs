//! What in a prompt moved the score that is predicted of an expert: each word, subject and shape count with its share.
//!
//! The model is linear before it is cut to 0..1, so the shares and the usual score add up to the predicted one.

use crate::classify::{Gate, blend};
use crate::panel::{PanelParts, standardise};
use crate::params::{Binding, Params};
use crate::prompt::{self, Counts, Label, SHAPE, SHAPE_NAMES};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// How the predicted score of one expert comes about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribution {
    /// Index into the fleet.
    pub expert: usize,
    /// The score of a prompt that nothing is known of.
    pub usual: f64,
    /// What moved it, the strongest first.
    pub moves: Vec<Move>,
    /// What cutting to 0..1 took away or added.
    pub cut: f64,
}

/// One reason why a score is higher or lower than usual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Move {
    /// What kind of thing it is.
    pub kind: MoveKind,
    /// The word, the subject or the shape count.
    pub what: String,
    /// By how much, in score.
    pub by: f64,
}

/// What can move a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    /// A word with its parts.
    Word,
    /// Two words in a row.
    Pair,
    /// One to three ideographs.
    Characters,
    /// The subject that the prompt seems to have.
    Subject,
    /// A shape count, such as the number of options.
    Shape,
}

/// Where a prompt was placed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// What the panel's sources have in common; may be empty.
    pub panel: String,
    /// How much the prompt looks like the panel's prompts.
    pub p: f64,
    /// Names of the panel's experts.
    pub experts: Vec<String>,
    /// Graded rows of the panel.
    pub rows: usize,
    /// The most probable subjects within the panel; one without a name is the class of rare ones.
    pub subjects: Vec<(String, f64)>,
}

impl Params {
    /// Where a prompt is placed: each panel with its share, the likeliest first.
    pub fn placed(&self, text: &str) -> Vec<Placed> {
        let counts = prompt::count(text);
        let gate = Gate::open(self, &counts);
        let place = |(panel, p): (&PanelParts, &f32)| {
            let named = subjects(panel, &counts)
                .into_iter()
                .map(|(at, p)| (panel.subjects[at].clone(), f64::from(p)));
            Placed {
                panel: panel.name.clone(),
                p: f64::from(*p),
                experts: panel.experts.iter().map(|&at| self.parts.experts[at as usize].clone()).collect(),
                rows: panel.calibration.len(),
                subjects: named.collect(),
            }
        };
        let mut placed: Vec<Placed> = self.panels().zip(&gate.panels).map(place).collect();
        placed.sort_by(|a, b| b.p.total_cmp(&a.p));
        placed
    }

    /// What moved the score of the fleet's expert with index `expert`; `None` for one that the model doesn't know.
    ///
    /// For explaining: takes many times as long as classifying, since it looks up the text of each n-gram.
    pub fn attribute(&self, text: &str, binding: &Binding, expert: usize) -> Option<Attribution> {
        let counts = prompt::count(text);
        let places = binding.places.get(expert).filter(|places| !places.is_empty())?;
        let gate = Gate::open(self, &counts);
        let labels = Labels::of(text);
        let (mut usual, mut cut, mut moves) = (0.0, 0.0, BTreeMap::new());
        for (panel, column, weight) in blend(places, &gate.panels) {
            let parts = &self.panels[panel].parts;
            let mut within = Within { parts, column, weight: f64::from(weight), moves: &mut moves };
            usual += within.add(&counts, &labels);
            let uncut = parts.uncut(&sums(parts, &counts), &counts).0[column];
            cut += f64::from(weight) * f64::from(uncut.clamp(0.0, 1.0) - uncut);
        }
        let mut moves: Vec<Move> = moves
            .into_iter()
            .map(|((kind, what), by)| Move { kind, what, by })
            .filter(|m| m.by != 0.0)
            .collect();
        moves.sort_by(|a, b| b.by.abs().total_cmp(&a.by.abs()));
        Some(Attribution { expert, usual, moves, cut })
    }
}

fn sums(parts: &PanelParts, counts: &Counts) -> Vec<f32> {
    let mut features = vec![];
    parts.lexicon.weigh(&counts.grams, &mut features);
    parts.weights.apply(&features)
}

fn subjects(parts: &PanelParts, counts: &Counts) -> Vec<(usize, f32)> {
    parts.uncut(&sums(parts, counts), counts).1
}

/// For each hash row the labels of its occurrences in the text: several where words share parts, or hashes collide.
struct Labels(HashMap<u32, Vec<Label>>);

impl Labels {
    fn of(text: &str) -> Labels {
        let mut rows: HashMap<u32, Vec<Label>> = HashMap::new();
        prompt::labels(text).into_iter().for_each(|(row, label)| rows.entry(row).or_default().push(label));
        Labels(rows)
    }
}

/// One expert in one panel.
struct Within<'a> {
    parts: &'a PanelParts,
    column: usize,
    weight: f64,
    moves: &'a mut BTreeMap<(MoveKind, String), f64>,
}

impl Within<'_> {
    /// Adds all moves; returns the usual score.
    fn add(&mut self, counts: &Counts, labels: &Labels) -> f64 {
        self.grams(counts, labels);
        let subjects = subjects(self.parts, counts);
        let usual = self.subjects(&subjects);
        self.shape(counts, &subjects);
        self.weight * (f64::from(self.parts.mean[self.column]) + usual)
    }

    fn note(&mut self, kind: MoveKind, what: &str, by: f64) {
        *self.moves.entry((kind, what.to_owned())).or_default() += self.weight * by;
    }

    /// An n-gram's share goes to its occurrences in equal parts.
    fn grams(&mut self, counts: &Counts, labels: &Labels) {
        let parts = self.parts;
        let mut features = vec![];
        parts.lexicon.weigh(&counts.grams, &mut features);
        let weights = &parts.weights;
        let output = parts.subject_share.len() + self.column;
        for (number, value) in features {
            let weight = weights.values[number as usize * weights.outputs + output];
            let by = f64::from(value) * f64::from(weight) * f64::from(weights.scales[output]);
            let Some(labels) = labels.0.get(&parts.lexicon.rows[number as usize]) else { continue };
            for label in labels {
                let (kind, what) = match label {
                    Label::Word(text) => (MoveKind::Word, text),
                    Label::Pair(text) => (MoveKind::Pair, text),
                    Label::Ideographs(text) => (MoveKind::Characters, text),
                };
                self.note(kind, what, by / labels.len() as f64);
            }
        }
    }

    /// What the subjects add beyond what they add on average; returns that average.
    fn subjects(&mut self, subjects: &[(usize, f32)]) -> f64 {
        let parts = self.parts;
        let width = parts.experts.len();
        let adds = |subject: usize| f64::from(parts.by_subject[subject * width + self.column]);
        let usual: f64 =
            parts.subject_share.iter().enumerate().map(|(at, share)| f64::from(*share) * adds(at)).sum();
        let moves: Vec<(usize, f64)> =
            subjects.iter().map(|&(at, p)| (at, f64::from(p) * (adds(at) - usual))).collect();
        for (subject, by) in moves {
            let name = &parts.subjects[subject];
            self.note(MoveKind::Subject, if name.is_empty() { "(rare ones)" } else { name }, by);
        }
        usual
    }

    /// Shape counts, with what they mean within the subjects.
    fn shape(&mut self, counts: &Counts, subjects: &[(usize, f32)]) {
        let parts = self.parts;
        let width = parts.experts.len();
        let shape = standardise(&counts.shape, &parts.shape_mean, &parts.shape_spread);
        for at in 0..SHAPE {
            let slope = |row: usize, matrix: &[f32]| f64::from(matrix[row * width + self.column]);
            let within =
                |&(subject, p): &(usize, f32)| f64::from(p) * slope(subject * SHAPE + at, &parts.by_both);
            let sum = slope(at, &parts.by_shape) + subjects.iter().map(within).sum::<f64>();
            self.note(MoveKind::Shape, SHAPE_NAMES[at], f64::from(shape[at]) * sum);
        }
    }
}
