//! Prices and rates as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

/// What an expert costs: what a vendor charges, in decimal strings per million tokens but for `per_request`; or what GPUs of
/// one's own cost, in a decimal string per GPU and hour.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPrice {
    /// Per million prompt tokens that no cache has to do with; required unless `gpu_hour` is there.
    #[serde(default)]
    pub input_per_mtok: Option<String>,
    /// Per million prompt tokens that came from a cache; the input price when absent.
    #[serde(default)]
    pub cached_input_per_mtok: Option<String>,
    /// Per million prompt tokens that were written to a cache; the input price when absent.
    #[serde(default)]
    pub cache_write_per_mtok: Option<String>,
    /// Per million tokens produced; required unless `gpu_hour` is there.
    #[serde(default)]
    pub output_per_mtok: Option<String>,
    /// For each request that is accepted, whatever its tokens; nothing when absent.
    #[serde(default)]
    pub per_request: Option<String>,
    /// What one GPU of one's own costs an hour; then there are no prices for tokens.
    #[serde(default)]
    pub gpu_hour: Option<String>,
    /// With `gpu_hour`: GPUs of one replica; 1 when absent.
    #[serde(default)]
    pub gpus: Option<u32>,
    /// With `gpu_hour`: tokens a second that a replica produces at full load; 300 for each GPU when absent.
    #[serde(default)]
    pub tokens_per_s: Option<u32>,
    /// With `gpu_hour`: tokens of prompts a second that a replica reads; 10 times `tokens_per_s` when absent.
    #[serde(default)]
    pub prompt_tokens_per_s: Option<u32>,
    /// The currency of all these; another one than `USD` needs its `[[fx]]`.
    #[serde(default = "usd")]
    pub currency: String,
    /// Within `price_from`: from when on it holds.
    #[serde(default)]
    pub from: Option<String>,
}

fn usd() -> String {
    "USD".to_owned()
}

/// What a currency is worth.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFx {
    /// Its name, as prices use it.
    pub currency: String,
    /// What one unit is worth, in decimal USD.
    pub usd: String,
    /// From when on: a date in UTC, or RFC 3339. The earliest rate holds before its date too.
    #[serde(default)]
    pub from: Option<String>,
}
