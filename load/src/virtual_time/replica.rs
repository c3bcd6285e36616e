//! One simulated replica: its batch, whether it lives, and when to look at it next.

use super::window::{Told, Window, Windowed};
use sluice_router::Item;
use sluice_sim::{Capacity, Chain, Pool, TooLong};

#[derive(Debug)]
pub(super) struct Replica {
    capacity: Capacity,
    window: Option<Window>,
    engine: Engine,
    is_dead: bool,
    look_at: Option<u64>,
    /// Of lives before this one.
    busy: u64,
}

/// What answers.
#[derive(Debug)]
enum Engine {
    /// By continuous batching.
    Steps(Box<Pool>),
    /// Batch by batch.
    Batches(Box<Windowed>),
}

impl Engine {
    fn new(capacity: Capacity, window: Option<Window>) -> Engine {
        match window {
            None => Engine::Steps(Box::new(Pool::new(capacity))),
            Some(window) => Engine::Batches(Box::new(Windowed::new(window))),
        }
    }

    fn step(&mut self, now: u64) -> Vec<Told> {
        match self {
            Engine::Steps(pool) => pool.step(now).into_iter().map(Told::Event).collect(),
            Engine::Batches(windowed) => windowed.step(now),
        }
    }

    fn busy(&self) -> u64 {
        match self {
            Engine::Steps(pool) => pool.busy(),
            Engine::Batches(windowed) => windowed.busy(),
        }
    }
}

/// A request as a replica gets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Submitted {
    pub(super) id: u64,
    pub(super) input: u32,
    pub(super) output: u32,
    /// As a batcher sees it; its cost is filled in.
    pub(super) item: Item,
}

/// Why a replica doesn't take a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nobody answers at its address.
    Unreachable,
    /// Its own queue is full.
    Busy,
    /// It could never hold so long a prompt.
    TooLong,
    /// Its batches are too long for the deadline.
    Late,
}

impl Replica {
    pub(super) fn new(capacity: Capacity, window: Option<Window>) -> Replica {
        let engine = Engine::new(capacity, window);
        Replica { capacity, window, engine, is_dead: false, look_at: None, busy: 0 }
    }

    /// Takes a request; the answer is cut to what fits beside the prompt, as `sluice sim` does. Returns its length.
    /// `chain` is what prompt and an answer of that length are to the prefix cache. The caller has let time pass until now.
    pub(super) fn submit(
        &mut self,
        submitted: Submitted,
        engine_queue: usize,
        chain: impl FnOnce(u32) -> Chain,
    ) -> Result<u32, Refused> {
        if self.is_dead {
            return Err(Refused::Unreachable);
        }
        let Submitted { id, item, .. } = submitted;
        let input = submitted.input.max(1);
        let room = self.capacity.kv_tokens.saturating_sub(u64::from(input));
        if room == 0 {
            return Err(Refused::TooLong);
        }
        let output = submitted.output.min(u32::try_from(room).unwrap_or(u32::MAX)).max(1);
        match &mut self.engine {
            Engine::Steps(pool) if pool.waiting() >= engine_queue.max(1) => return Err(Refused::Busy),
            Engine::Steps(pool) => {
                let chain = if self.capacity.prefix_tokens > 0 { chain(output) } else { Chain::default() };
                pool.submit_chain(id, input, output, chain).map_err(|TooLong { .. }| Refused::TooLong)?
            }
            Engine::Batches(windowed) => {
                let cost = u64::from(input) + u64::from(output);
                if !windowed.submit(id, Item { cost, ..item }) {
                    return Err(Refused::Late);
                }
            }
        }
        Ok(output)
    }

    /// Lets time pass until `now`.
    pub(super) fn step(&mut self, now: u64) -> Vec<Told> {
        self.engine.step(now)
    }

    /// Gives a request up. Returns how many tokens it had by then.
    pub(super) fn cancel(&mut self, id: u64) -> u32 {
        match &mut self.engine {
            Engine::Steps(pool) => {
                let produced = pool.produced(id).unwrap_or(0);
                pool.cancel(id);
                produced
            }
            Engine::Batches(windowed) => {
                windowed.cancel(id);
                0
            }
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Everything that it holds is lost.
    pub(super) fn die(&mut self) {
        self.busy += self.engine.busy();
        self.engine = Engine::new(self.capacity, self.window);
        self.is_dead = true;
    }

    pub(super) fn come_back(&mut self, now: u64) {
        self.engine = Engine::new(self.capacity, self.window);
        self.engine.step(now);
        self.is_dead = false;
    }

    /// Time in which there was work, in nanoseconds.
    pub(super) fn busy(&self) -> u64 {
        self.busy + self.engine.busy()
    }

    /// When to look next, where that has changed.
    pub(super) fn next_look(&mut self) -> Option<u64> {
        let next = match &mut self.engine {
            Engine::Steps(pool) => pool.next_event(),
            Engine::Batches(windowed) => windowed.next_event(),
        };
        let is_news = next != self.look_at;
        self.look_at = next;
        next.filter(|_| is_news)
    }

    /// Whether a look at this time is still wanted.
    pub(super) fn wants_look(&mut self, at: u64) -> bool {
        let is_due = self.look_at == Some(at);
        if is_due {
            self.look_at = None;
        }
        is_due
    }
}
