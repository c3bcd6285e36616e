//! From a request's decision to its last try: carries out what [`Walk`] says, as the gateway's spine does.

use super::agenda::Due;
use super::caches;
use super::replica::{Refused, Submitted};
use super::request::{Expected, Id, Place, Running};
use super::run::Run;
use super::window::Told;
use crate::sample::FaultKind;
use sluice_router::{
    Bounds, DEFAULT_COOLDOWN_MS, Entered, Entrant, Help, Item, Line, Lines, NanoUsd, Next, NoRoute, Reason,
    Seat, Step, Tick, Tokens, Try, Turn, Verdict, Walk, Work, decide,
};
use sluice_sim::Event;

/// Why a try, or the whole request, failed; the codes are the gateway's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) kind: FaultKind,
    help: Help,
    connection_lost: bool,
}

impl Failure {
    fn new(help: Help, code: &'static str, kind: FaultKind) -> Failure {
        Failure { code, kind, help, connection_lost: false }
    }

    fn last(code: &'static str, kind: FaultKind) -> Failure {
        Failure::new(Help::Nothing, code, kind)
    }

    fn full() -> Failure {
        Failure::new(Help::OtherPool, "no_capacity", FaultKind::Refused)
    }

    fn all_down() -> Failure {
        Failure::new(Help::OtherPool, "upstream_error", FaultKind::Target)
    }

