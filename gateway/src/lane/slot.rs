//! A place on a replica, for as long as an answer lasts.

use super::{Lane, Member};
use crate::batch::Batches;
use sluice_experts::Engine;
use sluice_router::{Change, Seat, Tick, Verdict};
use std::sync::Arc;

/// A place on one replica. Dropping it frees the place.
pub(crate) struct Slot {
    lane: Arc<Lane>,
    member: Arc<Member>,
    seat: Seat,
    granted: Tick,
    is_over: bool,
}

impl Slot {
    pub(super) fn new(lane: &Arc<Lane>, seat: Seat, now: Tick) -> Slot {
        // The index is the member's for as long as the seat is taken.
        let member = lane.lock().members[seat.replica].clone();
        Slot { lane: lane.clone(), member, seat, granted: now, is_over: false }
    }

    /// Which replica it is on, as an index into the pool's.
    pub(crate) fn replica(&self) -> usize {
        self.seat.replica
    }

    /// The replica's address.
    pub(crate) fn address(&self) -> &str {
        &self.member.address
    }

    /// The replica's engine.
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.member.engine
    }

    /// The replica's batches, where its engine takes them whole.
    pub(crate) fn batches(&self) -> Option<&Arc<Batches>> {
        self.member.batches.as_ref()
    }

    /// The first event of the answer has come. Returns whether that has brought the replica back.
    pub(crate) fn on_answering(&self, now: Tick) -> bool {
        let is_back = self.lane.lock().line.on_answering(self.seat, now);
        if is_back {
            self.lane.wake(now);
        }
        is_back
    }

    /// The answer has, or had, this many tokens.
    pub(crate) fn on_output(&self, tokens: u32) {
        self.lane.lock().line.on_output(self.seat, tokens);
    }

    /// Ends the use of the place. Returns what has become of the replica, where something has.
    pub(crate) fn end(mut self, verdict: Verdict, now: Tick) -> Option<Change> {
        self.free(verdict, now)
    }

    /// Frees the place before its use has ended: the bug that the simulation must find.
    #[cfg(test)]
    pub(crate) fn free_early(&mut self, now: Tick) {
        self.free(Verdict::Neutral, now);
    }

    fn free(&mut self, verdict: Verdict, now: Tick) -> Option<Change> {
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let change = self.lane.end(self.seat, verdict, now);
        self.lane.wake(now);
        change
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free(Verdict::Neutral, self.granted);
    }
}
