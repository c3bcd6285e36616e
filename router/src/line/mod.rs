//! The line before a pool, as a pure state machine: who waits, which replica takes the next request, how the replicas are.
//!
//! Priority first, then the tenant that has had the least, then the earliest deadline (see [`queue`]). A request binds to
//! a replica when it really goes, so no stale load is acted on; whoever has been failed by a replica is not sent there
//! again, and is overtaken only by those who can use it. Whoever can't make its deadline is told at once. The gateway's
//! lanes and the load test in virtual time both keep their lines with it.

use crate::balance::{Balancer, Pick, ReplicaLoad};
use crate::fleet::{PoolState, ReplicaState};
use crate::health::{Cooldown, Health};
use crate::prefix::{BLOCK_TOKENS, Prefix};
use crate::speed::{Declared, SpeedLearner};
use crate::time::Tick;
use limit::Limits;
use places::Places;
use queue::{Queue, Room};

mod at_once;
mod entrant;
mod foreign;
mod lately;
mod lateness;
mod limit;
mod places;
mod queue;
mod roster;
mod shares;
mod verdict;
mod work;

pub use entrant::{Entrant, Seat, Work};
pub use foreign::Report;
pub use limit::LimitRule;
pub use roster::ReplicaReport;
pub use verdict::{Change, Verdict};

use roster::{Outlook, Replica};

/// What a line is made of.
#[derive(Debug, Clone, Copy)]
pub struct LineRules {
    /// Replicas of the pool.
    pub replicas: usize,
    /// Requests that one replica answers at once, to begin with.
    pub max_concurrency: u32,
    /// Whether that changes by what its answers tell.
    pub limit: LimitRule,
    /// Requests that may wait.
    pub max_queue: usize,
    /// Bytes that those who wait may keep in memory.
    pub max_queue_bytes: u64,
    /// Which replica gets a request.
    pub balancer: Balancer,
    /// Tokens of prompts that each replica's cache is taken to hold; 0 when it has none.
    pub prefix_tokens: u64,
    /// How fast a replica is said to be, before any has answered.
    pub declared: Option<Declared>,
}

impl LineRules {
    /// Blocks that are remembered for each replica.
    fn prefix_blocks(&self) -> usize {
        let blocks = self.prefix_tokens / u64::from(BLOCK_TOKENS);
        usize::try_from(blocks).unwrap_or(MOST_BLOCKS).min(MOST_BLOCKS)
    }
}

/// A pool's replicas and those who wait for one; `W` is whatever its keeper needs to call one who waits.
#[derive(Debug)]
pub struct Line<W> {
    rules: LineRules,
    replicas: Vec<Replica>,
    /// The pause of the quota that all replicas share.
    cooldown: Cooldown,
    queue: Queue<W>,
    limits: Limits,
    next_seat: u64,
    turn: u64,
    ttft_ms: Average,
    tpot_ms: Average,
    places: Places,
    speed: SpeedLearner,
    /// Kept for its memory only.
    loads: Vec<ReplicaLoad>,
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
    /// It can't be answered by its deadline.
    Late {
        /// When one with as much time left may make it; `None` when no wait helps.
        retry_after_ms: Option<u32>,
    },
    /// No replica takes work.
    AllDown,
    /// The quota is used up until then.
    Cooling(Tick),
}

/// What becomes of one who has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn<W> {
    /// It may go to this seat, where it is counted from now on.
    Go(W, Seat),
    /// No replica is left to wait for.
    AllDown(W),
    /// It can't be answered by its deadline any more.
    Late(W),
    /// It lost its place to another: one of a higher priority, or of a tenant that held far less of the line.
    Displaced(W),
}

/// How a line is, for events and readiness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Requests that wait.
    pub queued: usize,
    /// Requests that are being answered.
    pub in_flight: usize,
    /// Requests that may be answered at once by the replicas that take work.
    pub limit: usize,
    /// Replicas that take work.
    pub up: usize,
    /// Replicas that are well, but have asked for a pause.
    pub resting: usize,
    /// Replicas that don't.
    pub ejected: usize,
    /// Replicas that leave and still have work.
    pub draining: usize,
}

