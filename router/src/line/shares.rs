//! Who has had how much of a pool: virtual token counters.
//!
//! Source: Sheng et al., "Fairness in Serving Large Language Models" (OSDI 2024). A tenant's counter grows by what its
//! requests cost, over its weight; the tenant with the least counter goes next. One that comes back is lifted to those
//! that wait, so that idling banks no credit. Costs are charged when a request goes, with its answer's length as
//! expected, and settled when the true length is known.

use super::entrant::{Entrant, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The counters of one pool, in thousandths of a token.
#[derive(Debug, Default)]
pub(super) struct Shares {
    accounts: BTreeMap<u64, Account>,
    /// By the number of their seats.
    running: BTreeMap<u64, Charge>,
    /// Accounts that nothing of waits or runs, by counter: the first of them are forgotten first.
    idle: BTreeSet<(u64, u64)>,
    /// The greatest counter that anybody went with.
    reached: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Account {
    counter: u64,
    weight: u32,
    waiting: usize,
    running: usize,
}

#[derive(Debug, Clone, Copy)]
struct Charge {
    tenant: u64,
    output_tokens: f64,
}

impl Shares {
    /// A request of the tenant begins to wait. Where it is the only one, `least` is the least counter of those whom it
    /// waits with; `None` when it waits alone. Returns its counter.
    pub(super) fn wait(&mut self, entrant: &Entrant, is_only: bool, least: Option<u64>) -> u64 {
        let lift = if is_only { least.unwrap_or(self.reached) } else { 0 };
        let account = self.account(entrant, lift);
        account.waiting += 1;
        account.counter
    }

    /// One that waited no longer does.
    pub(super) fn unwait(&mut self, tenant: u64) {
        if let Some(account) = self.accounts.get_mut(&tenant) {
            account.waiting -= 1;
        }
        self.rest(tenant);
    }

    /// A request goes and is charged; see [`Shares::wait`] for the others. Returns its tenant's counter.
    pub(super) fn go(&mut self, seat: u64, entrant: &Entrant, is_only: bool, least: Option<u64>) -> u64 {
        let lift = if is_only { least.unwrap_or(self.reached) } else { 0 };
        let account = self.account(entrant, lift);
        account.running += 1;
        account.counter = account.counter.saturating_add(price(entrant.work, account.weight));
        let counter = account.counter;
        self.reached = self.reached.max(counter);
        let charge = Charge { tenant: entrant.tenant, output_tokens: entrant.work.output_tokens };
        self.running.insert(seat, charge);
        counter
    }

    /// The answer has this many tokens so far, or in all: what was charged is corrected by it. Returns whose counter
    /// has changed.
    pub(super) fn settle(&mut self, seat: u64, output_tokens: u32) -> Option<u64> {
        let charge = self.running.get_mut(&seat)?;
        let true_tokens = f64::from(output_tokens);
        let off = Work {
            prompt_tokens: 0,
            output_tokens: (true_tokens - charge.output_tokens).abs(),
            ..Work::default()
        };
        let is_more = true_tokens > charge.output_tokens;
        charge.output_tokens = true_tokens;
        let account = self.accounts.get_mut(&charge.tenant)?;
        let off = price(off, account.weight);
        account.counter =
            if is_more { account.counter.saturating_add(off) } else { account.counter.saturating_sub(off) };
        Some(charge.tenant)
    }

    /// The use of a seat has ended.
    pub(super) fn end(&mut self, seat: u64) {
        let Some(charge) = self.running.remove(&seat) else { return };
        if let Some(account) = self.accounts.get_mut(&charge.tenant) {
            account.running -= 1;
        }
        self.rest(charge.tenant);
    }

    /// The tenant's counter; 0 for one that is not known.
    pub(super) fn counter(&self, tenant: u64) -> u64 {
        self.accounts.get(&tenant).map_or(0, |account| account.counter)
    }

    /// The tenant's account, awake, its counter at least `lift`.
    fn account(&mut self, entrant: &Entrant, lift: u64) -> &mut Account {
        let account = self.accounts.entry(entrant.tenant).or_default();
        self.idle.remove(&(account.counter, entrant.tenant));
        account.weight = entrant.weight.max(1);
        account.counter = account.counter.max(lift);
        account
    }

    /// Puts an account aside that nothing is under way of; beyond [`MOST_IDLE`] the one with the least counter is
    /// forgotten, and so is each whose counter would be lifted anyway.
    fn rest(&mut self, tenant: u64) {
        let Some(account) = self.accounts.get(&tenant) else { return };
        if account.waiting + account.running > 0 {
            return;
        }
        self.idle.insert((account.counter, tenant));
        while self.idle.len() > MOST_IDLE {
            self.forget_first();
        }
    }

    /// Forgets those who would be lifted to `least` if they came back.
    pub(super) fn forget_up_to(&mut self, least: Option<u64>) {
        let least = least.unwrap_or(self.reached);
        while self.idle.first().is_some_and(|(counter, _)| *counter <= least) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, tenant)) = self.idle.pop_first() {
            self.accounts.remove(&tenant);
        }
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.accounts.len()
    }
}

/// What so much work counts for: rounded up, so that nothing is free.
fn price(work: Work, weight: u32) -> u64 {
    let tokens = f64::from(work.prompt_tokens) + OUTPUT_WEIGHT * work.output_tokens.max(0.0);
    libm::ceil(tokens * 1_000.0 / f64::from(weight.max(1))) as u64
}

/// What a token of an answer counts for against one of a prompt, as in the paper.
const OUTPUT_WEIGHT: f64 = 2.0;
/// Idle tenants whose debts are remembered.
const MOST_IDLE: usize = 1_024;
