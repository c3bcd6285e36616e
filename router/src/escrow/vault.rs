//! The common side of one budget in one period.

use super::holder::Holder;
use crate::NanoUsd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One budget in one period, with every share that is out.
///
/// At any time `funded = free + committed`, and everything ever spent is within a share that was granted before. Only
/// [`Vault::fund`] makes `free` negative, by a budget below what is out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// What may be spent in the period.
    funded: NanoUsd,
    /// Shares that are out.
    shares: BTreeMap<Holder, Out>,
    /// The earliest start of each gateway that may report: later ones have been heard of, or earlier ones closed.
    fences: BTreeMap<String, u64>,
    /// What was spent from shares that have been closed.
    spent: NanoUsd,
    /// What may have been spent from shares that have been closed, and can't be known: never granted again.
    unattributed: NanoUsd,
    /// Who is in want of what others hold idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    want: Option<Want>,
}

/// A share that is out. All amounts only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Out {
    granted: NanoUsd,
    spent: NanoUsd,
    returned: NanoUsd,
    /// The last report's number.
    number: u64,
    /// When it was last heard of plus the shares' life, in milliseconds since 1970.
    expires_ms: i64,
}

/// The first who needed more than is left: one at a time, so that two don't wait for each other's idle money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Want {
    holder: Holder,
    /// So many reports of others until it is forgotten, unless its holder asks again. Not a time: clocks jump.
    patience: u32,
}

/// What a gateway tells of its share, and what it wants. Amounts are totals of the epoch, so a report that comes twice
/// or late does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose share it is.
    pub holder: Holder,
    /// Counts the reports of this holder; a repeated one has the same number.
    pub number: u64,
    /// Spent in all.
    pub spent: NanoUsd,
    /// Given back in all.
    pub returned: NanoUsd,
    /// What is needed at once, for the largest hold that waits; nothing when zero.
    pub need: NanoUsd,
    /// What all that wait would need, about.
    pub waiting: NanoUsd,
    /// Whether more than that would be used soon.
    pub is_busy: bool,
    /// How long the share lives from now on unless it is heard of again.
    pub life_ms: i64,
}

/// What a gateway is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultAnswer {
    /// The last report of this holder that the vault knows.
    pub number: u64,
    /// Granted to it in all.
    pub granted: NanoUsd,
    /// What is left in the vault.
    pub free: NanoUsd,
    /// What others hold and have not spent, those aside that have not been heard of for long.
    pub elsewhere: NanoUsd,
    /// What a busy holder would be granted, unasked.
    pub part: NanoUsd,
    /// Whether somebody else is in want, or the budget was cut below what is out: idle money is to be given back.
    pub is_wanted: bool,
    /// Whether it is this holder that others give back for. It says so when that is over.
    pub is_in_want: bool,
}

/// A share as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// Whose it is.
    pub holder: Holder,
    /// Granted, not given back, not reported as spent.
    pub amount: NanoUsd,
    /// Whether it was not heard of for its whole life: what it still holds counts as unattributed until it is.
    pub is_expired: bool,
}

/// What became of a share that was closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Closing {
    /// Booked as spent.
    pub spent: NanoUsd,
    /// Booked as unattributed.
    pub unattributed: NanoUsd,
    /// Free again.
    pub released: NanoUsd,
}

/// A report that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlawful {
    /// A later start of the same gateway has been heard of, or this one has been closed.
    #[error(
        "the share of {gateway}, start {epoch}, has been closed by a later start; this one must stop spending"
    )]
    Fenced {
        /// The gateway.
        gateway: String,
        /// The start that reported.
        epoch: u64,
    },
    /// More is said to be spent or given back than was granted. A lawful gateway knows of a grant only after the vault
    /// does, so either it is broken or the vault has lost writes.
    #[error("{used} nano-USD are said to be spent or given back of {granted} that were granted")]
    TooMuch {
        /// Spent and given back, in nano-USD.
        used: i64,
        /// Granted, in nano-USD.
        granted: i64,
    },
}

impl Vault {
    /// A vault of a period that begins.
    pub fn new(funded: NanoUsd) -> Vault {
        Vault { funded, ..Vault::default() }
    }

    /// Changes what may be spent in the period. Below what is out already, nothing is granted any more, and whatever
    /// is idle comes back.
    pub fn fund(&mut self, funded: NanoUsd) {
        self.funded = funded.max(NanoUsd::ZERO);
    }

