//! Where records are kept: the traits and the table of backends.

#[cfg(test)]
pub(crate) mod fixtures;
mod memory;
mod packed;
pub(crate) mod parcel;
pub(crate) mod postgres;
mod report;
pub(crate) mod sqlite;

pub use memory::MemoryJournal;
pub use report::{
    Booked, By, Group, Ledger, Offered, PriceBook, PurgeAsk, Purged, Report, ReportAsk, TokenSums, Used,
    Window,
};
pub use sqlite::JournalFile;

use crate::record::Record;
use futures::future::BoxFuture;
use sluice_router::NanoUsd;
use std::sync::Arc;

/// A journal as it was found stored, or its failure, in people's words.
pub type Stored<T> = BoxFuture<'static, Result<T, StoreError>>;

/// This gateway's own durable record. Dropping it writes whatever was handed over; call [`Journal::flush`] first to
/// learn whether that worked.
pub trait Journal: Send + Sync {
    /// Hands a record to the writer and returns at once; the writer commits in groups. When the writer is behind by
    /// its whole buffer, the call waits, so that nothing is lost: that is the journal's back-pressure.
    ///
    /// A record whose request is stored already is passed over, so handing one over twice is harmless.
    ///
    /// # Cancel safety
    /// Once handed over, a record is written even when the caller goes away; before that, dropping loses it, so
    /// callers must not be cancelled here.
    fn record(&self, record: Record) -> BoxFuture<'static, ()>;

    /// Whether [`Journal::record`] would wait, or nothing is written any more: then nothing new should be begun.
    fn is_full(&self) -> bool;

    /// A stored decision of a tenant with the configuration that it refers to: two JSON texts, receipt and snapshot. Sees
    /// whatever was handed over before, unless the journal is in trouble.
    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>>;

    /// Resolves when everything handed over before is durable.
    ///
    /// # Errors
    /// What [`Journal::trouble`] says, as soon as a try to write has failed. The records are kept and tried again.
    fn flush(&self) -> Stored<()>;

    /// Why the journal can't be written to; `None` when it can.
    fn trouble(&self) -> Option<String>;

    /// Who this gateway is, and what its earlier starts left open; as it was when the journal was opened.
    fn opening(&self) -> Opening;

    /// When the oldest record that is not yet durable was made, in milliseconds since 1970; `None` when all are.
    fn oldest_waiting_ms(&self) -> Option<i64>;
}

/// What a journal knew of money when it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The gateway's own name, which outlives its restarts.
    pub gateway: String,
    /// Which start this is: above all earlier ones.
    pub epoch: u64,
    /// Shares of earlier starts whose closing is not known to be in force.
    pub open: Vec<OpenShare>,
}

/// A share of an earlier start, by the journal's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenShare {
    /// The name of a budget in one period.
    pub account: String,
    /// Which start.
    pub epoch: u64,
    /// What it has settled.
    pub settled: NanoUsd,
    /// The most that may have been spent: the last mark, or what was settled and held.
    pub most: NanoUsd,
}

/// A store that fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// One kind of store.
#[derive(Debug)]
pub struct StoreRow {
    /// What its URLs begin with, before the colon.
    pub name: &'static str,
    /// Opens it for writing, given the URL's rest.
    pub journal: fn(&str) -> Result<Arc<dyn Journal>, StoreError>,
    /// Opens it for reports, given the URL's rest.
    pub ledger: fn(&str) -> Result<Box<dyn Ledger>, StoreError>,
    /// What it is, for reference pages.
    pub about: &'static str,
}

/// Every store that a URL may name. The order is the order in `docs/reference`.
pub const STORES: &[StoreRow] = &[
    StoreRow {
        name: "sqlite",
        journal: sqlite::journal,
        ledger: sqlite::ledger,
        about: "one SQLite file, as in `sqlite:sluice.db`; durable, for one gateway",
    },
    StoreRow {
        name: "postgres",
        journal: postgres::journal,
        ledger: postgres::ledger,
        about: "a fleet's common ledger, as in `postgres://sluice@10.0.0.5/sluice`; journals ship to it",
    },
    StoreRow {
        name: "memory",
        journal: memory::journal,
        ledger: memory::ledger,
        about: "kept until the process ends, as in `memory:`; for tests",
    },
];

/// Opens this gateway's journal for writing and makes it if there is none.
///
/// # Errors
/// An unknown kind of store; a file that another gateway writes to, that is foreign, damaged or newer than this
/// program, or that can't be made; each with its name and the mend.
pub fn open_journal(url: &str) -> Result<Arc<dyn Journal>, StoreError> {
    let (row, rest) = find(url)?;
    (row.journal)(rest)
}

/// Opens a ledger for reports; works while a gateway writes to it.
///
/// # Errors
/// An unknown kind of store; no such file, or one that is foreign, damaged or newer than this program.
pub fn open_ledger(url: &str) -> Result<Box<dyn Ledger>, StoreError> {
    let (row, rest) = find(url)?;
    (row.ledger)(rest)
}

/// Ships what a journal has and a common ledger doesn't, and returns when that is all there: for the journal of a
/// gateway that will not start again. How many records went out.
///
/// # Errors
/// A journal that is no file or can't be read; a ledger that can't be reached: what had arrived by then stays.
pub async fn ship(journal: &str, ledger: &str) -> Result<u64, StoreError> {
    let gateway = sqlite::Outbox::of(journal)?.gateway()?;
    let (shipper, shipping) = postgres::shipping(journal, ledger, &gateway, u64::MAX)?;
    let before = shipping.state().unshipped;
    futures::join!(shipper.run(), shipping.finish());
    let state = shipping.state();
    state.trouble.map_or(Ok(before.saturating_sub(state.unshipped)), |trouble| Err(StoreError(trouble)))
}

/// A URL as it may be shown: without its password and whatever follows a question mark.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user, place)) = rest.rsplit_once('@') else { return url.to_owned() };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{place}")
}

fn find(url: &str) -> Result<(&'static StoreRow, &str), StoreError> {
    let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
    STORES.iter().find(|row| row.name == scheme).map(|row| (row, rest)).ok_or_else(|| {
        let known: Vec<String> = STORES.iter().map(|row| format!("{}:", row.name)).collect();
        StoreError(format!(
            "{:?} names no store; it begins with one of {}, for instance \"sqlite:sluice.db\"",
            without_secrets(url),
            known.join(", ")
        ))
    })
}

#[cfg(test)]
pub(crate) mod tests;
