//! An engine that is only known from outside, such as a vendor's API: so long to the first token, so long for each
//! more, whatever else it does. It has no queue that we could see, and no end of room.

use crate::pool::Event;
use crate::timing::normal;
use std::collections::{BTreeMap, BTreeSet};

/// Its times. Each call's are drawn from log-normal distributions, the same for the same call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outside {
    /// Median time to the first token, in nanoseconds.
    pub ttft_ns: f64,
    /// The deviation of its logarithm.
    pub ttft_sigma: f64,
    /// Median time for each token after that, in nanoseconds.
    pub tpot_ns: f64,
    /// The deviation of its logarithm.
    pub tpot_sigma: f64,
}

/// The calls under way.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    law: Outside,
    now: u64,
    busy: u64,
    calls: BTreeMap<u64, Call>,
    /// When each call's next milestone comes.
    due: BTreeSet<(u64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    first: u64,
    last: u64,
    output: u32,
    has_begun: bool,
}

impl Calls {
    pub(crate) fn new(law: Outside) -> Calls {
        Calls { law, now: 0, busy: 0, calls: BTreeMap::new(), due: BTreeSet::new() }
    }

    pub(crate) fn submit(&mut self, id: u64, output: u32) {
        let Outside { ttft_ns, ttft_sigma, tpot_ns, tpot_sigma } = self.law;
        let first = self.now + drawn(ttft_ns, ttft_sigma, 2 * id);
        let rest = drawn(tpot_ns, tpot_sigma, 2 * id + 1) * u64::from(output - 1);
        self.calls.insert(id, Call { first, last: first + rest, output, has_begun: false });
        self.due.insert((first, id));
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        if let Some(call) = self.calls.remove(&id) {
            self.due.remove(&(call.next(), id));
        }
    }

    pub(crate) fn step(&mut self, now: u64) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.calls.is_empty() {
            self.busy += now.saturating_sub(self.now);
        }
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            let Some(call) = self.calls.get_mut(&id) else { continue };
            if call.has_begun {
                events.push(Event::Finished { id, at });
                self.calls.remove(&id);
            } else {
                events.push(Event::First { id, at, cached: 0 });
                call.has_begun = true;
                self.due.insert((call.last, id));
            }
        }
        self.now = self.now.max(now);
        events
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn produced(&self, id: u64) -> Option<u32> {
        let call = self.calls.get(&id)?;
        let more = u64::from(call.output - 1) * (self.now.saturating_sub(call.first))
            / (call.last - call.first).max(1);
        Some(if call.has_begun { 1 + u32::try_from(more).unwrap_or(u32::MAX) } else { 0 })
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}

impl Call {
    fn next(&self) -> u64 {
        if self.has_begun { self.last } else { self.first }
    }
}

fn drawn(median_ns: f64, sigma: f64, n: u64) -> u64 {
    ((median_ns * libm::exp(sigma * normal(n))) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;
    use crate::profile::Profile;

    #[test]
    fn calls_do_not_wait_for_each_other_and_take_what_is_stated() {
        let mut pool = Pool::new(Profile::named("api").expect("it is embedded").capacity);
        for id in 0..1_001 {
            pool.submit(id, 8_000, 101).expect("no end of room");
        }
        assert_eq!((pool.running(), pool.waiting()), (1_001, 0));
        let (mut firsts, mut ends) = (BTreeMap::new(), BTreeMap::new());
        let (mut now, mut events) = (0, Vec::new());
        while let Some(next) = pool.next_event() {
            assert!(next >= now, "time goes on");
            now = next;
            events.extend(pool.step(now));
        }
        for event in events {
            match event {
                Event::First { id, at, .. } => drop(firsts.insert(id, at)),
                Event::Finished { id, at } => drop(ends.insert(id, at)),
            }
        }
        let median = |mut times: Vec<u64>| {
            times.sort_unstable();
            times[times.len() / 2] as f64 / 1e6
        };
        let ttft = median(firsts.values().copied().collect());
        let tpot = median(firsts.iter().map(|(id, first)| (ends[id] - first) / 100).collect());
        assert!((ttft / 600.0 - 1.0).abs() < 0.05 && (tpot / 20.0 - 1.0).abs() < 0.05, "{ttft} {tpot}");
        assert_eq!(pool.running(), 0);
    }

    #[test]
    fn who_leaves_is_not_told_of_again() {
        let law = Outside { ttft_ns: 100.0, ttft_sigma: 0.0, tpot_ns: 10.0, tpot_sigma: 0.0 };
        let mut calls = Calls::new(law);
        calls.submit(1, 3);
        calls.submit(2, 3);
        assert_eq!(calls.step(100).len(), 2);
        calls.cancel(1);
        assert_eq!(calls.produced(2), Some(1));
        assert_eq!(calls.step(1_000), vec![Event::Finished { id: 2, at: 120 }]);
        assert_eq!((calls.next_event(), calls.busy()), (None, 1_000));
    }
}
