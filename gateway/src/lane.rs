//! The line before a pool: who waits, which replica takes the next request, and how the replicas are.
//!
//! The line is first come, first served. A request binds to a replica when it really goes, so no stale load is acted
//! on. The slot that it gets lives until its last byte; dropping it hands the place to the next in line, past whoever
//! has been failed by that very replica before.

use crate::config::PoolConfig;
use crate::error::{Fault, FaultCode};
use sluice_experts::{Endpoint, EndpointError, Engine};
use sluice_router::{Balancer, Health, Pick, PoolState, ReplicaLoad, Tick};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A pool's replicas and the line before them.
pub(crate) struct Lane {
    /// What it was made of; an equal configuration keeps the lane over a reload.
    pub(crate) config: PoolConfig,
    balancer: Balancer,
    engines: Vec<Arc<dyn Engine>>,
    state: Mutex<State>,
}

struct State {
    replicas: Vec<Replica>,
    waiting: VecDeque<Waiter>,
    turn: u64,
    ttft_ms: Average,
    tpot_ms: Average,
    service_ms: Average,
}

#[derive(Clone, Copy, Default)]
struct Replica {
    in_flight: u32,
    health: Health,
}

struct Waiter {
    seed: u64,
    /// Replicas that failed this request already.
    tried: Vec<usize>,
    slot: oneshot::Sender<Slot>,
}

/// What a request gets of a lane.
pub(crate) enum Entered {
    /// It may go.
    Granted(Slot),
    /// It waits.
    Waiting(Place),
}

/// A place in line.
pub(crate) struct Place {
    lane: Arc<Lane>,
    granted: oneshot::Receiver<Slot>,
}

impl Place {
    /// Waits until it is this request's turn.
    ///
    /// # Errors
    /// `UpstreamError` when no replica is left to wait for.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line; a slot that was just granted goes to the next.
    pub(crate) async fn turn(self) -> Result<Slot, Fault> {
        self.granted.await.map_err(|_| self.lane.all_down())
    }
}

/// How a lane is, for events and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneCounts {
    pub(crate) queued: usize,
    pub(crate) in_flight: usize,
    pub(crate) up: usize,
    pub(crate) ejected: usize,
}

impl Lane {
    /// A lane for a pool whose replicas have addresses.
    ///
    /// # Errors
    /// [`EndpointError`] when an address or header can't be used.
    pub(crate) fn new(config: PoolConfig) -> Result<Lane, EndpointError> {
        let row =
            sluice_experts::protocol(&config.protocol).expect("the configuration names known protocols");
        let endpoint = |url: &String| Endpoint {
            url: url.clone(),
            model: config.model.clone(),
            api_key: config.api_key.clone(),
            headers: config.headers.clone(),
            connect_timeout: config.connect_timeout,
            first_token_timeout: config.first_token_timeout,
            idle_timeout: config.idle_timeout,
        };
        let engines =
            config.endpoints.iter().map(|url| (row.connect)(endpoint(url))).collect::<Result<Vec<_>, _>>()?;
        Ok(Lane::with_engines(config, engines))
    }

    /// A lane before these engines, one for each replica.
    pub(crate) fn with_engines(config: PoolConfig, engines: Vec<Arc<dyn Engine>>) -> Lane {
        let balancer =
            sluice_router::balancer(&config.balance).expect("the configuration names known balancers");
        let state = State {
            replicas: vec![Replica::default(); engines.len()],
            waiting: VecDeque::new(),
            turn: 0,
            ttft_ms: Average::default(),
            tpot_ms: Average::default(),
            service_ms: Average::default(),
        };
        Lane { balancer: balancer.pick, engines, state: Mutex::new(state), config }
    }

