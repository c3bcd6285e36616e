//! Prompts as virtual time needs them: what the model sees in each, and how long each expert's answer is.

use crate::cmd::Failure;
use crate::cmd::load::options::Options;
use crate::replay::{Recorded, Recordings};
use anyhow::anyhow;
use sluice_gateway::Offline;
use sluice_gateway::config::Config;
use sluice_load::Prompt;
use sluice_load::prompts::Prompts;
use sluice_load::virtual_time::{Asked, Length, Prompted};
use sluice_router::Signals;
use sluice_sim::{Answers as _, Filler, count_tokens};
use std::sync::Arc;

/// Every prompt that was needed so far.
pub(super) struct Book {
    offline: Offline,
    route: String,
    prompts: Arc<dyn Prompts>,
    /// For each pool, recorded answers of its expert.
    recorded: Vec<Option<Recorded>>,
    kept: Vec<Option<Asked>>,
    /// What the model sees in made-up prompts; they mean nothing, so a few stand for all.
    seen: Vec<Option<Signals>>,
}

/// How many made-up prompts differ, and of how many the model is asked what it sees.
const MADE_UP: usize = 64;

impl Book {
    pub(super) fn new(
        offline: Offline,
        config: &Config,
        options: &Options,
        prompts: Arc<dyn Prompts>,
    ) -> Result<Book, Failure> {
        let mut recordings = Recordings::default();
        let mut recorded = Vec::new();
        for pool in &config.pools {
            let files = pool.sim.as_ref().map(|sim| sim.data.clone()).filter(|files| !files.is_empty());
            let rows = files.map(|files| recordings.rows(&files).map(<[_]>::to_vec)).transpose()?;
            recorded.push(rows.map(|rows| Recorded::new(&rows, &config.experts[pool.expert].name)));
        }
        let route = options.sending.model.clone();
        // Whatever can go wrong is the route's name, so that later ones can't.
        offline
            .ask(&route, &[], None)
            .map_err(|fault| Failure::input(anyhow!("--model: {}", fault.detail)))?;
        let kept = vec![None; prompts.distinct().unwrap_or(MADE_UP)];
        Ok(Book { offline, route, prompts, recorded, kept, seen: vec![None; MADE_UP] })
    }

    fn asked(&mut self, number: usize) -> Asked {
        let prompt = self.prompts.get(number);
        let ask = if self.prompts.is_made_up() {
            // The text is long and says nothing: its first words are classified, its length counts.
            let at = number % MADE_UP;
            let seen = self.seen[at].clone().unwrap_or_else(|| self.ask(&shortened(&prompt)).signals);
            self.seen[at] = Some(seen.clone());
            let mut ask = self.offline.unclassified(&self.route, &prompt.messages, prompt.max_tokens);
            if let Ok(ask) = &mut ask {
                ask.signals = seen;
            }
            ask.expect("the route was checked")
        } else {
            self.ask(&prompt)
        };
        let experts = ask.fleet.experts.iter();
        let grade =
            |name: &str| prompt.grades.iter().find(|(expert, _)| expert == name).map(|(_, score)| *score);
        Asked {
            grades: experts.map(|expert| grade(&expert.name)).collect(),
            lengths: self.lengths(&prompt),
            ask,
        }
    }

    fn ask(&self, prompt: &Prompt) -> sluice_router::Ask {
        self.offline.ask(&self.route, &prompt.messages, prompt.max_tokens).expect("the route was checked")
    }

    /// Recorded answers where there are any; a made-up prompt's is as long as it may be; else as `sluice sim` draws it.
    fn lengths(&self, prompt: &Prompt) -> Vec<Length> {
        let texts: Vec<&str> = prompt.messages.iter().map(|(_, text)| text.as_str()).collect();
        let text = texts.join("\n");
        let counted = count_tokens(&text);
        let length = |recorded: &Option<Recorded>| {
            if let Some((input, output)) = recorded.as_ref().and_then(|recorded| recorded.get(&text)) {
                return Length { input: input.unwrap_or(counted), output };
            }
            let asked = prompt.max_tokens.filter(|_| self.prompts.is_made_up());
            let drawn = || Filler::default().answer(&text, u32::MAX).output_tokens;
            Length { input: counted, output: asked.unwrap_or_else(drawn) }
        };
        self.recorded.iter().map(length).collect()
    }
}

impl Prompted for Book {
    fn get(&mut self, number: usize) -> &mut Asked {
        let at = number % self.kept.len();
        if self.kept[at].is_none() {
            self.kept[at] = Some(self.asked(at));
        }
        self.kept[at].as_mut().expect("it was just made")
    }
}

fn shortened(prompt: &Prompt) -> Prompt {
    let first =
        |(role, text): &(String, String)| (role.clone(), text.chars().take(CLASSIFIED_CHARS).collect());
    Prompt { messages: prompt.messages.iter().map(first).collect(), ..prompt.clone() }
}

const CLASSIFIED_CHARS: usize = 1_000;