    fn late() -> Failure {
        Failure::new(Help::OtherPool, "deadline_unreachable", FaultKind::Refused)
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
            Failure::last("deadline_unreachable", FaultKind::Refused)
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

/// What [`Walk::sent`] calls a request's first try.
const FIRST_TRY: u8 = 0;

impl Run<'_> {
    /// Decides as the gateway does, on how the pools are now, and begins with the first step.
    pub(super) fn choose(&mut self, id: Id) {
        let now = self.tick();
        let Some(asker) = self.asker(id) else { return };
        let Some(request) = self.requests.get(id) else { return };
        let ask = &mut self.prompts.get(request.planned.prompt).ask;
        ask.pools.clear();
        ask.pools.extend(self.lines.iter().map(|line| line.pool_state_for(now, &asker)));
        ask.needs.deadline = asker.deadline;
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
        let bound = [ask.needs.max_cost, ask.route.max_cost].into_iter().flatten().min();
        let bounds = Bounds { max_cost: bound, deadline: ask.needs.deadline };
        let offer = |step: &Step| decision.quotes.iter().find(|quote| quote.expert == step.expert);
        let expected = |step: &Step| {
            let Some(quote) = offer(step) else { return Expected::default() };
            let replica = quote.replica.filter(|_| quote.pool == Some(step.pool));
            let ttft_ms = quote.wait_ms + quote.ttft_ms;
            Expected { pool: step.pool, output_tokens: quote.output_tokens, replica, ttft_ms }
        };
        request.expected = decision.steps.iter().map(expected).collect();
        request.walk = Some(Walk::new(&decision, bounds));
        self.walk(id);
    }

    /// Tries on until something is under way or nothing is left to try.
    fn walk(&mut self, id: Id) {
        let now = self.tick();
        loop {
            let Some(request) = self.requests.get(id) else { return };
            let Some(walk) = request.walk.as_mut() else { return };
            match walk.next(&InLine { lines: &self.lines, now }, &self.retries, now) {
                Next::Try(made) => self.join(id, made),
                Next::Wait(until) => {
                    request.place = Place::Resting { until };
                    return self.agenda.set(until.0 * 1_000, Due::Rested(id));
                }
                Next::Await => return,
                Next::Fail { .. } => {
                    let failure = request.last.unwrap_or_else(Failure::deadline);
                    return self.fail(id, failure);
                }
            }
            let waits =
                |request: &mut super::request::Request| matches!(request.place, Place::Waiting { .. });
            if self.requests.get(id).is_some_and(waits) {
                return;
            }
        }
    }

    /// A pool that has asked to wait may be asked again.
    pub(super) fn rested(&mut self, id: Id) {
        let now = self.tick();
        let Some(request) = self.requests.get(id) else { return };
        if matches!(request.place, Place::Resting { until } if until <= now) {
            request.place = Place::Nowhere;
            self.walk(id);
        }
    }

    /// Enters the line of the try's pool.
    fn join(&mut self, id: Id, made: Try) {
        let (pool, now, since) = (made.step.pool, self.tick(), self.now);
        self.wake(pool);
        let Some(entrant) = self.entrant(id, &made) else { return };
        match self.lines[pool].enter(entrant, now, || id) {
            Entered::Go(seat) => self.dispatch(id, &made, seat),
            Entered::Wait(ticket) => {
                if let Some(request) = self.requests.get(id) {
                    request.place = Place::Waiting { ticket, since, made };
                }
                self.wake(pool); // whoever lost its place to this one is told
            }
            Entered::Late { retry_after_ms: Some(_) } => self.turned_away(id, &made, Failure::late()),
            Entered::Late { retry_after_ms: None } => self.turned_away(id, &made, Failure::deadline()),
            Entered::Full | Entered::Cooling(_) => self.turned_away(id, &made, Failure::full()),
            Entered::AllDown => self.turned_away(id, &made, Failure::all_down()),
        }
    }

    fn turned_away(&mut self, id: Id, made: &Try, failure: Failure) {
        let Some(request) = self.requests.get(id) else { return };
        request.last = Some(failure);
        if let Some(walk) = request.walk.as_mut() {
            walk.turned_away(made);
        }
    }

    /// The request as lines see it before anything is decided.
    fn asker(&mut self, id: Id) -> Option<Entrant> {
        let request = self.requests.get(id)?;
        let deadline = Tick((request.sent + self.world.deadline) / 1_000);
        let rank = self.world.tenants.get(request.planned.tenant as usize).copied().unwrap_or_default();
        Some(Entrant {
            seed: request.seed,
            tenant: u64::from(request.planned.tenant),
            weight: rank.weight,
            priority: rank.priority,
            deadline: self.world.tells_deadline.then_some(deadline),
            prefix: request.prefix.clone(),
            ..Entrant::default()
        })
    }

    /// The request as its pool's line sees it.
    fn entrant(&mut self, id: Id, made: &Try) -> Option<Entrant> {
        let asker = self.asker(id)?;
        let request = self.requests.get(id)?;
        let needs = &self.prompts.get(request.planned.prompt).ask.needs;
        let Expected { output_tokens, replica, .. } =
            request.expected.get(made.stage).copied().unwrap_or_default();
        Some(Entrant {
            replica,
            tried: made.tried.clone(),
            bytes: u64::from(needs.prompt_bytes),
            work: Work { prompt_tokens: needs.prompt_tokens.saturating_add(request.carried), output_tokens },
            ..asker
        })
    }

    /// The turn of one who waited.
    pub(super) fn turn(&mut self, pool: usize, turn: Turn<Id>) {
        let (id, came) = match turn {
            Turn::Go(id, seat) => (id, Ok(seat)),
            Turn::AllDown(id) => (id, Err(Failure::all_down())),
            Turn::Late(id) => (id, Err(Failure::late())),
            Turn::Displaced(id) => (id, Err(Failure::full())),
        };
        match (self.leave_line(id), came) {
            (Some(made), Ok(seat)) => self.dispatch(id, &made, seat),
            (Some(made), Err(failure)) => self.turned_away(id, &made, failure),
            // Its client left meanwhile: the place goes to the next.
            (None, Ok(seat)) => return self.free(pool, seat, Verdict::Neutral),
            (None, Err(_)) => return,
        }
        self.walk(id);
    }

    /// Notes the time that a request spent in the line that it leaves. Returns the try that it waited for.
    fn leave_line(&mut self, id: Id) -> Option<Try> {
        let now = self.now;
        let request = self.requests.get(id)?;
        let Place::Waiting { since, made, .. } = &request.place else { return None };
        request.waited += now - since;
        let made = made.clone();
        request.place = Place::Nowhere;
        Some(made)
    }

    /// Sends the request to the replica where it is counted.
    fn dispatch(&mut self, id: Id, made: &Try, seat: Seat) {
        let (pool, replica, step) = (made.step.pool, seat.replica, made.step);
        self.advance(pool, replica);
        let Some(asker) = self.asker(id) else { return };
        let item = Item { deadline: asker.deadline, priority: asker.priority, ..Item::default() };
        let Some(request) = self.requests.get(id) else { return };
        let Some(n) = request.walk.as_mut().map(|walk| walk.sent(made, replica)) else { return };
        let length = self.prompts.get(request.planned.prompt).lengths[pool];
        let output = length.output.min(step.max_output_tokens);
        let input = length.input.max(1).saturating_add(request.carried);
        let queue = self.world.pools[pool].engine_queue;
        let planned = request.planned;
        let chain = |output| caches::chain(&planned, input, output);
        let submitted = Submitted { id: id.to_sequence(), input, output, item };
        match self.replicas[pool][replica].submit(submitted, queue, chain) {
            Ok(output) => {
                let (dispatched, first, cached) = (self.now, None, 0);
                if self.world.pools[pool].capacity.prefix_tokens > 0 {
                    self.oracles[pool].see(&planned, input, output);
                }
                request.place = Place::Running(Running {
                    n,
                    step,
                    pool,
                    seat,
                    replica,
                    dispatched,
                    first,
                    input,
                    cached,
                    output,
                });
                self.totals.dispatched[pool][replica] += 1;
                self.set_first_token_alarm(pool, id);
            }
            Err(refused) => {
                request.place = Place::Nowhere;
                let (verdict, failure) = refusal(refused);
                self.free(pool, seat, verdict);
                self.failed(id, n, failure, NanoUsd::ZERO);
            }
        }
    }

    /// A try has failed, at this cost.
    fn failed(&mut self, id: Id, n: u8, failure: Failure, cost: NanoUsd) {
        let now = self.tick();
        let Some(request) = self.requests.get(id) else { return };
        request.last = Some(failure);
        let Failure { help, connection_lost, .. } = failure;
        let told = sluice_router::Failure { help, connection_lost, retry_after_ms: None, cost };
        if let Some(walk) = request.walk.as_mut() {
            walk.failed(n, told, now);
        }
    }

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
        let used = Tokens { prompt, cached: running.cached, output: produced };
        let cost = ask.fleet.experts[running.step.expert].price.cost(used);
        request.cost += cost;
        request.place = Place::Nowhere;
        request.begun = running.first.map(|_| (running, produced));
        self.lines[running.pool].on_output(running.seat, produced);
        self.free(running.pool, running.seat, verdict);
        cost
    }
}

/// What a refusal tells of the replica, and what may help.
fn refusal(refused: Refused) -> (Verdict, Failure) {
    match refused {
        Refused::Unreachable => (
            Verdict::Ill { unreachable: true },
            Failure::new(Help::OtherReplica, "upstream_error", FaultKind::Target),
        ),
        Refused::Busy => {
            let verdict = Verdict::Busy { retry_after_ms: DEFAULT_COOLDOWN_MS, is_quota: false };
            (verdict, Failure::new(Help::OtherReplica, "no_capacity", FaultKind::Refused))
        }
        Refused::Late => (Verdict::Neutral, Failure::late()),
        Refused::TooLong => {
            (Verdict::Neutral, Failure::new(Help::OtherPool, "context_length_exceeded", FaultKind::Request))
        }
    }
}

/// The pools' lines as they are now.
struct InLine<'a> {
    lines: &'a [Line<Id>],
    now: Tick,
}

impl Lines for InLine<'_> {
    fn has_another(&self, pool: usize, tried: &[usize]) -> bool {
        self.lines[pool].has_another(tried, self.now)
    }
}

/// Bytes that an earlier turn's token counts for in the bound of a prompt's tokens.
const BYTES_PER_TOKEN: u32 = 4;
