//! Whom a price pays: a vendor by tokens, or GPUs of one's own by the hour.

use super::super::super::mistake::Mistakes;
use super::super::super::raw::RawPrice;
use sluice_router::{Listed, OwnGpus, Price, PriceError, Rate};

/// What a price is made of.
pub(super) enum Way<'a> {
    /// Decimal strings per million tokens.
    Tokens(Listed<'a>),
    /// A decimal string per GPU and hour.
    Gpus(OwnGpus<'a>),
}

impl<'a> Way<'a> {
    /// Reads which it is; mistakes are noted at `key`.
    pub(super) fn read(key: &str, raw: &'a RawPrice, mistakes: &mut Mistakes) -> Option<Way<'a>> {
        match &raw.gpu_hour {
            Some(gpu_hour) => gpus(key, gpu_hour, raw, mistakes),
            None => tokens(key, raw, mistakes),
        }
    }

    /// The price in dollars.
    pub(super) fn price(&self, rate: Rate) -> Result<Price, PriceError> {
        match self {
            Way::Tokens(listed) => Price::from_listed(*listed, rate),
            Way::Gpus(own) => Price::from_gpu_hour(*own, rate),
        }
    }
}

fn tokens<'a>(key: &str, raw: &'a RawPrice, mistakes: &mut Mistakes) -> Option<Way<'a>> {
    let of_gpus = [
        ("gpus", raw.gpus.is_some()),
        ("tokens_per_s", raw.tokens_per_s.is_some()),
        ("prompt_tokens_per_s", raw.prompt_tokens_per_s.is_some()),
    ];
    if let Some((name, _)) = of_gpus.iter().find(|(_, is_there)| *is_there) {
        mistakes.note(format!("{key}.{name}"), "goes with gpu_hour, for GPUs of your own");
        return None;
    }
    let (Some(input), Some(output)) = (&raw.input_per_mtok, &raw.output_per_mtok) else {
        let lacking = if raw.input_per_mtok.is_none() { "input_per_mtok" } else { "output_per_mtok" };
        let what =
            format!("{lacking} is missing; GPUs of your own have gpu_hour instead of prices for tokens");
        mistakes.note(key, what);
        return None;
    };
    Some(Way::Tokens(Listed {
        input,
        cached_input: raw.cached_input_per_mtok.as_deref(),
        cache_write: raw.cache_write_per_mtok.as_deref(),
        output,
        per_request: raw.per_request.as_deref(),
    }))
}

fn gpus<'a>(key: &str, gpu_hour: &'a str, raw: &RawPrice, mistakes: &mut Mistakes) -> Option<Way<'a>> {
    let of_tokens = [
        ("input_per_mtok", &raw.input_per_mtok),
        ("cached_input_per_mtok", &raw.cached_input_per_mtok),
        ("cache_write_per_mtok", &raw.cache_write_per_mtok),
        ("output_per_mtok", &raw.output_per_mtok),
        ("per_request", &raw.per_request),
    ];
    if let Some((name, _)) = of_tokens.iter().find(|(_, value)| value.is_some()) {
        mistakes.note(format!("{key}.{name}"), "goes without gpu_hour: GPUs are paid for by the hour alone");
        return None;
    }
    let gpus = raw.gpus.unwrap_or(1);
    let tokens_per_s = raw.tokens_per_s.unwrap_or(gpus.saturating_mul(TOKENS_PER_S));
    let prompt_tokens_per_s = raw.prompt_tokens_per_s.unwrap_or(tokens_per_s.saturating_mul(PROMPT_TIMES));
    let counts =
        [("gpus", gpus), ("tokens_per_s", tokens_per_s), ("prompt_tokens_per_s", prompt_tokens_per_s)];
    for (name, count) in counts {
        if count == 0 || (name == "gpus" && count > MOST_GPUS) {
            let most = if name == "gpus" { format!(" and at most {MOST_GPUS}") } else { String::new() };
            mistakes.note(format!("{key}.{name}"), format!("must be at least 1{most}"));
            return None;
        }
    }
    Some(Way::Gpus(OwnGpus { gpu_hour, gpus, tokens_per_s, prompt_tokens_per_s }))
}

/// Tokens a second for each GPU at full load, where nobody says: what a large model gives; a small one gives some ten
/// times as much. Too few makes holds large, and requests are then charged by time alone; too many leaves cost to nobody.
const TOKENS_PER_S: u32 = 300;
/// How many tokens of prompts are read in the time of one that is produced.
const PROMPT_TIMES: u32 = 10;
const MOST_GPUS: u32 = 1_024;
