//! How long a place is held before it is free for the next.
//!
//! What the answers that have ended took is not enough to know: after a burst has begun the short ones end first, while
//! the long ones keep their places. So the time that all places were held is counted too, over the answers that ended
//! meanwhile. By Little's law the two are the same on average; the longer one holds.

use super::{Average, WEIGHT};
use crate::time::Tick;

/// The two means, and what the later one is made from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places {
    took_ms: Average,
    held_ms: Average,
    /// Up to when the time is counted that places were held, and how much it was since the last group of ends.
    counted: Tick,
    since_ms: f64,
    /// Answers that end together, as those of one batch do, share that time: when the first of them ended, how many.
    first: Tick,
    ends: i32,
}

impl Places {
    /// Time passes while so many places are held. To be told before each change of that.
    pub(super) fn pass(&mut self, held: u32, now: Tick) {
        if self.ends > 0 && now.since_ms(self.first) > TOGETHER_MS {
            let share = 1.0 - libm::pow(1.0 - WEIGHT, f64::from(self.ends));
            self.held_ms.add_share(self.since_ms / f64::from(self.ends), share);
            (self.ends, self.since_ms) = (0, 0.0);
        }
        self.since_ms += f64::from(held) * now.since_ms(self.counted);
        self.counted = self.counted.max(now);
    }

    /// An answer is complete that took so long, and its time has passed.
    pub(super) fn answered(&mut self, took_ms: f64, now: Tick) {
        self.took_ms.add(took_ms);
        if self.ends == 0 {
            self.first = now;
        }
        self.ends += 1;
    }

    /// In milliseconds; 0 when not yet known.
    pub(super) fn service_ms(&self) -> f64 {
        self.took_ms.value().max(self.held_ms.value())
    }
}

/// Answers that end within this time of each other end together.
const TOGETHER_MS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Tick {
        Tick(0).plus_ms(ms)
    }

    #[test]
    fn a_place_takes_as_long_as_others_hold_theirs() {
        let mut places = Places::default();
        places.pass(0, at(0));
        places.pass(4, at(100));
        places.answered(100.0, at(100));
        assert_eq!(places.service_ms(), 100.0, "others may end with it");
        places.pass(3, at(200));
        assert_eq!(places.service_ms(), 400.0, "three hold on");
    }

    #[test]
    fn those_that_end_together_share_the_time() {
        let mut places = Places::default();
        for batch in 1..50 {
            for row in 0..64 {
                places.pass(64 - row, at(batch * 40));
                places.answered(40.0, at(batch * 40));
            }
            assert!((places.service_ms() - 40.0).abs() < 1e-6, "{places:?}");
        }
    }
}
