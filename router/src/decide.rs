//! The one entry: an ask, the time and a seed make a decision, the same one every time.

use crate::ask::Ask;
use crate::decision::{ChosenBy, Decision, MAX_STEPS, Step, Trigger};
use crate::mix::mix;
use crate::policy::{self, Ranking};
use crate::price::NanoUsd;
use crate::quote::{self, Quote, Reason};
use crate::time::Tick;

/// Chooses a plan: the cheapest expert that the route's certificate allows, then where else to go if that fails.
///
/// # Errors
/// [`NoRoute`] when no expert of the route may answer.
pub fn decide(ask: &Ask, now: Tick, seed: u64) -> Result<Decision, NoRoute> {
    let quotes: Vec<Quote> = ask.route.experts.iter().map(|&expert| quote::quote(ask, expert, now)).collect();
    let Some(mut ranking) = policy::rank(ask, &quotes) else {
        return Err(NoRoute::from_quotes(ask, &quotes));
    };
    let propensity = explore(ask.route.explore, seed, &mut ranking);
    let steps = plan(ask, &quotes, &ranking);
    let worst =
        |step: &Step| quotes.iter().find(|quote| quote.expert == step.expert).map(|quote| quote.worst);
    let ceiling = steps.iter().filter_map(worst).max().unwrap_or(NanoUsd::ZERO);
    Ok(Decision { steps, ceiling, quotes, propensity, chosen_by: ranking.chosen_by, seed })
}

/// Nobody may answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no expert of the route may answer: {}", self.summary())]
pub struct NoRoute {
    /// Each expert of the route with its reason; one that is eligible but uncertified has none.
    pub reasons: Vec<(String, Option<Reason>)>,
}

impl NoRoute {
    fn from_quotes(ask: &Ask, quotes: &[Quote]) -> NoRoute {
        let named = |quote: &Quote| (ask.fleet.experts[quote.expert].name.clone(), quote.reason.clone());
        NoRoute { reasons: quotes.iter().map(named).collect() }
    }

    fn summary(&self) -> String {
        let told = self.reasons.iter().take(SUMMARY_EXPERTS).map(|(name, reason)| match reason {
            Some(reason) => format!("{name} {reason}"),
            None => format!("{name} is not certified for the floor"),
        });
        let mut told: Vec<String> = told.collect();
        if self.reasons.len() > SUMMARY_EXPERTS {
            told.push(format!("and {} more", self.reasons.len() - SUMMARY_EXPERTS));
        }
        if told.is_empty() { "the route has no experts".to_owned() } else { told.join("; ") }
    }
}

/// With probability `share`, puts a uniformly drawn certified expert first. Returns the propensity of the first.
fn explore(share: f64, seed: u64, ranking: &mut Ranking) -> f64 {
    if ranking.certified < 2 || share <= 0.0 {
        return 1.0;
    }
    let each = share / ranking.certified as f64;
    let draw = unit(seed);
    if draw >= share {
        return 1.0 - share + each;
    }
    let drawn = ((draw / each) as usize).min(ranking.certified - 1);
    if drawn == 0 {
        return 1.0 - share + each;
    }
    let chosen = ranking.order.remove(drawn);
    ranking.order.insert(0, chosen);
    ranking.chosen_by = ChosenBy::Exploration;
    each
}

/// The best expert's pools, then the others' best pools, in the order of the ranking.
fn plan(ask: &Ask, quotes: &[Quote], ranking: &Ranking) -> Vec<Step> {
    let mut steps = Vec::with_capacity(MAX_STEPS);
    for &(at, floor_held) in &ranking.order {
        let quote = &quotes[at];
        for pool in pools(ask, quote, steps.is_empty()) {
            let trigger = if steps.is_empty() { Trigger::First } else { Trigger::Elsewhere };
            let max_output_tokens = quote.max_output_tokens;
            steps.push(Step { expert: quote.expert, pool, max_output_tokens, trigger, floor_held });
            if steps.len() == MAX_STEPS {
                return steps;
            }
        }
    }
    steps
}

/// The quote's pool, and for the first choice the expert's other pools that are up too.
fn pools(ask: &Ask, quote: &Quote, all: bool) -> Vec<usize> {
    let mut pools: Vec<usize> = quote.pool.into_iter().collect();
    if all {
        let up = |&pool: &usize| Some(pool) != quote.pool && ask.pools[pool].replicas_up > 0;
        pools.extend(ask.fleet.pools_of(quote.expert).filter(up));
    }
    pools
}

/// A number in [0, 1) from a seed: the upper 53 bits of its mix.
fn unit(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// How many experts an error names before it only counts.
const SUMMARY_EXPERTS: usize = 3;

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
