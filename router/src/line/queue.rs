//! The waiting room of a line: bounded in count and bytes, ordered, and fair.
//!
//! Higher priorities go first. Within one, the tenant goes that has had the least for its weight ([`Shares`]), and of
//! its requests the one with the earliest deadline. Whoever comes to a full room takes the place of one of a lower
//! priority, or of the tenant that holds the most if that holds more than its own would: a flood fills the room against
//! itself only.

use super::entrant::Entrant;
use super::shares::Shares;
use crate::time::Tick;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Requests.
    pub(super) places: usize,
    /// Bytes that waiting keeps in memory.
    pub(super) bytes: u64,
}

/// Those who wait; `W` is whatever calls one of them. Every operation takes O(log n) steps, and one more for each that
/// is looked at in vain.
#[derive(Debug)]
pub(super) struct Queue<W> {
    room: Room,
    shares: Shares,
    /// By ticket.
    waiting: BTreeMap<u64, Waiter<W>>,
    /// By tenant and level.
    groups: BTreeMap<(u64, Level), Group>,
    /// Groups in the order in which they are served: by level and their tenants' counters.
    order: BTreeSet<(Level, u64, u64)>,
    /// Groups by level and by what they hold for their weight; the last has the most that matters least.
    holders: BTreeSet<(Level, u128, u64)>,
    /// How many wait at each level.
    levels: BTreeMap<Level, usize>,
    /// Tickets by when they must go at the latest.
    latest: BTreeSet<(Tick, u64)>,
    /// Tickets of those who can't use every replica.
    picky: BTreeSet<u64>,
    /// Those who lost their places to others and are not yet told.
    displaced: VecDeque<(u64, W)>,
    bytes: u64,
    next_ticket: u64,
}

/// A priority; the higher comes first.
type Level = Reverse<u8>;

#[derive(Debug)]
struct Waiter<W> {
    entrant: Entrant,
    latest: Option<Tick>,
    who: W,
}

/// Requests of one tenant at one level.
#[derive(Debug, Default)]
struct Group {
    /// By deadline, then by ticket.
    line: BTreeSet<(Tick, u64)>,
    bytes: u64,
    weight: u32,
    /// Its key in `order`.
    counter: u64,
    /// Its key in `holders`.
    hold: u128,
}

impl<W> Queue<W> {
    pub(super) fn new(room: Room) -> Queue<W> {
        Queue {
            room,
            shares: Shares::default(),
            waiting: BTreeMap::new(),
            groups: BTreeMap::new(),
            order: BTreeSet::new(),
            holders: BTreeSet::new(),
            levels: BTreeMap::new(),
            latest: BTreeSet::new(),
            picky: BTreeSet::new(),
            displaced: VecDeque::new(),
            bytes: 0,
            next_ticket: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those who wait, first come first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (u64, &Entrant)> {
        let groups = self.order.iter().filter_map(|(level, _, tenant)| self.groups.get(&(*tenant, *level)));
        let tickets = groups.flat_map(|group| group.line.iter().map(|(_, ticket)| *ticket));
        tickets.filter_map(|ticket| Some((ticket, &self.waiting.get(&ticket)?.entrant)))
    }

    /// Those who can't use every replica, in the order in which they came.
    pub(super) fn picky(&self) -> impl Iterator<Item = (u64, &Entrant)> {
        self.picky.iter().filter_map(|ticket| Some((*ticket, &self.waiting.get(ticket)?.entrant)))
    }

    /// Takes a place, if need be another's; `latest` is when it must go at the latest. Returns its ticket; `None` when
    /// the room is full of those who have no less right to be there.
    pub(super) fn enter(
        &mut self,
        entrant: Entrant,
        latest: Option<Tick>,
        who: impl FnOnce() -> W,
    ) -> Option<u64> {
        self.make_room(&entrant)?;
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.insert(ticket, Waiter { entrant, latest, who: who() });
        Some(ticket)
    }

    /// Takes the one with this ticket out; `None` when it doesn't wait any more.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<W> {
        if let Some(at) = self.displaced.iter().position(|(other, _)| *other == ticket) {
            return self.displaced.remove(at).map(|(_, who)| who);
        }
        self.remove(ticket).map(|waiter| waiter.who)
    }

    /// One who lost its place to another.
    pub(super) fn displaced(&mut self) -> Option<W> {
        self.displaced.pop_front().map(|(_, who)| who)
    }

    /// One who should have gone by now.
    pub(super) fn overdue(&self, now: Tick) -> Option<(u64, &Entrant)> {
        let (latest, ticket) = self.latest.first()?;
        let waiter = self.waiting.get(ticket)?;
        (*latest < now).then_some((*ticket, &waiter.entrant))
    }

    /// When to look for one who should have gone.
    pub(super) fn next_overdue(&self) -> Option<Tick> {
        self.latest.first().map(|(latest, _)| Tick(latest.0.saturating_add(1)))
    }

    /// Changes when one must go at the latest.
    pub(super) fn set_latest(&mut self, ticket: u64, latest: Tick) {
        let Some(waiter) = self.waiting.get_mut(&ticket) else { return };
        if let Some(before) = waiter.latest.replace(latest) {
            self.latest.remove(&(before, ticket));
        }
        self.latest.insert((latest, ticket));
    }

    /// The request of one who waits, lent: [`Queue::give_back`] ends that.
    pub(super) fn lend(&mut self, ticket: u64) -> Option<Entrant> {
        self.waiting.get_mut(&ticket).map(|waiter| std::mem::take(&mut waiter.entrant))
    }

    /// See [`Queue::lend`].
    pub(super) fn give_back(&mut self, ticket: u64, entrant: Entrant) {
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            waiter.entrant = entrant;
        }
    }

