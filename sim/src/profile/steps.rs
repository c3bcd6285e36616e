//! The profile of an engine that batches by steps, or is only known from outside, as its file says it.

use super::{CHUNK, Profile, ProfileError, nanos, within};
use crate::outside::Outside;
use crate::pool::Capacity;
use crate::timing::Timing;
use serde::Deserialize;

/// A profile as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSteps {
    #[serde(default)]
    pub(super) about: String,
    #[serde(default)]
    pub(super) basis: String,
    #[serde(default)]
    pub(super) source: String,
    pub(super) decode_base_ms: f64,
    pub(super) decode_per_seq_us: f64,
    pub(super) decode_per_kv_ktoken_us: f64,
    pub(super) prefill_tok_s: f64,
    pub(super) prefill_ctx_half_tokens: f64,
    pub(super) kv_capacity_tokens: u64,
    pub(super) max_num_seqs: usize,
    #[serde(default)]
    pub(super) max_num_batched_tokens: Option<u32>,
    #[serde(default)]
    pub(super) prefix_cache_tokens: u64,
    #[serde(default)]
    pub(super) step_noise: f64,
    #[serde(default)]
    pub(super) gpus: Option<u32>,
    #[serde(default)]
    pub(super) gpu_hour_usd: Option<f64>,
    #[serde(default)]
    outside: Option<RawOutside>,
}

/// An engine that is only known from outside, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutside {
    ttft_ms: f64,
    ttft_sigma: f64,
    tpot_ms: f64,
    tpot_sigma: f64,
}

impl RawOutside {
    fn check(&self) -> Result<Outside, ProfileError> {
        Ok(Outside {
            ttft_ns: within("outside.ttft_ms", self.ttft_ms, 0.001, 1e6)? * 1e6,
            ttft_sigma: within("outside.ttft_sigma", self.ttft_sigma, 0.0, 2.0)?,
            tpot_ns: within("outside.tpot_ms", self.tpot_ms, 0.0001, 1e6)? * 1e6,
            tpot_sigma: within("outside.tpot_sigma", self.tpot_sigma, 0.0, 2.0)?,
        })
    }
}

impl RawSteps {
    pub(super) fn check(self) -> Result<Profile, ProfileError> {
        let base_ms = within("decode_base_ms", self.decode_base_ms, 0.001, 1e6)?;
        let per_seq_us = within("decode_per_seq_us", self.decode_per_seq_us, 0.0, 1e7)?;
        let per_ktoken_us = within("decode_per_kv_ktoken_us", self.decode_per_kv_ktoken_us, 0.0, 1e7)?;
        let prefill = within("prefill_tok_s", self.prefill_tok_s, 0.1, 1e8)?;
        let prefill_half = within("prefill_ctx_half_tokens", self.prefill_ctx_half_tokens, 1.0, 1e12)?;
        #[allow(clippy::cast_precision_loss, reason = "checked against bounds far below 2^53")]
        {
            within("kv_capacity_tokens", self.kv_capacity_tokens as f64, 2.0, 1e12)?;
            within("prefix_cache_tokens", self.prefix_cache_tokens as f64, 0.0, 1e12)?;
            within("max_num_seqs", self.max_num_seqs as f64, 1.0, 65_536.0)?;
        }
        let chunk = self.max_num_batched_tokens.unwrap_or(CHUNK);
        within("max_num_batched_tokens", f64::from(chunk), 64.0, 1e6)?;
        let timing = Timing {
            base_ns: nanos(base_ms * 1e6),
            per_seq_ns: nanos(per_seq_us * 1e3),
            // Microseconds per thousand tokens are nanoseconds per token.
            per_kv_ns: nanos(per_ktoken_us),
            prefill_ns: 1e9 / prefill,
            prefill_half,
            chunk,
            noise: within("step_noise", self.step_noise, 0.0, 1.0)?,
        };
        let outside = self.outside.as_ref().map(RawOutside::check).transpose()?;
        let (kv_tokens, max_seqs) = (self.kv_capacity_tokens, self.max_num_seqs);
        let prefix_tokens = self.prefix_cache_tokens;
        let capacity = Capacity { timing, kv_tokens, max_seqs, prefix_tokens, outside };
        let gpus = self.gpus.unwrap_or(1);
        within("gpus", f64::from(gpus), 1.0, 65_536.0)?;
        let hour = self.gpu_hour_usd.map(|usd| within("gpu_hour_usd", usd, 0.0, 1e6)).transpose()?;
        #[allow(clippy::cast_possible_truncation, reason = "checked against bounds far below 2^63")]
        let gpu_hour_nanousd = hour.map(|usd| (usd * 1e9).round() as i64);
        let RawSteps { about, basis, source, .. } = self;
        let name = "file".to_owned();
        Ok(Profile { name, about, basis, source, capacity, whole_batch: None, gpus, gpu_hour_nanousd })
    }
}
