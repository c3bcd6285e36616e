//! From a request to its decision: needs, signals, quotes, plan. Sends nothing, so `explain` is the same code.

use crate::app::App;
use crate::error::{Fault, FaultCode, Retry};
use crate::lane::retry_ms;
use crate::live::{Live, Rules};
use crate::needs;
use crate::observe::Span;
use crate::prefix::prefix;
use crate::request::Request;
use crate::tenants;
use sluice_router::{
    Ask, Decision, HedgeBudget, NanoUsd, Needs, NoRoute, PoolState, Prefix, Reason, Receipt, Route, Signals,
    Step, Tick,
};
use std::sync::Arc;
use uuid::Uuid;

/// A decision with what it was made from.
pub(crate) struct Chosen {
    /// Configuration and model that it was made by.
    pub(crate) live: Arc<Live>,
    /// The route.
    pub(crate) route: Arc<Route>,
    /// What the request needs.
    pub(crate) needs: Needs,
    /// What its prompt begins with, for replicas that may have it in their caches.
    pub(crate) prefix: Prefix,
    /// What the route may spend on second tries; `None` when it hedges none.
    pub(crate) hedges: Option<Arc<HedgeBudget>>,
    /// What its budgets cover; `None` when none bounds it.
    pub(crate) budget: Option<NanoUsd>,
    /// What is stored.
    pub(crate) receipt: Box<Receipt>,
    /// Time for features and classification.
    pub(crate) classify_us: u64,
    /// Time from text in memory to the decision.
    pub(crate) decide_us: u64,
}

impl Chosen {
    /// The plan.
    pub(crate) fn decision(&self) -> &Decision {
        &self.receipt.decision
    }

    /// Tokens that the request is expected to use: its prompt, and what the first expert is expected to answer.
    pub(crate) fn expected_tokens(&self) -> u64 {
        let first = self.decision().steps[0].expert;
        let output = self.decision().quotes.iter().find(|quote| quote.expert == first);
        let output = output.map_or(0.0, |quote| quote.output_tokens.ceil());
        u64::from(self.needs.prompt_tokens) + output as u64 // at most an answer's bound, and never below 0
    }

    /// The most that a try may cost.
    pub(crate) fn worst(&self, step: &Step) -> NanoUsd {
        let quotes = &self.decision().quotes;
        quotes.iter().find(|quote| quote.expert == step.expert).map(|quote| quote.worst).unwrap_or_default()
    }

    /// Whether the answer of a step would be allowed to be longer if its budgets covered more.
    pub(crate) fn is_cut_by_budget(&self, step: &Step) -> bool {
        let Some(budget) = self.budget else { return false };
        let expert = &self.live.rules.snapshot.fleet.experts[step.expert];
        let longest = expert.max_output_tokens;
        let asked = self.needs.max_output_tokens.unwrap_or(longest).min(longest);
        let output = step.max_output_tokens.saturating_add(1);
        output <= asked && expert.price.worst(self.needs.prompt_bytes, output) > budget
    }

    /// The name of an expert of the fleet.
    pub(crate) fn expert_name(&self, expert: usize) -> &str {
        &self.live.rules.snapshot.fleet.experts[expert].name
    }

    /// The name of a pool of the fleet.
    pub(crate) fn pool_name(&self, pool: usize) -> &str {
        &self.live.rules.snapshot.fleet.pools[pool].name
    }
}

/// Decides on a request, within what its budgets cover.
///
/// # Errors
/// A wrong request, an unknown model, or nobody who may answer.
pub(crate) fn choose(app: &App, request: &Request, budget: Option<NanoUsd>) -> Result<Box<Chosen>, Fault> {
    let live = app.live();
    let route = live.rules.route(&request.body.model)?.clone();
    tenants::check_policy(request, &route, &live.rules.snapshot.fleet)?;
    let span = Span::route(&route.name);
    let begun = app.clock.now();
    let prefix = prefix(request, &route, &live.lanes);
    let planned = span.in_scope(|| {
        let signals = live.rules.classify(&route, &needs::route_text(&request.body));
        let classified = app.clock.now();
        let pools = live.pool_states(classified, &request.asker(prefix.clone()));
        let receipt =
            plan(&live.rules, &route, Asked { request, budget }, signals, pools, classified, request.id);
        let receipt = receipt.map_err(|fault| match live.cools_for_ms(&route, classified) {
            Some(ms) if fault.code == FaultCode::NoCapacity => Fault { retry: Retry::AfterMs(ms), ..fault },
            _ => fault,
        });
        receipt.map(|receipt| (receipt, classified))
    });
    let (receipt, classified) = planned?;
    let decided = app.clock.now();
    let chosen = Box::new(Chosen {
        needs: receipt.needs.clone(),
        budget,
        prefix,
        hedges: live.hedges.get(&route.name).cloned(),
        receipt: Box::new(receipt),
        classify_us: classified.since_us(begun),
        decide_us: decided.since_us(begun),
        live,
        route,
    });
    let first = chosen.decision().steps[0].expert;
    span.decided(&chosen.receipt.id, chosen.expert_name(first), chosen.decision().propensity);
    Ok(chosen)
}

