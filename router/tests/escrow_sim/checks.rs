//! What must hold after each step, and in the end.

use crate::journal::Record;
use crate::store::Closed;
use crate::story::{Flaw, Transport};
use crate::truth::State;
use crate::world::{World, usd};
use sluice_router::{Holder, NanoUsd, ShareReport};
use std::collections::BTreeMap;

impl World {
    /// Overspend 0: what engines cost, or may at most, is within what has left the vault. And every share adds up.
    pub(crate) fn check_step(&mut self) {
        for (period, exposed) in &self.truth.exposed {
            let committed = self.vault(*period).map_or(0, |vault| vault.committed().0);
            if *exposed > committed {
                let what =
                    format!("engines cost up to {exposed} of {committed} that left the vault of {period}");
                return self.is_wrong(what);
            }
        }
        let books = self.gateways.iter().flat_map(|gateway| &gateway.run).flat_map(|run| run.books.values());
        let wrong = books.map(|book| &book.share).find(|share| !share.adds_up());
        if let Some(share) = wrong {
            self.is_wrong(format!("a share doesn't add up: {share:?}"));
        }
    }

    /// What is neither spent nor held, by the truth: in the vault or idle with a gateway that is there.
    pub(crate) fn left(&self, period: i64) -> i64 {
        let live =
            self.gateways.iter().flat_map(|gateway| &gateway.run).filter_map(|run| run.books.get(&period));
        let idle: i64 = live.map(|book| book.share.free().0).sum();
        idle + self.vault(period).map_or(0, |vault| vault.free().0)
    }

    /// A request is refused for good. If all the time that it waited enough of the budget was idle, that was stranded.
    pub(crate) fn is_refused(&mut self, period: i64, amount: i64, least_left: i64) {
        self.tally.refused += 1;
        let funded = self.vault(period).map_or(0, |vault| vault.funded().0);
        if least_left >= amount && funded > 0 {
            self.tally.refused_though_left += 1;
            let ppm = i128::from(least_left) * 1_000_000 / i128::from(funded);
            self.tally.stranded_ppm.get_or_insert(ppm as i64);
        }
    }

    /// All is calm: every gateway that can ends in order, and every account is read.
    pub(crate) fn check_end(&mut self) -> Result<(), String> {
        self.check_attempts()?;
        self.close_all()?;
        self.check_closings()?;
        self.check_ledger()?;
        for period in self.store.vaults.keys().copied().collect::<Vec<i64>>() {
            self.check_vault(period)?;
        }
        self.tally.overrun = self.truth.overrun;
        (self.tally.swaps, self.tally.swaps_refused) = (self.store.swaps, self.store.refused);
        Ok(())
    }

    /// Each attempt ended, and was settled at most once, at what it truly cost.
    fn check_attempts(&self) -> Result<(), String> {
        let mut settled: BTreeMap<u64, i64> = BTreeMap::new();
        for entry in self.gateways.iter().flat_map(|gateway| &gateway.journal.entries) {
            if let Record::Settle { attempt, paid, .. } = entry.record
                && settled.insert(attempt, paid).is_some()
            {
                return Err(format!("attempt {attempt} is settled twice"));
            }
        }
        for (id, attempt) in &self.truth.attempts {
            if !matches!(attempt.state, State::Ended { .. }) {
                return Err(format!("attempt {id} never ends"));
            }
            if settled.get(id).is_some_and(|paid| *paid != self.truth.paid(*id)) {
                return Err(format!("attempt {id} is settled at {:?}: {attempt:?}", settled[id]));
            }
        }
        Ok(())
    }

    fn close_all(&mut self) -> Result<(), String> {
        for at in 0..self.gateways.len() {
            let Some(run) = self.gateways[at].run.take() else { continue };
            if !run.requests.is_empty() || !run.holds.is_empty() {
                return Err(format!("{} still has requests when all is calm", self.gateways[at].name));
            }
            for (period, book) in run.books {
                let Some((_, vault)) = self.store.vaults.get(&period) else { continue };
                let (mut vault, holder) = (vault.clone(), book.share.holder().clone());
                let earlier = vault.earlier(&holder.gateway, holder.epoch);
                if !earlier.is_empty() {
                    return Err(format!("starts {earlier:?} of {} are still out", holder.gateway));
                }
                let was_out = vault.outstanding(0).iter().any(|out| out.holder == holder);
                let closing =
                    vault.close(&holder, book.share.spent(), NanoUsd::ZERO).map_err(|err| err.to_string())?;
                self.store.put(period, vault);
                if was_out {
                    self.store.closed.push((period, Closed { holder, closing }));
                }
            }
        }
        Ok(())
    }

