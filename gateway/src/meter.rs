//! Exact money: what each try cost, what the reference would have cost, one settlement for each request.

use crate::app::App;
use crate::edge::http_status;
use crate::error::{Fault, FaultCode};
use crate::foresight::{self, Foresight};
use crate::invariants;
use crate::lane::Lane;
use crate::lease::{Attempt, Ending, Lease};
use crate::observe::{Event, Span};
use crate::record::{Account, AttemptRecord, LedgerEntry, Phase, Record, Settled};
use sluice_router::{NanoUsd, Tick};

/// What a request cost, and what it would have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Money {
    /// All tries together.
    pub(crate) cost: NanoUsd,
    /// The reference's price for the tokens of the try that answered.
    pub(crate) baseline: NanoUsd,
}

/// The money of all tries that have ended.
pub(crate) fn money(lease: &Lease) -> Money {
    let Some(chosen) = &lease.chosen else { return Money::default() };
    let fleet = &chosen.live.rules.snapshot.fleet;
    let reference = &fleet.experts[chosen.route.reference].price;
    let answered = lease.answered();
    Money {
        cost: lease.attempts.iter().map(|attempt| attempt.cost).sum(),
        baseline: answered.map(|attempt| reference.cost(attempt.tokens)).unwrap_or_default(),
    }
}

/// Ends a request: closes what is open, books it, tells it. Returns what it cost. Runs after the answer and is never cut.
pub(crate) async fn settle(app: &App, mut lease: Box<Lease>, fault: Option<Fault>, span: &Span) -> NanoUsd {
    let now = app.clock.now();
    for n in lease.running_all() {
        lease.close(n, Ending::Cut, now);
        tell_attempt(app, &lease);
    }
    lease.settle_pass();
    lease.release();
    lease.attempts.sort_by_key(|attempt| attempt.n);
    let money = money(&lease);
    span.settled(money.cost, money.baseline);
    if let Some(fault) = &fault {
        span.failed(fault.code);
    }
    tell_settled(app, &lease, fault.as_ref(), money, now);
    let settled = settled(app, lease, fault.map(|fault| fault.code), money, now);
    debug_assert_eq!(invariants::check_settled(&settled), Ok(()));
    app.journal.record(Record::Settled(Box::new(settled))).await;
    money.cost
}

fn settled(app: &App, mut lease: Box<Lease>, fault: Option<FaultCode>, money: Money, now: Tick) -> Settled {
    let entries = lease.attempts.iter().flat_map(|attempt| entries(&lease, attempt)).collect();
    let answer = answer(&lease);
    let route = route_name(app, &lease);
    let ended = std::mem::take(&mut lease.attempts);
    let attempts = ended.into_iter().map(|attempt| attempt_record(&lease, attempt)).collect();
    let receipt = lease.chosen.map(|chosen| chosen.receipt);
    let signals = receipt.as_ref().map(|receipt| &receipt.signals);
    let name =
        |share: Option<&sluice_router::Share>| share.map(|share| share.name.clone()).unwrap_or_default();
    Settled {
        request_id: lease.request.id,
        label: lease.request.label,
        at_unix_ms: app.clock.unix_ms(),
        tenant: lease.request.identity.tenant.clone(),
        project: lease.request.identity.project.clone(),
        key: lease.request.identity.key.clone(),
        route,
        front: lease.request.front.name(),
        domain: name(signals.and_then(sluice_router::Signals::domain)),
        language: name(signals.and_then(sluice_router::Signals::language)),
        status: fault.map_or("ok", FaultCode::name),
        expert: answer.expert,
        floor_held: answer.floor_held,
        cost: money.cost,
        baseline: money.baseline,
        ttft_ms: answer.ttft_ms,
        total_ms: now.since_ms(lease.request.received),
        tags: lease.request.hints.tags,
        attempts,
        entries,
        charges: lease.charges,
        receipt,
    }
}

/// The try whose answer the client got, if it got one.
struct Answer {
    /// Who answered; empty when nobody did.
    expert: String,
    floor_held: bool,
    ttft_ms: Option<f64>,
}

fn answer(lease: &Lease) -> Answer {
    let answered = lease.answered();
    let expert = answered.zip(lease.chosen.as_ref());
    Answer {
        expert: expert
            .map(|(attempt, chosen)| chosen.expert_name(attempt.step.expert).to_owned())
            .unwrap_or_default(),
        floor_held: answered.is_none_or(|attempt| attempt.step.floor_held),
        ttft_ms: answered.and_then(|attempt| attempt.ttft_ms),
    }
}

