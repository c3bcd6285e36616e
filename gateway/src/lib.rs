//! Sluice's gateway: one port, one spine, exact metering.

mod door;
mod error;
pub mod invariants;
mod observe;
mod record;
mod request;
mod store;

pub use door::{Door, Readiness};
pub use error::{Blame, Fault, FaultCode, Retry};
pub use observe::{
    AttemptEnd, Call, Event, METRICS, MetricKind, MetricRow, Observer, Span, Traced, init_logging,
};
pub use record::{Account, AttemptRecord, LedgerEntry, Phase, Record, Settled};
pub use request::{ClientLeft, Front, Hints, OUTLET_EVENTS, OutEvent, Outlet, Request};
pub use store::{
    By, Group, Journal, Ledger, MemoryJournal, Report, ReportAsk, STORES, StoreError, StoreRow, Stored,
    TokenSums, open_journal, open_ledger,
};
