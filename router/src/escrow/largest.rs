//! The largest amount of late.

use crate::NanoUsd;

/// The largest of the last `turn` to twice as many amounts, by which a share measures what it needs soon. So one dear
/// request doesn't keep a share large for ever.
#[derive(Debug, Clone)]
pub(super) struct Largest {
    now: NanoUsd,
    before: NanoUsd,
    count: u32,
    turn: u32,
}

impl Largest {
    /// Of nothing yet.
    pub(super) fn of_last(turn: u32) -> Largest {
        Largest { now: NanoUsd::ZERO, before: NanoUsd::ZERO, count: 0, turn }
    }

    /// One more was wanted.
    pub(super) fn add(&mut self, amount: NanoUsd) {
        if self.count == self.turn {
            (self.before, self.now, self.count) = (self.now, NanoUsd::ZERO, 0);
        }
        self.count += 1;
        self.now = self.now.max(amount);
    }

    /// So many times the largest.
    pub(super) fn times(&self, times: i64) -> NanoUsd {
        NanoUsd(self.now.max(self.before).0.saturating_mul(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dear_one_is_forgotten_in_time() {
        const TURN: u32 = 256;
        let mut largest = Largest::of_last(TURN);
        largest.add(NanoUsd(900));
        (0..TURN).for_each(|_| largest.add(NanoUsd(3)));
        assert_eq!(largest.times(1), NanoUsd(900));
        (0..TURN).for_each(|_| largest.add(NanoUsd(3)));
        assert_eq!(largest.times(2), NanoUsd(6));
    }
}
