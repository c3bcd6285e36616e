//! From a request's decision to its last try, by the rules of the gateway's spine.

use super::replica::Refused;
use super::request::{Id, Place, Running, Try};
use super::run::Run;
use crate::sample::FaultKind;
use sluice_router::{
    Entered, Entrant, MAX_ATTEMPTS, NanoUsd, NoRoute, Prefix, Reason, Seat, Step, Tick, Tokens, Turn,
    Verdict, Work, decide,
};
use sluice_sim::Event;

/// Why a try, or the whole request, failed; the codes are the gateway's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) kind: FaultKind,
    may_go_elsewhere: bool,
    /// The replica that failed, when another of its pool may succeed.
    replica: Option<usize>,
    connection_lost: bool,
}

impl Failure {
    fn elsewhere(code: &'static str, kind: FaultKind) -> Failure {
        Failure { code, kind, may_go_elsewhere: true, replica: None, connection_lost: false }
    }

    fn on(replica: usize, code: &'static str, kind: FaultKind) -> Failure {
        Failure { replica: Some(replica), ..Failure::elsewhere(code, kind) }
    }

    fn last(code: &'static str, kind: FaultKind) -> Failure {
        Failure { may_go_elsewhere: false, ..Failure::elsewhere(code, kind) }
    }

    fn late() -> Failure {
        Failure::elsewhere("deadline_unreachable", FaultKind::Refused)
    }

    pub(super) fn deadline() -> Failure {
        Failure::last("deadline_exceeded", FaultKind::Timeout)
    }

    /// Nobody may answer: the reason that is nearest to mending decides what the client is told.
    fn no_route(error: &NoRoute) -> Failure {
        let any = |wanted: fn(&Reason) -> bool| error.reasons.iter().flat_map(|(_, why)| why).any(wanted);
        if error.reasons.iter().any(|(_, reason)| reason.is_none()) {
            Failure::last("no_capable_expert", FaultKind::Refused)
        } else if any(|reason| matches!(reason, Reason::Down)) {
            Failure::last("no_capacity", FaultKind::Refused)
        } else if any(|reason| matches!(reason, Reason::Deadline)) {
            Failure::deadline()
        } else if any(|reason| matches!(reason, Reason::MaxCost)) {
            Failure::last("cost_bound", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Context)) {
            Failure::last("context_length_exceeded", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Feature(_))) {
            Failure::last("unsupported_parameter", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Residency | Reason::Privacy)) {
            Failure::last("residency_violation", FaultKind::Request)
        } else {
            Failure::last("no_capable_expert", FaultKind::Refused)
        }
    }
}

