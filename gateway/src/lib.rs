//! Sluice's gateway: one port, one spine, exact metering.

mod app;
mod attempt;
mod batch;
mod choose;
pub mod config;
mod cores;
mod cover;
mod delivery;
mod discover;
mod door;
mod edge;
mod entrance;
mod error;
mod explain;
mod failover;
mod foresight;
mod gpus;
pub mod invariants;
mod lane;
mod lease;
mod live;
mod machine;
mod meter;
mod money;
mod needs;
#[cfg(test)]
mod netsim;
mod observe;
mod offline;
mod once;
mod pools;
mod prefix;
mod probe;
mod promise;
mod quota;
mod record;
mod relay;
mod reports;
mod reprice;
mod request;
mod running;
mod serve;
mod shared;
mod start_error;
mod store;
mod tenants;

pub use app::unix_ms;
pub use discover::{Row as SourceRow, SOURCES};
pub use door::{Door, Readiness};
pub use edge::{Bound, Spawn, http_status, listen};
pub use error::{Blame, Fault, FaultCode, Retry};
pub use explain::Explainer;
pub use machine::random_bytes;
pub use money::{BudgetState, HoldMode, list_budgets};
pub use observe::{
    AttemptEnd, Call, Event, METRICS, MetricKind, MetricRow, Observer, Span, Traced, init_logging,
};
pub use offline::Offline;
pub use promise::Promise;
pub use record::{Account, AttemptRecord, Charge, LedgerEntry, Phase, Record, Settled};
pub use request::{ClientLeft, Front, Hints, OUTLET_EVENTS, OutEvent, Outlet, Request};
pub use running::{Running, load_model, start, start_on_cores, start_sharing};
pub use serve::LONGEST_REQUEST_MS;
pub use shared::{MemoryShared, OpenedShared, SHARED, Shared, SharedRow, Versioned, open_shared};
pub use start_error::StartError;
pub use store::{
    Booked, By, Group, Journal, JournalFile, Ledger, MemoryJournal, Offered, PriceBook, PurgeAsk, Purged,
    Report, ReportAsk, STORES, StoreError, StoreRow, Stored, TokenSums, Used, Window, open_journal,
    open_ledger, ship,
};
pub use tenants::{
    AdminAsk, Budget, Digest, Identity, KeyRecord, KeyState, Level, LevelKind, Limits, Policy, Standing,
    StandingRate, check_key, create_key, expiry_ms, is_id, list_keys, new_key_id, revoke_key,
};
