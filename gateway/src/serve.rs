//! The spine: one request, from the door to the ledger.

use crate::app::App;
use crate::choose::choose;
use crate::error::{Fault, FaultCode};
use crate::lease::Lease;
use crate::meter;
use crate::observe::{Event, Span, Traced as _};
use crate::relay;
use crate::request::{Outlet, Request};
use futures::FutureExt as _;
use sluice_router::{MAX_ATTEMPTS, Step, Tick};
use std::panic::AssertUnwindSafe;

/// Serves one request. Whatever becomes of it, it ends with one settlement.
pub(crate) async fn serve(app: &App, request: Request, mut out: Outlet) {
    app.retries.earn();
    let span = Span::request(&request);
    let deadline = request.ends_by();
    let cut = cut(app, deadline, out.closed());
    let mut lease = Lease::new(request);
    let end = tokio::select! {
        biased;
        end = unpanicked(answer(app, &mut lease, &mut out)).within(&span) => end,
        fault = cut => Err(fault), // `answer` is dropped, and with it every call of an engine
    };
    if let Err(fault) = &end {
        out.fail(fault.clone());
    }
    meter::settle(app, lease, end.err(), &span).await;
}

/// A bug must not lose what was spent before it was met: a panic ends the answer as any other fault does. The panic
/// itself has been told on stderr by then.
async fn unpanicked(answer: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    let bug = || Fault::new(FaultCode::Internal, "the gateway met a bug of its own; please report it");
    // Lease and outlet are written to as things happen, so they are true whenever the answer stops.
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| Err(bug()))
}

/// Resolves when the request must not go on: its client has left, its time is up, or the drain's is.
async fn cut(app: &App, deadline: Tick, client_left: impl Future<Output = ()>) -> Fault {
    tokio::select! {
        biased;
        () = client_left => Fault::new(FaultCode::ClientGone, "the client left before the answer was complete"),
        () = app.clock.sleep_until(deadline) => {
            Fault::new(FaultCode::DeadlineExceeded, "the deadline passed before the answer was complete")
        }
        () = app.cut.cancelled() => {
            Fault::passing(FaultCode::Draining, 1_000, "the gateway is shutting down; send the request again")
        }
    }
}

/// Chooses, then walks the plan until one expert has answered. Whatever happens is noted in the lease.
async fn answer(app: &App, lease: &mut Lease, out: &mut Outlet) -> Result<(), Fault> {
    let chosen = choose(app, &lease.request)?;
    let steps = chosen.decision().steps.clone();
    app.observe.emit(Event::Decided {
        request: &lease.request.label,
        route: &chosen.route.name,
        expert: chosen.expert_name(steps[0].expert),
        decision: chosen.decision(),
        classify_us: chosen.classify_us,
        decide_us: chosen.decide_us,
    });
    lease.chosen = Some(chosen);
    let (mut last, mut sent) = (None, 0);
    for (n, step) in steps.into_iter().enumerate() {
        if n > 0 && !meter::affords(lease, step) {
            continue;
        }
        // Only what was sent and failed is tried again; going past a full line sends nothing twice.
        let is_retry = lease.attempts.len() > sent;
        sent = lease.attempts.len();
        if is_retry && !app.retries.spend() {
            break;
        }
        match walk(app, step, lease, out).await {
            Ok(()) => return Ok(()),
            Err(failed) if failed.may_go_elsewhere && out.is_untouched() => last = Some(failed.fault),
            Err(failed) => return Err(failed.fault),
        }
        if lease.attempts.len() >= MAX_ATTEMPTS {
            break;
        }
    }
    Err(last.expect("a plan has at least one step"))
}

/// Tries one step, on another replica of its pool too where that may help.
async fn walk(app: &App, step: Step, lease: &mut Lease, out: &mut Outlet) -> Result<(), Failed> {
    let lane = lease.chosen.as_ref().expect("a plan was chosen").live.lanes[step.pool].clone();
    let (mut tried, mut repeated) = (Vec::new(), false);
    loop {
        let failed = match relay::attempt(app, &lane, step, &tried, lease, out).await {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let Some(replica) = failed.another_replica_may_help.filter(|_| out.is_untouched()) else {
            return Err(failed);
        };
        let now = app.clock.now();
        tried.push(replica);
        if failed.connection_lost && !repeated && !lane.has_another(&tried, now) {
            (tried, repeated) = (Vec::new(), true);
        }
        let may_try = lease.attempts.len() < MAX_ATTEMPTS && lane.has_another(&tried, now);
        if !may_try || !meter::affords(lease, step) || !app.retries.spend() {
            return Err(failed);
        }
    }
}

/// A try that failed.
pub(crate) struct Failed {
    /// What the client is told if nothing else is tried.
    pub(crate) fault: Fault,
    /// Whether another expert or pool may succeed.
    pub(crate) may_go_elsewhere: bool,
    /// The replica that failed, when another of the same pool may succeed.
    pub(crate) another_replica_may_help: Option<usize>,
    /// The connection ended before the first event, as one does that was kept alive too long: the same replica may be
    /// asked once more when there is no other.
    pub(crate) connection_lost: bool,
}

impl Failed {
    /// A step that could not even begin: another may.
    pub(crate) fn elsewhere(fault: Fault) -> Failed {
        Failed { fault, may_go_elsewhere: true, another_replica_may_help: None, connection_lost: false }
    }
}

/// A request without a deadline of its own ends after this time; the usual client's own limit.
pub const LONGEST_REQUEST_MS: u64 = 600_000;

#[cfg(test)]
mod tests;
