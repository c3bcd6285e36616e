//! A hard budget among several gateways: each takes a share that it may spend without asking, and no share is ever
//! spent twice. Called escrow so that "lease" always means one request's.
//!
//! Two machines, neither of which does I/O or reads a clock:
//!
//! - [`Vault`] is the common side of one budget in one period: what was funded, which shares are out, what came of
//!   them. Whoever keeps it must swap it whole (read, change, write if nobody else did).
//! - [`Share`] is one gateway's side: what it was granted, what is held for requests under way, what was spent.
//!
//! What makes overspending impossible is that a share leaves the vault before it is spent, and that money of a share
//! comes back only by the word of whoever can know what was spent from it: the gateway itself, or its next start with
//! its journal. No clock decides it, so no clock can break it: a share that has expired is listed as unattributed and
//! stays reserved until its gateway is heard of again.
//!
//! Source: O'Neil, "The Escrow Transactional Method", ACM TODS 11(4), 1986.

mod holder;
mod largest;
mod marks;
mod period;
mod share;
mod vault;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod share_tests;
#[cfg(test)]
mod vault_tests;

pub use holder::Holder;
pub use marks::Mark;
pub use period::{Period, Span};
pub use share::{Hold, Settlement, Share, ShareRules, Short, WINDOW};
pub use vault::{Closing, Outstanding, Report as ShareReport, Unlawful, Vault, VaultAnswer};
