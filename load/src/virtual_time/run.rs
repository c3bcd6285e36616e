//! The run itself: takes event after event off the agenda until nothing is left to come.

use super::agenda::{Agenda, Alarm, Due};
use super::caches::{Oracle, turns_of};
use super::failure::Failure;
use super::replica::Replica;
use super::request::{Id, Place, Request, Requests};
use super::window::Told;
use super::world::{PoolSpec, Prompted, World};
use crate::arrivals::Arrivals;
use crate::random::Random;
use crate::sample::{Planned, Sample};
use sluice_router::{Line, Prefix, RetryBudget, Seat, Tick, Turn, Verdict};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// What a run was, beside its samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Requests that were sent.
    pub sent: u64,
    /// Events that were worked on.
    pub events: u64,
    /// The most requests under way at once.
    pub most_open: usize,
    /// When the last request ended, in nanoseconds from the start.
    pub ended: u64,
    /// Tries that each replica took on, by pool.
    pub dispatched: Vec<Vec<u64>>,
    /// Time with at least one request in work, by pool and replica, in nanoseconds.
    pub busy: Vec<Vec<u64>>,
    /// Prompt tokens worked on and tokens of answers, by pool and replica, of what was answered.
    pub tokens: Vec<Vec<u64>>,
    /// By how much predicted times to the first token were off, as a share of the real one, by pool: one for each first
    /// try that brought a token.
    pub ttft_errors: Vec<Vec<f32>>,
    /// Prompt tokens that were in the caches, by pool, of what was answered.
    pub cached: Vec<u64>,
    /// Prompt tokens that one cache of all replicas' size would have held, by pool.
    pub oracle: Vec<u64>,
}

/// Carries a plan out, and hands each request's sample to `sink` as it ends.
pub fn run(
    world: &World,
    prompts: &mut dyn Prompted,
    arrivals: &mut dyn Arrivals,
    sink: &mut dyn FnMut(Sample),
) -> Totals {
    let mut run = Run::new(world, prompts, arrivals, sink);
    run.begin();
    while let Some((at, due)) = run.agenda.next() {
        run.now = run.now.max(at);
        run.totals.events += 1;
        run.happens(at, due);
        run.settle();
    }
    run.sum_up()
}

/// Alarms: the deadline first, then each pool's patience for a first token.
const DEADLINE: usize = 0;
const FIRST_TOKEN: usize = 1;
/// How often the gateway looks after ejected replicas.
const WATCH_EVERY: u64 = 1_000_000_000;

pub(super) struct Run<'a> {
    pub(super) world: &'a World,
    pub(super) prompts: &'a mut dyn Prompted,
    arrivals: &'a mut dyn Arrivals,
    pub(super) sink: &'a mut dyn FnMut(Sample),
    pub(super) now: u64,
    pub(super) agenda: Agenda,
    alarms: Vec<Alarm>,
    pub(super) lines: Vec<Line<Id>>,
    pub(super) replicas: Vec<Vec<Replica>>,
    pub(super) requests: Requests,
    pub(super) retries: RetryBudget,
    /// Those whose turn has come, in that order.
    turns: VecDeque<(usize, Turn<Id>)>,
    /// Milestones of replicas that nobody has heard of yet.
    milestones: VecDeque<Told>,
    /// Replicas whose batch has changed.
    changed: Vec<(usize, usize)>,
    next: Option<Planned>,
    follows: BTreeMap<usize, Planned>,
    /// Tokens of each session's turns so far.
    carried: HashMap<u64, u32>,
    /// For each pool; of those without caches none has room.
    pub(super) oracles: Vec<Oracle>,
    is_watching: bool,
    pub(super) totals: Totals,
}

