//! One simulated replica: its batch, whether it lives, and when to look at it next.

use sluice_sim::{Capacity, Chain, Event, Pool, TooLong};

#[derive(Debug)]
pub(super) struct Replica {
    capacity: Capacity,
    pool: Pool,
    is_dead: bool,
    look_at: Option<u64>,
    /// Of lives before this one.
    busy: u64,
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
}

impl Replica {
    pub(super) fn new(capacity: Capacity) -> Replica {
        Replica { capacity, pool: Pool::new(capacity), is_dead: false, look_at: None, busy: 0 }
    }

    /// Takes a request; the answer is cut to what fits beside the prompt, as `sluice sim` does. Returns its length.
    /// `chain` is what prompt and an answer of that length are to the prefix cache. The caller has let time pass until now.
    pub(super) fn submit(
        &mut self,
        id: u64,
        input: u32,
        output: u32,
        engine_queue: usize,
        chain: impl FnOnce(u32) -> Chain,
    ) -> Result<u32, Refused> {
        if self.is_dead {
            return Err(Refused::Unreachable);
        }
        let input = input.max(1);
        let room = self.capacity.kv_tokens.saturating_sub(u64::from(input));
        if room == 0 {
            return Err(Refused::TooLong);
        }
        if self.pool.waiting() >= engine_queue.max(1) {
            return Err(Refused::Busy);
        }
        let output = output.min(u32::try_from(room).unwrap_or(u32::MAX)).max(1);
        let chain = if self.capacity.prefix_tokens > 0 { chain(output) } else { Chain::default() };
        self.pool.submit_chain(id, input, output, chain).map_err(|TooLong { .. }| Refused::TooLong)?;
        Ok(output)
    }

    /// Lets time pass until `now`.
    pub(super) fn step(&mut self, now: u64) -> Vec<Event> {
        self.pool.step(now)
    }

    /// Gives a request up. Returns how many tokens it had by then.
    pub(super) fn cancel(&mut self, id: u64) -> u32 {
        let produced = self.pool.produced(id).unwrap_or(0);
        self.pool.cancel(id);
        produced
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Everything that it holds is lost.
    pub(super) fn die(&mut self) {
        self.busy += self.pool.busy();
        self.pool = Pool::new(self.capacity);
        self.is_dead = true;
    }

    pub(super) fn come_back(&mut self, now: u64) {
        self.pool = Pool::new(self.capacity);
        self.pool.step(now);
        self.is_dead = false;
    }

    /// Time in which there was work, in nanoseconds.
    pub(super) fn busy(&self) -> u64 {
        self.busy + self.pool.busy()
    }

    /// When to look next, where that has changed.
    pub(super) fn next_look(&mut self) -> Option<u64> {
        let next = self.pool.next_event();
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
