//! One gateway's side of one budget in one period.

use super::holder::Holder;
use super::largest::Largest;
use super::marks::{Mark, Marks};
use super::vault::{Report, VaultAnswer};
use crate::NanoUsd;

/// A gateway's share of a budget.
///
/// Always `held + spent <= mark <= granted - returned`: holds are taken only from what is marked. A mark is raised when
/// the journal has made it durable, and lowered before; so after a crash the last mark in the journal bounds what may
/// have been spent, and what of it is not settled by the journal's word, and no more, is unattributed.
///
/// A mark runs ahead of what is held and waits to be by at most [`Share::window`], from the moment that
/// [`Share::lower_due`] is durable.
#[derive(Debug, Clone)]
pub struct Share {
    holder: Holder,
    rules: ShareRules,
    granted: NanoUsd,
    returned: NanoUsd,
    marks: Marks,
    held: NanoUsd,
    spent: NanoUsd,
    /// By which marks and reports are measured.
    largest: Largest,
    /// The most that was held at once, of late: it will be again.
    busiest: Largest,
    /// What was used when the last mark was set.
    used_then: NanoUsd,
    /// The most that was used while a mark became durable, of late.
    meanwhile: Largest,
    /// What could not be held for want of it.
    need: NanoUsd,
    /// What waits for a higher mark.
    awaited: NanoUsd,
    /// What waited until a mark became durable, and hasn't tried again yet.
    woken: NanoUsd,
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

/// Money held for one attempt. It must be settled exactly once, with the share that it was held from.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a hold that is never settled is never free again"]
pub struct Hold(NanoUsd);

impl Hold {
    /// How much.
    pub fn amount(&self) -> NanoUsd {
        self.0
    }
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
            marks: Marks::default(),
            held: zero,
            spent: zero,
            largest: Largest::of_last(RECENT_HOLDS),
            busiest: Largest::of_last(MANY_HOLDS),
            used_then: zero,
            meanwhile: Largest::of_last(RECENT_MARKS),
            need: zero,
            awaited: zero,
            woken: zero,
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
        self.largest.add(amount);
        let free = self.free();
        if amount > free {
            self.need = self.need.max(amount);
            return Err(Short::Grant { free, held: self.held });
        }
        if !self.rules.holds_are_synced && self.used() + amount > self.mark() {
            self.awaited += amount;
            return Err(Short::Mark);
        }
        self.held += amount;
        self.busiest.add(self.held);
        self.woken = (self.woken - amount).max(NanoUsd::ZERO);
        Ok(Hold(amount))
    }

    /// Settles a hold at what its attempt cost, once.
    pub fn settle(&mut self, hold: Hold, cost: NanoUsd) -> Settlement {
        let paid = cost.min(hold.0).max(NanoUsd::ZERO);
        self.held = self.held - hold.0;
        self.spent += paid;
        debug_assert!(self.adds_up(), "a hold of another share, or settled twice: {self:?}");
        Settlement { paid, released: hold.0 - paid, overrun: (cost - paid).max(NanoUsd::ZERO) }
    }

    /// A higher mark that is to be made durable, where one is due: `amount` more, or all that wait for a mark, would
    /// not fit below the last one, or little room is left. To be asked for after each hold and each [`Short::Mark`].
    /// [`Share::marked`] is called when it is durable; marks must become so in their order.
    pub fn raise_due(&mut self, amount: NanoUsd) -> Option<Mark> {
        if !self.is_raise_due(amount) {
            return None;
        }
        let wanted = self.used() + self.awaited.max(amount);
        self.used_then = self.used();
        Some(self.marks.set((wanted + self.ahead(2)).min(self.most())))
    }

    /// Whether [`Share::raise_due`] would give a mark.
    pub fn is_raise_due(&self, amount: NanoUsd) -> bool {
        let wanted = self.used() + self.awaited.max(amount);
        let low = wanted.max(self.used() + self.ahead(4)).min(self.most());
        !self.rules.holds_are_synced && low > self.marks.last()
    }

    /// How far a mark may run ahead of what is held and waits to be: [`WINDOW`] of the largest hold of late, and twice
    /// what was held at once, so that the coming and going of many requests moves no mark; and [`WINDOW`] times what is used
    /// while a mark becomes durable, of which a quarter is left when the next one is due, so that nobody waits for it.
    pub fn window(&self) -> NanoUsd {
        let of_holds = self.largest.times(WINDOW).max(self.busiest.times(2));
        of_holds.max(self.meanwhile.times(WINDOW))
    }

    /// How far a mark is to run ahead: this fraction of the window, and at most a like one of an eighth of what is left of
    /// the budget, so that a crash can't cost a small budget much; not at all where others are in want.
    fn ahead(&self, fraction: i64) -> NanoUsd {
        if self.answer.is_wanted {
            return NanoUsd::ZERO;
        }
        let left = (self.free() + self.answer.free).max(NanoUsd::ZERO);
        NanoUsd(self.window().0.min(left.0 / PARTS_LEFT) / fraction)
    }

    /// The last mark that is not known to be durable.
    pub fn pending_mark(&self) -> Option<Mark> {
        self.marks.pending()
    }

