//! One gateway's side of one budget in one period.

use super::vault::{Holder, Report, VaultAnswer};
use crate::NanoUsd;
use std::collections::VecDeque;

/// A gateway's share of a budget.
///
/// Always `held + spent <= mark <= granted - returned`: holds are taken only from what is marked. A mark is raised when
/// the journal has made it durable, and lowered before; so after a crash the last mark in the journal bounds what may
/// have been spent, and what of it is not settled by the journal's word, and no more, is unattributed.
#[derive(Debug, Clone)]
pub struct Share {
    holder: Holder,
    rules: ShareRules,
    granted: NanoUsd,
    returned: NanoUsd,
    /// The last mark that is durable.
    durable: NanoUsd,
    /// Marks on their way to the journal, in order.
    pending: VecDeque<Mark>,
    marks: u64,
    held: NanoUsd,
    spent: NanoUsd,
    /// The largest hold of late, by which marks are measured.
    largest: NanoUsd,
    /// What could not be held for want of it.
    need: NanoUsd,
    number: u64,
    /// What the vault and others have, by its last answer.
    answer: VaultAnswer,
}

/// How a share is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareRules {
    /// True: holds are made durable each for itself, before anything is sent, so that marks aren't needed. False: a
    /// mark runs ahead of the holds.
    pub holds_are_synced: bool,
    /// How long the share lives in the vault when it isn't heard of, in milliseconds.
    pub life_ms: i64,
}

/// Money held for one attempt. It must be settled exactly once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a hold that is never settled is never free again"]
pub struct Hold(NanoUsd);

impl Hold {
    /// How much.
    pub fn amount(&self) -> NanoUsd {
        self.0
    }
}

/// Up to where a share may be drawn on, as a total of its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Counts the marks of a share.
    pub number: u64,
    /// How much.
    pub amount: NanoUsd,
}

/// What a hold came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// What the tenant pays: at most the hold.
    pub paid: NanoUsd,
    /// What is free again.
    pub released: NanoUsd,
    /// What the attempt cost beyond its hold: the operator's.
    pub overrun: NanoUsd,
}

/// Why nothing was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Short {
    /// A higher mark must be durable first; then there is enough.
    Mark,
    /// More must be granted first.
    Grant {
        /// What is free of the share now.
        free: NanoUsd,
        /// What holds of requests under way would set free at most.
        held: NanoUsd,
    },
}

impl Share {
    /// A share of nothing.
    pub fn new(holder: Holder, rules: ShareRules) -> Share {
        let zero = NanoUsd::ZERO;
        Share {
            holder,
            rules,
            granted: zero,
            returned: zero,
            durable: zero,
            pending: VecDeque::new(),
            marks: 0,
            held: zero,
            spent: zero,
            largest: zero,
            need: zero,
            number: 0,
            answer: VaultAnswer::default(),
        }
    }

    /// Holds an amount.
    ///
    /// # Errors
    /// [`Short`]: nothing was held.
    pub fn hold(&mut self, amount: NanoUsd) -> Result<Hold, Short> {
        let amount = amount.max(NanoUsd::ZERO);
        self.largest = self.largest.max(amount);
        let free = self.free();
        if amount > free {
            self.need = self.need.max(amount);
            return Err(Short::Grant { free, held: self.held });
        }
        if !self.rules.holds_are_synced && self.held + self.spent + amount > self.mark() {
            return Err(Short::Mark);
        }
        self.held += amount;
        Ok(Hold(amount))
    }

    /// Settles a hold at what its attempt cost, once.
    pub fn settle(&mut self, hold: Hold, cost: NanoUsd) -> Settlement {
        let paid = cost.min(hold.0).max(NanoUsd::ZERO);
        self.held = self.held - hold.0;
        self.spent += paid;
        Settlement { paid, released: hold.0 - paid, overrun: (cost - paid).max(NanoUsd::ZERO) }
    }

