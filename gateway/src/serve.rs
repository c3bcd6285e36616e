//! The spine: one request, from the door to the ledger.

use crate::app::App;
use crate::cover::choose_within;
use crate::error::{Fault, FaultCode};
use crate::failover;
use crate::lease::Lease;
use crate::meter;
use crate::observe::{Event, Span, Traced as _};
use crate::relay;
use crate::request::{Outlet, Request};
use futures::FutureExt as _;
use sluice_router::{NanoUsd, Tick};
use std::panic::AssertUnwindSafe;

/// Serves one request. Whatever becomes of it, it ends with one settlement. Returns what it cost.
pub(crate) async fn serve(app: &App, request: Request, mut out: Outlet) -> NanoUsd {
    app.retries.earn();
    let span = Span::request(&request);
    let deadline = request.ends_by();
    let cut = cut(app, deadline, out.closed());
    let purse = app.books.purse(&request.identity);
    let mut lease = Box::new(Lease::new(request, purse)); // it is handed on, and a task keeps room for each hand
    let end = tokio::select! {
        biased;
        end = unpanicked(answer(app, &mut lease, &mut out)).within(&span) => end,
        fault = cut => Err(fault), // `answer` is dropped, and with it every call of an engine
    };
    if let Err(fault) = &end {
        out.fail(fault.clone());
    }
    meter::settle(app, lease, end.err(), &span).await
}

/// A bug must not lose what was spent before it was met: a panic ends the answer as any other fault does. The panic
/// itself has been told on stderr by then.
fn unpanicked(answer: impl Future<Output = Result<(), Fault>>) -> impl Future<Output = Result<(), Fault>> {
    let bug = || Fault::new(FaultCode::Internal, "the gateway met a bug of its own; please report it");
    // Lease and outlet are written to as things happen, so they are true whenever the answer stops.
    AssertUnwindSafe(answer).catch_unwind().map(move |end| end.unwrap_or_else(|_| Err(bug())))
}

/// Resolves when the request must not go on: its client has left, its time is up, or the drain's is.
pub(crate) async fn cut(app: &App, deadline: Tick, client_left: impl Future<Output = ()>) -> Fault {
    tokio::select! {
        biased;
        () = client_left => relay::client_gone(),
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
    lease.pass = app.limits.enter(&lease.request.identity).await?;
    let chosen = Box::pin(choose_within(app, lease)).await?;
    app.limits.take_tokens(&lease.request.identity, &mut lease.pass, chosen.expected_tokens()).await?;
    if let Some(hedges) = &chosen.hedges {
        hedges.earn();
    }
    app.observe.emit(Event::Decided {
        request: &lease.request.label,
        route: &chosen.route.name,
        expert: chosen.expert_name(chosen.decision().steps[0].expert),
        decision: chosen.decision(),
        classify_us: chosen.classify_us,
        decide_us: chosen.decide_us,
    });
    lease.chosen = Some(chosen);
    failover::walk(app, lease, out).await
}

/// A request without a deadline of its own ends after this time; the usual client's own limit.
pub const LONGEST_REQUEST_MS: u64 = 600_000;

#[cfg(test)]
mod tests;
