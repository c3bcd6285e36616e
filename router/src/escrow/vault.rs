//! The common side of one budget in one period.

use crate::NanoUsd;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One budget in one period, with every share that is out.
///
/// At any time `funded = free + committed`, and everything ever spent is within a share that was granted before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// What may be spent in the period.
    funded: NanoUsd,
    /// Shares that are out.
    shares: BTreeMap<Holder, Out>,
    /// The first epoch of each gateway whose share has not been closed; whatever is older is fenced off.
    fences: BTreeMap<String, u64>,
    /// What was spent from shares that have been closed.
    spent: NanoUsd,
    /// What may have been spent from shares that have been closed, and can't be known: never granted again.
    unattributed: NanoUsd,
    /// Until when somebody is in want of what others hold idle, in milliseconds since 1970.
    wanted_until_ms: i64,
}

/// Whose share it is: one start of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The gateway's own id, which outlives its restarts.
    pub gateway: String,
    /// Which start of it.
    pub epoch: u64,
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
    /// What is needed at once; nothing when zero.
    pub need: NanoUsd,
    /// Whether more than that would be used soon.
    pub is_busy: bool,
    /// How long the share lives from now on unless it is heard of again.
    pub life_ms: i64,
}

/// What a gateway is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultAnswer {
    /// Granted to it in all.
    pub granted: NanoUsd,
    /// What is left in the vault.
    pub free: NanoUsd,
    /// What others hold and have not spent.
    pub elsewhere: NanoUsd,
    /// Whether somebody is in want: idle money is to be given back.
    pub is_wanted: bool,
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

/// A report that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlawful {
    /// The holder's share has been closed, by a later start of the same gateway.
    #[error(
        "the share of {gateway}, start {epoch}, has been closed by a later start; this one must stop spending"
    )]
    Fenced {
        /// The gateway.
        gateway: String,
        /// The start that reported.
        epoch: u64,
    },
    /// More is said to be spent or given back than was granted.
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

    /// Changes what may be spent in the period. Below what is out already, nothing is granted any more.
    pub fn fund(&mut self, funded: NanoUsd) {
        self.funded = funded;
    }

    /// Takes a report and grants what is wanted and there: at once what is needed, and where the holder is busy a
    /// tenth of its part of what is left. So shares shrink as the budget runs out, and little is idle at its end.
    ///
    /// # Errors
    /// [`Unlawful`]; nothing has changed then.
    pub fn report(&mut self, report: &Report, now_ms: i64) -> Result<VaultAnswer, Unlawful> {
        self.check_fence(&report.holder)?;
        let known = self.shares.get(&report.holder).cloned().unwrap_or_default();
        let mut out = Out {
            spent: known.spent.max(report.spent),
            returned: known.returned.max(report.returned),
            expires_ms: known.expires_ms.max(now_ms.saturating_add(report.life_ms)),
            ..known
        };
        if out.spent + out.returned > out.granted {
            return Err(Unlawful::TooMuch { used: (out.spent + out.returned).0, granted: out.granted.0 });
        }
        let is_new = report.number > out.number;
        out.number = out.number.max(report.number);
        self.shares.insert(report.holder.clone(), out);
        if is_new {
            self.grant(report, now_ms);
        }
        Ok(self.answer(&report.holder, now_ms))
    }

    fn grant(&mut self, report: &Report, now_ms: i64) {
        let free = self.free();
        let parts = i64::try_from(self.shares.len()).unwrap_or(i64::MAX).max(1);
        let part = if report.is_busy { NanoUsd(free.0 / parts.saturating_mul(PARTS)) } else { NanoUsd::ZERO };
        let given = report.need.max(part).min(free).max(NanoUsd::ZERO);
        if given < report.need {
            self.wanted_until_ms = now_ms.saturating_add(WANTED_MS);
        }
        if let Some(out) = self.shares.get_mut(&report.holder) {
            out.granted += given;
        }
    }

    fn answer(&self, holder: &Holder, now_ms: i64) -> VaultAnswer {
        let elsewhere =
            self.shares.iter().filter(|(other, _)| *other != holder).map(|(_, out)| out.unspent());
        VaultAnswer {
            granted: self.shares.get(holder).map(|out| out.granted).unwrap_or_default(),
            free: self.free().max(NanoUsd::ZERO),
            elsewhere: elsewhere.sum(),
            is_wanted: now_ms < self.wanted_until_ms,
        }
    }

    /// Starts of this gateway before `epoch` whose shares have not been closed.
    pub fn earlier(&self, gateway: &str, epoch: u64) -> Vec<u64> {
        let own = self.shares.keys().filter(|holder| holder.gateway == gateway && holder.epoch < epoch);
        own.map(|holder| holder.epoch).collect()
    }

    /// Closes the share of a start that has ended: `spent` by its journal's word, and `unattributed` more that may
    /// have been. The rest is free again. Closing twice does nothing.
    ///
    /// # Errors
    /// More than was granted; nothing has changed then.
    pub fn close(&mut self, holder: &Holder, spent: NanoUsd, unattributed: NanoUsd) -> Result<(), Unlawful> {
        let Some(out) = self.shares.get(holder) else { return Ok(()) };
        let used = spent.max(out.spent) + unattributed;
        if used + out.returned > out.granted {
            return Err(Unlawful::TooMuch { used: (used + out.returned).0, granted: out.granted.0 });
        }
        self.spent += spent.max(out.spent);
        self.unattributed += unattributed;
        self.shares.remove(holder);
        let fence = self.fences.entry(holder.gateway.clone()).or_default();
        *fence = (*fence).max(holder.epoch + 1);
        Ok(())
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

    /// What no share holds and nothing was spent of; below zero after a budget was cut below what is out.
    pub fn free(&self) -> NanoUsd {
        let out: NanoUsd = self.shares.values().map(|out| out.granted - out.returned).sum();
        self.funded - self.spent - self.unattributed - out
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
            is_expired: out.expires_ms < now_ms,
        });
        listed.collect()
    }
}

impl Out {
    fn unspent(&self) -> NanoUsd {
        self.granted - self.returned - self.spent
    }
}

/// Keys of JSON objects are strings: `EPOCH@GATEWAY`.
impl Serialize for Holder {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}@{}", self.epoch, self.gateway))
    }
}

impl<'de> Deserialize<'de> for Holder {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Holder, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once('@').and_then(|(epoch, gateway)| Some((epoch.parse().ok()?, gateway)));
        let (epoch, gateway) =
            parts.ok_or_else(|| serde::de::Error::custom("a holder is written EPOCH@GATEWAY"))?;
        Ok(Holder { gateway: gateway.to_owned(), epoch })
    }
}

/// A busy holder gets its part of what is left, divided by this.
const PARTS: i64 = 10;
/// How long others are asked to give idle money back after somebody got less than it needed.
const WANTED_MS: i64 = 3_000;
