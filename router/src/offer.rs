//! Where an expert would answer a request, when, and what that is worth: cost, time and risk as one sum of money.
//!
//! `cost + latency x (wait + TTFT + tokens x TPOT) + miss x (P(SLO missed) + others that miss it by this one)`, the least
//! over the replicas of the expert's pools. TTFT alone would not do: under overload decoding slows first. The cost on GPUs of one's own is not what will be
//! charged but what the request takes from others: the price at full load times [`shadow_share`].

use crate::ask::Ask;
use crate::fleet::{PoolState, ReplicaState};
use crate::objective::{Objective, Slo};
use crate::price::{NanoUsd, Price, shadow_share};
use crate::speed::{Newcomer, Pace, Speed};

/// What one replica offers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Offer {
    /// As an index into the fleet.
    pub(crate) pool: usize,
    /// As an index into the pool's; `None` where replicas aren't told of.
    pub(crate) replica: Option<usize>,
    /// Time in line.
    pub(crate) wait_ms: f64,
    /// Dispatch to first token.
    pub(crate) ttft_ms: f64,
    /// What 95 of 100 times to the first token stay below.
    pub(crate) ttft_p95_ms: f64,
    /// Each token after that.
    pub(crate) tpot_ms: f64,
    /// Until the answer is complete, the wait included.
    pub(crate) total_ms: f64,
    /// Tokens of the prompt that need no work.
    pub(crate) hit_tokens: u32,
    /// Probability that the route's SLO is missed; 0 without one.
    pub(crate) p_miss: f64,
    /// How many of those who are there miss it because of this request.
    pub(crate) harmed: f64,
    /// On GPUs of one's own: what the request takes from others, as a share of its price.
    pub(crate) shadow: Option<f64>,
    /// The route's objective: with all of it in view the sum, in nano-USD.
    pub(crate) money: f64,
}

/// What is asked of whoever offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Expected cost without cached tokens.
    pub(crate) cost: NanoUsd,
    /// What the expert charges.
    pub(crate) price: &'a Price,
    /// Expected tokens of the answer.
    pub(crate) output: f64,
}

/// The best offer among the expert's pools that are up; the first of equals.
pub(crate) fn best(ask: &Ask, expert: usize, wanted: Wanted<'_>) -> Option<Offer> {
    let up = ask.fleet.pools_of(expert).filter(|&pool| ask.pools[pool].replicas_up > 0);
    let offers = up.flat_map(|pool| of_pool(ask, pool, wanted));
    offers.min_by(|a, b| a.money.total_cmp(&b.money))
}

/// What a pool's replicas offer: those with room if there are any and nobody waits, else all, after the wait.
fn of_pool(ask: &Ask, at: usize, wanted: Wanted<'_>) -> Vec<Offer> {
    let pool = &ask.pools[at];
    let Some(speed) = pool.speed.as_ref().filter(|_| !pool.replicas.is_empty()) else {
        let pace = Pace { ttft_ms: pool.ttft_ms, tpot_ms: pool.tpot_ms };
        return vec![judge(
            ask,
            wanted,
            Offer { pool: at, wait_ms: pool.wait_ms(), ..Offer::default() },
            pace,
            None,
        )];
    };
    let is_open = |replica: &ReplicaState| replica.is_up && replica.in_flight < replica.limit;
    let must_wait = pool.queued > 0 || !pool.replicas.iter().any(is_open);
    let candidates = pool
        .replicas
        .iter()
        .enumerate()
        .filter(|(_, replica)| if must_wait { replica.is_up } else { is_open(replica) });
    let prompt = f64::from(ask.needs.prompt_tokens);
    let offer = |(number, replica): (usize, &ReplicaState)| {
        // Blocks are counted by bytes, prompts by words: neither may be worth more than the whole.
        let hit_tokens = replica.hit_tokens.min(ask.needs.prompt_tokens.saturating_sub(1));
        let pace = speed.pace(replica, prompt, (prompt - f64::from(hit_tokens)).max(1.0), wanted.output);
        let wait_ms = if must_wait { wait_ms(pool, pace, wanted.output) } else { 0.0 };
        let place = Offer { pool: at, replica: Some(number), wait_ms, hit_tokens, ..Offer::default() };
        judge(ask, wanted, place, pace, Some(speed))
    };
    candidates.map(offer).collect()
}

