//! The line before a pool, as a pure state machine: who waits, which replica takes the next request, how the replicas are.
//!
//! First come, first served. A request binds to a replica when it really goes, so no stale load is acted on; whoever
//! has been failed by a replica is not sent there again, and is overtaken only by those who can use it. The gateway's
//! lanes and the load test in virtual time both keep their lines with it.

use crate::balance::{Balancer, Pick, ReplicaLoad};
use crate::fleet::{PoolState, ReplicaState};
use crate::health::Health;
use crate::line::work::InWork;
use crate::speed::SpeedLearner;
use crate::time::Tick;
use std::collections::VecDeque;

mod entrant;
mod work;

pub use entrant::{Entrant, Prefix, Seat, Work};

/// What a line is made of.
#[derive(Debug, Clone, Copy)]
pub struct LineRules {
    /// Replicas of the pool.
    pub replicas: usize,
    /// Requests that one replica answers at once.
    pub max_concurrency: u32,
    /// Requests that may wait.
    pub max_queue: usize,
    /// Which replica gets a request.
    pub balancer: Balancer,
}

/// A pool's replicas and those who wait for one; `W` is whatever its keeper needs to call one who waits.
#[derive(Debug)]
pub struct Line<W> {
    rules: LineRules,
    replicas: Vec<Replica>,
    /// In the order of their tickets.
    waiting: VecDeque<Waiter<W>>,
    next_ticket: u64,
    next_seat: u64,
    /// How many of those who wait have replicas that they don't want.
    picky: usize,
    turn: u64,
    ttft_ms: Average,
    tpot_ms: Average,
    service_ms: Average,
    speed: SpeedLearner,
    /// Kept for its memory only.
    loads: Vec<ReplicaLoad>,
}

#[derive(Debug, Clone, Default)]
struct Replica {
    in_flight: u32,
    health: Health,
    work: InWork,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: u64,
    entrant: Entrant,
    who: W,
}

/// What a request gets of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It may go to this seat, where it is counted from now on.
    Go(Seat),
    /// It waits, and may leave with this ticket.
    Wait(u64),
    /// The line is full.
    Full,
    /// No replica takes work.
    AllDown,
}

/// What becomes of one who has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<W> {
    /// It may go to this seat, where it is counted from now on.
    Go(W, Seat),
    /// No replica is left to wait for.
    AllDown(W),
}

/// What the use of a place tells about its replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It answered, with these times.
    Answered {
        /// Dispatch to first event.
        ttft_ms: f64,
        /// Per token after the first; `None` when there was at most one.
        tpot_ms: Option<f64>,
        /// Dispatch to end.
        service_ms: f64,
    },
    /// It refused or was cut for a reason that tells nothing about it.
    Neutral,
    /// It failed by its own fault.
    Ill {
        /// No connection could be made.
        unreachable: bool,
    },
}

/// How a line is, for events and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCounts {
    /// Requests that wait.
    pub queued: usize,
    /// Requests that are being answered.
    pub in_flight: usize,
    /// Replicas that take work.
    pub up: usize,
    /// Replicas that don't.
    pub ejected: usize,
}

impl<W> Line<W> {
    /// An empty line before healthy replicas.
    pub fn new(rules: LineRules) -> Line<W> {
        Line {
            replicas: vec![Replica::default(); rules.replicas],
            rules,
            waiting: VecDeque::new(),
            next_ticket: 0,
            next_seat: 0,
            picky: 0,
            turn: 0,
            ttft_ms: Average::default(),
            tpot_ms: Average::default(),
            service_ms: Average::default(),
            speed: SpeedLearner::new(),
            loads: Vec::new(),
        }
    }

