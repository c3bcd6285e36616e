//! One expert's offer for one request: how likely, how dear, how long, and whether it may have it at all.

use crate::ask::Ask;
use crate::fleet::{Expert, Kind, OutOfDomain};
use crate::offer::{self, Offer, Wanted};
use crate::price::{NanoUsd, Price};
use crate::signals::ExpertSignal;
use crate::time::Tick;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One expert's offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// The expert, as an index into the fleet.
    pub expert: usize,
    /// Its best pool that is up, as an index into the fleet.
    pub pool: Option<usize>,
    /// Probability that it answers well enough; the declared prior for an expert without grades.
    pub p_capable: f64,
    /// Lower bound of that probability; 0 for an expert without grades.
    pub p_lower: f64,
    /// True when `p_capable` comes from graded outcomes rather than from declarations.
    pub graded: bool,
    /// Expected cost.
    pub cost: NanoUsd,
    /// Cost if the prompt has as many tokens as bytes and the answer is as long as it may be.
    pub worst: NanoUsd,
    /// Most output tokens that the request may use here.
    pub max_output_tokens: u32,
    /// Expected tokens of the answer.
    #[serde(default)]
    pub output_tokens: f64,
    /// The replica of that pool which the offer is made for; its line chooses again when the request really goes.
    #[serde(default)]
    pub replica: Option<usize>,
    /// Expected wait in line.
    pub wait_ms: f64,
    /// Expected time from dispatch to the first token.
    #[serde(default)]
    pub ttft_ms: f64,
    /// What 95 of 100 times to the first token stay below.
    #[serde(default)]
    pub ttft_p95_ms: f64,
    /// Expected time for each token after that.
    #[serde(default)]
    pub tpot_ms: f64,
    /// Expected time until the answer is complete, the wait included.
    pub total_ms: f64,
    /// Tokens of the prompt that the replica has in its cache, by estimate.
    #[serde(default)]
    pub hit_tokens: u32,
    /// The probability that the route's SLO is missed; 0 without one.
    #[serde(default)]
    pub p_miss: f64,
    /// How many of those who are there would miss it because of this request.
    #[serde(default)]
    pub harmed: f64,
    /// On GPUs of one's own: the share of its price that counts in `money`, by the pool's load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<f64>,
    /// What is made least among those that keep the floor: cost, time and the risk of a miss, in nano-USD.
    #[serde(default)]
    pub money: f64,
    /// Why it may not have the request; `None` means eligible.
    pub reason: Option<Reason>,
}

/// Why an expert may not have a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why", content = "what")]
pub enum Reason {
    /// Whoever asks may not use it.
    NotAllowed,
    /// It lacks a feature that the request needs.
    Feature(String),
    /// The prompt doesn't fit its context window.
    Context,
    /// It runs in the wrong region.
    Residency,
    /// It may not see data as private as this.
    Privacy,
    /// It is locked to its domains and the request is outside them.
    Domain,
    /// Even sixteen tokens of its answer may cost more than allowed.
    MaxCost,
    /// Its line alone is longer than the time that is left.
    Deadline,
    /// None of its replicas takes work.
    Down,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotAllowed => f.write_str("may not be used with this key"),
            Reason::Feature(feature) => write!(f, "lacks the feature {feature}"),
            Reason::Context => f.write_str("the prompt doesn't fit its context window"),
            Reason::Residency => f.write_str("runs in a region that the request excludes"),
            Reason::Privacy => f.write_str("may not see data as private as this"),
            Reason::Domain => f.write_str("is locked to its domains, and the request is outside them"),
            Reason::MaxCost => f.write_str("may cost more than the request allows"),
            Reason::Deadline => f.write_str("its line is longer than the time that is left"),
            Reason::Down => f.write_str("has no replica that takes work"),
        }
    }
}

impl Quote {
    /// Whether the expert may have the request, now.
    pub fn is_eligible(&self) -> bool {
        self.reason.is_none()
    }
}