/// The route that was asked for, whether or not anybody may answer on it; empty when the name is unknown.
fn route_name(app: &App, lease: &Lease) -> String {
    match &lease.chosen {
        Some(chosen) => chosen.route.name.clone(),
        None => app
            .live()
            .rules
            .route(&lease.request.body.model)
            .map_or_else(|_| String::new(), |route| route.name.clone()),
    }
}

fn attempt_record(lease: &Lease, attempt: Attempt) -> AttemptRecord {
    let chosen = lease.decided();
    AttemptRecord {
        n: attempt.n,
        expert: chosen.expert_name(attempt.step.expert).to_owned(),
        pool: chosen.pool_name(attempt.step.pool).to_owned(),
        replica: attempt.replica,
        end: attempt.end.name(),
        detail: attempt.detail,
        tokens: attempt.tokens,
        estimated: attempt.estimated,
        cost: attempt.cost,
        wait_ms: attempt.wait_ms,
        ttft_ms: attempt.ttft_ms,
        total_ms: attempt.total_ms,
    }
}

/// The bookings of one try: what is paid for it, and what overran its cap; none of what is nothing.
fn entries<'a>(lease: &'a Lease, attempt: &Attempt) -> impl Iterator<Item = LedgerEntry> + use<'a> {
    let version = lease.chosen.as_ref().map(|chosen| chosen.live.rules.versions.config.as_str());
    let n = attempt.n;
    let payer = if attempt.is_for_client() { Account::Spent } else { Account::Overhead };
    let booked = [(Phase::Settle, payer, attempt.cost), (Phase::Overrun, Account::Overrun, attempt.overrun)];
    booked.into_iter().filter(|(_, _, amount)| *amount > NanoUsd::ZERO).map(move |(phase, debit, amount)| {
        let price_version = version.unwrap_or_default().to_owned();
        LedgerEntry { attempt: n, phase, debit, credit: Account::Funded, amount, price_version }
    })
}

/// Tells of the try that has just ended.
pub(crate) fn tell_attempt(app: &App, lease: &Lease) {
    let Some((chosen, attempt)) = lease.chosen.as_ref().zip(lease.attempts.last()) else { return };
    let pool = chosen.pool_name(attempt.step.pool);
    let Foresight { ttft_ratio, tpot_ratio } = foresight::of(chosen.decision(), attempt);
    app.observe.emit(Event::Attempt {
        request: &lease.request.label,
        expert: chosen.expert_name(attempt.step.expert),
        pool,
        replica: &attempt.replica,
        end: attempt.end,
        detail: &attempt.detail,
        tpot_ms: attempt.tpot_ms,
        ttft_ratio,
        tpot_ratio,
    });
    if attempt.overrun > NanoUsd::ZERO {
        let (request, expert) = (&lease.request.label, chosen.expert_name(attempt.step.expert));
        app.observe.emit(Event::Overran { request, expert, amount: attempt.overrun });
    }
    if let Some(change) = attempt.replica_change {
        app.observe.emit(Event::Replica { pool, replica: &attempt.replica, change });
    }
    tell_pool(app, &chosen.live.lanes[attempt.step.pool]);
}

/// Tells how a pool is.
pub(crate) fn tell_pool(app: &App, lane: &Lane) {
    let counts = lane.counts(app.clock.now());
    app.observe.emit(Event::Pool {
        pool: &lane.config.name,
        queued: counts.queued,
        in_flight: counts.in_flight,
        limit: counts.limit,
        up: counts.up,
        resting: counts.resting,
        ejected: counts.ejected,
        draining: counts.draining,
    });
}

fn tell_settled(app: &App, lease: &Lease, fault: Option<&Fault>, money: Money, now: Tick) {
    let chosen = lease.chosen.as_ref();
    let answered = lease.answered();
    let total_ms = now.since_ms(lease.request.received);
    app.observe.emit(Event::Settled {
        request: &lease.request.label,
        route: &route_name(app, lease),
        tenant: &lease.request.identity.tenant,
        expert: answered.zip(chosen).map_or("", |(attempt, chosen)| chosen.expert_name(attempt.step.expert)),
        fault: fault.map(|fault| fault.code),
        detail: fault.map_or("", |fault| &fault.detail),
        http_status: fault.map_or(200, |fault| http_status(fault.code)),
        tokens: lease.tokens(),
        cost: money.cost,
        baseline: money.baseline,
        total_ms,
        overhead_ms: (total_ms - lease.elsewhere_ms()).max(0.0),
    });
}
