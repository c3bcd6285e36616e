//! A pool in service: its engines, and the line before them ([`Line`]) for tasks that wait.
//!
//! The slot that a request gets lives until its last byte; dropping it hands the place to the next in line.

use crate::config::PoolConfig;
use crate::error::{Fault, FaultCode};
use sluice_experts::{Dial, Endpoint, EndpointError, Engine};
use sluice_router::{Entrant, Line, LineCounts, LineRules, PoolState, Seat, Tick, Turn, Verdict};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A pool's engines and the line before them.
pub(crate) struct Lane {
    /// What it was made of; an equal configuration keeps the lane over a reload.
    pub(crate) config: PoolConfig,
    engines: Vec<Arc<dyn Engine>>,
    line: Mutex<Line<Caller>>,
}

/// Calls one who waits.
type Caller = oneshot::Sender<Result<Slot, Fault>>;

/// What a request gets of a lane.
pub(crate) enum Entered {
    /// It may go.
    Granted(Slot),
    /// It waits.
    Waiting(Place),
}

/// A place in line. Dropping it leaves the line.
pub(crate) struct Place {
    lane: Arc<Lane>,
    ticket: u64,
    called: oneshot::Receiver<Result<Slot, Fault>>,
}

impl Place {
    /// Waits until it is this request's turn.
    ///
    /// # Errors
    /// `UpstreamError` when no replica is left to wait for, `DeadlineUnreachable` when the deadline can't be made any
    /// more, `NoCapacity` when the place had to be given to another.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line; a slot that was just granted goes to the next.
    pub(crate) async fn turn(mut self) -> Result<Slot, Fault> {
        (&mut self.called).await.unwrap_or_else(|_| Err(self.lane.all_down()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lane.lock().leave(self.ticket);
    }
}

impl Lane {
    /// A lane for a pool whose replicas have addresses.
    ///
    /// # Errors
    /// [`EndpointError`] when an address or header can't be used.
    pub(crate) fn new(config: PoolConfig, dial: &Arc<dyn Dial>) -> Result<Lane, EndpointError> {
        let row =
            sluice_experts::protocol(&config.protocol).expect("the configuration names known protocols");
        let endpoint = |url: &String| Endpoint {
            url: url.clone(),
            model: config.model.clone(),
            api_key: config.api_key.clone(),
            headers: config.headers.clone(),
            dial: dial.clone(),
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
        let line = Line::new(LineRules {
            replicas: engines.len(),
            max_concurrency: config.max_concurrency,
            limit: config.limit,
            max_queue: config.max_queue,
            max_queue_bytes: config.max_queue_bytes,
            balancer: balancer.pick,
        });
        Lane { engines, line: Mutex::new(line), config }
    }

    /// Takes a slot on a replica that has not failed the request yet, or a place in line.
    ///
    /// # Errors
    /// `NoCapacity` when the line is full, `DeadlineUnreachable` when it is too long, `DeadlineExceeded` when the deadline
    /// has passed, `UpstreamError` when no replica takes work.
    pub(crate) fn enter(self: &Arc<Self>, entrant: Entrant, now: Tick) -> Result<Entered, Fault> {
        self.wake(now); // a replica that is due again is first offered to those who wait
        let mut place = None;
        let who = || {
            let (caller, called) = oneshot::channel();
            place = Some(called);
            caller
        };
        let entered = self.lock().enter(entrant, now, who);
        match entered {
            sluice_router::Entered::Go(seat) => Ok(Entered::Granted(Slot::new(self, seat, now))),
            sluice_router::Entered::Wait(ticket) => {
                let called = place.expect("whoever waits was asked for its channel");
                self.wake(now); // whoever lost its place to this one is told
                Ok(Entered::Waiting(Place { lane: self.clone(), ticket, called }))
            }
            sluice_router::Entered::Late { retry_after_ms: Some(ms) } => Err(self.too_long(ms)),
            sluice_router::Entered::Late { retry_after_ms: None } => {
                let detail = "the deadline comes before any answer could begin";
                Err(Fault::new(FaultCode::DeadlineExceeded, detail))
            }
            sluice_router::Entered::Full => Err(self.line_full()),
            sluice_router::Entered::AllDown => Err(self.all_down()),
        }
    }

    /// Takes a slot that is free right now and that nobody waits for, else nothing.
    pub(crate) fn enter_at_once(self: &Arc<Self>, entrant: &Entrant, now: Tick) -> Option<Slot> {
        self.wake(now);
        let seat = self.lock().enter_at_once(entrant, now)?;
        Some(Slot::new(self, seat, now))
    }

    /// How the pool is, for a decision on this request.
    pub(crate) fn pool_state(&self, now: Tick, asker: &Entrant) -> PoolState {
        self.lock().pool_state_for(now, asker)
    }

    /// How the pool is, for events.
    pub(crate) fn counts(&self, now: Tick) -> LineCounts {
        self.lock().counts(now)
    }

    /// A place on each replica whose ejection has run out, as its trial: nobody else gets one until it has ended.
    pub(crate) fn due(self: &Arc<Self>, now: Tick) -> Vec<Slot> {
        let due = self.lock().due(now);
        due.into_iter().map(|seat| Slot::new(self, seat, now)).collect()
    }

    /// Whether a replica other than those in `tried` takes work.
    pub(crate) fn has_another(&self, tried: &[usize], now: Tick) -> bool {
        self.lock().has_another(tried, now)
    }

    /// Gives free places to those who wait, in their order, and turns away whoever has no replica left to wait for, no
    /// time left, or no place.
    ///
    /// Whatever frees a place calls it; time alone calls nobody, so it must be called now and then.
    pub(crate) fn wake(self: &Arc<Self>, now: Tick) {
        while let Some(turn) = self.next_turn(now) {
            match turn {
                // The send fails when its client left meanwhile: the slot comes back, and its drop hands it on.
                Turn::Go(caller, seat) => drop(caller.send(Ok(Slot::new(self, seat, now)))),
                // Whoever has left needs no refusal.
                Turn::AllDown(caller) => drop(caller.send(Err(self.all_down()))),
                Turn::Late(caller) => drop(caller.send(Err(self.too_long(1_000)))),
                Turn::Displaced(caller) => drop(caller.send(Err(self.line_full()))),
            }
        }
    }

    fn next_turn(&self, now: Tick) -> Option<Turn<Caller>> {
        self.lock().next_turn(now)
    }

    fn all_down(&self) -> Fault {
        let detail = format!("no replica of pool {} takes work", self.config.name);
        Fault::passing(FaultCode::UpstreamError, 1_000, detail)
    }

    fn line_full(&self) -> Fault {
        let (name, most, bytes) = (&self.config.name, self.config.max_queue, self.config.max_queue_bytes);
        let detail =
            format!("pool {name} is busy and its line is full (at most {most} wait, of {bytes} bytes)");
        Fault::passing(FaultCode::NoCapacity, 1_000, detail)
    }

    /// The line is too long for the deadline; it is not worth a try before so many milliseconds.
    fn too_long(&self, ms: u32) -> Fault {
        let name = &self.config.name;
        let detail = format!("the line of pool {name} is too long for the deadline");
        Fault::passing(FaultCode::DeadlineUnreachable, retry_ms(ms.into()), detail)
    }

    fn lock(&self) -> MutexGuard<'_, Line<Caller>> {
        // A panic under the lock can't leave the counts half-changed: nothing under it panics between two writes.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The advice when to try again where so much waiting is too much.
pub(crate) fn retry_ms(too_much_ms: f64) -> u32 {
    too_much_ms.clamp(SOONEST_RETRY_MS, LATEST_RETRY_MS) as u32
}

const SOONEST_RETRY_MS: f64 = 100.0;
const LATEST_RETRY_MS: f64 = 60_000.0;

/// A place on one replica. Dropping it frees the place.
pub(crate) struct Slot {
    lane: Arc<Lane>,
    seat: Seat,
    granted: Tick,
    is_over: bool,
}

impl Slot {
    fn new(lane: &Arc<Lane>, seat: Seat, now: Tick) -> Slot {
        Slot { lane: lane.clone(), seat, granted: now, is_over: false }
    }

    /// Which replica it is on, as an index into the pool's.
    pub(crate) fn replica(&self) -> usize {
        self.seat.replica
    }

    /// The replica's address.
    pub(crate) fn address(&self) -> &str {
        &self.lane.config.endpoints[self.seat.replica]
    }

    /// The replica's engine.
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.lane.engines[self.seat.replica]
    }

    /// The first event of the answer has come. Returns whether that has brought the replica back.
    pub(crate) fn on_answering(&self, now: Tick) -> bool {
        let is_back = self.lane.lock().on_answering(self.seat, now);
        if is_back {
            self.lane.wake(now);
        }
        is_back
    }

    /// The answer has, or had, this many tokens.
    pub(crate) fn on_output(&self, tokens: u32) {
        self.lane.lock().on_output(self.seat, tokens);
    }

    /// Ends the use of the place. Returns whether the replica takes work now, where that has changed.
    pub(crate) fn end(mut self, verdict: Verdict, now: Tick) -> Option<bool> {
        self.free(verdict, now)
    }

    /// Frees the place before its use has ended: the bug that the simulation must find.
    #[cfg(test)]
    pub(crate) fn free_early(&mut self, now: Tick) {
        self.free(Verdict::Neutral, now);
    }

    fn free(&mut self, verdict: Verdict, now: Tick) -> Option<bool> {
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let change = self.lane.lock().end(self.seat, verdict, now);
        self.lane.wake(now);
        change
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free(Verdict::Neutral, self.granted);
    }
}

#[cfg(test)]
mod tests;