impl<W> Line<W> {
    /// An empty line before healthy replicas.
    pub fn new(rules: LineRules) -> Line<W> {
        Line {
            replicas: vec![Replica::new(Health::default(), rules.prefix_blocks()); rules.replicas],
            queue: Queue::new(Room { places: rules.max_queue, bytes: rules.max_queue_bytes }),
            limits: Limits::new(rules.limit, rules.replicas, rules.max_concurrency),
            rules,
            cooldown: Cooldown::default(),
            next_seat: 0,
            turn: 0,
            ttft_ms: Average::default(),
            tpot_ms: Average::default(),
            places: Places::default(),
            speed: rules.declared.as_ref().map_or_else(SpeedLearner::new, SpeedLearner::declared),
            loads: Vec::new(),
        }
    }

    /// Takes a seat on a replica that has not failed the request yet, or a place in line. Those who wait come first:
    /// whoever enters somebody asks [`Line::next_turn`] before, until nobody's turn has come, and after one who waits.
    pub fn enter(&mut self, entrant: Entrant, now: Tick, who: impl FnOnce() -> W) -> Entered {
        if self.is_hopeless(&entrant, now) {
            return Entered::Late { retry_after_ms: None };
        }
        if let Some(seat) = self.pick(&entrant, now) {
            self.begin(seat, &entrant, now);
            self.queue.charge(seat.number, &entrant);
            return Entered::Go(seat);
        }
        if let Some(until) = self.cools_until(now) {
            return Entered::Cooling(until);
        }
        if !self.has_another(&entrant.tried, now) {
            return Entered::AllDown;
        }
        let late_ms = self.late_ms(&entrant, self.expected_wait_ms(&entrant, now), now);
        if late_ms > 0.0 {
            return Entered::Late { retry_after_ms: Some(libm::ceil(late_ms) as u32) };
        }
        let latest = self.latest(&entrant);
        self.queue.enter(entrant, latest, who).map_or(Entered::Full, Entered::Wait)
    }

    /// Takes the one with this ticket out of the line; `None` when its turn has come already.
    pub fn leave(&mut self, ticket: u64) -> Option<W> {
        self.queue.leave(ticket)
    }

    /// The next of those who wait for whom something has changed; `None` when they all wait on.
    ///
    /// To be asked again after whatever frees a place. Time alone tells nobody, so it must be asked now and then while
    /// a replica's ejection runs out, and at [`Line::next_late`].
    pub fn next_turn(&mut self, now: Tick) -> Option<Turn<W>> {
        if let Some(who) = self.queue.displaced() {
            return Some(Turn::Displaced(who));
        }
        if let Some(ticket) = self.turned_away(now) {
            return self.queue.leave(ticket).map(Turn::AllDown);
        }
        if let Some(ticket) = self.overdue(now) {
            return self.queue.leave(ticket).map(Turn::Late);
        }
        if !self.has_room(&[], now) {
            return None;
        }
        let can_go = |(_, entrant): &(u64, &Entrant)| self.has_room(&entrant.tried, now);
        let (ticket, entrant) = self.queue.in_order().find(can_go)?;
        if self.late_ms(entrant, 0.0, now) > 0.0 {
            return self.queue.leave(ticket).map(Turn::Late);
        }
        self.send(ticket, now)
    }

    /// When [`Line::next_turn`] will find one who can't make its deadline any more, if nothing else happens before.
    pub fn next_late(&self) -> Option<Tick> {
        self.queue.next_overdue()
    }

    /// The answer of this seat has, or had, this many tokens: its tenant is charged for these rather than for those that
    /// were expected. To be told before [`Line::end`], as often as one likes.
    pub fn on_output(&mut self, seat: Seat, output_tokens: u32) {
        self.queue.settle(seat.number, output_tokens);
    }

    /// A seat on each replica whose ejection has run out, as its trial: nobody else gets one until it has ended.
    pub fn due(&mut self, now: Tick) -> Vec<Seat> {
        let weather = self.weather(now);
        let is_due = |replica: &Replica| replica.health.is_due(now) && weather.takes_work(replica);
        let due: Vec<usize> = (0..self.replicas.len()).filter(|&at| is_due(&self.replicas[at])).collect();
        due.into_iter().map(|at| self.seat(at, now)).collect() // a probe is no work
    }