    /// A lower mark that is to be made durable: the last one has come to run too far ahead, or others are in want of
    /// what is idle below it, or all is to be given back since it `is_over`. Nothing more is held above it from now on.
    /// To be asked for after settlements, marks and answers: the stated window holds from the moment that it is
    /// durable.
    pub fn lower_due(&mut self, is_over: bool) -> Option<Mark> {
        if !self.is_lower_due(is_over) {
            return None;
        }
        let ahead = if is_over { NanoUsd::ZERO } else { self.ahead(2) };
        self.used_then = self.used();
        Some(self.marks.set(self.used() + self.waiting() + ahead))
    }

    /// Whether [`Share::lower_due`] would give a mark.
    pub fn is_lower_due(&self, is_over: bool) -> bool {
        let window = if is_over || self.answer.is_wanted { NanoUsd::ZERO } else { self.window() };
        let wanted = self.used() + self.waiting() + window;
        !self.rules.holds_are_synced && self.marks.last() > wanted
    }

    /// A mark is durable, and with it all before it. Whoever waits for one tries again.
    pub fn marked(&mut self, mark: Mark) {
        self.woken = std::mem::take(&mut self.awaited);
        self.meanwhile.add((self.used() - self.used_then).max(NanoUsd::ZERO));
        self.marks.reached(mark);
    }

    /// Whether the vault should be told or asked now: more is needed, little is left and more is to be had, somebody
    /// else is in want, or this one no longer is.
    pub fn is_report_due(&self) -> bool {
        let is_worth_it = self.granted > NanoUsd::ZERO && self.answer.part >= self.largest.times(1);
        self.need > self.free()
            || (self.runs_low() && is_worth_it && self.answer.part > NanoUsd::ZERO)
            || (self.answer.is_wanted && self.idle() > NanoUsd::ZERO)
            || (self.answer.is_in_want && self.need == NanoUsd::ZERO)
    }

    /// What to tell the vault; `waiting` is what all requests that wait for a grant would hold. Money that is idle is given
    /// back where somebody is in want of it, and all of it where
    /// `is_over`: the period has ended, or the gateway does.
    pub fn report(&mut self, waiting: NanoUsd, is_over: bool) -> Report {
        if is_over || self.answer.is_wanted {
            self.returned += self.idle();
        }
        let beyond =
            |amount: NanoUsd| if is_over { NanoUsd::ZERO } else { (amount - self.free()).max(NanoUsd::ZERO) };
        let (need, waiting) = (beyond(self.need), beyond(waiting));
        self.number += 1;
        Report {
            holder: self.holder.clone(),
            number: self.number,
            spent: self.spent,
            returned: self.returned,
            need,
            waiting,
            is_busy: !is_over && self.runs_low(),
            life_ms: self.rules.life_ms,
        }
    }

    /// The vault's answer to a report; answers may come twice or in any order, but only once it is certain that the
    /// vault has been kept with what it says was granted.
    pub fn answered(&mut self, answer: VaultAnswer) {
        self.granted = self.granted.max(answer.granted);
        if answer.number < self.answer.number {
            return;
        }
        self.answer = answer;
        (self.need, self.woken) = (NanoUsd::ZERO, NanoUsd::ZERO);
    }

    fn runs_low(&self) -> bool {
        self.free() < self.largest.times(WINDOW / 2)
    }

    /// What could be held now, marks aside.
    pub fn free(&self) -> NanoUsd {
        self.most() - self.used()
    }

    fn used(&self) -> NanoUsd {
        self.held + self.spent
    }

    /// What may be held and spent, marks aside.
    fn most(&self) -> NanoUsd {
        self.granted - self.returned
    }

    /// What can be given back: what is neither used nor below a mark that a crash could leave as the last one.
    fn idle(&self) -> NanoUsd {
        (self.most() - self.used().max(self.marks.highest())).max(NanoUsd::ZERO)
    }

    /// Held for attempts under way.
    pub fn held(&self) -> NanoUsd {
        self.held
    }

    /// What waits for a mark, and what did until the last one became durable.
    pub fn waiting(&self) -> NanoUsd {
        self.awaited + self.woken
    }

    /// Spent in all.
    pub fn spent(&self) -> NanoUsd {
        self.spent
    }

    /// What may be held and spent at most: of the durable mark and those on their way the lowest.
    pub fn mark(&self) -> NanoUsd {
        self.marks.lowest()
    }

    /// Whose share it is.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// What the vault and others had at the last answer.
    pub fn last_answer(&self) -> VaultAnswer {
        self.answer
    }

    /// Whether `held + spent <= mark <= granted - returned`, and nothing is negative.
    pub fn adds_up(&self) -> bool {
        let zero = NanoUsd::ZERO;
        let below_marks = self.rules.holds_are_synced || self.used() <= self.marks.lowest();
        let signs = self.held >= zero && self.spent >= zero && self.returned >= zero;
        signs && below_marks && self.used().max(self.marks.highest()) <= self.most()
    }
}

/// Holds until a large one is forgotten.
const RECENT_HOLDS: u32 = 256;
/// Marks until it is forgotten how much was used while one became durable.
const RECENT_MARKS: u32 = 256;
/// Holds until it is forgotten how much was held at once: many, since moving a mark back and forth with each lull makes
/// the requests after it wait for the disk.
pub(super) const MANY_HOLDS: u32 = 16_384;
/// A mark may run ahead by so many of the largest hold of late, and as many times what is used while one becomes durable:
/// what a crash may leave unattributed beside what was held. Half of it is aimed at, and it is raised when a quarter of it is left.
pub const WINDOW: i64 = 16;
/// A mark is raised by at most half of such a part of what is left of the budget, and again when half of that is used.
const PARTS_LEFT: i64 = 8;
