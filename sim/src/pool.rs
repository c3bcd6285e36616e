//! A GPU worker in virtual time: first-come queue, continuous batching, chunked prefill, bounded KV memory.
//!
//! Pure: it is told the time, does no I/O and draws no random numbers. Times are nanoseconds since its start.

use crate::outside::{Calls, Outside};
use crate::timing::{NOISE_STEPS, Timing};
use sluice_router::{BLOCK_TOKENS, Prefix, PrefixCache};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a worker can hold, and how fast it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// The law of its steps.
    pub timing: Timing,
    /// Tokens of context, prompts and answers together, that fit in its memory.
    pub kv_tokens: u64,
    /// Sequences that may be in the batch at once, prompts in work included.
    pub max_seqs: usize,
    /// Tokens of prompts and answers that its prefix cache keeps, beside that memory; 0 when it has none.
    pub prefix_tokens: u64,
    /// An engine that is only known from outside: its times instead of all the above.
    pub outside: Option<Outside>,
}

/// What a sequence begins with and becomes, for the prefix cache.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chain {
    /// Prompt and answer.
    pub whole: Prefix,
    /// How many of its blocks are the prompt's.
    pub prompt_blocks: usize,
}

/// One sequence's milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Its first token is out.
    First {
        /// The sequence.
        id: u64,
        /// When.
        at: u64,
        /// Tokens of its prompt that were in the prefix cache.
        cached: u32,
    },
    /// Its last token is out; its memory is free again.
    Finished {
        /// The sequence.
        id: u64,
        /// When.
        at: u64,
    },
}

/// The sequence can never fit in this worker's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{need} tokens of context don't fit in {capacity}")]
pub struct TooLong {
    /// Prompt and answer together.
    pub need: u64,
    /// What the worker holds.
    pub capacity: u64,
}

/// The worker.
#[derive(Debug, Clone)]
pub struct Pool {
    capacity: Capacity,
    now: u64,
    waiting: VecDeque<u64>,
    /// In the batch, prompt not yet done, oldest first.
    prefilling: VecDeque<u64>,
    seqs: BTreeMap<u64, Seq>,
    cache: PrefixCache,
    /// Of those that have one.
    chains: BTreeMap<u64, Chain>,
    /// Running sequences by the step in which their last token comes.
    ends: BTreeSet<(u64, u64)>,
    /// Steps completed.
    steps: u64,
    /// Tokens of context that running sequences hold now.
    context: u64,
    kv_reserved: u64,
    current: Option<Step>,
    /// Time spent in steps.
    busy: u64,
    /// In place of the batch, where the engine is only known from outside.
    calls: Option<Calls>,
}

#[derive(Debug, Clone, Copy)]
struct Seq {
    input: u32,
    output: u32,
    /// Prompt tokens still to work on.
    left: u32,
    /// Prompt tokens that were in the cache.
    cached: u32,
    /// The number of the step that brought the first token.
    first_step: Option<u64>,
    /// Holds its share of the memory.
    admitted: bool,
}

#[derive(Debug, Clone)]
struct Step {
    ends: u64,
    /// Prompt tokens worked on, by sequence.
    prompts: Vec<(u64, u32)>,
    /// Running sequences when it began: each gets a token at its end.
    running: u64,
}

impl Pool {
    /// An idle worker at time 0.
    pub fn new(capacity: Capacity) -> Pool {
        Pool {
            capacity,
            now: 0,
            waiting: VecDeque::new(),
            prefilling: VecDeque::new(),
            seqs: BTreeMap::new(),
            cache: PrefixCache::new(blocks(capacity.prefix_tokens)),
            chains: BTreeMap::new(),
            ends: BTreeSet::new(),
            steps: 0,
            context: 0,
            kv_reserved: 0,
            current: None,
            busy: 0,
            calls: capacity.outside.map(Calls::new),
        }
    }

    /// Puts a sequence of `input` prompt tokens and `output` answer tokens (each taken as at least 1) at the queue's
    /// end, at the time of the last [`Pool::step`]. An `id` that is already here is a caller's mistake.
    ///
    /// # Errors
    /// [`TooLong`] when it would wait for ever.
    pub fn submit(&mut self, id: u64, input: u32, output: u32) -> Result<(), TooLong> {
        let (input, output) = (input.max(1), output.max(1));
        if let Some(calls) = &mut self.calls {
            calls.submit(id, output);
            return Ok(());
        }
        let need = u64::from(input) + u64::from(output);
        if need > self.capacity.kv_tokens {
            return Err(TooLong { need, capacity: self.capacity.kv_tokens });
        }
        let seq = Seq { input, output, left: input, cached: 0, first_step: None, admitted: false };
        let earlier = self.seqs.insert(id, seq);
        debug_assert!(earlier.is_none(), "sequence {id} is already here");
        self.waiting.push_back(id);
        Ok(())
    }

