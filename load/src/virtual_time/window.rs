//! One simulated engine that takes whole batches, behind the router's own batcher.

use sluice_router::{Batch, BatchRules, Batcher, Called, Ended, Item, Joined, Tick};
use sluice_sim::{Event, WholeBatch};
use std::collections::BTreeMap;

/// How a pool's requests are grouped, for engines that take whole batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What batches are made of.
    pub rules: BatchRules,
    /// How long the engine takes for one.
    pub law: WholeBatch,
}

/// What an engine has got done, or never will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A milestone.
    Event(Event),
    /// It can't be answered by its deadline any more, and nothing was done for it.
    Late(u64),
}

/// The engine and its batcher.
#[derive(Debug)]
pub(super) struct Windowed {
    law: WholeBatch,
    batcher: Batcher<u64>,
    /// Tickets of those who wait.
    tickets: BTreeMap<u64, u64>,
    working: Option<Working>,
    told: Vec<Told>,
    now: u64,
    busy: u64,
}

#[derive(Debug)]
struct Working {
    number: u64,
    ends: u64,
    /// Whoever has left meanwhile is missing; the batch takes as long as before.
    rows: Vec<u64>,
}

impl Windowed {
    pub(super) fn new(window: Window) -> Windowed {
        Windowed {
            law: window.law,
            batcher: Batcher::new(window.rules),
            tickets: BTreeMap::new(),
            working: None,
            told: Vec::new(),
            now: 0,
            busy: 0,
        }
    }

    /// Waits for a batch. False when it can't be answered by its deadline.
    pub(super) fn submit(&mut self, id: u64, item: Item) -> bool {
        let joined = self.batcher.join(item, tick(self.now), || id);
        if let Joined::Waits(ticket) = joined {
            self.tickets.insert(id, ticket);
            self.call();
        }
        matches!(joined, Joined::Waits(_))
    }

    /// Leaves its row, or its answer is dropped.
    pub(super) fn cancel(&mut self, id: u64) {
        if let Some(ticket) = self.tickets.remove(&id) {
            self.batcher.leave(ticket);
        } else if let Some(working) = &mut self.working {
            working.rows.retain(|row| *row != id);
        }
        self.told.retain(|told| *told != Told::Late(id));
    }

    /// Lets time pass until `now` and tells what happened, in order.
    pub(super) fn step(&mut self, now: u64) -> Vec<Told> {
        while let Some(at) = self.next_change().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            if let Some(working) = self.working.take_if(|working| working.ends <= at) {
                self.end(&working);
            }
            self.call();
        }
        self.now = self.now.max(now);
        std::mem::take(&mut self.told)
    }

    /// When something happens next by itself.
    pub(super) fn next_event(&self) -> Option<u64> {
        if self.told.is_empty() { self.next_change() } else { Some(self.now) }
    }

    fn next_change(&self) -> Option<u64> {
        // A held batch goes when the clock of the batcher, in microseconds, says so.
        let held = || self.batcher.held_until().map(|until| until.0 * 1_000);
        self.working.as_ref().map(|working| working.ends).or_else(held)
    }

    /// Time with a batch in work, the one under way included.
    pub(super) fn busy(&self) -> u64 {
        self.busy
    }

    fn end(&mut self, working: &Working) {
        self.batcher.end(working.number, Ended::Done, tick(self.now));
        for id in &working.rows {
            self.told.push(Told::Event(Event::First { id: *id, at: self.now, cached: 0 }));
            self.told.push(Told::Event(Event::Finished { id: *id, at: self.now }));
        }
    }

    fn call(&mut self) {
        while let Some(called) = self.batcher.call(tick(self.now)) {
            match called {
                Called::Go(batch) => self.go(&batch),
                Called::Late(id) => {
                    self.tickets.remove(&id);
                    self.told.push(Told::Late(id));
                }
            }
        }
    }

    fn go(&mut self, batch: &Batch<u64>) {
        let rows: Vec<u64> = batch.rows.iter().map(|row| row.who).collect();
        for id in &rows {
            self.tickets.remove(id);
        }
        let took = self.law.batch_ns(rows.len());
        self.busy += took;
        self.working = Some(Working { number: batch.number, ends: self.now + took, rows });
    }
}

fn tick(ns: u64) -> Tick {
    Tick(ns / 1_000)
}
