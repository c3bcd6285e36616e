//! Places for those who never wait in line: second tries beside one that runs.

use super::{Entrant, Line, Seat};
use crate::time::Tick;

impl<W> Line<W> {
    /// A seat that is free right now and that nobody waits for, else nothing.
    pub fn enter_at_once(&mut self, entrant: &Entrant, now: Tick) -> Option<Seat> {
        if self.counts(now).queued > 0 {
            return None;
        }
        let seat = self.pick(entrant, now)?;
        self.begin(seat, entrant, now);
        self.queue.charge(seat.number, entrant);
        Some(seat)
    }
}
