//! Those who wait for a batch, in the order in which they go.

use super::Item;
use crate::time::Tick;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A place in the order: priority, then deadline, then who came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    level: Reverse<u8>,
    due: Tick,
    pub(super) ticket: u64,
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter<W> {
    pub(super) item: Item,
    pub(super) came: Tick,
    pub(super) who: W,
}

/// All who wait. Every operation takes O(log n) steps.
#[derive(Debug)]
pub(super) struct Waiting<W> {
    order: BTreeMap<Place, Waiter<W>>,
    places: BTreeMap<u64, Place>,
    /// Tickets by deadline, of those who have one.
    deadlines: BTreeSet<(Tick, u64)>,
}

impl<W> Waiting<W> {
    pub(super) fn new() -> Waiting<W> {
        Waiting { order: BTreeMap::new(), places: BTreeMap::new(), deadlines: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Where one who comes now would stand.
    pub(super) fn place(item: &Item, now: Tick, ticket: u64) -> Place {
        // Whoever has no deadline ages like one who has, so that a stream of those who have can't hold it up for ever.
        let due = item.deadline.unwrap_or(now.plus_ms(LAX_MS));
        Place { level: Reverse(item.priority), due, ticket }
    }

    pub(super) fn enter(&mut self, place: Place, waiter: Waiter<W>) {
        if let Some(deadline) = waiter.item.deadline {
            self.deadlines.insert((deadline, place.ticket));
        }
        self.places.insert(place.ticket, place);
        self.order.insert(place, waiter);
    }

    pub(super) fn leave(&mut self, ticket: u64) -> Option<Waiter<W>> {
        let place = self.places.remove(&ticket)?;
        let waiter = self.order.remove(&place)?;
        if let Some(deadline) = waiter.item.deadline {
            self.deadlines.remove(&(deadline, ticket));
        }
        Some(waiter)
    }

    /// First come, first served.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (Place, &Waiter<W>)> {
        self.order.iter().map(|(place, waiter)| (*place, waiter))
    }

    /// Those who go before this place.
    pub(super) fn before(&self, place: Place) -> impl Iterator<Item = &Waiter<W>> {
        self.order.range(..place).map(|(_, waiter)| waiter)
    }

    /// The ticket of one whose deadline comes before `at`.
    pub(super) fn due_before(&self, at: Tick) -> Option<u64> {
        self.deadlines.first().filter(|(deadline, _)| *deadline < at).map(|(_, ticket)| *ticket)
    }
}

/// After so long without a deadline one counts as due.
const LAX_MS: u64 = 10_000;
