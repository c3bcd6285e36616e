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
use sluice_router::Needs;
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
    /// Made-up prompts, of which there may be millions: what differs between them.
    made_up: Vec<Option<MadeUp>>,
}

/// What a made-up prompt has of its own.
#[derive(Clone, Copy)]
struct MadeUp {
    tokens: u32,
    bytes: u32,
    most_output: Option<u32>,
    length: Length,
}

/// Made-up prompts mean nothing, so what the model sees in so many stands for all.
const CLASSIFIED: usize = 64;

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
        let count = prompts.distinct().unwrap_or(CLASSIFIED);
        let (kept, made_up) = match prompts.is_made_up() {
            true => (CLASSIFIED, count),
            false => (count, 0),
        };
        Ok(Book { offline, route, prompts, recorded, kept: vec![None; kept], made_up: vec![None; made_up] })
    }

    fn asked(&self, prompt: &Prompt) -> Asked {
        let ask = self.ask(prompt);
        let grade =
            |name: &str| prompt.grades.iter().find(|(expert, _)| expert == name).map(|(_, score)| *score);
        let grades = ask.fleet.experts.iter().map(|expert| grade(&expert.name)).collect();
        Asked { grades, lengths: self.lengths(prompt), ask }
    }

    /// A made-up prompt: one that was classified, with its own length.
    fn made_up(&mut self, number: usize) -> &mut Asked {
        let at = number % self.made_up.len();
        let prompt = self.made_up[at].is_none().then(|| self.prompts.get(at));
        let kept = at % CLASSIFIED;
        if let (Some(prompt), true) = (&prompt, self.kept[kept].is_none()) {
            self.kept[kept] = Some(self.asked(&shortened(prompt)));
        }
        let own = *self.made_up[at].get_or_insert_with(|| {
            let prompt = prompt.as_ref().expect("it was just made");
            made_up(&self.offline.needs(&prompt.messages, prompt.max_tokens), prompt)
        });
        let asked = self.kept[kept].as_mut().expect("it was just made");
        asked.ask.needs.prompt_tokens = own.tokens;
        asked.ask.needs.prompt_bytes = own.bytes;
        asked.ask.needs.max_output_tokens = own.most_output;
        asked.lengths.fill(own.length);
        asked
    }

    fn ask(&self, prompt: &Prompt) -> sluice_router::Ask {
        self.offline.ask(&self.route, &prompt.messages, prompt.max_tokens).expect("the route was checked")
    }

    /// Recorded answers where there are any, else as long as `sluice sim` draws them.
    fn lengths(&self, prompt: &Prompt) -> Vec<Length> {
        let texts: Vec<&str> = prompt.messages.iter().map(|(_, text)| text.as_str()).collect();
        let text = texts.join("\n");
        let counted = count_tokens(&text);
        let length = |recorded: &Option<Recorded>| {
            if let Some((input, output)) = recorded.as_ref().and_then(|recorded| recorded.get(&text)) {
                return Length { input: input.unwrap_or(counted), output };
            }
            Length { input: counted, output: Filler::default().answer(&text, u32::MAX).output_tokens }
        };
        self.recorded.iter().map(length).collect()
    }
}

impl Prompted for Book {
    fn get(&mut self, number: usize) -> &mut Asked {
        if !self.made_up.is_empty() {
            return self.made_up(number);
        }
        let at = number % self.kept.len();
        if self.kept[at].is_none() {
            self.kept[at] = Some(self.asked(&self.prompts.get(at)));
        }
        self.kept[at].as_mut().expect("it was just made")
    }
}

/// An answer to a made-up prompt is as long as it may be, as nothing else says how long.
fn made_up(needs: &Needs, prompt: &Prompt) -> MadeUp {
    let texts: Vec<&str> = prompt.messages.iter().map(|(_, text)| text.as_str()).collect();
    let text = texts.join("\n");
    let drawn = || Filler::default().answer(&text, u32::MAX).output_tokens;
    MadeUp {
        tokens: needs.prompt_tokens,
        bytes: needs.prompt_bytes,
        most_output: needs.max_output_tokens,
        length: Length { input: count_tokens(&text), output: prompt.max_tokens.unwrap_or_else(drawn) },
    }
}

/// Its first words: the text is long and says nothing.
fn shortened(prompt: &Prompt) -> Prompt {
    let first =
        |(role, text): &(String, String)| (role.clone(), text.chars().take(CLASSIFIED_CHARS).collect());
    Prompt { messages: prompt.messages.iter().map(first).collect(), ..prompt.clone() }
}

const CLASSIFIED_CHARS: usize = 1_000;
