//! Money that is held for one try.

use super::account::Account;
use crate::record::Charge;
use sluice_router::{Hold, NanoUsd, Settlement};
use std::sync::Arc;

/// Money held in every budget that bounds a request. It is settled once; dropped unsettled, by a bug, it stays held
/// until the gateway starts again, so that it is never spent twice.
#[derive(Default)]
pub(crate) struct Held {
    parts: Vec<(Arc<Account>, Hold)>,
    amount: NanoUsd,
}

impl Held {
    /// Nothing, where no budget bounds a request.
    pub(super) fn in_no_budget(amount: NanoUsd) -> Held {
        Held { parts: Vec::new(), amount }
    }

    /// Held in one more budget.
    pub(super) fn add(&mut self, account: Arc<Account>, hold: Hold) {
        self.parts.push((account, hold));
    }

    /// How much, in each budget.
    pub(crate) fn amount(&self) -> NanoUsd {
        self.amount
    }

    /// The budgets that it is held in.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(account, _)| account.name.as_str())
    }

    /// Ends it at what the try cost. What is beyond the hold is paid by nobody's budget.
    pub(crate) fn settle(self, cost: NanoUsd, charges: &mut Vec<Charge>) -> Settlement {
        let paid = cost.min(self.amount).max(NanoUsd::ZERO);
        for (account, hold) in self.parts {
            let amount = account.settle(hold, cost).paid;
            charge(charges, &account.name, amount);
        }
        Settlement { paid, released: self.amount - paid, overrun: (cost - paid).max(NanoUsd::ZERO) }
    }

    /// Gives it back whole: nothing was sent.
    pub(crate) fn release(self, charges: &mut Vec<Charge>) {
        self.settle(NanoUsd::ZERO, charges);
    }
}

/// Adds to what a request has drawn from a budget. One that has drawn nothing is noted too: its hold has ended.
fn charge(charges: &mut Vec<Charge>, account: &str, amount: NanoUsd) {
    match charges.iter_mut().find(|charge| charge.account == account) {
        Some(charge) => charge.amount += amount,
        None => charges.push(Charge { account: account.to_owned(), amount }),
    }
}