    /// By start and period: closed once; spent by the journal's word; lost 0; unattributed within the stated window.
    fn check_closings(&mut self) -> Result<(), String> {
        let mut seen = std::collections::BTreeSet::new();
        let mut truth: BTreeMap<(usize, u64, i64), i64> = BTreeMap::new();
        for (id, attempt) in &self.truth.attempts {
            *truth.entry((attempt.gateway, attempt.epoch, attempt.period)).or_default() +=
                self.truth.paid(*id);
        }
        for (period, Closed { holder, closing }) in &self.store.closed {
            let at = self.gateways.iter().position(|gateway| gateway.name == holder.gateway).expect("known");
            let key = (at, holder.epoch, *period);
            let word = self.gateways[at].journal.word(holder.epoch, *period);
            let (paid, window) =
                (truth.remove(&key).unwrap_or(0), self.windows.get(&key).copied().unwrap_or(0));
            let (spent, unattributed) = (closing.spent.0, closing.unattributed.0);
            let is_wrong = |what: &str| {
                Err(format!("{what}: {holder:?} in {period}: {closing:?}, {word:?}, {paid} {window}"))
            };
            if !seen.insert(key) {
                return is_wrong("closed twice");
            }
            if spent != word.settled || spent > paid {
                return is_wrong("booked as spent what was not, or not what was");
            }
            if paid > spent + unattributed {
                return is_wrong("lost");
            }
            if unattributed > window {
                return is_wrong("beyond the stated window");
            }
            self.tally.closings += 1;
            (self.tally.paid, self.tally.unattributed) =
                (self.tally.paid + spent, self.tally.unattributed + unattributed);
        }
        let lost = truth.into_iter().find(|((at, ..), paid)| *paid > 0 && !self.gateways[*at].is_gone);
        lost.map_or(Ok(()), |((at, epoch, period), paid)| {
            Err(format!("lost: {paid} of g{at}, start {epoch}, in {period}"))
        })
    }

    /// The ledger, by its journals alone, has what the vaults have.
    fn check_ledger(&self) -> Result<(), String> {
        if self.story.transport == Transport::Call {
            return Ok(());
        }
        for (at, gateway) in self.gateways.iter().enumerate() {
            let mut booked: BTreeMap<(u64, i64), (i64, i64)> = BTreeMap::new();
            for entry in &gateway.journal.entries {
                if let Record::Close { period, of, spent, unattributed } = entry.record {
                    booked.insert((of, period), (spent, unattributed));
                }
            }
            for (period, Closed { holder, closing }) in &self.store.closed {
                let is_crash = self.windows.contains_key(&(at, holder.epoch, *period));
                let done = (closing.spent.0, closing.unattributed.0);
                let found = booked.get(&(holder.epoch, *period));
                if holder.gateway == gateway.name && is_crash && found != Some(&done) {
                    return Err(format!("the ledger has {found:?} of {holder:?}, the vault {done:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whatever isn't spent, unattributed or out with a gateway that never came back can be spent, to the last nano-USD.
    fn check_vault(&self, period: i64) -> Result<(), String> {
        let Some(vault) = self.vault(period) else { return Ok(()) };
        let gone = |holder: &Holder| {
            self.gateways.iter().any(|gateway| gateway.is_gone && gateway.name == holder.gateway)
        };
        let out = vault.outstanding(0);
        if let Some(out) = out.iter().find(|out| !gone(&out.holder)) {
            return Err(format!("{out:?} is out of one that has ended"));
        }
        let reserved: NanoUsd = out.iter().map(|out| out.amount).sum();
        let left = vault.funded() - vault.spent() - vault.unattributed() - reserved;
        if left != vault.free() {
            return Err(format!("{left:?} should be free in {period}, {:?} is", vault.free()));
        }
        let mut vault = vault.clone();
        let (holder, zero) = (Holder { gateway: "new".to_owned(), epoch: 1 }, NanoUsd::ZERO);
        let need = left.max(zero);
        let last = ShareReport {
            holder,
            number: 1,
            spent: zero,
            returned: zero,
            need,
            waiting: need,
            is_busy: false,
            life_ms: 1,
        };
        let granted = vault.report(&last, 0).map_err(|err| err.to_string())?.granted;
        if granted != need || (left >= zero && vault.free() != usd(0)) {
            return Err(format!("{granted:?} of {need:?} can be spent in {period}"));
        }
        debug_assert!(self.story.flaw != Flaw::None || vault.adds_up());
        Ok(())
    }
}
