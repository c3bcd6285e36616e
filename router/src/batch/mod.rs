//! Batches for an engine that answers a whole batch at once: who goes together, and when. A pure state machine.
//!
//! A batch goes as soon as the engine is idle and anybody waits: while it works, the next one gathers by itself, so there
//! is no timer to choose. Priority comes first, then the earliest deadline. Whoever can't make its deadline behind those
//! who are ahead, by the learned time of a batch ([`Curve`]), is refused at once: a batch made smaller to save its
//! tightest deadline costs the throughput that all the others need. It is made smaller only where that makes nobody late.
//!
//! Source: measured against a fixed window in `study.rs` beside this file; refusing work that can't make its deadline
//! before it runs is from Clockwork (Gujarati et al., OSDI 2020).

mod curve;
mod form;
mod halves;
mod waiting;

pub use halves::{Blame, halves};

use crate::time::Tick;
use curve::Curve;
use std::collections::{BTreeMap, VecDeque};
use waiting::{Waiter, Waiting};

/// What batches are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRules {
    /// Most rows of one batch, at least 1.
    pub max_batch: usize,
    /// Most that a batch's rows may cost together, in tokens; one alone may cost more. `None` is no bound.
    pub max_cost: Option<u64>,
    /// How long the first of a batch waits for company while the engine is idle, in microseconds. 0 in service; more
    /// is the fixed window that comparisons are made with.
    pub hold_us: u64,
}

/// A request as a batcher sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Item {
    /// When the answer must be complete.
    pub deadline: Option<Tick>,
    /// Higher goes first.
    pub priority: u8,
    /// Only requests of one kind share a batch.
    pub kind: u64,
    /// Tokens of prompt and answer at most.
    pub cost: u64,
}

/// What a request gets of a batcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It waits, and may leave with this ticket.
    Waits(u64),
    /// It can't be answered by its deadline, by so many milliseconds.
    Late(u32),
}

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Called<W> {
    /// This batch goes to the engine now.
    Go(Batch<W>),
    /// This one can't be answered by its deadline any more.
    Late(W),
}

/// Rows that go together.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<W> {
    /// Tells it from every other batch.
    pub number: u64,
    /// At least one, in the order in which they were chosen.
    pub rows: Vec<Row<W>>,
}

/// One request of a batch.
#[derive(Debug, PartialEq, Eq)]
pub struct Row<W> {
    /// What it had entered with.
    pub item: Item,
    /// The ticket that it had got.
    pub ticket: u64,
    /// Who it is.
    pub who: W,
}

/// How the time of a batch counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The engine has done the whole batch, however single rows fared: its time is learned.
    Done,
    /// It was refused, broke or was given up: its time tells nothing.
    Undone,
}

/// The batches of one engine; `W` is whatever its keeper needs to find one who waits.
#[derive(Debug)]
pub struct Batcher<W> {
    rules: BatchRules,
    curve: Curve,
    waiting: Waiting<W>,
    /// Parts of a batch that failed: they go again before anybody else, each by itself.
    parts: VecDeque<Vec<Row<W>>>,
    working: Option<Working>,
    /// Rows of the last batch.
    last_rows: usize,
    next_ticket: u64,
    next_number: u64,
}

/// The batch that the engine works on.
#[derive(Debug, Clone, Copy)]
struct Working {
    number: u64,
    rows: usize,
    since: Tick,
    until: Tick,
}

impl<W> Batcher<W> {
    /// An idle engine for which nobody waits.
    pub fn new(rules: BatchRules) -> Batcher<W> {
        Batcher {
            rules: BatchRules { max_batch: rules.max_batch.max(1), ..rules },
            curve: Curve::default(),
            waiting: Waiting::new(),
            parts: VecDeque::new(),
            working: None,
            last_rows: 0,
            next_ticket: 0,
            next_number: 0,
        }
    }

    /// Waits for a batch, or is refused at once. Ask [`Batcher::call`] after it.
    pub fn join(&mut self, item: Item, now: Tick, who: impl FnOnce() -> W) -> Joined {
        let ticket = self.next_ticket;
        let place = Waiting::<W>::place(&item, now, ticket);
        if let Some(deadline) = item.deadline {
            let end = self.expected_end(&item, place, now);
            if end > deadline {
                let late_ms = end.since_us(deadline).div_ceil(1_000);
                return Joined::Late(u32::try_from(late_ms).unwrap_or(u32::MAX));
            }
        }
        self.next_ticket += 1;
        self.waiting.enter(place, Waiter { item, came: now, who: who() });
        Joined::Waits(ticket)
    }