    /// A higher mark that is to be made durable, where one is due: `amount` more would not fit below the last one, or
    /// little room is left. [`Share::marked`] is called when it is durable; marks must become so in their order.
    pub fn raise_due(&mut self, amount: NanoUsd) -> Option<Mark> {
        if self.rules.holds_are_synced {
            return None;
        }
        let (used, most) = (self.held + self.spent, self.granted - self.returned);
        let window = NanoUsd(self.largest.max(amount).0.saturating_mul(WINDOW));
        let low = (used + amount).max(used + NanoUsd(window.0 / 2)).min(most);
        if low <= self.last_mark() {
            return None;
        }
        Some(self.set_mark((used + amount + window).min(most)))
    }

    /// A lower mark that is to be made durable, where others are in want of what is idle below the last one. Nothing
    /// more is held above it from now on.
    pub fn lower_due(&mut self) -> Option<Mark> {
        let used = self.held + self.spent;
        let is_due = self.answer.is_wanted && self.need == NanoUsd::ZERO && self.last_mark() > used;
        (is_due && !self.rules.holds_are_synced).then(|| self.set_mark(used))
    }

    fn set_mark(&mut self, amount: NanoUsd) -> Mark {
        self.marks += 1;
        let mark = Mark { number: self.marks, amount };
        self.pending.push_back(mark);
        mark
    }

    /// A mark is durable, and with it all before it.
    pub fn marked(&mut self, mark: Mark) {
        while self.pending.front().is_some_and(|pending| pending.number <= mark.number) {
            self.pending.pop_front();
            self.durable = mark.amount;
        }
    }

    /// Whether the vault should be told or asked now: more is needed, little is left, or somebody else is in want.
    pub fn is_report_due(&self) -> bool {
        let free = self.free();
        let runs_low = self.granted > NanoUsd::ZERO
            && self.answer.free > NanoUsd::ZERO
            && free < NanoUsd(self.largest.0.saturating_mul(WINDOW));
        self.need > free || runs_low || (self.answer.is_wanted && self.idle() > NanoUsd::ZERO)
    }

    /// What to tell the vault. Money that is idle is given back where somebody is in want of it, and all of it where
    /// `is_over`: the period has ended, or the gateway does.
    pub fn report(&mut self, is_over: bool) -> Report {
        if is_over || (self.answer.is_wanted && self.need == NanoUsd::ZERO) {
            self.returned += self.idle();
        }
        let free = self.free();
        let need = if is_over { NanoUsd::ZERO } else { (self.need - free).max(NanoUsd::ZERO) };
        let runs_low = free < NanoUsd(self.largest.0.saturating_mul(WINDOW));
        self.number += 1;
        Report {
            holder: self.holder.clone(),
            number: self.number,
            spent: self.spent,
            returned: self.returned,
            need,
            is_busy: !is_over && self.largest > NanoUsd::ZERO && runs_low,
            life_ms: self.rules.life_ms,
        }
    }

    /// The vault's answer to a report; answers may come twice or in any order.
    pub fn answered(&mut self, answer: VaultAnswer) {
        self.granted = self.granted.max(answer.granted);
        self.answer = answer;
        self.need = NanoUsd::ZERO;
    }

    /// What could be held now, marks aside.
    pub fn free(&self) -> NanoUsd {
        self.granted - self.returned - self.held - self.spent
    }

    /// What can be given back: what is neither used nor below a mark that a crash could leave as the last one.
    fn idle(&self) -> NanoUsd {
        let marks = self.pending.iter().map(|mark| mark.amount).chain([self.durable]);
        let covered = marks.fold(self.held + self.spent, NanoUsd::max);
        (self.granted - self.returned - covered).max(NanoUsd::ZERO)
    }

    fn last_mark(&self) -> NanoUsd {
        self.pending.back().map_or(self.durable, |mark| mark.amount)
    }

    /// Held for attempts under way.
    pub fn held(&self) -> NanoUsd {
        self.held
    }

    /// Spent in all.
    pub fn spent(&self) -> NanoUsd {
        self.spent
    }

    /// What may be held and spent at most: of the durable mark and those on their way the lowest.
    pub fn mark(&self) -> NanoUsd {
        self.pending.iter().map(|mark| mark.amount).fold(self.durable, NanoUsd::min)
    }

    /// Whose share it is.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// What the vault and others had at the last answer.
    pub fn last_answer(&self) -> VaultAnswer {
        self.answer
    }
}

/// A mark runs ahead by so many of the largest hold: what a crash may leave unattributed beside what was held.
const WINDOW: i64 = 8;
