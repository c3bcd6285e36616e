//! How a request ends: its money, its grades, and the one sample that tells of it.

use super::failure::Failure;
use super::request::{Id, Request, Running};
use super::run::Run;
use crate::sample::{End, Sample, Who};
use sluice_router::{NanoUsd, Step, Tick, Tokens, Verdict};

/// The try that answered, wholly or in part.
struct Answered {
    step: Step,
    replica: usize,
    first: Option<u64>,
    last: u64,
    tokens: Tokens,
}

impl Run<'_> {
    /// A replica has answered completely.
    pub(super) fn complete(&mut self, id: Id, at: u64) {
        let Some(running) = self.running(id) else { return };
        let Some(mut request) = self.requests.remove(id) else { return };
        self.lines[running.pool].on_output(running.seat, running.output);
        self.free(running.pool, running.seat, verdict(&running, at));
        let step = running.step;
        let (prompt, cached, output) = (running.input, running.cached, running.output);
        let tokens = Tokens { prompt, cached, output, ..Tokens::default() };
        let worked_on = running.input - running.cached + running.output;
        self.totals.tokens[running.pool][running.replica] += u64::from(worked_on);
        self.totals.cached[running.pool] += u64::from(running.cached);
        let ask = &self.prompts.get(request.planned.prompt).ask;
        request.cost += ask.fleet.experts[step.expert].price.cost(tokens);
        let answered = Answered { step, replica: running.replica, first: running.first, last: at, tokens };
        self.tell(request, Some(answered), End::Done);
    }

    /// The request failed for good.
    pub(super) fn fail(&mut self, id: Id, failure: Failure) {
        let (kind, code) = (failure.kind, failure.code.to_owned());
        self.end(id, End::Failed { kind, code });
    }

    /// Its client cancelled it.
    pub(super) fn cancelled(&mut self, id: Id) {
        self.end(id, End::Cancelled);
    }

    fn end(&mut self, id: Id, end: End) {
        let Some(mut request) = self.requests.remove(id) else { return };
        let answered = request.begun.take().map(|(running, produced)| {
            let step = running.step;
            let needs = &self.prompts.get(request.planned.prompt).ask.needs;
            let prompt = needs.prompt_tokens.saturating_add(request.carried);
            let cached = running.cached.min(prompt);
            let tokens = Tokens { prompt, cached, output: produced, ..Tokens::default() };
            Answered { step, replica: running.replica, first: running.first, last: self.now, tokens }
        });
        self.tell(request, answered, end);
    }

    fn tell(&mut self, request: Request, answered: Option<Answered>, end: End) {
        let prompt = self.prompts.get(request.planned.prompt);
        let (fleet, route) = (&prompt.ask.fleet, &prompt.ask.route);
        let is_done = end == End::Done;
        let grade = |expert: usize| prompt.grades.get(expert).copied().flatten().filter(|_| is_done);
        let mut sample = Sample {
            n: request.n,
            planned: request.planned,
            sent: request.sent,
            first: None,
            last: None,
            ended: self.now,
            queued: Some(request.waited),
            gaps_us: Vec::new(),
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            who: Who { route: route.name.clone(), ..Who::default() },
            end,
            cost_nanousd: Some(request.cost.0),
            baseline_nanousd: Some(NanoUsd::ZERO.0),
            quality: None,
            reference_quality: grade(route.reference),
        };
        if let Some(answered) = answered {
            sample.first = answered.first;
            sample.last = answered.first.map(|_| answered.last);
            sample.input_tokens = answered.tokens.prompt;
            sample.cached_tokens = answered.tokens.cached;
            sample.output_tokens = answered.tokens.output;
            sample.who.expert.clone_from(&fleet.experts[answered.step.expert].name);
            sample.who.pool.clone_from(&fleet.pools[answered.step.pool].name);
            sample.who.replica = u32::try_from(answered.replica).ok();
            sample.baseline_nanousd = Some(fleet.experts[route.reference].price.cost(answered.tokens).0);
            sample.quality = grade(answered.step.expert);
        }
        self.ended(sample);
    }
}

/// What a whole answer tells about its replica, counted as the gateway counts it: in microseconds of its clock.
fn verdict(running: &Running, at: u64) -> Verdict {
    let (dispatched, end) = (tick(running.dispatched), tick(at));
    let service_ms = end.since_ms(dispatched);
    let ttft_ms = running.first.map_or(service_ms, |first| tick(first).since_ms(dispatched));
    let after_first = running.first.map(|first| end.since_ms(tick(first)));
    let tpot_ms = after_first.filter(|_| running.output > 1).map(|ms| ms / f64::from(running.output - 1));
    Verdict::Answered { ttft_ms, tpot_ms, service_ms }
}

fn tick(ns: u64) -> Tick {
    Tick(ns / 1_000)
}