    /// How many will go before this one if it comes now: all of higher priorities, those of its tenant with earlier
    /// deadlines, and as many of each other tenant as their weights allow. It looks at [`LOOKED_AT`] tenants at most
    /// and so may find too few, never too many.
    pub(super) fn ahead(&self, entrant: &Entrant) -> usize {
        let level = Reverse(entrant.priority);
        let higher: usize = self.levels.range(..level).map(|(_, requests)| *requests).sum();
        let own =
            self.groups.get(&(entrant.tenant, level)).map_or(0, |group| group.before(deadline(entrant)));
        // It and those before it are so many turns of its tenant.
        let turns = (own as u64).saturating_add(1);
        let weight = u64::from(entrant.weight.max(1));
        let of_another = |group: &Group| {
            let turns = turns.saturating_mul(u64::from(group.weight)).div_ceil(weight);
            group.line.len().min(usize::try_from(turns).unwrap_or(usize::MAX))
        };
        let at_level = self.order.range((level, 0, 0)..).take_while(|(found, ..)| *found == level);
        let others = at_level.take(LOOKED_AT).filter(|(.., tenant)| *tenant != entrant.tenant);
        let groups = others.filter_map(|(_, _, tenant)| self.groups.get(&(*tenant, level)));
        higher + own + groups.map(of_another).sum::<usize>()
    }

    /// A request goes to this seat, whether or not it has waited: its tenant is charged.
    pub(super) fn charge(&mut self, seat: u64, entrant: &Entrant) {
        let level = Reverse(entrant.priority);
        let is_only = !self.groups.contains_key(&(entrant.tenant, level));
        self.shares.go(seat, entrant, is_only, self.least(level));
        self.reorder(entrant.tenant);
    }

    /// The answer of this seat has so many tokens.
    pub(super) fn settle(&mut self, seat: u64, output_tokens: u32) {
        if let Some(tenant) = self.shares.settle(seat, output_tokens) {
            self.reorder(tenant);
        }
    }

    /// The use of this seat has ended.
    pub(super) fn release(&mut self, seat: u64) {
        self.shares.end(seat);
        self.shares.forget_up_to(self.least_of_all());
    }

    /// Takes one out who goes now: charged before it leaves, so that its tenant is not taken for one that comes back.
    pub(super) fn go(&mut self, ticket: u64, seat: u64, entrant: Entrant) -> Option<W> {
        self.charge(seat, &entrant);
        self.give_back(ticket, entrant);
        self.remove(ticket).map(|waiter| waiter.who)
    }

    /// Makes room for one more; `None` when nobody has to give way.
    fn make_room(&mut self, entrant: &Entrant) -> Option<()> {
        let mut out = Vec::new();
        while !self.has_room(entrant.bytes) {
            let Some(ticket) = self.gives_way(entrant) else {
                // Rarely, a few small ones would have gone for one that is too large even so.
                out.into_iter().for_each(|(ticket, waiter)| self.insert(ticket, waiter));
                return None;
            };
            out.push((ticket, self.remove(ticket)?));
        }
        self.displaced.extend(out.into_iter().map(|(ticket, waiter)| (ticket, waiter.who)));
        Some(())
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.waiting.len() < self.room.places && self.bytes.saturating_add(bytes) <= self.room.bytes
    }

    /// The ticket that has to give way to a newcomer.
    fn gives_way(&self, entrant: &Entrant) -> Option<u64> {
        let (level, hold, tenant) = self.holders.last()?;
        let own_level = Reverse(entrant.priority);
        let has_less = || {
            let own = self.groups.get(&(entrant.tenant, own_level));
            let (requests, bytes) = own.map_or((0, 0), |group| (group.line.len(), group.bytes));
            let with_it = self.room.hold(requests + 1, bytes.saturating_add(entrant.bytes), entrant.weight);
            *tenant != entrant.tenant && with_it < *hold
        };
        if *level > own_level || (*level == own_level && has_less()) {
            let group = self.groups.get(&(*tenant, *level))?;
            return group.line.last().map(|(_, ticket)| *ticket);
        }
        None
    }