/// What is decided on.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    /// What its budgets cover; `None` when none bounds it.
    pub(crate) budget: Option<NanoUsd>,
}

/// Quotes and decides, and writes down everything that the decision was made from.
///
/// # Errors
/// Nobody may answer.
pub(crate) fn plan(
    rules: &Rules,
    route: &Arc<Route>,
    asked: Asked<'_>,
    signals: Signals,
    pools: Vec<PoolState>,
    now: Tick,
    id: Uuid,
) -> Result<Receipt, Fault> {
    let Asked { request, budget } = asked;
    let mut needs = needs::needs(request, &rules.snapshot.fleet);
    needs.max_cost = [needs.max_cost, budget].into_iter().flatten().min();
    let ask = Ask { fleet: rules.snapshot.fleet.clone(), route: route.clone(), signals, needs, pools };
    let decision = sluice_router::decide(&ask, now, seed(request, route))
        .map_err(|error| no_route(&error, &ask, now))?;
    let Ask { signals, needs, pools, .. } = ask;
    Ok(Receipt {
        id: id.to_string(),
        route: route.name.clone(),
        signals,
        needs,
        pools,
        now,
        decision,
        versions: rules.versions.clone(),
    })
}

/// The client's seed, else the random half of the request's id. Where the route explores it is always the latter: a
/// client that always sends the same seed would always or never explore, and the logged propensity would be untrue.
fn seed(request: &Request, route: &Route) -> u64 {
    let drawn = request.id.as_u64_pair().1;
    let asked = request.body.seed.filter(|_| route.explore == 0.0);
    asked.map_or(drawn, |seed| seed.cast_unsigned())
}

/// Nobody may answer: the reason that is nearest to mending decides what the client is told.
fn no_route(error: &NoRoute, ask: &Ask, now: Tick) -> Fault {
    let any = |wanted: fn(&Reason) -> bool| error.reasons.iter().flat_map(|(_, reason)| reason).any(wanted);
    let detail = error.to_string();
    if error.reasons.iter().any(|(_, reason)| reason.is_none()) {
        return Fault::passing(FaultCode::NoCapableExpert, 1_000, detail);
    }
    if any(|reason| matches!(reason, Reason::Down)) {
        return Fault::passing(FaultCode::NoCapacity, 1_000, detail);
    }
    if any(|reason| matches!(reason, Reason::Deadline)) {
        return too_late(ask, now, detail);
    }
    let code = if any(|reason| matches!(reason, Reason::MaxCost)) {
        FaultCode::CostBound
    } else if any(|reason| matches!(reason, Reason::Context)) {
        FaultCode::ContextLengthExceeded
    } else if any(|reason| matches!(reason, Reason::Feature(_))) {
        FaultCode::UnsupportedParameter
    } else if any(|reason| matches!(reason, Reason::Residency | Reason::Privacy)) {
        FaultCode::ResidencyViolation
    } else if any(|reason| matches!(reason, Reason::NotAllowed)) {
        FaultCode::ModelNotAllowed
    } else {
        FaultCode::NoCapableExpert
    };
    Fault::new(code, detail)
}

/// No line is short enough for the deadline: one that has passed is no line's fault, any other may be made later.
fn too_late(ask: &Ask, now: Tick, detail: String) -> Fault {
    let left_ms = ask.needs.deadline.map_or(0.0, |deadline| deadline.since_ms(now));
    if left_ms <= 0.0 {
        return Fault::new(FaultCode::DeadlineExceeded, detail);
    }
    let waits = ask.pools.iter().filter(|pool| pool.replicas_up > 0).map(|pool| pool.wait_ms() - left_ms);
    let shortest_ms = waits.filter(|ms| *ms > 0.0).min_by(f64::total_cmp).unwrap_or(0.0);
    Fault::passing(FaultCode::DeadlineUnreachable, retry_ms(shortest_ms), detail)
}
