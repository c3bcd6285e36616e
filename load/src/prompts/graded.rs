//! Prompts of graded data: whoever answers, its known score is the quality of the answer.

use super::{Prompts, shuffled};
use crate::sample::Prompt;
use sluice_lab::corpus::{Corpus, Row};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Graded prompts in a random order, each once before one comes again.
#[derive(Debug, Clone)]
pub struct Graded {
    prompts: Vec<Prompt>,
    order: Vec<usize>,
    best: Option<String>,
}

impl Graded {
    /// The rows of a corpus, ordered by the seed.
    pub fn new(corpus: &Corpus, seed: u64, max_tokens: Option<u32>) -> Graded {
        let prompts: Vec<Prompt> = corpus.rows.iter().map(|row| prompt(row, max_tokens)).collect();
        Graded { order: shuffled(prompts.len(), seed), best: best(&corpus.rows), prompts }
    }

    /// The expert with the highest mean score over the rows that all of the data's experts were graded on; over its
    /// own rows when there are none.
    pub fn best(&self) -> Option<&str> {
        self.best.as_deref()
    }

    /// Whether any row has an outcome of this expert.
    pub fn grades(&self, expert: &str) -> bool {
        self.prompts.iter().any(|prompt| prompt.grades.iter().any(|(name, _)| name == expert))
    }

    /// How many prompts there are.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }
}

impl Prompts for Graded {
    fn get(&self, number: usize) -> Prompt {
        self.prompts[self.order[number % self.order.len()]].clone()
    }
}

fn prompt(row: &Row, max_tokens: Option<u32>) -> Prompt {
    let grades = row.outcomes.iter().map(|outcome| (outcome.expert.clone(), outcome.score));
    Prompt {
        id: row.id.clone(),
        messages: vec![("user".to_owned(), row.prompt.clone())],
        max_tokens,
        grades: Arc::new(grades.collect()),
    }
}

fn best(rows: &[Row]) -> Option<String> {
    let experts: BTreeMap<&str, ()> =
        rows.iter().flat_map(|row| &row.outcomes).map(|outcome| (outcome.expert.as_str(), ())).collect();
    let common: Vec<&Row> = rows.iter().filter(|row| row.outcomes.len() == experts.len()).collect();
    let judged: Vec<&Row> = if common.is_empty() { rows.iter().collect() } else { common };
    let mean = |expert: &str| {
        let scores: Vec<f64> =
            judged.iter().filter_map(|row| row.outcome(expert)).map(|outcome| outcome.score).collect();
        scores.iter().sum::<f64>() / scores.len().max(1) as f64
    };
    let means = experts.keys().map(|expert| (*expert, mean(expert)));
    means.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(expert, _)| expert.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_lab::corpus::Outcome;

    fn row(id: usize, scores: &[(&str, f64)]) -> Row {
        let outcome = |(expert, score): &(&str, f64)| Outcome {
            expert: (*expert).to_owned(),
            score: *score,
            ..Outcome::default()
        };
        let outcomes = scores.iter().map(outcome).collect();
        Row { id: id.to_string(), prompt: format!("question {id}"), outcomes, ..Row::default() }
    }

    #[test]
    fn each_prompt_comes_once_before_one_comes_again() {
        let rows = (0..50).map(|id| row(id, &[("a", 0.5)])).collect();
        let corpus = Corpus { rows, ..Corpus::default() };
        let ids = |seed| -> Vec<String> {
            let graded = Graded::new(&corpus, seed, Some(9));
            (0..100).map(|number| graded.get(number).id).collect()
        };
        let first = ids(1);
        assert_eq!(first[..50], first[50..]);
        let distinct: std::collections::HashSet<&String> = first.iter().collect();
        assert_eq!(distinct.len(), 50);
        assert_eq!(first, ids(1));
        assert_ne!(first, ids(2));
    }

    #[test]
    fn the_best_is_judged_on_rows_that_all_answered() {
        let rows = vec![row(1, &[("a", 1.0), ("b", 0.4)]), row(2, &[("b", 1.0)]), row(3, &[("b", 1.0)])];
        let graded = Graded::new(&Corpus { rows, ..Corpus::default() }, 1, None);
        assert_eq!(graded.best(), Some("a"));
        assert!(graded.grades("b") && !graded.grades("c"));
    }
}
