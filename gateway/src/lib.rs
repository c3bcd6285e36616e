//! Sluice's gateway: one port, one spine, exact metering.

mod door;
mod edge;
mod error;
mod observe;
mod record;
mod request;
mod store;

pub use door::{Door, Readiness};
pub use edge::{Bound, Spawn, http_status, listen};
pub use error::{Blame, Fault, FaultCode, Retry};
pub use observe::{AttemptEnd, Event};
pub use record::{Account, AttemptRecord, LedgerEntry, Phase, Record, Settled};
pub use request::{ClientLeft, Front, Hints, OUTLET_EVENTS, OutEvent, Outlet, Request};
pub use store::{Journal, StoreError, Stored};
