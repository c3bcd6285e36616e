//! The demo's own requests: templates and fillers written for the project, put together the same way every time.
//!
//! A template has a difficulty; the fillers of a pool go from everyday to rare, and a later one adds to it; so does
//! a closing sentence that asks for more. Whatever makes a request harder can therefore be read in its text.

mod coding;
mod education;
mod finance;
mod frames;
mod general;
mod health;
mod insurance;
mod law;
mod logistics;
mod maths;
mod retail;
mod travel;

use super::draw::Draws;
use std::collections::HashSet;

/// One request of the demo.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DemoRequest {
    /// `<domain>-<lang>-<template>-<number>`, unique.
    pub(crate) id: String,
    /// One of the eleven domains.
    pub(crate) domain: &'static str,
    /// The family of its template within the domain, for instance `returns`.
    pub(crate) subject: &'static str,
    /// `en` or `zh`.
    pub(crate) lang: &'static str,
    /// The text.
    pub(crate) prompt: String,
    /// 0.02 (anybody knows) to 0.98 (hardly any model gets it right).
    pub(crate) difficulty: f64,
    /// How long a usual answer is, in tokens.
    pub(crate) output_tokens_hint: u32,
}

/// Every request, each prompt once, ordered by domain and language; the same on every call.
pub(crate) fn requests() -> Vec<DemoRequest> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for domain in DOMAINS {
        for half in &domain.halves {
            for (at, template) in half.templates.iter().enumerate() {
                let made = (0..MOST_TRIES).map(|n| make(domain.name, half, at, template, n));
                all.extend(made.filter(|request| seen.insert(request.prompt.clone())).take(PER_TEMPLATE));
            }
        }
    }
    all
}

/// A domain's templates in both languages.
struct Domain {
    name: &'static str,
    halves: [Half; 2],
}

/// A domain in one language.
struct Half {
    lang: &'static str,
    pools: &'static [Pool],
    templates: &'static [Template],
}

/// Name, what the last filler adds to the difficulty (the first adds nothing), fillers from everyday to rare.
type Pool = (&'static str, f64, &'static [&'static str]);

/// Subject, difficulty, usual length of the answer in tokens, text with slots.
///
/// A slot is `‹pool›`, always the same filler within a request; `‹pool'›`, another one of that pool; or `‹3-40›`, a
/// whole number of that range, drawn anew each time.
type Template = (&'static str, f64, u32, &'static str);

/// The order is the order of the requests.
const DOMAINS: [&Domain; 11] = [
    &retail::RETAIL,
    &logistics::LOGISTICS,
    &health::HEALTH,
    &finance::FINANCE,
    &travel::TRAVEL,
    &education::EDUCATION,
    &law::LAW,
    &insurance::INSURANCE,
    &coding::CODING,
    &maths::MATHS,
    &general::GENERAL,
];

/// Requests of each template.
const PER_TEMPLATE: usize = 24;

/// Draws in which a template must find its requests; a template with few fillers yields fewer.
const MOST_TRIES: usize = 400;

fn make(domain: &'static str, half: &Half, at: usize, template: &Template, n: usize) -> DemoRequest {
    let id = format!("{domain}-{}-{at:02}-{n:03}", half.lang);
    let &(subject, base, tokens, text) = template;
    let mut filling = Filling { draws: Draws::of(&[&id]), pools: half.pools, chosen: Vec::new(), added: 0.0 };
    let body = filling.fill(text);
    let (prompt, asked, length) = frames::framed(half.lang, body, &mut filling.draws);
    DemoRequest {
        id,
        domain,
        subject,
        lang: half.lang,
        prompt,
        difficulty: (base + filling.added + asked).clamp(0.02, 0.98),
        output_tokens_hint: ((f64::from(tokens) * length) as u32).max(8),
    }
}

/// A template while its slots are filled.
struct Filling {
    draws: Draws,
    pools: &'static [Pool],
    /// Slot and the position of its filler.
    chosen: Vec<(&'static str, usize)>,
    /// Difficulty that the fillers add.
    added: f64,
}

impl Filling {
    fn fill(&mut self, text: &'static str) -> String {
        let mut out = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('‹') {
            let (slot, after) = after.split_once('›').expect("a slot of a template is closed");
            out.push_str(before);
            match range(slot) {
                Some((low, high)) => out.push_str(&(low + self.draws.below(high - low + 1)).to_string()),
                None => out.push_str(self.filler(slot)),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The filler of a named slot; `‹pool›` and `‹pool'›` differ.
    fn filler(&mut self, slot: &'static str) -> &'static str {
        let name = slot.trim_end_matches('\'');
        let pool = self.pools.iter().find(|pool| pool.0 == name);
        let &(_, spread, fillers) = pool.expect("a slot of a template names a pool of its language");
        if let Some(&(_, at)) = self.chosen.iter().find(|(filled, _)| *filled == slot) {
            return fillers[at];
        }
        let taken = |at: &usize| {
            self.chosen.iter().any(|(filled, a)| filled.trim_end_matches('\'') == name && a == at)
        };
        let free: Vec<usize> = (0..fillers.len()).filter(|at| !taken(at)).collect();
        let at = free[self.draws.below(free.len())];
        self.chosen.push((slot, at));
        self.added += spread * at as f64 / (fillers.len() - 1) as f64;
        fillers[at]
    }
}

/// `3-40` as its ends, the second one at least the first.
fn range(slot: &str) -> Option<(usize, usize)> {
    let (low, high) = slot.split_once('-')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

#[cfg(test)]
mod tests;
