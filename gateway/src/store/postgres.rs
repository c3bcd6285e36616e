//! Postgres: a fleet's common ledger, and the connections that the shared store uses too.

mod copy;
mod ledger;
mod link;
mod schema;
mod send;
mod ship;

pub(crate) use copy::Rows;
pub(crate) use link::{Link, Server, drive};
pub(crate) use ship::{Shipper, Shipping, shipping};

use super::{Journal, Ledger, StoreError};
use std::sync::Arc;

/// The row's constructor for the write side: a journal is written before a request's end is told, so it is a file.
pub(super) fn journal(_rest: &str) -> Result<Arc<dyn Journal>, StoreError> {
    Err(StoreError(
        "a Postgres can't be a journal: name a file in [store] journal, and the Postgres in [store] ledger, which the \
         journal ships to"
            .to_owned(),
    ))
}

/// The row's constructor for the read side.
pub(super) fn ledger(rest: &str) -> Result<Box<dyn Ledger>, StoreError> {
    ledger::PostgresLedger::open(&format!("postgres:{rest}"))
        .map(|ledger| Box::new(ledger) as Box<dyn Ledger>)
}

#[cfg(test)]
mod tests;