    /// How the pool is, for a decision on a request that begins with `prefix`.
    pub fn pool_state(&self, now: Tick, prefix: &Prefix) -> PoolState {
        let outlook = self.outlook(now);
        let replicas: Vec<ReplicaState> =
            (0..self.replicas.len()).map(|at| self.replica_state(at, &outlook, prefix)).collect();
        let up = || replicas.iter().filter(|replica| replica.is_up);
        PoolState {
            speed: Some(self.speed.speed()),
            replicas_up: up().count() as u32,
            in_flight: self.replicas.iter().map(|replica| replica.in_flight).sum(),
            limit: up().fold(0, |sum, replica| sum.saturating_add(replica.limit)),
            queued: self.queue.len() as u32,
            ttft_ms: self.ttft_ms.value(),
            tpot_ms: self.tpot_ms.value(),
            service_ms: self.places.service_ms(),
            replicas,
        }
    }

    /// The same for this request: of those who wait only those count who would go before it.
    pub fn pool_state_for(&self, now: Tick, entrant: &Entrant) -> PoolState {
        let queued = u32::try_from(self.queue.ahead(entrant)).unwrap_or(u32::MAX);
        PoolState { queued, ..self.pool_state(now, &entrant.prefix) }
    }

    /// How the pool is, for events.
    pub fn counts(&self, now: Tick) -> LineCounts {
        let mut counts = self.count_replicas(now);
        counts.queued = self.queue.len();
        counts
    }

    /// Whether a replica other than those in `tried` takes work.
    pub fn has_another(&self, tried: &[usize], now: Tick) -> bool {
        let weather = self.weather(now);
        let is_up = |(at, replica): (usize, &Replica)| !tried.contains(&at) && weather.takes_work(replica);
        self.replicas.iter().enumerate().any(is_up)
    }

    /// Whether every replica is as it should be: then time alone changes nothing.
    pub fn is_well(&self, now: Tick) -> bool {
        let is_settled = |replica: &Replica| !replica.is_member() || replica.health.is_settled(now);
        self.replicas.iter().all(is_settled) && !self.cooldown.is_on(now)
    }

    /// Whether one more may go to a replica other than those in `tried`.
    fn has_room(&self, tried: &[usize], now: Tick) -> bool {
        let weather = self.weather(now);
        let has_room = |(at, replica): (usize, &Replica)| {
            replica.in_flight < weather.limit(replica, self.limits.of(at))
                && weather.takes_work(replica)
                && !tried.contains(&at)
        };
        !self.queue.is_empty() && self.replicas.iter().enumerate().any(has_room)
    }

    /// One who has no replica left to wait for. Those who aren't picky all fare alike.
    fn turned_away(&self, now: Tick) -> Option<u64> {
        if !self.has_another(&[], now) {
            return self.queue.in_order().next().map(|(ticket, _)| ticket);
        }
        let has_none = |(_, entrant): &(u64, &Entrant)| !self.has_another(&entrant.tried, now);
        self.queue.picky().find(has_none).map(|(ticket, _)| ticket)
    }

    /// Sends one who waits.
    fn send(&mut self, ticket: u64, now: Tick) -> Option<Turn<W>> {
        let entrant = self.queue.lend(ticket)?;
        let Some(seat) = self.pick(&entrant, now) else {
            self.queue.give_back(ticket, entrant);
            return None;
        };
        self.begin(seat, &entrant, now);
        self.queue.go(ticket, seat.number, entrant).map(|who| Turn::Go(who, seat))
    }

    /// What is to be known of a request from the moment it goes.
    fn begin(&mut self, seat: Seat, entrant: &Entrant, now: Tick) {
        let replica = &self.replicas[seat.replica];
        let uncached = replica.work.uncached(seat.number).unwrap_or(entrant.work.prompt_tokens);
        self.limits.begin(seat, replica.in_flight, uncached, now);
    }

