//! The profile of an engine that takes whole batches, as its file says it.

use super::{CHUNK, Profile, ProfileError, nanos, within};
use crate::pool::Capacity;
use crate::timing::Timing;
use crate::whole_batch::WholeBatch;
use serde::Deserialize;

/// The profile of an engine that takes whole batches, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWhole {
    #[serde(default)]
    about: String,
    #[serde(default)]
    basis: String,
    #[serde(default)]
    source: String,
    whole_batch: RawLaw,
    /// Tokens of context that one row may have.
    context_tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLaw {
    base_ms: f64,
    per_item_ms: f64,
    max_batch: usize,
}

impl RawWhole {
    pub(super) fn check(self) -> Result<Profile, ProfileError> {
        let base_ns = nanos(within("whole_batch.base_ms", self.whole_batch.base_ms, 0.0, 1e6)? * 1e6);
        let each_ms = within("whole_batch.per_item_ms", self.whole_batch.per_item_ms, 0.0, 1e6)?;
        let (per_item_ns, max_batch) = (nanos(each_ms * 1e6), self.whole_batch.max_batch);
        #[allow(clippy::cast_precision_loss, reason = "checked against bounds far below 2^53")]
        {
            within("whole_batch.max_batch", max_batch as f64, 1.0, 65_536.0)?;
            within("context_tokens", self.context_tokens as f64, 2.0, 1e12)?;
        }
        // Of the law of steps nothing is used; these are the nearest figures.
        let timing = Timing {
            base_ns: base_ns.max(1),
            per_seq_ns: per_item_ns,
            per_kv_ns: 0,
            prefill_ns: 0.0,
            prefill_half: f64::MAX,
            chunk: CHUNK,
            noise: 0.0,
        };
        let RawWhole { about, basis, source, .. } = self;
        Ok(Profile {
            name: "file".to_owned(),
            about,
            basis,
            source,
            capacity: Capacity {
                timing,
                kv_tokens: self.context_tokens,
                max_seqs: max_batch,
                prefix_tokens: 0,
                outside: None,
            },
            whole_batch: Some(WholeBatch { base_ns, per_item_ns, max_batch }),
            gpus: 1,
            gpu_hour_nanousd: None,
        })
    }
}