/// Time in line; until the first answers are in, they are taken to be like this one.
fn wait_ms(pool: &PoolState, pace: Pace, output: f64) -> f64 {
    if pool.service_ms > 0.0 {
        return pool.wait_ms();
    }
    PoolState { service_ms: pace.ttft_ms + output * pace.tpot_ms, ..pool.clone() }.wait_ms()
}

/// Puts the money to a place and its pace.
fn judge(ask: &Ask, wanted: Wanted<'_>, place: Offer, pace: Pace, speed: Option<&Speed>) -> Offer {
    let route = &ask.route;
    let total_ms = place.wait_ms + pace.ttft_ms + wanted.output * pace.tpot_ms;
    let p_miss = match (&route.slo, speed) {
        (Some(slo), Some(speed)) => p_miss(slo, speed, place.wait_ms, pace, wanted.output),
        _ => 0.0,
    };
    let harmed = speed.map_or(0.0, |speed| harmed(ask, speed, &place, wanted.output));
    let saved = f64::from(place.hit_tokens) * (wanted.price.input - wanted.price.cached_input) as f64 / 1e6;
    let miss = route.slo.as_ref().map_or(0.0, |slo| slo.miss.0 as f64);
    let shadow = wanted.price.is_own().then(|| shadow_share(ask.pools[place.pool].load()));
    let money = match route.objective {
        Objective::Joint => {
            let cost = (wanted.cost.0 as f64 - saved) * shadow.unwrap_or(1.0);
            cost + route.latency_per_s.0 as f64 * total_ms / 1e3 + miss * (p_miss + harmed)
        }
        Objective::Price => wanted.cost.0 as f64,
        Objective::Wait => place.wait_ms + pace.ttft_ms,
    };
    // To the price all replicas are alike: which one it is is left to the balancer.
    let replica = place.replica.filter(|_| route.objective != Objective::Price);
    let ttft_p95_ms = speed.map_or(pace.ttft_ms, |speed| speed.ttft_p95_ms(pace.ttft_ms));
    Offer {
        ttft_ms: pace.ttft_ms,
        ttft_p95_ms,
        tpot_ms: pace.tpot_ms,
        total_ms,
        p_miss,
        harmed,
        shadow,
        money,
        replica,
        ..place
    }
}

/// How many of those who are on the place's replica miss the route's SLO because of this request.
///
/// Only their tokens after the first count: first tokens are worked on in the order in which requests came.
fn harmed(ask: &Ask, speed: &Speed, place: &Offer, output: f64) -> f64 {
    let limit_ms = ask.route.slo.as_ref().and_then(|slo| slo.tpot_ms);
    let replica = place.replica.and_then(|at| ask.pools[place.pool].replicas.get(at));
    let (Some(limit_ms), Some(replica)) = (limit_ms, replica) else { return 0.0 };
    let prompt = f64::from(ask.needs.prompt_tokens);
    let uncached = (prompt - f64::from(place.hit_tokens)).max(1.0);
    speed.harmed(replica, Newcomer { prompt, uncached, output }, limit_ms)
}

/// The probability that the first token or the tokens after it are late.
fn p_miss(slo: &Slo, speed: &Speed, wait_ms: f64, pace: Pace, output: f64) -> f64 {
    let first = slo.ttft_ms.map_or(0.0, |limit| speed.p_ttft_above(wait_ms + pace.ttft_ms, limit));
    let has_more = output > 1.0;
    let rest = slo.tpot_ms.filter(|_| has_more).map_or(0.0, |limit| speed.p_tpot_above(pace.tpot_ms, limit));
    1.0 - (1.0 - first) * (1.0 - rest)
}
