//! Recorded answers: a simulated engine that takes as long as the real expert's answer to the same prompt was.

use crate::cmd::Failure;
use sluice_lab::corpus::{self, Row};
use sluice_sim::{Answer, Answers, Filler};
use std::collections::HashMap;
use std::path::PathBuf;

/// Token counts of one expert's recorded answers, by prompt. The text is made up all the same: none was recorded.
pub(crate) struct Recorded {
    by_prompt: HashMap<String, (Option<u32>, u32)>,
    unknown: Filler,
}

impl Recorded {
    /// The answers of `expert` among graded outcomes.
    pub(crate) fn new(rows: &[Row], expert: &str) -> Recorded {
        let recorded = |row: &Row| {
            let outcome = row.outcome(expert)?;
            Some((row.prompt.clone(), (outcome.input_tokens, outcome.output_tokens?)))
        };
        Recorded { by_prompt: rows.iter().filter_map(recorded).collect(), unknown: Filler::default() }
    }
}

/// Files of graded outcomes, each list of them read once: every expert's pools replay the same ones.
#[derive(Default)]
pub(crate) struct Recordings {
    read: Vec<(Vec<PathBuf>, Vec<Row>)>,
}

impl Recordings {
    /// The rows of these files.
    pub(crate) fn rows(&mut self, files: &[PathBuf]) -> Result<&[Row], Failure> {
        let at = match self.read.iter().position(|(known, _)| known == files) {
            Some(at) => at,
            None => {
                let corpus = corpus::load_outcomes(files).map_err(Failure::input)?;
                self.read.push((files.to_vec(), corpus.rows));
                self.read.len() - 1
            }
        };
        Ok(&self.read[at].1)
    }
}

impl Recorded {
    /// Tokens in, where known, and out of the recorded answer to this prompt.
    pub(crate) fn get(&self, prompt: &str) -> Option<(Option<u32>, u32)> {
        self.by_prompt.get(prompt).copied()
    }
}

impl Answers for Recorded {
    fn answer(&self, prompt: &str, max_tokens: u32) -> Answer {
        match self.get(prompt) {
            Some((input_tokens, output)) => {
                Answer { output_tokens: output.min(max_tokens), input_tokens, text: None }
            }
            None => self.unknown.answer(prompt, max_tokens),
        }
    }
}