    fn insert(&mut self, ticket: u64, waiter: Waiter<W>) {
        let entrant = &waiter.entrant;
        let (tenant, level, weight) = (entrant.tenant, Reverse(entrant.priority), entrant.weight.max(1));
        let is_only = !self.groups.contains_key(&(tenant, level));
        let counter = self.shares.wait(entrant, is_only, self.least(level));
        *self.levels.entry(level).or_default() += 1;
        let group = self.groups.entry((tenant, level)).or_default();
        self.holders.remove(&(level, group.hold, tenant));
        self.order.remove(&(level, group.counter, tenant));
        group.line.insert((deadline(entrant), ticket));
        group.bytes += entrant.bytes;
        (group.weight, group.counter) = (weight, counter);
        group.hold = self.room.hold(group.line.len(), group.bytes, weight);
        self.holders.insert((level, group.hold, tenant));
        self.order.insert((level, counter, tenant));
        self.bytes += entrant.bytes;
        if !entrant.tried.is_empty() {
            self.picky.insert(ticket);
        }
        if let Some(latest) = waiter.latest {
            self.latest.insert((latest, ticket));
        }
        self.waiting.insert(ticket, waiter);
    }

    fn remove(&mut self, ticket: u64) -> Option<Waiter<W>> {
        let waiter = self.waiting.remove(&ticket)?;
        let entrant = &waiter.entrant;
        self.picky.remove(&ticket);
        if let Some(latest) = waiter.latest {
            self.latest.remove(&(latest, ticket));
        }
        self.bytes -= entrant.bytes;
        self.leave_group(ticket, entrant);
        self.shares.unwait(entrant.tenant);
        Some(waiter)
    }

    fn leave_group(&mut self, ticket: u64, entrant: &Entrant) {
        let (tenant, level) = (entrant.tenant, Reverse(entrant.priority));
        let Some(group) = self.groups.get_mut(&(tenant, level)) else { return };
        group.line.remove(&(deadline(entrant), ticket));
        group.bytes -= entrant.bytes;
        self.holders.remove(&(level, group.hold, tenant));
        group.hold = self.room.hold(group.line.len(), group.bytes, group.weight);
        if group.line.is_empty() {
            self.order.remove(&(level, group.counter, tenant));
            self.groups.remove(&(tenant, level));
        } else {
            self.holders.insert((level, group.hold, tenant));
        }
        if let Some(requests) = self.levels.get_mut(&level) {
            *requests -= 1;
            if *requests == 0 {
                self.levels.remove(&level);
            }
        }
    }

    /// Puts the tenant's groups where its counter says.
    fn reorder(&mut self, tenant: u64) {
        let counter = self.shares.counter(tenant);
        let own = (tenant, Reverse(u8::MAX))..=(tenant, Reverse(0));
        for ((_, level), group) in self.groups.range_mut(own) {
            self.order.remove(&(*level, group.counter, tenant));
            group.counter = counter;
            self.order.insert((*level, counter, tenant));
        }
    }

    /// The least counter of those who wait at this level.
    fn least(&self, level: Level) -> Option<u64> {
        let first = self.order.range((level, 0, 0)..).next();
        first.filter(|(found, ..)| *found == level).map(|(_, counter, _)| *counter)
    }

    fn least_of_all(&self) -> Option<u64> {
        self.levels.keys().filter_map(|level| self.least(*level)).min()
    }
}

impl Group {
    /// How many come before one with this deadline that comes now.
    fn before(&self, deadline: Tick) -> usize {
        let is_last = self.line.last().is_none_or(|(last, _)| *last <= deadline);
        if is_last { self.line.len() } else { self.line.range(..=(deadline, u64::MAX)).count() }
    }
}

impl Room {
    /// The larger of the shares that so much holds of places and bytes, for its weight.
    fn hold(self, requests: usize, bytes: u64, weight: u32) -> u128 {
        let places = ((requests as u128) << 40) / self.places.max(1) as u128;
        let bytes = (u128::from(bytes) << 40) / u128::from(self.bytes.max(1));
        places.max(bytes) / u128::from(weight.max(1))
    }
}

/// No deadline is the latest.
fn deadline(entrant: &Entrant) -> Tick {
    entrant.deadline.unwrap_or(Tick(u64::MAX))
}

/// Tenants that an estimate of the wait looks at.
const LOOKED_AT: usize = 64;

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