    /// Takes one who waits out; `None` when its batch has gone, or it was refused.
    pub fn leave(&mut self, ticket: u64) -> Option<W> {
        if let Some(waiter) = self.waiting.leave(ticket) {
            return Some(waiter.who);
        }
        let mut found = None;
        for part in &mut self.parts {
            if let Some(at) = part.iter().position(|row| row.ticket == ticket) {
                found = Some(part.remove(at).who);
            }
        }
        self.parts.retain(|part| !part.is_empty());
        found
    }

    /// The next thing to be done; to be asked after everything that changes something, until it has nothing more.
    /// Time alone changes nothing, but at [`Batcher::held_until`].
    pub fn call(&mut self, now: Tick) -> Option<Called<W>> {
        if let Some(late) = self.hopeless(now) {
            return Some(Called::Late(late));
        }
        if self.working.is_some() {
            return None;
        }
        if let Some(rows) = self.parts.pop_front() {
            return Some(Called::Go(self.go(rows, now)));
        }
        if self.held_until().is_some_and(|until| until > now) {
            return None;
        }
        self.form(now)
    }

    /// The engine is done with a batch, or has lost it.
    pub fn end(&mut self, number: u64, ended: Ended, now: Tick) {
        let Some(working) = self.working.filter(|working| working.number == number) else { return };
        self.working = None;
        if ended == Ended::Done {
            self.curve.add(working.rows, now.since_ms(working.since));
        }
    }

    /// Parts of a batch that has ended go again, in this order, each by itself and before all who wait.
    pub fn again(&mut self, parts: impl DoubleEndedIterator<Item = Vec<Row<W>>>) {
        for part in parts.rev().filter(|part| !part.is_empty()) {
            self.parts.push_front(part);
        }
    }

    /// While the engine is idle: how long those who wait are held for company; `None` when nothing is held.
    pub fn held_until(&self) -> Option<Tick> {
        let is_short = self.waiting.len() < self.rules.max_batch;
        if self.rules.hold_us == 0 || self.working.is_some() || !is_short {
            return None;
        }
        let oldest = self.waiting.in_order().map(|(_, waiter)| waiter.came).min()?;
        Some(Tick(oldest.0.saturating_add(self.rules.hold_us)))
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.parts.iter().map(Vec::len).sum::<usize>()
    }

    /// The learned time of a batch: what any takes, and what each of its rows adds, in milliseconds.
    pub fn law_ms(&self) -> (f64, f64) {
        self.curve.law_ms()
    }

    /// Notes a batch as gone.
    fn go(&mut self, rows: Vec<Row<W>>, now: Tick) -> Batch<W> {
        let number = self.next_number;
        self.next_number += 1;
        let until = Tick(now.0.saturating_add(self.curve.batch_us(rows.len())));
        self.last_rows = rows.len();
        self.working = Some(Working { number, rows: rows.len(), since: now, until });
        Batch { number, rows }
    }

    /// When the engine will be free: after the batch in work and the parts that go before all who wait.
    fn free_at(&self, now: Tick) -> Tick {
        let working = self.working.map_or(now, |working| working.until.max(now));
        let parts: u64 = self.parts.iter().map(|part| self.curve.batch_us(part.len())).sum();
        Tick(working.0.saturating_add(parts))
    }

    /// One of those who wait that is late even if it goes alone as soon as the engine is free.
    fn hopeless(&mut self, now: Tick) -> Option<W> {
        let soonest = self.free_at(now).0.saturating_add(self.curve.batch_us(1));
        let ticket = self.waiting.due_before(Tick(soonest))?;
        self.waiting.leave(ticket).map(|waiter| waiter.who)
    }

    /// When one who takes this place would be answered.
    fn expected_end(&self, item: &Item, place: waiting::Place, now: Tick) -> Tick {
        let mut ahead: BTreeMap<u64, usize> = BTreeMap::new();
        for waiter in self.waiting.before(place) {
            *ahead.entry(waiter.item.kind).or_default() += 1;
        }
        let (most, own) = (self.rules.max_batch, ahead.remove(&item.kind).unwrap_or(0));
        let others: u64 = ahead.values().map(|&rows| self.batches_us(rows)).sum();
        // Its own batch fills up until it goes: at least as much as the last one, where it has that time.
        let is_next = self.working.is_none() && self.parts.is_empty() && ahead.is_empty() && own < most;
        let usual = if is_next { 0 } else { self.last_rows.min(most) };
        let own_us = self.batches_us(own - own % most) + self.curve.batch_us((own % most + 1).max(usual));
        Tick(self.free_at(now).0.saturating_add(others + own_us))
    }

    /// What so many rows take, in batches as large as they may be.
    fn batches_us(&self, rows: usize) -> u64 {
        let most = self.rules.max_batch;
        let rest = rows % most;
        let rest_us = if rest == 0 { 0 } else { self.curve.batch_us(rest) };
        (rows / most) as u64 * self.curve.batch_us(most) + rest_us
    }
}

#[cfg(test)]
mod study;
#[cfg(test)]
mod tests;
