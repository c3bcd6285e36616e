//! vLLM: `GET /metrics`, on by default. With data parallelism each engine has a series of its own.

use super::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name: "vLLM",
    running: "vllm:num_requests_running",
    waiting: "vllm:num_requests_waiting",
    // The second is the name before version 0.10.
    memory: &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
};
