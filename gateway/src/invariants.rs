//! The promises about money that every settled request keeps, as predicates: tests, the journal and simulations call
//! the same ones.
//!
//! - I1: every attempt reaches exactly one terminal state in the ledger.
//! - I2: what is booked is what was spent: the entries of a request add up to its cost.
//! - I3: a record that was acknowledged as durable survives a crash.
//! - I5: at most one attempt of a request answers its client.

use crate::record::{Account, LedgerEntry, Phase, Settled};
use sluice_router::NanoUsd;
use std::collections::HashSet;
use std::hash::Hash;

/// A promise that a record would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// An attempt that cost money has no settlement, several, or one of another amount.
    #[error(
        "I1: attempt {attempt} cost {cost} nano-USD but is settled {times} times, at {booked} nano-USD in all"
    )]
    NotSettledOnce {
        /// Which attempt.
        attempt: u8,
        /// What it cost, in nano-USD.
        cost: i64,
        /// How often it is settled.
        times: usize,
        /// The sum of its settlements, in nano-USD.
        booked: i64,
    },
    /// An entry belongs to no attempt.
    #[error("I1: an entry names attempt {0}, which does not exist")]
    Orphan(u8),
    /// An entry moves nothing, or backwards.
    #[error("I2: an entry of attempt {0} moves no money")]
    NoAmount(u8),
    /// Several attempts are booked as the answer.
    #[error("I5: {0} attempts are booked as the answer of one request")]
    SeveralAnswers(usize),
    /// The entries don't add up to the cost.
    #[error("I2: the entries sum to {booked} nano-USD, the request cost {cost}")]
    Unbalanced {
        /// Sum of the entries, in nano-USD.
        booked: i64,
        /// Cost of the request, in nano-USD.
        cost: i64,
    },
}

/// I1, I2 and I5 for one settled request.
///
/// # Errors
/// The first promise that it breaks.
pub fn check_settled(settled: &Settled) -> Result<(), Breach> {
    if let Some(entry) = settled.entries.iter().find(|entry| entry.amount <= NanoUsd::ZERO) {
        return Err(Breach::NoAmount(entry.attempt));
    }
    let exists = |entry: &&LedgerEntry| settled.attempts.iter().any(|attempt| attempt.n == entry.attempt);
    if let Some(orphan) = settled.entries.iter().find(|entry| !exists(entry)) {
        return Err(Breach::Orphan(orphan.attempt));
    }
    for attempt in &settled.attempts {
        let own = settled.entries.iter().filter(|entry| entry.attempt == attempt.n);
        let own: Vec<&LedgerEntry> = own.filter(|entry| entry.phase == Phase::Settle).collect();
        let booked: NanoUsd = own.iter().map(|entry| entry.amount).sum();
        if booked != attempt.cost || own.len() > 1 {
            let (attempt, cost) = (attempt.n, attempt.cost.0);
            return Err(Breach::NotSettledOnce { attempt, cost, times: own.len(), booked: booked.0 });
        }
    }
    let answers = settled.entries.iter().filter(|entry| entry.debit == Account::Spent).count();
    if answers > 1 {
        return Err(Breach::SeveralAnswers(answers));
    }
    // What overran its cap is the operator's and not the request's cost.
    let settlements = settled.entries.iter().filter(|entry| entry.phase == Phase::Settle);
    let booked: NanoUsd = settlements.map(|entry| entry.amount).sum();
    if balances(booked, settled.cost) {
        Ok(())
    } else {
        Err(Breach::Unbalanced { booked: booked.0, cost: settled.cost.0 })
    }
}

/// I2 for sums read back from a store.
pub fn balances(booked: NanoUsd, cost: NanoUsd) -> bool {
    booked == cost
}

/// I3: the acknowledged ids that are not stored. None may be.
pub fn lost<T: Copy + Eq + Hash>(acknowledged: &[T], stored: &[T]) -> Vec<T> {
    let stored: HashSet<T> = stored.iter().copied().collect();
    acknowledged.iter().copied().filter(|id| !stored.contains(id)).collect()
}

/// I1 for keys read back from a store: those that are there more than once. None may be.
pub fn repeated<T: Copy + Eq + Hash>(keys: &[T]) -> Vec<T> {
    let mut seen = HashSet::new();
    keys.iter().copied().filter(|&key| !seen.insert(key)).collect()
}
