//! The rules of `batching`: whole batches need engines that take them.

use super::super::super::mistake::Mistakes;
use super::super::super::raw::{RawBatchMode, RawPool};
use super::Place;
use sluice_router::BatchRules;

/// `None` for engines that batch by themselves.
pub(super) fn check_batching(
    place: &Place<'_>,
    raw: &RawPool,
    mistakes: &mut Mistakes,
) -> Option<BatchRules> {
    let batching = &raw.batching;
    if batching.mode == RawBatchMode::Continuous {
        if batching.max_batch.is_some() || batching.max_batch_tokens.is_some() {
            mistakes.note(place.key("batching"), "max_batch and max_batch_tokens are for mode = \"window\"");
        }
        return None;
    }
    if !TAKE_BATCHES.contains(&raw.protocol.as_str()) {
        let what = format!(
            "mode \"window\" needs engines that take whole batches, over protocol \"native\"; {:?} has no such call",
            raw.protocol
        );
        mistakes.note(place.key("batching"), what);
    }
    let max_batch = batching.max_batch.unwrap_or(DEFAULT_MAX_BATCH);
    if !(1..=MOST).contains(&max_batch) {
        mistakes.note(place.key("batching"), format!("max_batch must be between 1 and {MOST}"));
    }
    if batching.max_batch_tokens == Some(0) {
        mistakes.note(place.key("batching"), "max_batch_tokens must be at least 1");
    }
    Some(BatchRules { max_batch: max_batch as usize, max_cost: batching.max_batch_tokens, hold_us: 0 })
}

/// Requests that a replica has at most: one batch in work, and one that gathers meanwhile.
pub(super) fn on_a_replica(rules: BatchRules) -> u32 {
    u32::try_from(rules.max_batch.saturating_mul(2)).unwrap_or(u32::MAX)
}

/// Dialects with a call for whole batches; simulated engines speak `native`.
const TAKE_BATCHES: &[&str] = &["native", "sim", "replay"];
const DEFAULT_MAX_BATCH: u32 = 32;
const MOST: u32 = 4_096;
