//! A record as it waits for its writer: with its receipt packed by whoever made it.
//!
//! A receipt is some hundred small allocations. Freed by another thread than the one that made them, they cost both of
//! them more than the packing does; packed, they are one.

use crate::record::Record;
use crate::store::packed::Packer;
use std::cell::RefCell;

/// A record in line.
pub(super) struct Queued {
    /// Without its receipt.
    pub(super) record: Record,
    pub(super) decision: Option<Decision>,
}

/// What is stored of a receipt.
pub(super) struct Decision {
    pub(super) id: String,
    pub(super) config: String,
    /// Its bytes; or why there are none, which is a bug.
    pub(super) packed: Result<Vec<u8>, String>,
}

impl Queued {
    pub(super) fn new(mut record: Record) -> Queued {
        let receipt = match &mut record {
            Record::Settled(settled) => settled.receipt.take(),
            _ => None,
        };
        let decision = receipt.map(|receipt| {
            let packed = PACKER.with_borrow_mut(|packer| packer.pack(&receipt).map(<[u8]>::to_vec));
            Decision {
                packed: packed.map_err(|error| error.to_string()),
                id: receipt.id,
                config: receipt.versions.config,
            }
        });
        Queued { record, decision }
    }
}

thread_local! {
    /// Knows the structs that it has met.
    static PACKER: RefCell<Packer> = RefCell::default();
}
