//! A gateway's durable record: in order, in group commits, of which a crash loses the tail.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    Start,
    Mark {
        period: i64,
        number: u64,
        amount: i64,
    },
    Hold {
        period: i64,
        attempt: u64,
        amount: i64,
    },
    Settle {
        period: i64,
        attempt: u64,
        paid: i64,
    },
    /// What a closing is going to book: durable before it is done, so that the ledger has it whatever comes.
    Close {
        period: i64,
        of: u64,
        spent: i64,
        unattributed: i64,
    },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) epoch: u64,
    pub(crate) record: Record,
    /// What was held and waited to be when it was written: by it the stated window is measured.
    pub(crate) exposed: i64,
}

#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) entries: Vec<Entry>,
    pub(crate) synced: usize,
    /// Up to where the commit that is under way goes.
    pub(crate) committing: Option<usize>,
}

/// What a journal says of one start in one period.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word {
    pub(crate) settled: i64,
    pub(crate) mark: i64,
    /// Holds without a settlement.
    pub(crate) open: BTreeMap<u64, i64>,
    /// What was held at the last mark and at the last record, the larger.
    pub(crate) exposed: i64,
}

impl Journal {
    pub(crate) fn epochs(&self) -> u64 {
        self.entries.iter().map(|entry| entry.epoch).max().unwrap_or(0)
    }

    /// A crash: what is synced stays, and of the rest as much as the disk happened to take.
    pub(crate) fn tear(&mut self, kept: usize) {
        self.entries.truncate(self.synced.max(kept));
        (self.synced, self.committing) = (self.entries.len(), None);
    }

    pub(crate) fn word(&self, epoch: u64, of_period: i64) -> Word {
        let (mut word, mut at_mark, mut at_last) = (Word::default(), 0, 0);
        for entry in self.entries.iter().filter(|entry| entry.epoch == epoch) {
            match entry.record {
                Record::Mark { period, amount, .. } if period == of_period => {
                    (word.mark, at_mark, at_last) = (amount, entry.exposed, entry.exposed);
                }
                Record::Hold { period, attempt, amount } if period == of_period => {
                    word.open.insert(attempt, amount);
                }
                Record::Settle { period, attempt, paid } if period == of_period => {
                    word.open.remove(&attempt);
                    (word.settled, at_last) = (word.settled + paid, entry.exposed);
                }
                _ => (),
            }
        }
        word.exposed = at_mark.max(at_last);
        word
    }
}

impl Record {
    pub(crate) fn period(&self) -> Option<i64> {
        match *self {
            Record::Start => None,
            Record::Mark { period, .. }
            | Record::Hold { period, .. }
            | Record::Settle { period, .. }
            | Record::Close { period, .. } => Some(period),
        }
    }
}
