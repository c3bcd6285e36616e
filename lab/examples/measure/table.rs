//! The rival that is given the true subject: each expert's mean score and mean length within it.

use crate::Set;
use crate::figures::Answers;
use crate::folds::FOLDS;
use sluice_lab::corpus::Row;
use std::collections::HashMap;

pub(crate) fn predict(set: &Set) -> Answers {
    let width = set.experts.len();
    let mut answers =
        Answers { scores: vec![0.0; set.rows.len() * width], tokens: vec![0.0; set.rows.len() * width] };
    for fold in 0..FOLDS {
        for (at, (name, _)) in set.experts.iter().enumerate() {
            let mut by_subject: HashMap<&str, Sums> = HashMap::new();
            let mut all = Sums::default();
            for (row, _) in set.rows.iter().zip(&set.folds).filter(|(_, in_fold)| **in_fold != fold) {
                by_subject.entry(subject(row)).or_default().add(row, name);
                all.add(row, name);
            }
            let overall = all.means(&Sums { n: 1.0, ..Sums::default() }, 0.0);
            for row in set.inside(fold) {
                let of = by_subject.get(subject(&set.rows[row])).unwrap_or(&all);
                let prior = Sums { n: 1.0, score: overall.0, tokens: overall.1 };
                (answers.scores[row * width + at], answers.tokens[row * width + at]) =
                    of.means(&prior, SHRINK);
            }
        }
    }
    answers
}

#[derive(Default)]
struct Sums {
    n: f64,
    score: f64,
    tokens: f64,
}

impl Sums {
    fn add(&mut self, row: &Row, expert: &str) {
        let Some(outcome) = row.outcome(expert) else { return };
        self.n += 1.0;
        self.score += outcome.score;
        self.tokens += f64::from(outcome.output_tokens.unwrap_or(0));
    }

    /// Mean score and length, shrunk to the prior's by `rows` rows.
    fn means(&self, prior: &Sums, rows: f64) -> (f64, f64) {
        let n = (self.n + rows).max(1.0);
        ((self.score + rows * prior.score) / n, (self.tokens + rows * prior.tokens) / n)
    }
}

fn subject(row: &Row) -> &str {
    [&row.subject, &row.source, &row.domain].into_iter().flatten().next().map_or("", String::as_str)
}

const SHRINK: f64 = 20.0;
