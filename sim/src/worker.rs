//! The pool in real time: one task drives it, and sleeps while there is nothing to do.

use crate::clock::{Clock, Task, spawn};
use crate::pool::{Chain, Event, Pool};
use crate::profile::Profile;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The driver looks at most this often, so that fast virtual time doesn't turn into a busy loop.
const LEAST_NAP: Duration = Duration::from_millis(1);
/// Progress in the middle of answers is told at most this often; first and last tokens are told at once.
const TELL_EVERY: Duration = Duration::from_millis(5);

/// A worker that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    _driver: Task,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    max_queue: usize,
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    open: BTreeMap<u64, Open>,
    next_id: u64,
    told_at: Duration,
    counts: Counts,
}

#[derive(Debug)]
struct Open {
    progress: watch::Sender<Progress>,
    output: u32,
    cached: u32,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) produced: u32,
    /// Tokens of the prompt that were in the prefix cache.
    pub(crate) cached: u32,
    pub(crate) is_finished: bool,
}

/// Totals since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) finished: u64,
}

/// What the worker's gauges show now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauges {
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    pub(crate) kv_usage: f64,
    pub(crate) counts: Counts,
}

/// Why a sequence was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    TooLong { need: u64, capacity: u64 },
}

/// A sequence in the worker. Dropping it cancels the sequence.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: u64,
    progress: watch::Receiver<Progress>,
    shared: Arc<Shared>,
}

impl Worker {
    pub(crate) fn start(profile: &Profile, scale: f64, max_queue: usize) -> Worker {
        let state = State {
            pool: Pool::new(profile.capacity),
            open: BTreeMap::new(),
            next_id: 0,
            told_at: Duration::ZERO,
            counts: Counts::default(),
        };
        let clock = Clock::start(scale);
        let shared = Arc::new(Shared { clock, max_queue, state: Mutex::new(state), woken: Notify::new() });
        let driver = spawn(drive(shared.clone()));
        Worker { shared, _driver: driver }
    }

    /// Puts a sequence in the queue.
    pub(crate) fn submit(&self, input: u32, output: u32, chain: Chain) -> Result<Ticket, Refused> {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        state.advance(&self.shared.clock);
        // Whoever finds a free place is not waiting; that shows only when the next step begins.
        if state.pool.waiting() >= self.shared.max_queue.max(1) {
            return Err(Refused::Full);
        }
        let id = state.next_id;
        state
            .pool
            .submit_chain(id, input, output, chain)
            .map_err(|error| Refused::TooLong { need: error.need, capacity: error.capacity })?;
        state.next_id += 1;
        state.counts.prompt_tokens += u64::from(input);
        let (sender, progress) = watch::channel(Progress::default());
        state.open.insert(id, Open { progress: sender, output, cached: 0 });
        drop(guard);
        self.shared.woken.notify_one();
        Ok(Ticket { id, progress, shared: self.shared.clone() })
    }

    pub(crate) fn gauges(&self) -> Gauges {
        let mut state = self.shared.lock();
        state.advance(&self.shared.clock);
        Gauges {
            running: state.pool.running(),
            waiting: state.pool.waiting(),
            kv_usage: state.pool.kv_usage(),
            counts: state.counts,
        }
    }
}

