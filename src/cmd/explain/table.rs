//! The decision as text, at most a hundred columns wide.

use super::story::Story;
use super::width::{fit, wrapped};
use super::{certificate, moves, place};
use sluice_router::{ChosenBy, Flip, Placed, Quote, Share};

/// The whole story; `all` shows what moved every expert.
pub(super) fn table(story: &Story, all: bool) -> String {
    let mut lines = head(story);
    lines.extend(certificate::lines(story).iter().flat_map(|line| wrapped(line)));
    lines.push(String::new());
    lines.extend(quotes(story));
    lines.extend(place::lines(story));
    lines.push(String::new());
    lines.extend(plan(story));
    lines.extend(flips(story).iter().flat_map(|line| wrapped(line)));
    lines.extend(moves::lines(story, all));
    lines.join("\n")
}

fn head(story: &Story) -> Vec<String> {
    let receipt = story.receipt;
    let signals = &receipt.signals;
    let mut lines = vec![format!("decision {}   route {}", receipt.id, receipt.route)];
    lines.push(format!(
        "domain {}{}   language {}   prompt about {} tokens",
        shares(&signals.domains),
        signals.p_out_of_scope.map_or_else(String::new, |p| format!(", none of these ({p:.2})")),
        shares(&signals.languages[..signals.languages.len().min(1)]),
        receipt.needs.prompt_tokens
    ));
    let told: Vec<String> = story
        .placed
        .iter()
        .enumerate()
        .filter(|(_, at)| at.p >= LEAST_PLACE && predicts(story, at))
        .map(place)
        .collect();
    if !told.is_empty() {
        lines.extend(wrapped(&format!("looks like {}", told.join("; "))));
    }
    lines
}

/// Whether the panel predicts any of the route's experts; the others play no part.
fn predicts(story: &Story, place: &Placed) -> bool {
    let quotes = &story.receipt.decision.quotes;
    quotes.iter().any(|quote| place.experts.iter().any(|name| name == story.name(quote.expert)))
}

fn place((at, place): (usize, &Placed)) -> String {
    let name = if place.panel.is_empty() { format!("panel {}", at + 1) } else { place.panel.clone() };
    let likely = place.subjects.iter().filter(|(_, p)| *p >= LEAST_SHARE).take(SHOWN_SHARES);
    let named =
        likely.map(|(name, p)| format!("{} ({p:.2})", if name.is_empty() { "rare subjects" } else { name }));
    let (named, rows) = (named.collect::<Vec<_>>().join(", "), place.rows);
    format!("{name} ({:.2}; {rows} rows of {} experts), there {named}", place.p, place.experts.len())
}

/// The likeliest of a list.
fn shares(list: &[Share]) -> String {
    let likely =
        list.iter().enumerate().filter(|(at, share)| *at == 0 || share.p >= LEAST_SHARE).take(SHOWN_SHARES);
    let told: Vec<String> = likely.map(|(_, share)| format!("{} ({:.2})", share.name, share.p)).collect();
    if told.is_empty() { "unknown".to_owned() } else { told.join(", ") }
}

/// One line for each expert by rising cost, then why some may not answer.
fn quotes(story: &Story) -> Vec<String> {
    let mut quotes: Vec<&Quote> = story.receipt.decision.quotes.iter().collect();
    quotes.sort_by_key(|quote| quote.cost);
    let mut lines = vec![format!(
        "  {} {:>6} {:>6} {:>12} {:>12} {:>7}  verdict",
        fit("expert", NAME),
        "P",
        "lower",
        "cost USD",
        "worst USD",
        "wait ms"
    )];
    lines.extend(quotes.iter().map(|quote| row(story, quote)));
    let refused = quotes.iter().filter_map(|quote| Some((quote, quote.reason.as_ref()?)));
    lines.extend(refused.map(|(quote, reason)| format!("  {} {reason}", story.name(quote.expert))));
    lines.extend(quotes.iter().filter_map(|quote| shadow(story, quote)).flat_map(|line| wrapped(&line)));
    lines
}

/// What counts of the price of one on GPUs of one's own, and why.
fn shadow(story: &Story, quote: &Quote) -> Option<String> {
    let (share, pool) = (quote.shadow?, story.receipt.pools.get(quote.pool?)?);
    Some(format!(
        "  {}: own GPUs at {:.0} % of their load, so that a share of {share:.2} of its price counts in the choice",
        story.name(quote.expert),
        pool.load() * 100.0
    ))
}

fn row(story: &Story, quote: &Quote) -> String {
    let is_chosen = story.chosen() == quote.expert;
    let is_reference = story.route().is_some_and(|route| route.reference == quote.expert);
    let verdict = match (&quote.reason, is_chosen) {
        (Some(_), _) => "may not",
        (None, true) => "chosen",
        (None, false) => "may",
    };
    let more = [(is_reference, ", reference"), (!quote.graded, ", no grades")];
    let more: String = more.iter().filter(|(holds, _)| *holds).map(|(_, text)| *text).collect();
    format!(
        "{} {} {:>6.3} {:>6.3} {:>12} {:>12} {:>7.1}  {verdict}{more}",
        if is_chosen { ">" } else { " " },
        fit(story.name(quote.expert), NAME),
        quote.p_capable,
        quote.p_lower,
        quote.cost.to_string(),
        quote.worst.to_string(),
        quote.wait_ms
    )
}

fn plan(story: &Story) -> Vec<String> {
    let decision = &story.receipt.decision;
    let mut lines = vec![format!("chosen: {} ({})", story.name(story.chosen()), why(decision.chosen_by))];
    for step in &decision.steps[1..] {
        let floor = if step.floor_held { "" } else { ", floor not held" };
        lines.push(format!("if that fails: {}{floor}", story.name(step.expert)));
    }
    lines.push(format!("propensity {}   costs at most {} USD", decision.propensity, decision.ceiling));
    lines
}

/// What other floors would have chosen.
fn flips(story: &Story) -> Vec<String> {
    let Some(flips) = story.flips else { return vec![] };
    let at = |flip: Flip, side: &str| {
        let why = if flip.certified { "" } else { " (nothing is certified there, so the reference answers)" };
        format!("a floor of {:.2} or {side} would choose {}{why}", flip.floor, story.name(flip.expert))
    };
    let none = |from: f64, to: f64| format!("no floor from {from:.2} to {to:.2} would choose another");
    let floor = story.route().map_or(1.0, |route| route.quality_floor);
    match (flips.below, flips.above) {
        (None, None) => vec![none(flips.from, 1.0)],
        (below, above) => vec![
            below.map_or_else(|| none(flips.from, floor), |flip| at(flip, "lower")),
            above.map_or_else(|| none(floor, 1.0), |flip| at(flip, "higher")),
        ],
    }
}

fn why(chosen_by: ChosenBy) -> &'static str {
    match chosen_by {
        ChosenBy::Certificate => "the cheapest that the certificate allows",
        ChosenBy::Pinned => "the client named it",
        ChosenBy::Rule => "the client's domain or a keyword named it",
        ChosenBy::Reference => "the reference: nothing cheaper is certified",
        ChosenBy::Exploration => "drawn to explore, within the certified set",
        ChosenBy::Degraded => "the best that is available; the floor is not held",
    }
}

/// Less is not worth a word.
const LEAST_SHARE: f64 = 0.05;
const SHOWN_SHARES: usize = 3;
/// A panel that the prompt looks less like hardly counts.
const LEAST_PLACE: f64 = 0.1;
/// Columns of an expert's name.
const NAME: usize = 28;
