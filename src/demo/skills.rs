//! What an expert of the demo makes of a request: right or wrong, and how long, by an item-response model.
//!
//! P(right) = sigmoid(logit(skill) + 5 (0.6 - difficulty) + language + luck of the item). It is Rasch's model (one
//! ability per expert and domain, equal discrimination) with a hidden part of the item's difficulty, normal with
//! standard deviation 0.6, that all experts share and that no text shows: no router can predict it. Beyond it the experts
//! share most of the luck of the draw. A benchmark's
//! usual item is taken to be as hard as our 0.6, since nobody's benchmark asks where a parcel is.

use super::draw::Draws;
use super::experts::{DOMAINS, DemoExpert};
use super::requests::DemoRequest;

/// What one expert makes of one request, always the same: score 0 or 1, prompt tokens, tokens produced.
pub(crate) fn outcome(request: &DemoRequest, expert: &DemoExpert) -> (f64, u32, u32) {
    let mut draws = Draws::of(&["outcome", &request.id, expert.name]);
    let score = if luck(request, draws.normal()) < p_right(request, expert) { 1.0 } else { 0.0 };
    let output = output_tokens(request, expert, draws.normal());
    (score, input_tokens(&request.prompt), output)
}

/// Estimated tokens of a prompt: four ASCII bytes make one, ten other characters make seven, and eight frame it.
pub(crate) fn input_tokens(prompt: &str) -> u32 {
    let (ascii, other) =
        prompt.chars().fold((0u32, 0u32), |(ascii, other), letter| match letter.is_ascii() {
            true => (ascii + 1, other),
            false => (ascii, other + 1),
        });
    8 + ascii.div_ceil(4) + (other * 7).div_ceil(10)
}

/// A number in (0, 1), uniform over requests, that experts share in part: where one fails by bad luck, others do too.
fn luck(request: &DemoRequest, own: f64) -> f64 {
    let shared = Draws::of(&["luck", &request.id]).normal();
    let mixed = SHARED_LUCK.sqrt() * shared + (1.0 - SHARED_LUCK).sqrt() * own;
    0.5 * libm::erfc(-mixed / std::f64::consts::SQRT_2)
}

/// The chance of a right answer, the hidden part of the item included.
fn p_right(request: &DemoRequest, expert: &DemoExpert) -> f64 {
    let at = DOMAINS.iter().position(|domain| *domain == request.domain);
    let skill = f64::from(expert.skill[at.expect("every request has a domain of the list")]) / 100.0;
    let language = if request.lang == "zh" { expert.chinese } else { 0.0 };
    let hidden = HIDDEN_SD * Draws::of(&["item", &request.id]).normal();
    sigmoid(logit(skill) + SLOPE * (BENCHMARK - request.difficulty) + language + hidden)
}

/// Lognormal around the usual length times the expert's verbosity.
fn output_tokens(request: &DemoRequest, expert: &DemoExpert, normal: f64) -> u32 {
    let median = f64::from(request.output_tokens_hint) * expert.verbosity;
    ((median * libm::exp(LENGTH_SD * normal)) as u32).clamp(1, 4_000)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

/// The difficulty of a benchmark's usual item.
const BENCHMARK: f64 = 0.6;
/// Logits between difficulty 0 and 1.
const SLOPE: f64 = 5.0;
/// Standard deviation of what the text doesn't show of an item's difficulty, in logits.
const HIDDEN_SD: f64 = 0.6;
/// How much of an outcome's luck the experts share: the correlation of a Gaussian copula, which leaves each expert's own
/// chances as they are. Models err alike far more often than independent ones would (Kim and others, Correlated Errors
/// in Large Language Models, 2025); the figure is our assumption.
const SHARED_LUCK: f64 = 0.7;
/// Standard deviation of the logarithm of an answer's length.
const LENGTH_SD: f64 = 0.35;

#[cfg(test)]
mod template;
#[cfg(test)]
mod tests;