    /// Takes a slot on a replica that is not in `tried`, or a place in line.
    ///
    /// # Errors
    /// `NoCapacity` when the line is full, `UpstreamError` when no replica takes work.
    pub(crate) fn enter(self: &Arc<Self>, seed: u64, tried: &[usize], now: Tick) -> Result<Entered, Fault> {
        self.wake(now); // a replica that is due again is first offered to those who wait
        let mut state = self.lock();
        if let Some(replica) = self.pick(&mut state, seed, tried, now) {
            return Ok(Entered::Granted(Slot::new(self, replica, now)));
        }
        if !state.any_up(tried, now) {
            return Err(self.all_down());
        }
        if state.waiting.len() >= self.config.max_queue {
            return Err(self.line_full(&state));
        }
        let (slot, granted) = oneshot::channel();
        state.waiting.push_back(Waiter { seed, tried: tried.to_vec(), slot });
        Ok(Entered::Waiting(Place { lane: self.clone(), granted }))
    }

    /// How the pool is, for a decision.
    pub(crate) fn pool_state(&self, now: Tick) -> PoolState {
        let state = self.lock();
        let up = state.replicas.iter().filter(|replica| replica.health.takes_work(now)).count() as u32;
        PoolState {
            replicas_up: up,
            in_flight: state.replicas.iter().map(|replica| replica.in_flight).sum(),
            limit: up.saturating_mul(self.config.max_concurrency),
            queued: state.queued() as u32,
            ttft_ms: state.ttft_ms.value(),
            tpot_ms: state.tpot_ms.value(),
            service_ms: state.service_ms.value(),
        }
    }

    /// How the pool is, for events.
    pub(crate) fn counts(&self, now: Tick) -> LaneCounts {
        let state = self.lock();
        let up = state.replicas.iter().filter(|replica| replica.health.takes_work(now)).count();
        LaneCounts {
            queued: state.queued(),
            in_flight: state.replicas.iter().map(|replica| replica.in_flight as usize).sum(),
            up,
            ejected: state.replicas.len() - up,
        }
    }

    /// A place on each replica whose ejection has run out, as its trial: nobody else gets one until it has ended.
    pub(crate) fn due(self: &Arc<Self>, now: Tick) -> Vec<Slot> {
        let mut state = self.lock();
        let is_due = |replica: &Replica| {
            matches!(replica.health, Health::Ejected { .. }) && replica.health.takes_work(now)
        };
        let due: Vec<usize> = (0..state.replicas.len()).filter(|&at| is_due(&state.replicas[at])).collect();
        for &at in &due {
            state.replicas[at].in_flight += 1;
            state.replicas[at].health.on_send();
        }
        due.into_iter().map(|at| Slot::new(self, at, now)).collect()
    }

    /// Whether a replica other than those in `tried` takes work.
    pub(crate) fn has_another(&self, tried: &[usize], now: Tick) -> bool {
        self.lock().any_up(tried, now)
    }

    /// Chooses a replica that has room and counts the request there.
    fn pick(&self, state: &mut State, seed: u64, tried: &[usize], now: Tick) -> Option<usize> {
        let limit = self.config.max_concurrency;
        let load = |(at, replica): (usize, &Replica)| ReplicaLoad {
            in_flight: replica.in_flight,
            limit,
            is_up: replica.health.takes_work(now) && !tried.contains(&at),
        };
        let loads: Vec<ReplicaLoad> = state.replicas.iter().enumerate().map(load).collect();
        let chosen = (self.balancer)(&loads, Pick { seed, turn: state.turn })?;
        state.turn += 1;
        state.replicas[chosen].in_flight += 1;
        state.replicas[chosen].health.on_send();
        Some(chosen)
    }

    /// Gives free places to those who wait, in their order, and turns away whoever has no replica left to wait for.
    ///
    /// Whatever frees a place calls it; time alone calls nobody, so it must be called now and then while a replica's
    /// ejection runs out.
    pub(crate) fn wake(self: &Arc<Self>, now: Tick) {
        while let Some((waiter, replica)) = self.next_in_line(now) {
            // The send fails when its client left meanwhile: the slot comes back, and its drop hands it on.
            drop(waiter.slot.send(Slot::new(self, replica, now)));
        }
    }

    /// The first in line for whom a replica has room.
    fn next_in_line(&self, now: Tick) -> Option<(Waiter, usize)> {
        let mut state = self.lock();
        let mut waiting = std::mem::take(&mut state.waiting);
        // Whoever is dropped here learns that no replica is left, or has gone already.
        waiting.retain(|waiter| !waiter.slot.is_closed() && state.any_up(&waiter.tried, now));
        let mut found = None;
        if self.any_room(&state, now) {
            for at in 0..waiting.len() {
                if let Some(replica) = self.pick(&mut state, waiting[at].seed, &waiting[at].tried, now) {
                    found = waiting.remove(at).zip(Some(replica));
                    break;
                }
            }
        }
        state.waiting = waiting;
        found
    }