/// What the expert with this index offers for `ask`.
pub(crate) fn quote(ask: &Ask, index: usize, now: Tick) -> Quote {
    let expert = &ask.fleet.experts[index];
    let graded = ask.signals.experts.get(index).copied().flatten();
    let signal = graded.unwrap_or_else(|| declared(ask, expert));
    let longest = expert.max_output_tokens.min(room_for_output(ask, expert));
    let asked = ask.needs.max_output_tokens.unwrap_or(longest).min(longest);
    let max_output_tokens = affordable(ask, expert, asked);
    let output = expected_output(signal.output_tokens, asked);
    let cost = expected_cost(&expert.price, ask.needs.prompt_tokens, output);
    let best = offer::best(ask, index, Wanted { cost, price: &expert.price, output });
    let offer = best.unwrap_or_default();
    let granted = max_output_tokens.unwrap_or(asked);
    Quote {
        expert: index,
        pool: best.map(|offer| offer.pool),
        p_capable: signal.p_capable,
        p_lower: signal.p_lower,
        graded: graded.is_some(),
        cost,
        worst: expert.price.worst(ask.needs.prompt_bytes, granted),
        max_output_tokens: granted,
        output_tokens: output,
        replica: offer.replica,
        wait_ms: offer.wait_ms,
        ttft_ms: offer.ttft_ms,
        ttft_p95_ms: offer.ttft_p95_ms,
        tpot_ms: offer.tpot_ms,
        total_ms: offer.total_ms,
        hit_tokens: offer.hit_tokens,
        p_miss: offer.p_miss,
        harmed: offer.harmed,
        shadow: offer.shadow,
        money: offer.money,
        reason: forbidden(ask, index)
            .or_else(|| refusal(ask, expert, max_output_tokens))
            .or_else(|| unavailable(ask, best, now)),
    }
}

/// Output tokens that a quote counts with: what is predicted, at most what is `asked`, at least 1.
pub fn expected_output(predicted: f64, asked: u32) -> f64 {
    predicted.min(f64::from(asked)).max(1.0)
}

/// The expected cost of an answer, rounded up to a whole nano-USD; certificates count with the same numbers.
pub fn expected_cost(price: &Price, prompt_tokens: u32, output_tokens: f64) -> NanoUsd {
    NanoUsd(libm::ceil(price.expected(f64::from(prompt_tokens), output_tokens)) as i64)
}

/// The prior for an expert without grades: declared domains are believed a little, and nothing is certified by it.
fn declared(ask: &Ask, expert: &Expert) -> ExpertSignal {
    let at_home = match expert.kind {
        _ if !speaks(ask, expert) => 0.0,
        Kind::General => 1.0,
        Kind::Vertical => share_within(ask, expert),
    };
    let p_capable = PRIOR_ELSEWHERE + at_home * (PRIOR_AT_HOME - PRIOR_ELSEWHERE);
    ExpertSignal { p_capable, p_lower: 0.0, output_tokens: PRIOR_OUTPUT_TOKENS }
}

/// How probably the request belongs to the expert's domains: all or nothing by the client's word or a keyword.
fn share_within(ask: &Ask, expert: &Expert) -> f64 {
    if ask.needs.domain.is_some() || ask.signals.domains.is_empty() {
        return f64::from(u8::from(within_domains(ask, expert)));
    }
    let named = ask.needs.keyword_experts.iter().any(|&at| ask.fleet.experts[at].name == expert.name);
    if named { 1.0 } else { ask.signals.p_within(&expert.domains).min(1.0) }
}

/// What the prompt leaves of the context window: engines refuse a request whose bound goes beyond it.
fn room_for_output(ask: &Ask, expert: &Expert) -> u32 {
    let room = f64::from(expert.context_tokens) - f64::from(ask.needs.prompt_tokens) * CONTEXT_MARGIN;
    (room as u32).max(LEAST_OUTPUT_TOKENS) // below 0 it is 0
}