    /// Takes a report and grants what is wanted and there: what is needed for one hold, else up to its part of what is
    /// left for all that wait, else a tenth of that part where the holder is busy. So shares shrink as the budget runs
    /// out, and little is idle at its end.
    ///
    /// Who needs more than is left gets that, and others are asked to give back what they hold idle; one at a time,
    /// and only where all of it would do.
    ///
    /// # Errors
    /// [`Unlawful`]; nothing has changed then.
    pub fn report(&mut self, report: &Report, now_ms: i64) -> Result<VaultAnswer, Unlawful> {
        self.check_fence(&report.holder)?;
        let known = self.shares.get(&report.holder).cloned().unwrap_or_default();
        let is_new = report.number > known.number;
        let told = known.told(report, now_ms)?;
        self.shares.insert(report.holder.clone(), told);
        self.fence(&report.holder.gateway, report.holder.epoch);
        if is_new {
            self.be_patient(&report.holder);
            self.grant(report, now_ms);
        }
        Ok(self.answer(&report.holder, now_ms))
    }

    fn grant(&mut self, report: &Report, now_ms: i64) {
        let (free, part) = (self.left(), self.part(&report.holder));
        let busy = if report.is_busy { NanoUsd(part.0 / PARTS) } else { NanoUsd::ZERO };
        let beside = report.waiting.min(part).max(busy);
        let is_hopeless = report.need > free + self.elsewhere(&report.holder, now_ms);
        let given = if report.need <= free {
            self.want = self.want.take().filter(|want| want.holder != report.holder);
            report.need.max(beside)
        } else if is_hopeless || self.is_wanted_by_another(&report.holder) {
            // Others that wait here may need less.
            beside
        } else {
            self.want = Some(Want { holder: report.holder.clone(), patience: PATIENCE });
            free
        };
        if let Some(out) = self.shares.get_mut(&report.holder) {
            out.granted += given.max(NanoUsd::ZERO);
        }
    }

    /// Another one has reported.
    fn be_patient(&mut self, holder: &Holder) {
        if let Some(want) = self.want.as_mut().filter(|want| want.holder != *holder) {
            want.patience = want.patience.saturating_sub(1);
        }
        self.want = self.want.take().filter(|want| want.patience > 0);
    }

    fn answer(&self, holder: &Holder, now_ms: i64) -> VaultAnswer {
        let (number, granted) =
            self.shares.get(holder).map(|out| (out.number, out.granted)).unwrap_or_default();
        VaultAnswer {
            number,
            granted,
            free: self.left(),
            elsewhere: self.elsewhere(holder, now_ms),
            part: NanoUsd(self.part(holder).0 / PARTS),
            is_wanted: self.is_wanted_by_another(holder) || self.free() < NanoUsd::ZERO,
            is_in_want: self.want.as_ref().is_some_and(|want| want.holder == *holder),
        }
    }

    /// What can be granted.
    fn left(&self) -> NanoUsd {
        self.free().max(NanoUsd::ZERO)
    }

    /// A holder's part of what is left; nothing while somebody else is in want.
    fn part(&self, holder: &Holder) -> NanoUsd {
        if self.is_wanted_by_another(holder) {
            return NanoUsd::ZERO;
        }
        let parts = i64::try_from(self.shares.len()).unwrap_or(i64::MAX).max(1);
        NanoUsd(self.left().0 / parts)
    }

    fn elsewhere(&self, holder: &Holder, now_ms: i64) -> NanoUsd {
        let others = self.shares.iter().filter(|(other, out)| *other != holder && !out.is_expired(now_ms));
        others.map(|(_, out)| out.unspent()).sum()
    }

    fn is_wanted_by_another(&self, holder: &Holder) -> bool {
        self.want.as_ref().is_some_and(|want| want.holder != *holder)
    }

    /// Starts of this gateway before `epoch` whose shares have not been closed.
    pub fn earlier(&self, gateway: &str, epoch: u64) -> Vec<u64> {
        let own = self.shares.keys().filter(|holder| holder.gateway == gateway && holder.epoch < epoch);
        own.map(|holder| holder.epoch).collect()
    }

