//! Up to where a share may be drawn on, as far as its journal knows.

use crate::NanoUsd;
use std::collections::VecDeque;

/// The marks of one share: the last that is durable, and those on their way to the journal.
///
/// After a crash the journal's last mark is one of these. So nothing is held above the lowest of them, and nothing
/// below the highest is given back.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    durable: NanoUsd,
    /// In order.
    pending: VecDeque<Mark>,
    count: u64,
}

/// Up to where a share may be drawn on, as a total of its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Counts the marks of a share.
    pub number: u64,
    /// How much.
    pub amount: NanoUsd,
}

impl Marks {
    /// A new mark on its way.
    pub(super) fn set(&mut self, amount: NanoUsd) -> Mark {
        self.count += 1;
        let mark = Mark { number: self.count, amount };
        self.pending.push_back(mark);
        mark
    }

    /// A mark is durable, and with it all before it. One that was known to be changes nothing.
    pub(super) fn reached(&mut self, mark: Mark) {
        while self.pending.front().is_some_and(|pending| pending.number <= mark.number) {
            self.durable = self.pending.pop_front().map_or(self.durable, |reached| reached.amount);
        }
    }

    /// The one that was set last.
    pub(super) fn last(&self) -> NanoUsd {
        self.pending.back().map_or(self.durable, |mark| mark.amount)
    }

    /// The last one on its way.
    pub(super) fn pending(&self) -> Option<Mark> {
        self.pending.back().copied()
    }

    /// What any of them allows.
    pub(super) fn lowest(&self) -> NanoUsd {
        self.all().fold(self.durable, NanoUsd::min)
    }

    /// What one of them allows.
    pub(super) fn highest(&self) -> NanoUsd {
        self.all().fold(self.durable, NanoUsd::max)
    }

    fn all(&self) -> impl Iterator<Item = NanoUsd> {
        self.pending.iter().map(|mark| mark.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_could_leave_bounds_both_ways() {
        let mut marks = Marks::default();
        let [first, second, third] = [50, 20, 70].map(|amount| marks.set(NanoUsd(amount)));
        assert_eq!((marks.lowest(), marks.highest(), marks.last()), (NanoUsd(0), NanoUsd(70), NanoUsd(70)));
        marks.reached(second);
        assert_eq!((marks.lowest(), marks.highest()), (NanoUsd(20), NanoUsd(70)));
        marks.reached(first); // Known to be: the second was after it.
        assert_eq!(marks.lowest(), NanoUsd(20));
        marks.reached(third);
        assert_eq!((marks.lowest(), marks.highest(), marks.last()), (NanoUsd(70), NanoUsd(70), NanoUsd(70)));
    }
}