impl Ticket {
    /// The next progress, waited for; the same finished one again and again at the end.
    pub(crate) async fn progress(&mut self) -> Progress {
        // The sender goes with the finished sequence; its last word stays.
        let _ = self.progress.changed().await;
        *self.progress.borrow_and_update()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.open.remove(&self.id).is_some() {
            state.advance(&self.shared.clock);
            state.pool.cancel(self.id);
            drop(state);
            self.shared.woken.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst a sequence too many; the simulation goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drive(shared: Arc<Shared>) {
    loop {
        let next = {
            let mut state = shared.lock();
            state.advance(&shared.clock);
            state.next_look(&shared.clock)
        };
        match next {
            None => shared.woken.notified().await,
            Some(wall) => tokio::select! {
                () = shared.clock.until(wall) => {}
                () = shared.woken.notified() => {}
            },
        }
    }
}

impl State {
    /// Brings the pool up to now and tells the sequences.
    fn advance(&mut self, clock: &Clock) {
        let wall = clock.wall();
        for event in self.pool.step(clock.to_virtual(wall)) {
            match event {
                Event::First { id, cached, .. } => self.first(id, cached),
                Event::Finished { id, .. } => self.finish(id),
            }
        }
        if wall >= self.told_at + TELL_EVERY {
            self.told_at = wall;
            for (id, open) in &self.open {
                open.tell(&self.pool, *id);
            }
        }
    }

    fn first(&mut self, id: u64, cached: u32) {
        self.counts.cached_tokens += u64::from(cached);
        if let Some(open) = self.open.get_mut(&id) {
            open.cached = cached;
            open.tell(&self.pool, id);
        }
    }

    fn finish(&mut self, id: u64) {
        if let Some(open) = self.open.remove(&id) {
            self.counts.output_tokens += u64::from(open.output);
            self.counts.finished += 1;
            let Open { output: produced, cached, .. } = open;
            open.progress.send_replace(Progress { produced, cached, is_finished: true });
        }
    }

    /// The wall time of the next thing worth telling; `None` when idle.
    fn next_look(&mut self, clock: &Clock) -> Option<Duration> {
        let milestone = clock.to_wall(self.pool.next_event()?);
        let step = clock.to_wall(self.pool.step_ends()?);
        let next = milestone.min(step.max(self.told_at + TELL_EVERY));
        Some(next.max(clock.wall() + LEAST_NAP))
    }
}

impl Open {
    fn tell(&self, pool: &Pool, id: u64) {
        let produced = pool.produced(id).unwrap_or(0);
        self.progress.send_if_modified(|progress| {
            let is_news = produced > progress.produced;
            progress.produced = progress.produced.max(produced);
            progress.cached = self.cached;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(scale: f64, max_queue: usize) -> Worker {
        Worker::start(&Profile::named("8b-h100").unwrap(), scale, max_queue)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_its_virtual_time_divided_by_the_scale() {
        for scale in [1.0, 10.0] {
            let worker = worker(scale, 8);
            let begun = worker.shared.clock.wall();
            let mut ticket = worker.submit(100, 100, Chain::default()).unwrap();
            let first = ticket.progress().await;
            assert_eq!(first, Progress { produced: 1, cached: 0, is_finished: false });
            while !ticket.progress().await.is_finished {}
            // 100 steps of 7 ms base, 60 us a sequence and up to 10 us of context.
            let took = (worker.shared.clock.wall() - begun).as_secs_f64() * scale;
            assert!((0.70..0.74).contains(&took), "{took} s at scale {scale}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fast_virtual_time_is_told_in_few_pieces_and_slow_one_token_by_token() {
        for (scale, pieces) in [(1.0, 90..=100), (100.0, 2..=4)] {
            let worker = worker(scale, 8);
            let mut ticket = worker.submit(100, 100, Chain::default()).unwrap();
            let mut count = 0;
            while !ticket.progress().await.is_finished {
                count += 1;
            }
            assert!(pieces.contains(&(count + 1)), "{count} pieces at scale {scale}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_ticket_frees_its_memory_and_a_full_queue_refuses() {
        let worker = worker(1.0, 2);
        let ticket = worker.submit(400_000, 100, Chain::default()).unwrap();
        tokio::task::yield_now().await;
        assert_eq!((worker.gauges().running, worker.gauges().waiting), (1, 0));
        let second = worker.submit(400_000, 100, Chain::default()).unwrap();
        let third = worker.submit(10, 10, Chain::default()).unwrap();
        assert_eq!(worker.submit(10, 10, Chain::default()).unwrap_err(), Refused::Full);
        assert!(matches!(worker.submit(500_000, 10, Chain::default()), Err(Refused::Full)));
        drop((ticket, second));
        assert!(worker.gauges().kv_usage < 0.01);
        drop(third);
        assert!(matches!(worker.submit(500_000, 10, Chain::default()), Err(Refused::TooLong { .. })));
        assert_eq!((worker.gauges().running, worker.gauges().waiting), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_worker_sets_no_timer() {
        let worker = worker(100.0, 8);
        let mut ticket = worker.submit(10, 10, Chain::default()).unwrap();
        while !ticket.progress().await.is_finished {}
        drop(ticket);
        tokio::task::yield_now().await;
        assert_eq!(worker.shared.lock().next_look(&worker.shared.clock), None);
    }
}