    fn any_room(&self, state: &State, now: Tick) -> bool {
        let has_room = |replica: &Replica| {
            replica.in_flight < self.config.max_concurrency && replica.health.takes_work(now)
        };
        state.replicas.iter().any(has_room)
    }

    fn all_down(&self) -> Fault {
        let detail = format!("no replica of pool {} takes work", self.config.name);
        Fault::passing(FaultCode::UpstreamError, 1_000, detail)
    }

    fn line_full(&self, state: &State) -> Fault {
        let detail = format!(
            "pool {} is busy and its line is full ({} wait, at most {})",
            self.config.name,
            state.waiting.len(),
            self.config.max_queue
        );
        Fault::passing(FaultCode::NoCapacity, 1_000, detail)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can't leave the counts half-changed: nothing under it panics between two writes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn any_up(&self, tried: &[usize], now: Tick) -> bool {
        let is_up = |(at, replica): (usize, &Replica)| !tried.contains(&at) && replica.health.takes_work(now);
        self.replicas.iter().enumerate().any(is_up)
    }

    fn queued(&self) -> usize {
        self.waiting.iter().filter(|waiter| !waiter.slot.is_closed()).count()
    }
}

/// A place on one replica. Dropping it frees the place.
pub(crate) struct Slot {
    lane: Arc<Lane>,
    replica: usize,
    told: bool,
    /// When its use ended; until then, when it was granted.
    freed_at: Tick,
}

/// What a slot's use tells about its replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
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

impl Slot {
    fn new(lane: &Arc<Lane>, replica: usize, now: Tick) -> Slot {
        Slot { lane: lane.clone(), replica, told: false, freed_at: now }
    }

    /// Which replica it is on, as an index into the pool's.
    pub(crate) fn replica(&self) -> usize {
        self.replica
    }

    /// The replica's address.
    pub(crate) fn address(&self) -> &str {
        &self.lane.config.endpoints[self.replica]
    }

    /// The replica's engine.
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.lane.engines[self.replica]
    }

    /// The first event of the answer has come. Returns whether that has brought the replica back.
    pub(crate) fn on_answering(&self, now: Tick) -> bool {
        let is_back = self.lane.lock().replicas[self.replica].health.on_answering();
        if is_back {
            self.lane.wake(now);
        }
        is_back
    }

    /// Ends the use of the place. Returns whether the replica takes work now, where that has changed.
    pub(crate) fn end(mut self, verdict: Verdict, now: Tick) -> Option<bool> {
        self.told = true;
        self.freed_at = now;
        let mut state = self.lane.lock();
        let before = state.replicas[self.replica].health;
        let health = &mut state.replicas[self.replica].health;
        match verdict {
            Verdict::Answered { .. } => health.on_success(),
            Verdict::Neutral => health.on_unknown(now),
            Verdict::Ill { unreachable } => health.on_failure(now, unreachable),
        }
        let (was_up, is_up) = (takes_new_work(before), takes_new_work(*health));
        if let Verdict::Answered { ttft_ms, tpot_ms, service_ms } = verdict {
            state.ttft_ms.add(ttft_ms);
            state.service_ms.add(service_ms);
            if let Some(tpot_ms) = tpot_ms {
                state.tpot_ms.add(tpot_ms);
            }
        }
        (was_up != is_up).then_some(is_up)
    }
}

fn takes_new_work(health: Health) -> bool {
    matches!(health, Health::Up | Health::Failing { .. })
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut state = self.lane.lock();
            let replica = &mut state.replicas[self.replica];
            replica.in_flight -= 1;
            if !self.told {
                replica.health.on_unknown(self.freed_at);
            }
        }
        self.lane.wake(self.freed_at);
    }
}

/// An exponentially weighted mean; the first value counts whole.
#[derive(Clone, Copy, Default)]
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
