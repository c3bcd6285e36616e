//! From a request's decision to its last try: carries out what [`Walk`] says, as the gateway's spine does.

use super::agenda::Due;
use super::caches;
use super::failure::Failure;
use super::replica::{Refused, Submitted};
use super::request::{Expected, Id, Place, Running};
use super::run::Run;
use crate::sample::FaultKind;
use sluice_router::{
    Bounds, DEFAULT_COOLDOWN_MS, Entered, Entrant, Help, Item, Line, Lines, NanoUsd, Next, Seat, Step, Tick,
    Try, Turn, Verdict, Walk, Work, decide,
};

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
    pub(super) fn walk(&mut self, id: Id) {
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
            work: Work {
                prompt_tokens: needs.prompt_tokens.saturating_add(request.carried),
                output_tokens,
                ..Work::default()
            },
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
    pub(super) fn leave_line(&mut self, id: Id) -> Option<Try> {
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
    pub(super) fn failed(&mut self, id: Id, n: u8, failure: Failure, cost: NanoUsd) {
        let now = self.tick();
        let Some(request) = self.requests.get(id) else { return };
        request.last = Some(failure);
        let Failure { help, connection_lost, .. } = failure;
        let told = sluice_router::Failure { help, connection_lost, retry_after_ms: None, cost };
        if let Some(walk) = request.walk.as_mut() {
            walk.failed(n, told, now);
        }
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
