//! Who would be too late: how long the wait and the answer take, against the deadline.

use super::{Entrant, Line};
use crate::time::Tick;

impl<W> Line<W> {
    /// How long a request would wait, in milliseconds, if it came now: for those that will go before it, by their
    /// priorities and their tenants' shares, over the rate at which places become free.
    pub fn expected_wait_ms(&self, entrant: &Entrant, now: Tick) -> f64 {
        let (mut limit, mut in_flight, weather) = (0, 0, self.weather(now));
        for (at, replica) in self.replicas.iter().enumerate() {
            if weather.takes_work(replica) && !entrant.tried.contains(&at) {
                limit += u64::from(weather.limit(replica, self.limits.of(at)));
                in_flight += u64::from(replica.in_flight);
            }
        }
        let ahead = (in_flight + self.queue.ahead(entrant) as u64 + 1).saturating_sub(limit);
        if limit == 0 { 0.0 } else { ahead as f64 * self.places.service_ms() / limit as f64 }
    }

    /// One who can't make its deadline even if it goes now.
    pub(super) fn overdue(&mut self, now: Tick) -> Option<u64> {
        while let Some((ticket, entrant)) = self.queue.overdue(now) {
            if self.late_ms(entrant, 0.0, now) > 0.0 {
                return Some(ticket);
            }
            // Answers have become faster since it came.
            let latest = self.latest(entrant).unwrap_or(now).max(now);
            self.queue.set_latest(ticket, latest);
        }
        None
    }

    /// Whether its deadline has passed, or comes before any replica could begin to answer.
    pub(super) fn is_hopeless(&self, entrant: &Entrant, now: Tick) -> bool {
        let is_over = |deadline: Tick| deadline <= now || deadline.since_ms(now) < self.limits.fastest_ms();
        entrant.deadline.is_some_and(is_over)
    }

    /// By how much a request that waits so long misses its deadline, in milliseconds; 0 when it makes it.
    pub(super) fn late_ms(&self, entrant: &Entrant, wait_ms: f64, now: Tick) -> f64 {
        let left_ms = entrant.deadline.map_or(f64::INFINITY, |deadline| deadline.since_ms(now));
        (wait_ms + self.answer_ms(entrant) - left_ms).max(0.0)
    }

    /// When a request must go at the latest to make its deadline.
    pub(super) fn latest(&self, entrant: &Entrant) -> Option<Tick> {
        let answer_us = (self.answer_ms(entrant) * 1e3) as u64;
        entrant.deadline.map(|deadline| Tick(deadline.0.saturating_sub(answer_us)))
    }

    /// How long its answer takes from the moment it goes, by what the last answers took.
    fn answer_ms(&self, entrant: &Entrant) -> f64 {
        self.ttft_ms.value() + entrant.work.output_tokens * self.tpot_ms.value()
    }
}