impl Run<'_> {
    /// Decides as the gateway does, on how the pools are now, and begins with the first step.
    pub(super) fn choose(&mut self, id: Id) {
        let now = self.tick();
        let Some(request) = self.requests.get(id) else { return };
        let ask = &mut self.prompts.get(request.planned.prompt).ask;
        ask.pools.clear();
        ask.pools.extend(self.lines.iter().map(|line| line.pool_state(now, &Prefix::default())));
        let deadline = Tick((request.sent + self.world.deadline) / 1_000);
        ask.needs.deadline = self.world.tells_deadline.then_some(deadline);
        let own = (ask.needs.prompt_tokens, ask.needs.prompt_bytes);
        let bytes = request.carried.saturating_mul(BYTES_PER_TOKEN);
        ask.needs.prompt_tokens = own.0.saturating_add(request.carried);
        ask.needs.prompt_bytes = own.1.saturating_add(bytes);
        let decision = decide(ask, now, request.seed);
        (ask.needs.prompt_tokens, ask.needs.prompt_bytes) = own;
        let decision = match decision {
            Ok(decision) => decision,
            Err(error) => return self.fail(id, Failure::no_route(&error)),
        };
        let offer = |expert| decision.quotes.iter().find(|quote| quote.expert == expert);
        let of = |&step: &Step| Try {
            step,
            worst: offer(step.expert).map_or(NanoUsd::ZERO, |quote| quote.worst),
            output_tokens: offer(step.expert).map_or(0.0, |quote| quote.output_tokens),
        };
        request.plan = decision.steps.iter().map(of).collect();
        self.walk(id, None);
    }

    /// Tries on until something is under way or nothing is left to try; `failed` is the try that has just failed.
    fn walk(&mut self, id: Id, mut failed: Option<Failure>) {
        loop {
            if let Some(failure) = failed {
                if !failure.may_go_elsewhere {
                    return self.fail(id, failure);
                }
                if !self.may_repeat(id, failure) && !self.next_step(id) {
                    return self.fail(id, failure);
                }
            }
            failed = self.attempt(id);
            if failed.is_none() {
                return;
            }
        }
    }

    /// Whether another replica of the same pool is to be tried.
    fn may_repeat(&mut self, id: Id, failure: Failure) -> bool {
        let now = self.tick();
        let (Some(replica), Some(request)) = (failure.replica, self.requests.get(id)) else { return false };
        let line = &self.lines[request.plan[request.step].step.pool];
        request.tried.push(replica);
        if failure.connection_lost && !request.repeated && !line.has_another(&request.tried, now) {
            request.tried.clear();
            request.repeated = true;
        }
        let may_try = request.attempts < MAX_ATTEMPTS && line.has_another(&request.tried, now);
        may_try && self.affords(id) && self.retries.spend()
    }

    /// Goes on to the next step that is worth a try.
    fn next_step(&mut self, id: Id) -> bool {
        loop {
            let Some(request) = self.requests.get(id) else { return false };
            if request.attempts >= MAX_ATTEMPTS || request.step + 1 >= request.plan.len() {
                return false;
            }
            request.step += 1;
            request.tried.clear();
            request.repeated = false;
            if !self.affords(id) {
                continue;
            }
            let Some(request) = self.requests.get(id) else { return false };
            // Only what was sent and failed is tried again; going past a full line sends nothing twice.
            let is_retry = request.attempts > request.attempts_before;
            request.attempts_before = request.attempts;
            return !is_retry || self.retries.spend();
        }
    }

    /// Whether the step at its worst keeps the bounds on the request's cost.
    fn affords(&mut self, id: Id) -> bool {
        let Some(request) = self.requests.get(id) else { return false };
        let ask = &self.prompts.get(request.planned.prompt).ask;
        let bound = [ask.needs.max_cost, ask.route.max_cost].into_iter().flatten().min();
        bound.is_none_or(|bound| request.cost + request.plan[request.step].worst <= bound)
    }

    /// Enters the line of the step's pool. Returns why that failed.
    fn attempt(&mut self, id: Id) -> Option<Failure> {
        let now = self.tick();
        let pool = {
            let request = self.requests.get(id)?;
            request.plan[request.step].step.pool
        };
        self.wake(pool);
        let (entrant, since) = (self.entrant(id)?, self.now);
        let entered = self.lines[pool].enter(entrant, now, || id);
        let request = self.requests.get(id)?;
        match entered {
            Entered::Go(seat) => self.dispatch(id, pool, seat),
            Entered::Wait(ticket) => {
                request.place = Place::Waiting { pool, ticket, since };
                self.wake(pool); // whoever lost its place to this one is told
                None
            }
            Entered::Late { retry_after_ms: Some(_) } => Some(Failure::late()),
            Entered::Late { retry_after_ms: None } => Some(Failure::deadline()),
            Entered::Full => Some(Failure::elsewhere("no_capacity", FaultKind::Refused)),
            Entered::AllDown => Some(Failure::elsewhere("upstream_error", FaultKind::Target)),
        }
    }

    /// The request as its pool's line sees it.
    fn entrant(&mut self, id: Id) -> Option<Entrant> {
        let request = self.requests.get(id)?;
        let needs = &self.prompts.get(request.planned.prompt).ask.needs;
        let deadline = Tick((request.sent + self.world.deadline) / 1_000);
        Some(Entrant {
            seed: request.seed,
            tried: request.tried.clone(),
            tenant: u64::from(request.planned.tenant),
            weight: 1,
            priority: 0,
            deadline: self.world.tells_deadline.then_some(deadline),
            bytes: u64::from(needs.prompt_bytes),
            work: Work {
                prompt_tokens: needs.prompt_tokens.saturating_add(request.carried),
                output_tokens: request.plan[request.step].output_tokens,
            },
            prefix: Prefix::default(),
        })
    }

    /// The turn of one who waited.
    pub(super) fn turn(&mut self, pool: usize, turn: Turn<Id>) {
        let (id, failed) = match turn {
            Turn::Go(id, seat) if self.requests.has(id) => {
                self.has_waited(id);
                (id, self.dispatch(id, pool, seat))
            }
            // Its client left meanwhile: the place goes to the next.
            Turn::Go(_, seat) => return self.free(pool, seat, Verdict::Neutral),
            Turn::AllDown(id) => (id, Some(Failure::elsewhere("upstream_error", FaultKind::Target))),
            Turn::Late(id) => (id, Some(Failure::late())),
            Turn::Displaced(id) => (id, Some(Failure::elsewhere("no_capacity", FaultKind::Refused))),
        };
        if failed.is_some() {
            self.has_waited(id);
            self.walk(id, failed);
        }
    }

    /// Notes the time that a request spent in the line that it leaves.
    fn has_waited(&mut self, id: Id) {
        let now = self.now;
        if let Some(request) = self.requests.get(id)
            && let Place::Waiting { since, .. } = request.place
        {
            request.waited += now - since;
            request.place = Place::Nowhere;
        }
    }

    /// Sends the request to the replica where it is counted. Returns why that failed.
    fn dispatch(&mut self, id: Id, pool: usize, seat: Seat) -> Option<Failure> {
        let replica = seat.replica;
        self.advance(pool, replica);
        let spec = &self.world.pools[pool];
        let request = self.requests.get(id)?;
        let length = self.prompts.get(request.planned.prompt).lengths[pool];
        let output = length.output.min(request.plan[request.step].step.max_output_tokens);
        let input = length.input.max(1).saturating_add(request.carried);
        let taken = self.replicas[pool][replica].submit(id.to_sequence(), input, output, spec.engine_queue);
        match taken {
            Ok(output) => {
                let dispatched = self.now;
                request.place =
                    Place::Running(Running { pool, seat, replica, dispatched, first: None, input, output });
                self.totals.dispatched[pool][replica] += 1;
                self.set_first_token_alarm(pool, id);
                None
            }
            Err(refused) => {
                request.place = Place::Nowhere;
                request.attempts += 1;
                let (verdict, failure) = refusal(refused, replica);
                self.free(pool, seat, verdict);
                Some(failure)
            }
        }
    }

    /// A replica has got so far with a request.
    pub(super) fn milestone(&mut self, event: Event) {
        match event {
            Event::First { id, at } => {
                let id = Id::from_sequence(id);
                let Some(request) = self.requests.get(id) else { return };
                let Place::Running(running) = &mut request.place else { return };
                running.first = Some(at);
                let (pool, seat) = (running.pool, running.seat);
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
        self.close(id, Verdict::Ill { unreachable: false }, produced);
        let failure = match running.first {
            Some(_) => Failure::last("upstream_error", FaultKind::Broken),
            None => Failure {
                connection_lost: true,
                ..Failure::on(running.replica, "upstream_error", FaultKind::Target)
            },
        };
        self.walk(id, Some(failure));
    }

    /// The pool's patience for a first token is over.
    pub(super) fn no_first_token(&mut self, id: Id, pool: usize) {
        let patience = self.world.pools[pool].first_token_timeout;
        let Some(running) = self.running(id).filter(|running| running.pool == pool) else { return };
        // A try after the one that set the alarm has an alarm of its own.
        if running.first.is_some() || running.dispatched + patience > self.now {
            return;
        }
        self.give_up(id, running, Verdict::Ill { unreachable: false });
        self.walk(id, Some(Failure::on(running.replica, "upstream_timeout", FaultKind::Timeout)));
    }

    /// The client cancels, or the deadline has passed: whatever is under way ends.
    pub(super) fn cut(&mut self, id: Id, failure: Option<Failure>) {
        let Some(place) = self.requests.get(id).map(|request| request.place) else { return };
        match place {
            Place::Nowhere => {}
            Place::Waiting { pool, ticket, .. } => {
                self.lines[pool].leave(ticket);
                self.has_waited(id);
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

    fn give_up(&mut self, id: Id, running: Running, verdict: Verdict) {
        let produced = self.replicas[running.pool][running.replica].cancel(id.to_sequence());
        self.close(id, verdict, produced);
    }

    pub(super) fn running(&mut self, id: Id) -> Option<Running> {
        match self.requests.get(id)?.place {
            Place::Running(running) => Some(running),
            Place::Nowhere | Place::Waiting { .. } => None,
        }
    }

    /// Ends a try that was given up: the prompt by estimate and what had come by then is paid.
    fn close(&mut self, id: Id, verdict: Verdict, produced: u32) {
        let Some(running) = self.running(id) else { return };
        let Some(request) = self.requests.get(id) else { return };
        let ask = &self.prompts.get(request.planned.prompt).ask;
        let step = request.plan[request.step].step;
        let prompt = ask.needs.prompt_tokens.saturating_add(request.carried);
        let used = Tokens { prompt, cached: 0, output: produced };
        request.cost += ask.fleet.experts[step.expert].price.cost(used);
        request.attempts += 1;
        request.place = Place::Nowhere;
        request.begun = running.first.map(|_| (running, produced));
        self.lines[running.pool].on_output(running.seat, produced);
        self.free(running.pool, running.seat, verdict);
    }
}

/// What a refusal tells of the replica, and what may help.
fn refusal(refused: Refused, replica: usize) -> (Verdict, Failure) {
    match refused {
        Refused::Unreachable => {
            (Verdict::Ill { unreachable: true }, Failure::on(replica, "upstream_error", FaultKind::Target))
        }
        Refused::Busy => (Verdict::Neutral, Failure::on(replica, "no_capacity", FaultKind::Refused)),
        Refused::TooLong => {
            (Verdict::Neutral, Failure::elsewhere("context_length_exceeded", FaultKind::Request))
        }
    }
}

/// Bytes that an earlier turn's token counts for in the bound of a prompt's tokens.
const BYTES_PER_TOKEN: u32 = 4;
