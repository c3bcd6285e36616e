//! The first request under an idempotency key: served as any other, and its outcome kept.
//!
//! It runs on to its end when its client leaves, so that the retry after a broken connection gets the whole answer
//! rather than pay for it twice.

use super::ask::Ask;
use super::desk::Place;
use super::hand_over;
use super::outcome::Tape;
use crate::app::App;
use crate::request::{OutEvent, Outlet, Request};
use crate::serve;
use sluice_router::NanoUsd;
use std::pin::pin;
use tokio::sync::mpsc;

/// Serves a request whose claim is laid, and ends the claim.
pub(super) async fn serve(app: &App, request: Request, ask: &Ask, place: Place<'_>, mut out: Outlet) {
    let asked = request.clone();
    let (inner, events) = Outlet::new();
    let mut relay = Relay { events, tape: Tape::default(), next: None, end: None };
    let cost = relay.run(Box::pin(serve::serve(app, request, inner)), &mut out).await;
    let (rest, outcome) = relay.finish(cost);
    let end = outcome.claim(&place, ask);
    let mut kept = place.end(&*app.shared, ask, &end).await;
    if let Err(fault) = hand_over(app, &asked, rest, &mut out).await {
        out.fail(fault);
    }
    // While this waits, the repeats wait too: they must not take the key for free.
    while kept.is_err() && app.clock.unix_ms() < place.until_ms && !app.cut.is_cancelled() {
        app.clock.sleep_until(app.clock.now().plus_ms(BETWEEN_TRIES_MS)).await;
        kept = place.end(&*app.shared, ask, &end).await;
    }
}

/// Between the spine and the client: hands on what comes, and keeps it.
struct Relay {
    events: mpsc::Receiver<OutEvent>,
    tape: Tape,
    /// What the client is being handed.
    next: Option<OutEvent>,
    /// The last event, which the client gets when the claim has been ended.
    end: Option<OutEvent>,
}

impl Relay {
    /// Hands on until the request is settled. Returns what it cost.
    async fn run(&mut self, serving: impl Future<Output = NanoUsd>, out: &mut Outlet) -> NanoUsd {
        let mut serving = pin!(serving);
        loop {
            tokio::select! {
                biased;
                cost = &mut serving => return cost,
                () = self.step(out) => {}
            }
        }
    }

    /// Hands one event on. A client that has left gets nothing and hinders nothing.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    async fn step(&mut self, out: &mut Outlet) {
        if let Some(next) = &self.next {
            let _ = out.send(next.clone()).await;
            self.next = None;
        }
        match self.events.recv().await {
            Some(event) => self.next = self.keep(event),
            None => std::future::pending().await,
        }
    }

    /// Keeps an event; gives it back unless it is the last.
    fn keep(&mut self, event: OutEvent) -> Option<OutEvent> {
        self.tape.keep(&event);
        match event {
            OutEvent::Finished(_) | OutEvent::Failed(_) => {
                self.end = Some(event);
                None
            }
            event => Some(event),
        }
    }

    /// What the client has not been handed yet, and the outcome.
    fn finish(mut self, cost: NanoUsd) -> (Vec<OutEvent>, super::outcome::Outcome) {
        let mut rest: Vec<OutEvent> = self.next.take().into_iter().collect();
        while let Ok(event) = self.events.try_recv() {
            rest.extend(self.keep(event));
        }
        let (end, outcome) = self.tape.end(self.end, cost);
        rest.push(end);
        (rest, outcome)
    }
}

const BETWEEN_TRIES_MS: u64 = 1_000;
