//! A request that comes again under the same idempotency key is answered once and charged once.
//!
//! The first to come lays a claim on its key in the place that gateways share, is served, and leaves its outcome there.
//! Whoever comes later under the key waits for that outcome and gets it, from whichever gateway. The claim is laid before
//! anything is sent and ended before the last event is told, so that no crash between the two lets a client that knows
//! the outcome pay for it again.

mod ask;
mod claim;
mod desk;
mod first;
mod outcome;
mod sweep;

pub(crate) use desk::Desk;
pub(crate) use sweep::keep;

use crate::app::App;
use crate::edge::http_status;
use crate::error::Fault;
use crate::observe::Event;
use crate::request::{OutEvent, Outlet, Request};
use crate::serve::cut;
use ask::Ask;
use claim::Claim;
use desk::Entered;
use sluice_proto::v1;
use sluice_router::{NanoUsd, Tokens};

/// Serves a request that came under this key: for the first time, or again.
pub(crate) async fn serve(app: &App, request: Request, key: &str, mut out: Outlet) {
    let ask = Ask::of(&request, key);
    match desk::enter(app, &ask, &request, &out).await {
        Ok(Entered::First(place)) => first::serve(app, request, &ask, place, out).await,
        Ok(Entered::Again(claim)) => again(app, &request, claim, &mut out).await,
        Err(fault) => {
            tell(app, &request, None, Some(&fault));
            out.fail(fault);
        }
    }
}

/// Gives the outcome of the first once more. It costs nothing and is booked nowhere.
async fn again(app: &App, request: &Request, claim: Claim, out: &mut Outlet) {
    let events = outcome::replay(claim);
    let started = events.iter().find_map(|event| match event {
        OutEvent::Started(started) => Some((**started).clone()),
        _ => None,
    });
    let fault = events.iter().find_map(|event| match event {
        OutEvent::Failed(fault) => Some((**fault).clone()),
        _ => None,
    });
    let cut = match hand_over(app, request, events, out).await {
        Ok(()) => None,
        Err(cut) => {
            out.fail(cut.clone());
            Some(cut)
        }
    };
    tell(app, request, started.as_ref(), cut.as_ref().or(fault.as_ref()));
}

/// Hands events over as fast as the client reads, as long as the request may go on.
async fn hand_over(
    app: &App,
    request: &Request,
    events: Vec<OutEvent>,
    out: &mut Outlet,
) -> Result<(), Fault> {
    let cut = cut(app, request.ends_by(), out.closed());
    let handing = async {
        for event in events {
            match event {
                OutEvent::Failed(fault) => out.fail(*fault),
                event => {
                    // Whoever has left ends this by `cut`.
                    let _ = out.send(event).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = handing => Ok(()),
        fault = cut => Err(fault),
    }
}

/// Tells of a request that was not served itself.
fn tell(app: &App, request: &Request, started: Option<&v1::Started>, fault: Option<&Fault>) {
    let total_ms = app.clock.now().since_ms(request.received);
    app.observe.emit(Event::Settled {
        request: &request.label,
        route: started.map_or("", |started| &started.route),
        tenant: &request.identity.tenant,
        expert: started.map_or("", |started| &started.expert),
        fault: fault.map(|fault| fault.code),
        detail: fault.map_or("", |fault| &fault.detail),
        http_status: fault.map_or(200, |fault| http_status(fault.code)),
        tokens: Tokens::default(),
        cost: NanoUsd::ZERO,
        baseline: NanoUsd::ZERO,
        total_ms,
        overhead_ms: 0.0,
    });
}

#[cfg(test)]
mod tests;
