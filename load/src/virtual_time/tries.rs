//! What becomes of a try: its first token, its end, a broken connection, no patience or no client left.

use super::failure::Failure;
use super::request::{Expected, Id, Place, Running};
use super::run::Run;
use super::window::Told;
use crate::sample::FaultKind;
use sluice_router::{Help, NanoUsd, Tokens, Verdict};
use sluice_sim::Event;

/// What `Walk::sent` calls a request's first try.
const FIRST_TRY: u8 = 0;

impl Run<'_> {
    /// Hears what a replica has to tell.
    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Event(event) => self.milestone(event),
            Told::Late(id) => self.left_out(Id::from_sequence(id)),
        }
    }

    /// The batches of its replica leave a request no time: nothing was done for it.
    fn left_out(&mut self, id: Id) {
        let Some(running) = self.running(id) else { return };
        if let Some(request) = self.requests.get(id) {
            request.place = Place::Nowhere;
        }
        self.free(running.pool, running.seat, Verdict::Neutral);
        self.failed(id, running.n, Failure::late(), NanoUsd::ZERO);
        self.walk(id);
    }

    /// A replica has got so far with a request.
    fn milestone(&mut self, event: Event) {
        match event {
            Event::First { id, at, cached } => {
                let id = Id::from_sequence(id);
                let Some(request) = self.requests.get(id) else { return };
                let Place::Running(running) = &mut request.place else { return };
                (running.first, running.cached) = (Some(at), cached);
                let (pool, seat, n) = (running.pool, running.seat, running.n);
                let offered =
                    request.expected.first().filter(|offered| n == FIRST_TRY && offered.pool == pool);
                if let Some(Expected { ttft_ms, .. }) = offered {
                    let real_ms = at.saturating_sub(request.sent).max(1) as f64 / 1e6;
                    self.totals.ttft_errors[pool].push((ttft_ms / real_ms - 1.0).abs() as f32);
                }
                if let Some(walk) = request.walk.as_mut() {
                    walk.answers(n);
                }
                let now = self.tick();
                if self.lines[pool].on_answering(seat, now) {
                    self.wake(pool);
                }
            }
            Event::Finished { id, at } => self.complete(Id::from_sequence(id), at),
        }
    }

    /// The connection of a running request has broken.
    pub(super) fn broken(&mut self, id: Id, produced: u32) {
        let Some(running) = self.running(id) else { return };
        let cost = self.close(id, Verdict::Ill { unreachable: false }, produced);
        let kind = if running.first.is_some() { FaultKind::Broken } else { FaultKind::Target };
        let lost =
            Failure { connection_lost: true, ..Failure::new(Help::OtherReplica, "upstream_error", kind) };
        self.failed(id, running.n, lost, cost);
        self.walk(id);
    }

    /// The pool's patience for a first token is over.
    pub(super) fn no_first_token(&mut self, id: Id, pool: usize) {
        let patience = self.world.pools[pool].first_token_timeout;
        let Some(running) = self.running(id).filter(|running| running.pool == pool) else { return };
        // A try after the one that set the alarm has an alarm of its own.
        if running.first.is_some() || running.dispatched + patience > self.now {
            return;
        }
        let cost = self.give_up(id, running, Verdict::Ill { unreachable: false });
        let late = Failure::new(Help::OtherReplica, "upstream_timeout", FaultKind::Timeout);
        self.failed(id, running.n, late, cost);
        self.walk(id);
    }

    /// The client cancels, or the deadline has passed: whatever is under way ends.
    pub(super) fn cut(&mut self, id: Id, failure: Option<Failure>) {
        let Some(place) = self.requests.get(id).map(|request| request.place.clone()) else { return };
        match place {
            Place::Nowhere | Place::Resting { .. } => {}
            Place::Waiting { ticket, made, .. } => {
                self.lines[made.step.pool].leave(ticket);
                self.leave_line(id);
            }
            Place::Running(running) => {
                self.advance(running.pool, running.replica);
                self.hear_milestones();
                // It may have been complete by then.
                let Some(running) = self.running(id) else { return };
                self.give_up(id, running, Verdict::Neutral);
            }
        }
        match failure {
            Some(failure) => self.fail(id, failure),
            None => self.cancelled(id),
        }
    }

    fn give_up(&mut self, id: Id, running: Running, verdict: Verdict) -> NanoUsd {
        let produced = self.replicas[running.pool][running.replica].cancel(id.to_sequence());
        self.close(id, verdict, produced)
    }

    pub(super) fn running(&mut self, id: Id) -> Option<Running> {
        match self.requests.get(id)?.place {
            Place::Running(running) => Some(running),
            Place::Nowhere | Place::Waiting { .. } | Place::Resting { .. } => None,
        }
    }

    /// Ends a try that was given up: the prompt by estimate and what had come by then is paid. Returns how much.
    fn close(&mut self, id: Id, verdict: Verdict, produced: u32) -> NanoUsd {
        let Some(running) = self.running(id) else { return NanoUsd::ZERO };
        let Some(request) = self.requests.get(id) else { return NanoUsd::ZERO };
        let ask = &self.prompts.get(request.planned.prompt).ask;
        let prompt = ask.needs.prompt_tokens.saturating_add(request.carried);
        let used = Tokens { prompt, cached: running.cached, output: produced, ..Tokens::default() };
        let cost = ask.fleet.experts[running.step.expert].price.cost(used);
        request.cost += cost;
        request.place = Place::Nowhere;
        request.begun = running.first.map(|_| (running, produced));
        self.lines[running.pool].on_output(running.seat, produced);
        self.free(running.pool, running.seat, verdict);
        cost
    }
}
