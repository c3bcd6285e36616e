//! A pool in service: its replicas, and the line before them ([`Line`]) for tasks that wait.
//!
//! Replicas join and leave while it runs; whoever leaves gets nothing new, and what it has ends in peace. The slot that a request gets lives until its last byte; dropping it hands the place to the next in line.

mod member;
mod slot;

pub(crate) use member::Member;
pub(crate) use slot::Slot;

use crate::config::PoolConfig;
use crate::error::{Fault, FaultCode};
use crate::quota::Quota;
use sluice_experts::{Dial, Endpoint, EndpointError, Engine, LoadReport};
use sluice_router::{
    Change, Entrant, Line, LineCounts, LineRules, PoolState, ReplicaReport, Report, Seat, Tick, Turn, Verdict,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A pool's replicas and the line before them.
pub(crate) struct Lane {
    /// What it was made of; a configuration that differs in its endpoints only keeps the lane over a reload.
    pub(crate) config: PoolConfig,
    /// The pause of its quota, which other pools may share.
    pub(crate) quota: Arc<Quota>,
    /// How newcomers are dialled.
    dial: Arc<dyn Dial>,
    is_discovering: AtomicBool,
    inner: Mutex<Inner>,
}

/// What changes together.
struct Inner {
    line: Line<Caller>,
    /// By the line's index; those that have left stay until the index is given away.
    members: Vec<Arc<Member>>,
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
        self.lane.lock().line.leave(self.ticket);
    }
}

impl Lane {
    /// A lane for a pool with the addresses of its configuration.
    ///
    /// # Errors
    /// [`EndpointError`] when an address or header can't be used.
    pub(crate) fn new(
        config: PoolConfig,
        quota: Arc<Quota>,
        dial: &Arc<dyn Dial>,
    ) -> Result<Lane, EndpointError> {
        let member = |url: &String| Ok(Member::of_pool(&config, url.clone(), connect(&config, url, dial)?));
        let members = config.endpoints.iter().map(member).collect::<Result<Vec<_>, _>>()?;
        Ok(Lane::with_members(config, quota, dial.clone(), members))
    }

    /// A lane before these replicas.
    pub(crate) fn with_members(
        config: PoolConfig,
        quota: Arc<Quota>,
        dial: Arc<dyn Dial>,
        members: Vec<Arc<Member>>,
    ) -> Lane {
        let balancer =
            sluice_router::balancer(&config.balance).expect("the configuration names known balancers");
        let line = Line::new(LineRules {
            replicas: members.len(),
            max_concurrency: config.max_concurrency,
            limit: config.limit,
            max_queue: config.max_queue,
            max_queue_bytes: config.max_queue_bytes,
            balancer: balancer.pick,
            prefix_tokens: config.prefix_tokens,
            declared: config.declared,
        });
        let inner = Mutex::new(Inner { line, members });
        Lane { config, quota, dial, is_discovering: AtomicBool::new(false), inner }
    }

    /// Replicas for those of these addresses that the pool doesn't have yet.
    ///
    /// # Errors
    /// [`EndpointError`] when an address can't be used; nothing has changed then.
    pub(crate) fn newcomers(&self, addresses: &[String]) -> Result<Vec<Arc<Member>>, EndpointError> {
        let known: Vec<String> = self.members().iter().map(|member| member.address.clone()).collect();
        let mut new: Vec<Arc<Member>> = Vec::new();
        for address in addresses {
            if !known.contains(address) && !new.iter().any(|member| member.address == *address) {
                let engine = connect(&self.config, address, &self.dial)?;
                new.push(Member::of_pool(&self.config, address.clone(), engine));
            }
        }
        Ok(new)
    }

    /// From now on the pool has these addresses: others leave, and the newcomers join. Returns how many did each.
    pub(crate) fn regroup(
        self: &Arc<Self>,
        addresses: &[String],
        newcomers: Vec<Arc<Member>>,
        now: Tick,
    ) -> (usize, usize) {
        let mut inner = self.lock();
        let mut left = 0;
        for at in inner.current() {
            if !addresses.contains(&inner.members[at].address) {
                inner.members[at].left.cancel();
                inner.line.retire_replica(at);
                left += 1;
            }
        }
        let joined = newcomers.len();
        for member in newcomers {
            let at = inner.line.add_replica(now);
            match inner.members.get_mut(at) {
                Some(vacant) => *vacant = member,
                None => inner.members.push(member),
            }
        }
        drop(inner);
        self.wake(now);
        (joined, left)
    }

    /// The replicas that have not left.
    pub(crate) fn members(&self) -> Vec<Arc<Member>> {
        let inner = self.lock();
        inner.current().map(|at| inner.members[at].clone()).collect()
    }

    /// A replica has told of its load; no matter if it has left.
    pub(crate) fn note_report(&self, member: &Arc<Member>, told: &LoadReport, now: Tick) {
        let mut inner = self.lock();
        let at = inner.current().find(|&at| Arc::ptr_eq(&inner.members[at], member));
        if let Some(at) = at {
            let report = Report { running: told.running, waiting: told.waiting, memory: told.memory };
            inner.line.note_report(at, report, now);
        }
    }

