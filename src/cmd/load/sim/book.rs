//! Prompts as virtual time needs them: what the model sees in each, and how long each expert's answer is.

use super::skilled::Skilled;
use crate::cmd::Failure;
use crate::cmd::load::options::Options;
use crate::cmd::load::prepare::wrong;
use crate::replay::{Recorded, Recordings};
use anyhow::anyhow;
use sluice_gateway::Offline;
use sluice_gateway::config::Config;
use sluice_load::Prompt;
use sluice_load::prompts::Prompts;
use sluice_load::study::Skills;
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
    skilled: Option<Skilled>,
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
        let (kept, made_up) = (vec![None; kept], vec![None; made_up]);
        Ok(Book { offline, route, prompts, recorded, kept, made_up, skilled: None })
    }

    /// Gives made-up prompts made-up skills, and the route a certificate from as many other requests as it takes.
    pub(super) fn make_up_skills(&mut self, skills: Skills, seed: u64) -> Result<(), Failure> {
        if self.made_up.is_empty() {
            return Err(wrong("--skills are for made-up prompts; leave --prompts away".to_owned()));
        }
        let ask = self.made_up(0).ask.clone();
        let lengths: Vec<Length> = (0..self.made_up.len()).map(|number| self.own(number).length).collect();
        self.skilled = Some(Skilled::new(skills, seed, &ask, &lengths)?);
        Ok(())
    }

    /// The requests with their skills, for a study.
    pub(super) fn skilled(&mut self) -> Option<&mut Skilled> {
        self.skilled.as_mut()
    }

    /// Lengths of all distinct made-up prompts, with their numbers.
    pub(super) fn lengths_of_all(&mut self) -> Vec<Length> {
        (0..self.made_up.len()).map(|number| self.own(number).length).collect()
    }

    fn asked(&self, prompt: &Prompt) -> Asked {
        let ask = self.ask(prompt);
        let grade =
            |name: &str| prompt.grades.iter().find(|(expert, _)| expert == name).map(|(_, score)| *score);
        let grades = ask.fleet.experts.iter().map(|expert| grade(&expert.name)).collect();
        Asked { grades, lengths: self.lengths(prompt), ask }
    }

    /// What a made-up prompt has of its own.
    fn own(&mut self, number: usize) -> MadeUp {
        let at = number % self.made_up.len();
        if let Some(own) = self.made_up[at] {
            return own;
        }
        let prompt = self.prompts.get(at);
        let kept = at % CLASSIFIED;
        if self.kept[kept].is_none() {
            self.kept[kept] = Some(self.asked(&shortened(&prompt)));
        }
        let own = made_up(&self.offline.needs(&prompt.messages, prompt.max_tokens), &prompt);
        self.made_up[at] = Some(own);
        own
    }

    /// A made-up prompt: one that was classified, with its own length.
    fn made_up(&mut self, number: usize) -> &mut Asked {
        let own = self.own(number);
        let asked = self.kept[number % self.made_up.len() % CLASSIFIED].as_mut().expect("it was just made");
        asked.ask.needs.prompt_tokens = own.tokens;
        asked.ask.needs.prompt_bytes = own.bytes;
        asked.ask.needs.max_output_tokens = own.most_output;
        asked.lengths.fill(own.length);
        if let Some(skilled) = &self.skilled {
            skilled.endow(asked, number, own.length);
        }
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