    /// The same with what it begins with: what of that is in the cache when it is admitted needs no work.
    ///
    /// # Errors
    /// [`TooLong`] as above.
    pub fn submit_chain(&mut self, id: u64, input: u32, output: u32, chain: Chain) -> Result<(), TooLong> {
        self.submit(id, input, output)?;
        if self.capacity.prefix_tokens > 0 && self.calls.is_none() {
            self.chains.insert(id, chain);
        }
        Ok(())
    }

    /// Takes a sequence out wherever it is. Its memory is free at once, the step under way ends as planned.
    /// A sequence that isn't here is no mistake: it may just have finished.
    pub fn cancel(&mut self, id: u64) {
        if let Some(calls) = &mut self.calls {
            calls.cancel(id);
            return;
        }
        let Some(seq) = self.seqs.get(&id).copied() else { return };
        if let Some(first) = seq.first_step {
            let made = self.steps - first + 1;
            self.context -= u64::from(seq.input) + made;
            self.ends.remove(&(first + u64::from(seq.output) - 1, id));
            if let Some(step) = &mut self.current {
                step.running -= 1;
            }
        }
        self.waiting.retain(|other| *other != id);
        self.prefilling.retain(|other| *other != id);
        if let Some(step) = &mut self.current {
            step.prompts.retain(|(other, _)| *other != id);
        }
        self.leave(id);
    }

    /// Lets time pass until `now` (an earlier time is taken as no time) and gives what happened, in order.
    pub fn step(&mut self, now: u64) -> Vec<Event> {
        if let Some(calls) = &mut self.calls {
            return calls.step(now);
        }
        let mut events = Vec::new();
        while let Some(ends) = self.step_ends().or_else(|| self.begin()) {
            if ends > now {
                break;
            }
            self.now = ends;
            self.end(&mut events);
        }
        self.now = self.now.max(now);
        events
    }

    /// When the next milestone comes if nothing is submitted or cancelled until then, or sooner while prompts are in
    /// work or about to be; `None` when idle. Starts the next step if none is under way.
    pub fn next_event(&mut self) -> Option<u64> {
        if let Some(calls) = &self.calls {
            return calls.next_event();
        }
        let ends = self.step_ends().or_else(|| self.begin())?;
        let step = self.current.as_ref()?;
        let last = self.ends.first().map(|(last, _)| *last);
        let (Some(last), true) = (last, step.prompts.is_empty() && !self.may_admit()) else {
            return Some(ends);
        };
        let timing = self.capacity.timing;
        let further = last.saturating_sub(self.steps + 1);
        if timing.noise == 0.0 {
            return Some(ends + timing.run_ns(step.running, self.context + step.running, further));
        }
        // As far as one factor holds; sooner by less than a nanosecond a step, so never late.
        let alike = NOISE_STEPS - 1 - self.steps % NOISE_STEPS;
        let run = timing.run_ns(step.running, self.context + step.running, further.min(alike));
        Some(ends + ((run as f64 * timing.factor(self.steps)) as u64).saturating_sub(alike))
    }

    /// When the step under way ends; `None` when idle.
    pub fn step_ends(&self) -> Option<u64> {
        if let Some(calls) = &self.calls {
            return calls.next_event();
        }
        self.current.as_ref().map(|step| step.ends)
    }

    /// Tokens that a sequence has produced; `None` when it isn't here (any more).
    pub fn produced(&self, id: u64) -> Option<u32> {
        if let Some(calls) = &self.calls {
            return calls.produced(id);
        }
        let seq = self.seqs.get(&id)?;
        let made = seq.first_step.map_or(0, |first| self.steps - first + 1);
        Some(u32::try_from(made).unwrap_or(u32::MAX))
    }

    /// Time since its start.
    pub fn now(&self) -> u64 {
        self.calls.as_ref().map_or(self.now, Calls::now)
    }

    /// Time in which there was work, the step under way included.
    pub fn busy(&self) -> u64 {
        self.calls.as_ref().map_or(self.busy, Calls::busy)
    }

    /// Sequences in the queue.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Sequences in the batch.
    pub fn running(&self) -> usize {
        self.calls.as_ref().map_or(self.seqs.len() - self.waiting.len(), Calls::len)
    }

    /// The share of the memory that is taken, 0 to 1.
    pub fn kv_usage(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a gauge")]
        let share = self.kv_reserved as f64 / self.capacity.kv_tokens.max(1) as f64;
        share
    }

