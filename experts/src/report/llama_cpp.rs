//! llama-server of llama.cpp: `GET /metrics`, with `--metrics`; the share of its cache was dropped from newer versions.

use super::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name: "llama.cpp",
    running: "llamacpp:requests_processing",
    waiting: "llamacpp:requests_deferred",
    memory: &["llamacpp:kv_cache_usage_ratio"],
};