/// How many of the `asked` output tokens the cost bounds cover; `None` when not even the least useful number.
fn affordable(ask: &Ask, expert: &Expert, asked: u32) -> Option<u32> {
    let bounds = [ask.needs.max_cost, ask.route.max_cost];
    let Some(bound) = bounds.into_iter().flatten().min() else { return Some(asked) };
    let within = |output| expert.price.worst(ask.needs.prompt_bytes, output) <= bound;
    if within(asked) {
        return Some(asked);
    }
    let (mut low, mut high) = (0, asked); // within(low) is assumed, !within(high) is known
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if within(middle) { low = middle } else { high = middle }
    }
    (low >= LEAST_OUTPUT_TOKENS.min(asked) && within(low)).then_some(low)
}

/// Whether whoever asks may not use it.
fn forbidden(ask: &Ask, index: usize) -> Option<Reason> {
    let allowed = ask.needs.allowed_experts.as_ref();
    allowed.is_some_and(|allowed| !allowed.contains(&index)).then_some(Reason::NotAllowed)
}

/// Why the expert may not have the request whatever the load; `None` when it may.
fn refusal(ask: &Ask, expert: &Expert, max_output: Option<u32>) -> Option<Reason> {
    let needs = &ask.needs;
    if let Some(missing) = needs.features.iter().find(|feature| !expert.features.contains(feature)) {
        return Some(Reason::Feature(missing.clone()));
    }
    if f64::from(needs.prompt_tokens) * CONTEXT_MARGIN > f64::from(expert.context_tokens) {
        return Some(Reason::Context);
    }
    let region_allowed = |region: &String| needs.residency.contains(region);
    if !needs.residency.is_empty() && !expert.region.as_ref().is_some_and(region_allowed) {
        return Some(Reason::Residency);
    }
    if expert.privacy < needs.privacy {
        return Some(Reason::Privacy);
    }
    if expert.out_of_domain == OutOfDomain::Refuse && !within_domains(ask, expert) {
        return Some(Reason::Domain);
    }
    max_output.is_none().then_some(Reason::MaxCost)
}

/// Why the expert can't take the request just now; `None` when it can.
fn unavailable(ask: &Ask, offer: Option<Offer>, now: Tick) -> Option<Reason> {
    let Some(Offer { wait_ms, .. }) = offer else { return Some(Reason::Down) };
    let too_late = |deadline: Tick| wait_ms >= deadline.since_ms(now);
    ask.needs.deadline.is_some_and(too_late).then_some(Reason::Deadline)
}

/// Whether the expert declares the request's language, or none, or the language is not known.
pub(crate) fn speaks(ask: &Ask, expert: &Expert) -> bool {
    let language = ask.signals.language().map(|share| &share.name);
    expert.languages.is_empty() || language.is_none_or(|language| expert.languages.contains(language))
}

/// Whether the request belongs to a domain that the expert declares: by the client's word, a keyword, or the model.
pub(crate) fn within_domains(ask: &Ask, expert: &Expert) -> bool {
    if let Some(domain) = &ask.needs.domain {
        return expert.domains.contains(domain);
    }
    let by_keyword =
        ask.needs.keyword_experts.iter().any(|&index| ask.fleet.experts[index].name == expert.name);
    by_keyword || ask.signals.is_inside(&expert.domains)
}

/// P(capable) of an expert that no grades tell of, within its domains and outside them.
const PRIOR_AT_HOME: f64 = 0.5;
const PRIOR_ELSEWHERE: f64 = 0.1;
/// Expected answer length of an expert that no grades tell of, in tokens.
const PRIOR_OUTPUT_TOKENS: f64 = 256.0;
/// An answer shorter than this is of no use, so a cost bound that covers less makes the expert ineligible.
const LEAST_OUTPUT_TOKENS: u32 = 16;
/// Token estimates may be this much too low before a prompt overruns a context window.
const CONTEXT_MARGIN: f64 = 1.3;