    /// The end of the next step, now begun; `None` when there is nothing to do.
    fn begin(&mut self) -> Option<u64> {
        self.admit();
        let running = self.ends.len() as u64;
        let timing = self.capacity.timing;
        let (prompts, took) = match self.prefilling.is_empty() {
            true if running == 0 => return None,
            true => (Vec::new(), timing.decode_ns(running, self.context)),
            false => {
                let (prompts, weighted) = self.prompts(running);
                (prompts, timing.mixed_ns(running, self.context, weighted))
            }
        };
        // A law of all zeros must not stop time.
        let took = ((took as f64 * timing.factor(self.steps)) as u64).max(1);
        let ends = self.now + took;
        self.busy += took;
        self.current = Some(Step { ends, prompts, running });
        Some(ends)
    }

    /// First come, first served: one that doesn't fit yet holds up those behind it.
    fn admit(&mut self) {
        while self.may_admit()
            && let Some(id) = self.waiting.pop_front()
            && let Some(seq) = self.seqs.get_mut(&id)
        {
            seq.admitted = true;
            if let Some(chain) = self.chains.get(&id) {
                seq.cached = look_up(&mut self.cache, chain).min(seq.input - 1);
                seq.left = seq.input - seq.cached;
            }
            self.kv_reserved += u64::from(seq.input) + u64::from(seq.output);
            self.prefilling.push_back(id);
        }
    }

    /// Whether the first of the queue fits beside what is in the batch.
    fn may_admit(&self) -> bool {
        let first = self.waiting.front().and_then(|id| self.seqs.get(id));
        first.is_some_and(|seq| {
            let need = u64::from(seq.input) + u64::from(seq.output);
            self.running() < self.capacity.max_seqs && self.kv_reserved + need <= self.capacity.kv_tokens
        })
    }

    /// The prompt tokens of the next step, oldest prompt first, and what they count for.
    fn prompts(&self, running: u64) -> (Vec<(u64, u32)>, f64) {
        const LEAST: u32 = 64;
        let room = self.capacity.timing.chunk.saturating_sub(u32::try_from(running).unwrap_or(u32::MAX));
        let (mut room, mut prompts, mut weighted) = (room.max(LEAST), Vec::new(), 0.0);
        for id in &self.prefilling {
            let Some(seq) = self.seqs.get(id) else { continue };
            let tokens = seq.left.min(room);
            weighted += self.capacity.timing.weight(seq.input - seq.left, tokens);
            prompts.push((*id, tokens));
            room -= tokens;
            if room == 0 {
                break;
            }
        }
        (prompts, weighted)
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let Some(step) = self.current.take() else { return };
        self.steps += 1;
        self.context += step.running;
        while let Some((last, id)) = self.ends.first().copied()
            && last <= self.steps
        {
            self.ends.pop_first();
            self.finish(id, events);
        }
        for (id, tokens) in step.prompts {
            let Some(seq) = self.seqs.get_mut(&id) else { continue };
            seq.left -= tokens;
            if seq.left > 0 {
                continue;
            }
            self.prefilling.retain(|other| *other != id);
            seq.first_step = Some(self.steps);
            self.context += u64::from(seq.input) + 1;
            events.push(Event::First { id, at: self.now, cached: seq.cached });
            if let Some(chain) = self.chains.get(&id) {
                self.cache.keep(chain.prompt());
            }
            match seq.output {
                1 => self.finish(id, events),
                output => {
                    self.ends.insert((self.steps + u64::from(output) - 1, id));
                }
            }
        }
    }

    fn finish(&mut self, id: u64, events: &mut Vec<Event>) {
        events.push(Event::Finished { id, at: self.now });
        if let Some(chain) = self.chains.get(&id) {
            self.cache.keep(&chain.whole.blocks);
        }
        let held = self.seqs.get(&id).map_or(0, |seq| u64::from(seq.input) + u64::from(seq.output));
        self.context -= held;
        self.leave(id);
    }

    fn leave(&mut self, id: u64) {
        self.chains.remove(&id);
        if let Some(seq) = self.seqs.remove(&id)
            && seq.admitted
        {
            self.kv_reserved -= u64::from(seq.input) + u64::from(seq.output);
        }
    }
}

impl Chain {
    fn prompt(&self) -> &[u64] {
        &self.whole.blocks[..self.prompt_blocks.min(self.whole.blocks.len())]
    }
}

/// Tokens of a prompt that the cache holds; they are in use from now on.
fn look_up(cache: &mut PrefixCache, chain: &Chain) -> u32 {
    let hit = cache.hit(chain.prompt());
    cache.keep(&chain.prompt()[..hit]);
    chain.whole.tokens(hit)
}

/// Blocks of so many tokens.
pub(crate) fn blocks(tokens: u64) -> usize {
    usize::try_from(tokens / u64::from(BLOCK_TOKENS)).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