    /// How one replica is for a request that begins with `prefix`.
    fn replica_state(&self, at: usize, outlook: &Outlook, prefix: &Prefix) -> ReplicaState {
        let replica = &self.replicas[at];
        ReplicaState {
            is_up: outlook.weather.takes_work(replica),
            in_flight: replica.in_flight,
            limit: outlook.weather.limit(replica, self.limits.of(at)),
            foreign: outlook.foreign(at),
            hit_tokens: prefix.tokens(replica.prefixes.hit(&prefix.blocks)),
            ..replica.work.state(outlook.weather.now(), self.tpot_ms.value())
        }
    }

    /// Chooses a replica that has room and counts the request there.
    fn pick(&mut self, entrant: &Entrant, now: Tick) -> Option<Seat> {
        let outlook = self.outlook(now);
        let mut loads = std::mem::take(&mut self.loads);
        loads.clear();
        loads.extend((0..self.replicas.len()).map(|at| self.load(at, entrant, &outlook)));
        let chosen = (self.rules.balancer)(
            &loads,
            Pick { seed: entrant.seed, turn: self.turn, decided: entrant.replica },
        );
        self.loads = loads;
        let chosen = chosen?;
        self.turn += 1;
        let met = self.replica_state(chosen, &outlook, &entrant.prefix);
        let seat = self.seat(chosen, now);
        for replica in &mut self.replicas {
            replica.sent_tokens *= 1.0 - FADES;
        }
        let replica = &mut self.replicas[chosen];
        let before = replica.work.tokens();
        replica.work.add(seat.number, entrant.work, met, &self.speed, now);
        replica.sent_tokens += replica.work.tokens() - before;
        replica.prefixes.keep(&entrant.prefix.blocks);
        Some(seat)
    }

    fn load(&self, at: usize, entrant: &Entrant, outlook: &Outlook) -> ReplicaLoad {
        let state = self.replica_state(at, outlook, &entrant.prefix);
        let prompt = f64::from(entrant.work.prompt_tokens);
        let uncached = (prompt - f64::from(state.hit_tokens)).max(1.0);
        let pace = self.speed.speed().pace(&state, prompt, uncached, entrant.work.output_tokens);
        ReplicaLoad {
            in_flight: state.in_flight,
            limit: state.limit,
            foreign: state.foreign,
            is_up: state.is_up && !entrant.tried.contains(&at),
            finish_ms: pace.ttft_ms + entrant.work.output_tokens * pace.tpot_ms,
            hit_tokens: state.hit_tokens,
            uncached_tokens: uncached,
            work_tokens: self.replicas[at].work.tokens(),
            sent_tokens: self.replicas[at].sent_tokens,
        }
    }

    /// Lets the time until now pass for those who have a seat.
    fn pass(&mut self, now: Tick) {
        let held = self.replicas.iter().map(|replica| replica.in_flight).sum();
        self.places.pass(held, now);
    }

    fn seat(&mut self, replica: usize, now: Tick) -> Seat {
        self.pass(now);
        self.replicas[replica].in_flight += 1;
        self.replicas[replica].health.on_send(now);
        self.next_seat += 1;
        Seat { replica, number: self.next_seat }
    }
}

/// An exponentially weighted mean; the first value counts whole.
#[derive(Debug, Clone, Copy, Default)]
struct Average(Option<f64>);

impl Average {
    fn add(&mut self, value: f64) {
        self.add_share(value, WEIGHT);
    }

    /// The same with another weight.
    fn add_share(&mut self, value: f64, share: f64) {
        self.0 = Some(self.0.map_or(value, |mean| mean + share * (value - mean)));
    }

    fn value(self) -> f64 {
        self.0.unwrap_or(0.0)
    }
}

/// How fast what was sent to a replica is forgotten: about the last 2,000 requests of the pool count.
const FADES: f64 = 0.0005;
/// Blocks that are remembered for one replica at most, whatever its cache holds: 4 million tokens, in about 3 MB.
const MOST_BLOCKS: usize = 1 << 16;
/// How much one answer moves the mean of its pool's times: about the last twenty count.
const WEIGHT: f64 = 0.05;

#[cfg(test)]
mod health_tests;
#[cfg(test)]
mod prefix_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
