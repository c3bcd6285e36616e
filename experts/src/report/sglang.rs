//! SGLang: `GET /metrics`, with `--enable-metrics`.

use super::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name: "SGLang",
    running: "sglang:num_running_reqs",
    waiting: "sglang:num_queue_reqs",
    memory: &["sglang:token_usage"],
};