    /// Every replica with its address, those that leave included.
    pub(crate) fn replica_reports(&self, now: Tick) -> Vec<(String, ReplicaReport)> {
        let inner = self.lock();
        let reports = inner.line.replica_reports(now);
        reports.into_iter().map(|report| (inner.members[report.replica].address.clone(), report)).collect()
    }

    /// How long the pause of its quota lasts, in milliseconds.
    pub(crate) fn cools_for_ms(&self, now: Tick) -> Option<u32> {
        let until = self.lock().line.cools_until(now)?;
        Some(u32::try_from(until.since_us(now).div_ceil(1_000)).unwrap_or(u32::MAX))
    }

    /// True the first time: whoever gets it looks for the pool's replicas from now on.
    pub(crate) fn begin_discovering(&self) -> bool {
        !self.is_discovering.swap(true, Ordering::Relaxed)
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
        let entered = self.lock().line.enter(entrant, now, who);
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
            sluice_router::Entered::Cooling(_) => Err(self.cooling(now)),
        }
    }

    /// Takes a slot that is free right now and that nobody waits for, else nothing.
    pub(crate) fn enter_at_once(self: &Arc<Self>, entrant: &Entrant, now: Tick) -> Option<Slot> {
        self.wake(now);
        let seat = self.lock().line.enter_at_once(entrant, now)?;
        Some(Slot::new(self, seat, now))
    }

    /// How the pool is, for a decision on this request.
    pub(crate) fn pool_state(&self, now: Tick, asker: &Entrant) -> PoolState {
        self.lock().line.pool_state_for(now, asker)
    }

    /// How the pool is, for events.
    pub(crate) fn counts(&self, now: Tick) -> LineCounts {
        self.lock().line.counts(now)
    }

    /// A place on each replica whose ejection has run out, as its trial: nobody else gets one until it has ended.
    pub(crate) fn due(self: &Arc<Self>, now: Tick) -> Vec<Slot> {
        let due = self.lock().line.due(now);
        due.into_iter().map(|seat| Slot::new(self, seat, now)).collect()
    }

    /// Whether a replica other than those in `tried` takes work.
    pub(crate) fn has_another(&self, tried: &[usize], now: Tick) -> bool {
        self.lock().line.has_another(tried, now)
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
                Turn::AllDown(caller) => drop(caller.send(Err(self.not_now(now)))),
                Turn::Late(caller) => drop(caller.send(Err(self.too_long(1_000)))),
                Turn::Displaced(caller) => drop(caller.send(Err(self.line_full()))),
            }
        }
    }

    fn next_turn(&self, now: Tick) -> Option<Turn<Caller>> {
        self.lock().line.next_turn(now)
    }

    fn all_down(&self) -> Fault {
        let detail = format!("no replica of pool {} takes work", self.config.name);
        Fault::passing(FaultCode::UpstreamError, 1_000, detail)
    }

    /// Nothing takes work: the quota's pause, or all are down.
    fn not_now(&self, now: Tick) -> Fault {
        if self.cools_for_ms(now).is_some() { self.cooling(now) } else { self.all_down() }
    }

    fn cooling(&self, now: Tick) -> Fault {
        let detail = format!("the quota of pool {} is used up for now", self.config.name);
        Fault::passing(FaultCode::NoCapacity, self.cools_for_ms(now).unwrap_or(0), detail)
    }

    /// Ends the use of a seat; a pause that it asks for holds for all who share the quota.
    fn end(&self, seat: Seat, verdict: Verdict, now: Tick) -> Option<Change> {
        let mut inner = self.lock();
        let change = inner.line.end(seat, verdict, now);
        if let Some(until) = inner.line.cools_until(now) {
            self.quota.pause(until);
        }
        change
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock can't leave the counts half-changed: nothing under it panics between two writes.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.line.cool_down(self.quota.until());
        inner
    }
}

/// The advice when to try again where so much waiting is too much.
pub(crate) fn retry_ms(too_much_ms: f64) -> u32 {
    too_much_ms.clamp(SOONEST_RETRY_MS, LATEST_RETRY_MS) as u32
}

const SOONEST_RETRY_MS: f64 = 100.0;
const LATEST_RETRY_MS: f64 = 60_000.0;
impl Inner {
    /// Indices of the replicas that have not left.
    fn current(&self) -> impl Iterator<Item = usize> + use<> {
        let current: Vec<usize> =
            (0..self.members.len()).filter(|&at| !self.members[at].left.is_cancelled()).collect();
        current.into_iter()
    }
}

/// The engine at an address of the pool.
fn connect(config: &PoolConfig, url: &str, dial: &Arc<dyn Dial>) -> Result<Arc<dyn Engine>, EndpointError> {
    let row = sluice_experts::protocol(&config.protocol).expect("the configuration names known protocols");
    (row.connect)(Endpoint {
        url: url.to_owned(),
        model: config.model.clone(),
        api_key: config.api_key.clone(),
        headers: config.headers.clone(),
        dial: dial.clone(),
        connect_timeout: config.connect_timeout,
        first_token_timeout: config.first_token_timeout,
        idle_timeout: config.idle_timeout,
    })
}

#[cfg(test)]
mod tests;