impl<'a> Run<'a> {
    fn new(
        world: &'a World,
        prompts: &'a mut dyn Prompted,
        arrivals: &'a mut dyn Arrivals,
        sink: &'a mut dyn FnMut(Sample),
    ) -> Run<'a> {
        let per_replica: Vec<Vec<u64>> = world.pools.iter().map(|pool| vec![0; pool.line.replicas]).collect();
        let all_caches = |pool: &PoolSpec| pool.capacity.prefix_tokens * pool.line.replicas as u64;
        let waits = world.pools.iter().map(|pool| pool.first_token_timeout);
        let replicas = |pool: &PoolSpec| {
            (0..pool.line.replicas).map(|_| Replica::new(pool.capacity, pool.window)).collect()
        };
        Run {
            alarms: std::iter::once(world.deadline).chain(waits).map(Alarm::new).collect(),
            lines: world.pools.iter().map(|pool| Line::new(pool.line)).collect(),
            replicas: world.pools.iter().map(replicas).collect(),
            totals: Totals {
                dispatched: per_replica.clone(),
                tokens: per_replica,
                cached: vec![0; world.pools.len()],
                ttft_errors: vec![Vec::new(); world.pools.len()],
                ..Totals::default()
            },
            oracles: world.pools.iter().map(|pool| Oracle::new(all_caches(pool))).collect(),
            world,
            prompts,
            arrivals,
            sink,
            now: 0,
            agenda: Agenda::default(),
            requests: Requests::default(),
            retries: RetryBudget::new(),
            turns: VecDeque::new(),
            milestones: VecDeque::new(),
            changed: Vec::new(),
            next: None,
            follows: BTreeMap::new(),
            carried: HashMap::new(),
            is_watching: false,
        }
    }

    fn sum_up(self) -> Totals {
        let busy = self.replicas.iter().map(|pool| pool.iter().map(Replica::busy).collect()).collect();
        let oracle = self.oracles.iter().map(|oracle| oracle.hit_tokens).collect();
        Totals { most_open: self.requests.most(), busy, oracle, ..self.totals }
    }

    fn begin(&mut self) {
        for (at, outage) in self.world.outages.iter().enumerate() {
            self.agenda.set(outage.from, Due::Dies(at));
            if let Some(until) = outage.until {
                self.agenda.set(until, Due::Returns(at));
            }
        }
        self.plan_next();
    }

    fn plan_next(&mut self) {
        self.next = self.arrivals.next();
        if let Some(planned) = self.next {
            self.agenda.set(planned.at, Due::Arrival);
        }
    }

    fn happens(&mut self, at: u64, due: Due) {
        match due {
            Due::Arrival => {
                if let Some(planned) = self.next.take() {
                    self.arrive(planned);
                }
                self.plan_next();
            }
            Due::Follow(key) => {
                if let Some(planned) = self.follows.remove(&key) {
                    self.arrive(planned);
                }
            }
            Due::Look { pool, replica } => {
                if self.replicas[pool][replica].wants_look(at) {
                    self.advance(pool, replica);
                }
            }
            Due::Cancel(id) => self.cut(id, None),
            Due::Rested(id) => self.rested(id),
            Due::Alarm(which) => self.alarm(which),
            Due::Watch => self.watch(),
            Due::Dies(at) => self.dies(at),
            Due::Returns(at) => {
                for (pool, replica) in self.hit_by(at) {
                    self.replicas[pool][replica].come_back(self.now);
                }
            }
        }
    }

    /// Works off what has come of an event, in order, until nothing more does.
    fn settle(&mut self) {
        loop {
            if let Some(told) = self.milestones.pop_front() {
                self.hear(told);
            } else if let Some((pool, turn)) = self.turns.pop_front() {
                self.turn(pool, turn);
            } else if let Some((pool, replica)) = self.changed.pop() {
                if let Some(at) = self.replicas[pool][replica].next_look() {
                    self.agenda.set(at, Due::Look { pool, replica });
                }
            } else {
                return;
            }
        }
    }

    /// The time as the gateway's clock has it.
    pub(super) fn tick(&self) -> Tick {
        Tick(self.now / 1_000)
    }

    fn arrive(&mut self, planned: Planned) {
        let n = self.totals.sent;
        self.totals.sent += 1;
        self.retries.earn();
        let carried = planned.session.and_then(|session| self.carried.get(&session).copied()).unwrap_or(0);
        let request = Request {
            n,
            planned,
            carried,
            prefix: self.prefix(&planned, carried),
            sent: self.now,
            walk: None,
            expected: Vec::new(),
            seed: Random::new(self.world.seed, n).bits(),
            place: Place::Nowhere,
            waited: 0,
            cost: sluice_router::NanoUsd::ZERO,
            last: None,
            begun: None,
        };
        let id = self.requests.add(request);
        self.set_alarm(DEADLINE, id);
        if let Some(after) = planned.cancel_after {
            self.agenda.set(self.now.saturating_add(after), Due::Cancel(id));
        }
        self.choose(id);
    }

    /// What a prompt begins with, where some line remembers that.
    fn prefix(&mut self, planned: &Planned, carried: u32) -> Prefix {
        if self.world.pools.iter().all(|pool| pool.line.prefix_tokens == 0) {
            return Prefix::default();
        }
        let own = self.prompts.get(planned.prompt).ask.needs.prompt_tokens;
        turns_of(planned, own.saturating_add(carried))
    }

    /// Asks the plan what follows from an end.
    pub(super) fn ended(&mut self, sample: Sample) {
        self.totals.ended = self.now;
        if let Some(session) = sample.planned.session.filter(|_| self.world.is_conversational) {
            self.carried.insert(session, sample.input_tokens.saturating_add(sample.output_tokens));
        }
        if let Some(planned) = self.arrivals.follow(&sample.planned, self.now, sample.is_ok()) {
            let key = self.follows.last_key_value().map_or(0, |(key, _)| key + 1);
            self.follows.insert(key, planned);
            self.agenda.set(planned.at.max(self.now), Due::Follow(key));
        }
        (self.sink)(sample);
    }

    /// Brings a replica up to now.
    pub(super) fn advance(&mut self, pool: usize, replica: usize) {
        self.milestones.extend(self.replicas[pool][replica].step(self.now));
        self.changed.push((pool, replica));
    }

    fn set_alarm(&mut self, which: usize, id: Id) {
        if let Some(at) = self.alarms[which].set(self.now, id) {
            self.agenda.set(at, Due::Alarm(which));
        }
    }

    pub(super) fn set_first_token_alarm(&mut self, pool: usize, id: Id) {
        self.set_alarm(FIRST_TOKEN + pool, id);
    }

    fn alarm(&mut self, which: usize) {
        while let Some(id) = self.alarms[which].rung(self.now) {
            match which.checked_sub(FIRST_TOKEN) {
                None => self.cut(id, Some(Failure::deadline())),
                Some(pool) => self.no_first_token(id, pool),
            }
        }
        let requests = &self.requests;
        if let Some(at) = self.alarms[which].next(|id| !requests.has(id)) {
            self.agenda.set(at, Due::Alarm(which));
        }
    }

    /// Hears whose turn has come since something changed at a pool.
    pub(super) fn wake(&mut self, pool: usize) {
        let now = self.tick();
        while let Some(turn) = self.lines[pool].next_turn(now) {
            self.turns.push_back((pool, turn));
        }
    }

    /// Ends the use of a seat.
    pub(super) fn free(&mut self, pool: usize, seat: Seat, verdict: Verdict) {
        let now = self.tick();
        self.lines[pool].end(seat, verdict, now);
        if !self.is_watching && !self.lines[pool].is_well(now) {
            self.is_watching = true;
            let next = (self.now / WATCH_EVERY + 1) * WATCH_EVERY;
            self.agenda.set(next, Due::Watch);
        }
        self.wake(pool);
    }

    /// Probes the replicas whose ejection has run out, as the gateway does every second.
    fn watch(&mut self) {
        let now = self.tick();
        for pool in 0..self.lines.len() {
            for seat in self.lines[pool].due(now) {
                let verdict = if self.replicas[pool][seat.replica].is_dead() {
                    Verdict::Ill { unreachable: true }
                } else {
                    self.lines[pool].on_answering(seat, now);
                    Verdict::Neutral
                };
                self.free(pool, seat, verdict);
            }
            self.wake(pool);
        }
        let anything_goes_on = self.next.is_some() || !self.follows.is_empty() || !self.requests.is_empty();
        self.is_watching = anything_goes_on && self.lines.iter().any(|line| !line.is_well(now));
        if self.is_watching {
            self.agenda.set(self.now + WATCH_EVERY, Due::Watch);
        }
    }

    fn dies(&mut self, at: usize) {
        for (pool, replica) in self.hit_by(at) {
            self.advance(pool, replica);
            // What is complete by now is told before the rest breaks.
            self.hear_milestones();
            let hit = self.requests.on(pool, replica);
            let produced: Vec<u32> =
                hit.iter().map(|id| self.replicas[pool][replica].cancel(id.to_sequence())).collect();
            self.replicas[pool][replica].die();
            for (id, produced) in hit.into_iter().zip(produced) {
                self.broken(id, produced);
            }
        }
    }

    /// Hears what replicas have got done, before anything else.
    pub(super) fn hear_milestones(&mut self) {
        while let Some(told) = self.milestones.pop_front() {
            self.hear(told);
        }
    }

    fn hit_by(&self, outage: usize) -> Vec<(usize, usize)> {
        let outage = self.world.outages[outage];
        let all = 0..self.replicas[outage.pool].len();
        all.filter(|at| outage.replica.is_none_or(|hit| hit == *at)).map(|at| (outage.pool, at)).collect()
    }
}
