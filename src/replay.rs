//! Recorded answers: a simulated engine that takes as long as the real expert's answer to the same prompt was.

use crate::cmd::Failure;
use sluice_lab::corpus;
use sluice_sim::{Answer, Answers, Filler};
use std::collections::HashMap;
use std::path::PathBuf;

/// Token counts of one expert's recorded answers, by prompt. The text is made up all the same: none was recorded.
pub(crate) struct Recorded {
    by_prompt: HashMap<String, (Option<u32>, u32)>,
    unknown: Filler,
}

impl Recorded {
    /// Reads graded outcomes and keeps those of `expert`.
    pub(crate) fn load(files: &[PathBuf], expert: &str) -> Result<Recorded, Failure> {
        let corpus = corpus::load_outcomes(files).map_err(Failure::input)?;
        let mut by_prompt = HashMap::new();
        for row in corpus.rows {
            if let Some(outcome) = row.outcomes.iter().find(|outcome| outcome.expert == expert)
                && let Some(output) = outcome.output_tokens
            {
                by_prompt.insert(row.prompt, (outcome.input_tokens, output));
            }
        }
        Ok(Recorded { by_prompt, unknown: Filler::default() })
    }
}

impl Answers for Recorded {
    fn answer(&self, prompt: &str, max_tokens: u32) -> Answer {
        match self.by_prompt.get(prompt) {
            Some(&(input_tokens, output)) => {
                Answer { output_tokens: output.min(max_tokens), input_tokens, text: None }
            }
            None => self.unknown.answer(prompt, max_tokens),
        }
    }
}
