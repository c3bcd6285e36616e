//! Which experts a route allows for one request, and which of them it prefers.

use crate::ask::Ask;
use crate::certificate::Certificate;
use crate::decision::ChosenBy;
use crate::fleet::Kind;
use crate::objective::Route;
use crate::quote::{self, Quote};

/// The experts that may answer, best first, each with whether its answer keeps the route's floor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranking {
    /// Positions in the list of quotes.
    pub(crate) order: Vec<(usize, bool)>,
    /// How many of the first ones the certificate allows equally; exploration draws among them.
    pub(crate) certified: usize,
    /// Why the first one is first.
    pub(crate) chosen_by: ChosenBy,
}

/// Ranks the eligible quotes; `None` when nobody may answer.
pub(crate) fn rank(ask: &Ask, quotes: &[Quote]) -> Option<Ranking> {
    let route = &*ask.route;
    if route.pinned {
        return first_eligible(quotes).map(|at| Ranking::alone(at, ChosenBy::Pinned));
    }
    let mut ranking = match applicable(ask) {
        Some(certificate) => certified(quotes, certificate.lambda),
        // Whoever asks for more than is certified has no use for an expert that nothing speaks for.
        None if asks_for_more(ask) => Ranking::none(),
        None => by_rule(ask, quotes),
    };
    append_reference(route, quotes, &mut ranking);
    if route.when_none == crate::objective::WhenNone::Degrade {
        append_degraded(quotes, &mut ranking);
    }
    (!ranking.order.is_empty()).then_some(ranking)
}

/// The certificate for the request's domain, unless the client asks for more than it promises.
pub(crate) fn applicable(ask: &Ask) -> Option<&Certificate> {
    let asked = ask.needs.floor.unwrap_or(0.0);
    let (_, certificate) = ask.route.promise(&ask.needs, &ask.signals);
    certificate.filter(|certificate| asked <= certificate.floor)
}

/// Whether more is asked than grades speak for: by the client's floor, or by the floor of the request's domain.
fn asks_for_more(ask: &Ask) -> bool {
    let (floor, _) = ask.route.promise(&ask.needs, &ask.signals);
    let by_domain = ask.route.domain_promise(&ask.needs, &ask.signals).is_some();
    by_domain || ask.needs.floor.is_some_and(|asked| asked > floor)
}

/// The certified choice: the position that maximises `p - lambda * cost`; the cheaper of equals, then the first.
///
/// The certificate was computed with this very function, so it must not look at load.
pub fn certified_choice(offers: impl Iterator<Item = (f64, f64)>, lambda: f64) -> Option<usize> {
    let mut best: Option<(usize, f64, f64)> = None;
    for (at, (p_capable, cost)) in offers.enumerate() {
        let value = p_capable - lambda * cost;
        let wins = best.is_none_or(|(_, top, top_cost)| value > top || (value == top && cost < top_cost));
        if wins {
            best = Some((at, value, cost));
        }
    }
    best.map(|(at, _, _)| at)
}

/// Every expert predicted at least as good as the certified choice keeps the promise; among those, money decides,
/// with time and the risk of a missed SLO at their prices.
///
/// The choice is among all graded experts, as it was when the certificate was computed: one that this request may not
/// have (down, wrong region, too small a context) still sets the bar, or its absence would certify a worse one.
fn certified(quotes: &[Quote], lambda: f64) -> Ranking {
    let graded: Vec<usize> = positions(quotes, |quote| quote.graded);
    let offers = graded.iter().map(|&at| (quotes[at].p_capable, quotes[at].cost.0 as f64));
    let bar = certified_choice(offers, lambda).map(|at| quotes[graded[at]].p_capable);
    let keeps = |quote: &Quote| quote.graded && bar.is_some_and(|bar| quote.p_capable >= bar);
    let mut allowed = positions(quotes, |quote| quote.is_eligible() && keeps(quote));
    allowed.sort_by(|&a, &b| quotes[a].money.total_cmp(&quotes[b].money));
    Ranking {
        certified: allowed.len(),
        order: allowed.into_iter().map(|at| (at, true)).collect(),
        chosen_by: ChosenBy::Certificate,
    }
}

/// Without a certificate, a vertical expert gets a request only by the client's word or a keyword.
fn by_rule(ask: &Ask, quotes: &[Quote]) -> Ranking {
    let named = |quote: &Quote| {
        let expert = &ask.fleet.experts[quote.expert];
        let by_domain = ask.needs.domain.as_ref().is_some_and(|domain| expert.domains.contains(domain));
        let by_keyword = ask.needs.domain.is_none() && ask.needs.keyword_experts.contains(&quote.expert);
        expert.kind == Kind::Vertical && (by_domain || by_keyword) && quote::speaks(ask, expert)
    };
    let mut fitting = positions(quotes, |quote| quote.is_eligible() && named(quote));
    fitting.sort_by(|&a, &b| quotes[a].money.total_cmp(&quotes[b].money));
    Ranking {
        certified: 0,
        order: fitting.into_iter().map(|at| (at, true)).collect(),
        chosen_by: ChosenBy::Rule,
    }
}

/// The reference always keeps its own floor, so it follows whatever was preferred.
fn append_reference(route: &Route, quotes: &[Quote], ranking: &mut Ranking) {
    let is_reference = |quote: &Quote| quote.expert == route.reference && quote.is_eligible();
    if let Some(at) = quotes.iter().position(is_reference) {
        ranking.append(at, true, ChosenBy::Reference);
    }
}

/// Whoever is left, most capable first: better than no answer where the operator says so.
fn append_degraded(quotes: &[Quote], ranking: &mut Ranking) {
    let mut left = positions(quotes, Quote::is_eligible);
    left.sort_by(|&a, &b| quotes[b].p_capable.total_cmp(&quotes[a].p_capable));
    for at in left {
        ranking.append(at, false, ChosenBy::Degraded);
    }
}

fn first_eligible(quotes: &[Quote]) -> Option<usize> {
    quotes.iter().position(Quote::is_eligible)
}

fn positions(quotes: &[Quote], wanted: impl Fn(&Quote) -> bool) -> Vec<usize> {
    (0..quotes.len()).filter(|&at| wanted(&quotes[at])).collect()
}

impl Ranking {
    /// Nobody is preferred.
    fn none() -> Ranking {
        Ranking { order: Vec::new(), certified: 0, chosen_by: ChosenBy::Reference }
    }

    fn alone(at: usize, chosen_by: ChosenBy) -> Ranking {
        Ranking { order: vec![(at, true)], certified: 0, chosen_by }
    }

    /// Adds `at` unless it is there; it explains the choice if it comes first.
    fn append(&mut self, at: usize, floor_held: bool, chosen_by: ChosenBy) {
        if self.order.iter().any(|&(there, _)| there == at) {
            return;
        }
        if self.order.is_empty() {
            self.chosen_by = chosen_by;
        }
        self.order.push((at, floor_held));
    }
}
