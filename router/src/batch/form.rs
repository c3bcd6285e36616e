//! Who goes together, once the engine is idle.

use super::waiting::Place;
use super::{Batcher, Called, Item, Row};
use crate::time::Tick;

/// One who would go, as far as forming a batch looks at it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    place: Place,
    item: Item,
}

impl<W> Batcher<W> {
    /// The batch that goes now, or one who has to be refused before it can; `None` when nobody waits.
    pub(super) fn form(&mut self, now: Tick) -> Option<Called<W>> {
        let candidates = self.candidates();
        if candidates.is_empty() {
            return None;
        }
        let Some(late) = self.tightest_late(&candidates, now) else {
            return Some(Called::Go(self.take(&candidates, now)));
        };
        if let Some(fewer) = self.fewer(&candidates, &late, now) {
            return Some(Called::Go(self.take(&candidates[..fewer], now)));
        }
        self.waiting.leave(late.place.ticket).map(|waiter| Called::Late(waiter.who))
    }

    /// The first in order, and those after it that may share its batch, as many as the rules allow.
    fn candidates(&self) -> Vec<Candidate> {
        let mut chosen: Vec<Candidate> = Vec::new();
        let mut cost = 0_u64;
        for (place, waiter) in self.waiting.in_order() {
            let item = waiter.item;
            if chosen.first().is_some_and(|first| first.item.kind != item.kind) {
                continue;
            }
            cost = cost.saturating_add(item.cost);
            let is_over = self.rules.max_cost.is_some_and(|most| cost > most);
            if chosen.len() == self.rules.max_batch || is_over && !chosen.is_empty() {
                break;
            }
            chosen.push(Candidate { place, item });
        }
        chosen
    }

    /// Of those who are late if all go, the one whose deadline comes first.
    fn tightest_late(&self, candidates: &[Candidate], now: Tick) -> Option<Candidate> {
        let end = self.end_of(candidates.len(), now);
        let with_deadline = candidates.iter().filter(|candidate| candidate.item.deadline.is_some());
        let tightest = with_deadline.min_by_key(|candidate| (candidate.item.deadline, candidate.place));
        tightest.copied().filter(|candidate| !is_in_time(candidate, end))
    }

    /// How many of the first may go so that this one is in time, where that is right: those of lower priorities make
    /// nobody late; others give way only if nobody at all is late for it.
    fn fewer(&self, candidates: &[Candidate], late: &Candidate, now: Tick) -> Option<usize> {
        let priority = late.item.priority;
        let peers = candidates.iter().take_while(|candidate| candidate.item.priority >= priority).count();
        if peers < candidates.len() && is_in_time(late, self.end_of(peers, now)) {
            return Some(peers);
        }
        if self.waiting.len() > candidates.len() {
            return None;
        }
        (1..candidates.len()).rev().find(|&first| {
            let (now_go, wait) = candidates.split_at(first);
            let end = self.end_of(first, now);
            let next_end = self.end_of(wait.len(), end);
            now_go.iter().all(|candidate| is_in_time(candidate, end))
                && wait.iter().all(|candidate| is_in_time(candidate, next_end))
        })
    }

    fn take(&mut self, chosen: &[Candidate], now: Tick) -> super::Batch<W> {
        let rows = chosen.iter().filter_map(|candidate| {
            let ticket = candidate.place.ticket;
            self.waiting.leave(ticket).map(|waiter| Row { item: waiter.item, ticket, who: waiter.who })
        });
        let rows: Vec<Row<W>> = rows.collect();
        self.go(rows, now)
    }

    /// When a batch of so many rows ends that goes then.
    fn end_of(&self, rows: usize, at: Tick) -> Tick {
        Tick(at.0.saturating_add(self.curve.batch_us(rows)))
    }
}

fn is_in_time(candidate: &Candidate, end: Tick) -> bool {
    candidate.item.deadline.is_none_or(|deadline| end <= deadline)
}
