//! What happens next: events by their time, those of one time in the order in which they were set.

use super::request::Id;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A request comes that was planned so.
    Arrival,
    /// A request comes since another has ended.
    Follow(usize),
    /// A replica's next milestone.
    Look { pool: usize, replica: usize },
    /// A client cancels.
    Cancel(Id),
    /// A pool that has asked this request to wait may be asked again.
    Rested(Id),
    /// The first of those who wait for this alarm.
    Alarm(usize),
    /// The gateway looks after ejected replicas.
    Watch,
    /// An outage begins.
    Dies(usize),
    /// An outage ends.
    Returns(usize),
}

/// Events to come.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Due)>>,
    set: u64,
}

impl Agenda {
    pub(super) fn set(&mut self, at: u64, due: Due) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set, due)));
    }

    pub(super) fn next(&mut self) -> Option<(u64, Due)> {
        self.heap.pop().map(|Reverse((at, _, due))| (at, due))
    }
}

/// Timers of one length: they run out in the order in which they were set, so only the first needs an event.
#[derive(Debug)]
pub(super) struct Alarm {
    after: u64,
    set: VecDeque<(u64, Id)>,
}

impl Alarm {
    pub(super) fn new(after: u64) -> Alarm {
        Alarm { after, set: VecDeque::new() }
    }

    /// Sets one; returns when to look, where nobody looks yet.
    pub(super) fn set(&mut self, now: u64, id: Id) -> Option<u64> {
        let at = now.saturating_add(self.after);
        let is_first = self.set.is_empty();
        self.set.push_back((at, id));
        is_first.then_some(at)
    }

    /// One that has run out.
    pub(super) fn rung(&mut self, now: u64) -> Option<Id> {
        let (at, _) = self.set.front()?;
        if *at > now { None } else { self.set.pop_front().map(|(_, id)| id) }
    }

    /// When to look again; those of whom `is_over` holds are forgotten.
    pub(super) fn next(&mut self, is_over: impl Fn(Id) -> bool) -> Option<u64> {
        while self.set.front().is_some_and(|(_, id)| is_over(*id)) {
            self.set.pop_front();
        }
        self.set.front().map(|(at, _)| *at)
    }
}
