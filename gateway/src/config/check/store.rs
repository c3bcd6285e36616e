//! What is kept beyond the journal: a common ledger, and a place that gateways share.

use crate::config::StoreConfig;
use crate::config::mistake::Mistakes;
use crate::config::raw::{RawHold, RawStore};
use crate::money::HoldMode;
use crate::shared::SHARED;
use sluice_experts::Secret;

/// The addresses are only looked at here: a server that is away now may be there when it is needed.
pub(super) fn check_store(raw: &RawStore, mistakes: &mut Mistakes) -> StoreConfig {
    if let Some(ledger) = &raw.ledger {
        if !ledger.starts_with("postgres://") {
            mistakes.note(
                "store.ledger",
                "must begin with \"postgres://\", as \"postgres://sluice@10.0.0.5/sluice\" does",
            );
        } else if raw.journal == "memory:" {
            mistakes.note("store.ledger", "needs a journal that is a file, which it is shipped from");
        }
    }
    if raw.max_unshipped == 0 {
        mistakes.note("store.max_unshipped", "must be at least 1");
    }
    let scheme = raw.shared.split_once(':').map_or(raw.shared.as_str(), |(scheme, _)| scheme);
    if !SHARED.iter().any(|row| row.name == scheme) {
        let known: Vec<&str> = SHARED.iter().map(|row| row.name).collect();
        mistakes.note("store.shared", format!("must be, or begin with, one of {}", known.join(", ")));
    }
    StoreConfig {
        hold: match raw.hold {
            RawHold::Escrow => HoldMode::Escrow,
            RawHold::Request => HoldMode::Request,
        },
        ledger: raw.ledger.as_deref().map(Secret::new),
        max_unshipped: raw.max_unshipped,
        shared: Secret::new(&raw.shared),
    }
}