    /// Closes the share of a start that has ended: `spent` by its journal's word, and at most `unattributed` more. The
    /// rest is free again. Closing twice does nothing, and changes nothing.
    ///
    /// What the start itself has reported counts where the journal has lost the tail that says so: spent money that
    /// only the vault knows of is unattributed, and what was given back can't have been spent.
    ///
    /// # Errors
    /// The journal has settled more than was granted and not given back: the vault has lost writes. Nothing has
    /// changed then.
    pub fn close(
        &mut self,
        holder: &Holder,
        spent: NanoUsd,
        unattributed: NanoUsd,
    ) -> Result<Closing, Unlawful> {
        let Some(out) = self.shares.get(holder) else {
            self.fence(&holder.gateway, holder.epoch.saturating_add(1));
            return Ok(Closing::default());
        };
        let (had, spent) = (out.granted - out.returned, spent.max(NanoUsd::ZERO));
        if spent > had {
            return Err(Unlawful::TooMuch { used: (spent + out.returned).0, granted: out.granted.0 });
        }
        let at_most = (spent + unattributed.max(NanoUsd::ZERO)).max(out.spent).min(had);
        let closing = Closing { spent, unattributed: at_most - spent, released: had - at_most };
        self.spent += closing.spent;
        self.unattributed += closing.unattributed;
        self.shares.remove(holder);
        self.want = self.want.take().filter(|want| want.holder != *holder);
        self.fence(&holder.gateway, holder.epoch.saturating_add(1));
        Ok(closing)
    }

    fn fence(&mut self, gateway: &str, epoch: u64) {
        match self.fences.get_mut(gateway) {
            Some(fence) => *fence = epoch.max(*fence),
            None => drop(self.fences.insert(gateway.to_owned(), epoch)),
        }
    }

    fn check_fence(&self, holder: &Holder) -> Result<(), Unlawful> {
        match self.fences.get(&holder.gateway) {
            Some(fence) if holder.epoch < *fence => {
                Err(Unlawful::Fenced { gateway: holder.gateway.clone(), epoch: holder.epoch })
            }
            _ => Ok(()),
        }
    }

    /// What may be spent in the period.
    pub fn funded(&self) -> NanoUsd {
        self.funded
    }

    /// What was spent, may have been, or may still be: it is never granted to anybody else.
    pub fn committed(&self) -> NanoUsd {
        let out: NanoUsd = self.shares.values().map(|out| out.granted - out.returned).sum();
        self.spent + self.unattributed + out
    }

    /// What is not committed; below zero after a budget was cut below what is out.
    pub fn free(&self) -> NanoUsd {
        self.funded - self.committed()
    }

    /// Spent by all, as far as it has been reported.
    pub fn spent(&self) -> NanoUsd {
        self.spent + self.shares.values().map(|out| out.spent).sum()
    }

    /// May have been spent, can't be known, is never granted again.
    pub fn unattributed(&self) -> NanoUsd {
        self.unattributed
    }

    /// Shares that are out with what they hold.
    pub fn outstanding(&self, now_ms: i64) -> Vec<Outstanding> {
        let listed = self.shares.iter().map(|(holder, out)| Outstanding {
            holder: holder.clone(),
            amount: out.unspent(),
            is_expired: out.is_expired(now_ms),
        });
        listed.collect()
    }

    /// Whether every account adds up: no amount is negative, and of no share more was used than granted.
    pub fn adds_up(&self) -> bool {
        let zero = NanoUsd::ZERO;
        let mut shares = self.shares.values();
        self.funded >= zero
            && self.spent >= zero
            && self.unattributed >= zero
            && shares.all(|out| out.check().is_ok())
    }
}

impl Out {
    /// What a report adds to what was known; reports may come in any order.
    fn told(self, report: &Report, now_ms: i64) -> Result<Out, Unlawful> {
        let told = Out {
            spent: self.spent.max(report.spent),
            returned: self.returned.max(report.returned),
            number: self.number.max(report.number),
            expires_ms: self.expires_ms.max(now_ms.saturating_add(report.life_ms)),
            granted: self.granted,
        };
        told.check()?;
        Ok(told)
    }

    /// Differences only: a sum could be cut off at what 64 bits hold.
    fn check(&self) -> Result<(), Unlawful> {
        let has_all = self.spent >= NanoUsd::ZERO && self.returned >= NanoUsd::ZERO;
        if has_all && self.returned <= self.granted && self.spent <= self.granted - self.returned {
            return Ok(());
        }
        Err(Unlawful::TooMuch { used: (self.spent + self.returned).0, granted: self.granted.0 })
    }

    fn unspent(&self) -> NanoUsd {
        self.granted - self.returned - self.spent
    }

    fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms < now_ms
    }
}

/// A holder that is busy, with nobody who waits, gets its part of what is left divided by this.
const PARTS: i64 = 10;
/// Reports of others until one in want that isn't heard of is forgotten.
const PATIENCE: u32 = 16;