    /// Takes a seat on a replica that has not failed the request yet, or a place in line. Those who wait come first:
    /// whoever enters somebody asks [`Line::next_turn`] before, until nobody's turn has come.
    pub fn enter(&mut self, entrant: Entrant, now: Tick, who: impl FnOnce() -> W) -> Entered {
        if let Some(seat) = self.pick(&entrant, now) {
            return Entered::Go(seat);
        }
        if !self.has_another(&entrant.tried, now) {
            return Entered::AllDown;
        }
        if self.waiting.len() >= self.rules.max_queue {
            return Entered::Full;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.picky += usize::from(!entrant.tried.is_empty());
        self.waiting.push_back(Waiter { ticket, entrant, who: who() });
        Entered::Wait(ticket)
    }

    /// Takes the one with this ticket out of the line; `None` when its turn has come already.
    pub fn leave(&mut self, ticket: u64) -> Option<W> {
        let at = self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        self.take(at)
    }

    /// The next of those who wait for whom something has changed; `None` when they all wait on.
    ///
    /// To be asked again after whatever frees a place. Time alone tells nobody, so it must be asked now and then while
    /// a replica's ejection runs out.
    pub fn next_turn(&mut self, now: Tick) -> Option<Turn<W>> {
        if let Some(at) = self.turned_away(now) {
            return self.take(at).map(Turn::AllDown);
        }
        if !self.has_room(now) {
            return None;
        }
        for at in 0..self.waiting.len() {
            let entrant = std::mem::take(&mut self.waiting[at].entrant);
            let picked = self.pick(&entrant, now);
            self.waiting[at].entrant = entrant;
            if let Some(seat) = picked {
                return self.take(at).map(|who| Turn::Go(who, seat));
            }
        }
        None
    }

    /// A seat on each replica whose ejection has run out, as its trial: nobody else gets one until it has ended.
    pub fn due(&mut self, now: Tick) -> Vec<Seat> {
        let is_due = |replica: &Replica| {
            matches!(replica.health, Health::Ejected { .. }) && replica.health.takes_work(now)
        };
        let due: Vec<usize> = (0..self.replicas.len()).filter(|&at| is_due(&self.replicas[at])).collect();
        due.into_iter().map(|at| self.seat(at)).collect() // a probe is no work
    }

    /// The first event of an answer has come. Returns whether that has brought the replica back: then turns may have
    /// come.
    pub fn on_answering(&mut self, seat: Seat, now: Tick) -> bool {
        let replica = &mut self.replicas[seat.replica];
        replica.work.first(seat.number, &mut self.speed, now, self.tpot_ms.value());
        replica.health.on_answering()
    }

    /// Ends the use of a seat and frees it: turns may have come. Returns whether the replica takes work now, where
    /// that has changed.
    pub fn end(&mut self, seat: Seat, verdict: Verdict, now: Tick) -> Option<bool> {
        let replica = &mut self.replicas[seat.replica];
        replica.in_flight -= 1;
        let answered = match verdict {
            Verdict::Answered { tpot_ms, .. } => tpot_ms,
            Verdict::Neutral | Verdict::Ill { .. } => None,
        };
        replica.work.end(seat.number, answered, &mut self.speed, now, self.tpot_ms.value());
        let health = &mut replica.health;
        let was_up = takes_new_work(*health);
        match verdict {
            Verdict::Answered { .. } => health.on_success(),
            Verdict::Neutral => health.on_unknown(now),
            Verdict::Ill { unreachable } => health.on_failure(now, unreachable),
        }
        let is_up = takes_new_work(*health);
        if let Verdict::Answered { ttft_ms, tpot_ms, service_ms } = verdict {
            self.ttft_ms.add(ttft_ms);
            self.service_ms.add(service_ms);
            if let Some(tpot_ms) = tpot_ms {
                self.tpot_ms.add(tpot_ms);
            }
        }
        (was_up != is_up).then_some(is_up)
    }

    /// How the pool is, for a decision on a request that begins with `prefix`.
    pub fn pool_state(&self, now: Tick, prefix: &Prefix) -> PoolState {
        let up = self.up(now) as u32;
        PoolState {
            replicas: (0..self.replicas.len()).map(|at| self.replica_state(at, now, prefix)).collect(),
            speed: Some(self.speed.speed()),
            replicas_up: up,
            in_flight: self.replicas.iter().map(|replica| replica.in_flight).sum(),
            limit: up.saturating_mul(self.rules.max_concurrency),
            queued: self.waiting.len() as u32,
            ttft_ms: self.ttft_ms.value(),
            tpot_ms: self.tpot_ms.value(),
            service_ms: self.service_ms.value(),
        }
    }

    /// How the pool is, for events.
    pub fn counts(&self, now: Tick) -> LineCounts {
        let up = self.up(now);
        LineCounts {
            queued: self.waiting.len(),
            in_flight: self.replicas.iter().map(|replica| replica.in_flight as usize).sum(),
            up,
            ejected: self.replicas.len() - up,
        }
    }

    /// Whether a replica other than those in `tried` takes work.
    pub fn has_another(&self, tried: &[usize], now: Tick) -> bool {
        let is_up = |(at, replica): (usize, &Replica)| !tried.contains(&at) && replica.health.takes_work(now);
        self.replicas.iter().enumerate().any(is_up)
    }

    /// Whether every replica is as it should be: then time alone changes nothing.
    pub fn is_well(&self) -> bool {
        self.replicas.iter().all(|replica| takes_new_work(replica.health))
    }

    fn up(&self, now: Tick) -> usize {
        self.replicas.iter().filter(|replica| replica.health.takes_work(now)).count()
    }

    fn has_room(&self, now: Tick) -> bool {
        let has_room = |replica: &Replica| {
            replica.in_flight < self.rules.max_concurrency && replica.health.takes_work(now)
        };
        !self.waiting.is_empty() && self.replicas.iter().any(has_room)
    }

    /// The first in line that has no replica left to wait for. Where nobody is picky all fare alike.
    fn turned_away(&self, now: Tick) -> Option<usize> {
        let looked_at = if self.picky == 0 { self.waiting.len().min(1) } else { self.waiting.len() };
        (0..looked_at).find(|&at| !self.has_another(&self.waiting[at].entrant.tried, now))
    }

    fn take(&mut self, at: usize) -> Option<W> {
        let waiter = self.waiting.remove(at)?;
        self.picky -= usize::from(!waiter.entrant.tried.is_empty());
        Some(waiter.who)
    }

    /// How one replica is for a request that begins with `prefix`.
    fn replica_state(&self, at: usize, now: Tick, _prefix: &Prefix) -> ReplicaState {
        let replica = &self.replicas[at];
        ReplicaState {
            is_up: replica.health.takes_work(now),
            in_flight: replica.in_flight,
            limit: self.rules.max_concurrency,
            ..replica.work.state(now, self.tpot_ms.value())
        }
    }

    /// Chooses a replica that has room and counts the request there.
    fn pick(&mut self, entrant: &Entrant, now: Tick) -> Option<Seat> {
        let mut loads = std::mem::take(&mut self.loads);
        loads.clear();
        loads.extend((0..self.replicas.len()).map(|at| self.load(at, entrant, now)));
        let chosen = (self.rules.balancer)(&loads, Pick { seed: entrant.seed, turn: self.turn });
        self.loads = loads;
        let chosen = chosen?;
        self.turn += 1;
        let met = self.replica_state(chosen, now, &entrant.prefix);
        let seat = self.seat(chosen);
        self.replicas[chosen].work.add(seat.number, entrant.work, met, &self.speed, now);
        Some(seat)
    }

    fn load(&self, at: usize, entrant: &Entrant, now: Tick) -> ReplicaLoad {
        let state = self.replica_state(at, now, &entrant.prefix);
        let prompt = f64::from(entrant.work.prompt_tokens);
        let pace = self.speed.speed().pace(&state, prompt, prompt - f64::from(state.hit_tokens));
        ReplicaLoad {
            in_flight: state.in_flight,
            limit: state.limit,
            is_up: state.is_up && !entrant.tried.contains(&at),
            finish_ms: pace.ttft_ms + entrant.work.output_tokens * pace.tpot_ms,
        }
    }

    fn seat(&mut self, replica: usize) -> Seat {
        self.replicas[replica].in_flight += 1;
        self.replicas[replica].health.on_send();
        self.next_seat += 1;
        Seat { replica, number: self.next_seat }
    }
}

fn takes_new_work(health: Health) -> bool {
    matches!(health, Health::Up | Health::Failing { .. })
}

/// An exponentially weighted mean; the first value counts whole.
#[derive(Debug, Clone, Copy, Default)]
struct Average(Option<f64>);

impl Average {
    fn add(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |mean| mean + WEIGHT * (value - mean)));
    }

    fn value(self) -> f64 {
        self.0.unwrap_or(0.0)
    }
}

/// How much one answer moves the mean of its pool's times: about the last twenty count.
const WEIGHT: f64 = 0.05;

#[cfg(test)]
mod tests;
