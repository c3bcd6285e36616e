//! Every metric: its name, kind, labels and help. `docs/reference/metrics.md` lists the same.

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// Its labels; every value is a configured name or one of a fixed set.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// How a metric moves.
#[derive(Debug, Clone, Copy)]
pub enum MetricKind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Samples counted by these upper bounds, in the metric's unit.
    Histogram(&'static [f64]),
}

use MetricKind::{Counter, Gauge, Histogram};

/// Every metric. The order is the order in `docs/reference/metrics.md`.
pub const METRICS: &[Row] = &[
    Row {
        name: "sluice_requests_total",
        kind: Counter,
        labels: &["route", "expert", "status"],
        help: "Requests that ended, by HTTP status (gRPC ones mapped); no expert: nobody answered.",
    },
    Row {
        name: "sluice_request_duration_seconds",
        kind: Histogram(REQUEST),
        labels: &["route"],
        help: "From the door to the last byte.",
    },
    Row {
        name: "sluice_classify_seconds",
        kind: Histogram(OWN_WORK),
        labels: &[],
        help: "Features and classification.",
    },
    Row {
        name: "sluice_decide_seconds",
        kind: Histogram(OWN_WORK),
        labels: &[],
        help: "From text in memory to the decision, classification included.",
    },
    Row {
        name: "sluice_overhead_seconds",
        kind: Histogram(OWN_WORK),
        labels: &[],
        help: "Of a request's duration, what was neither a pool's line nor an engine.",
    },
    Row {
        name: "sluice_queue_wait_seconds",
        kind: Histogram(WAIT),
        labels: &["pool"],
        help: "Time in a pool's line until a slot was free.",
    },
    Row { name: "sluice_queue_depth", kind: Gauge, labels: &["pool"], help: "Requests in a pool's line." },
    Row {
        name: "sluice_inflight_requests",
        kind: Gauge,
        labels: &["pool"],
        help: "Requests that a pool is answering.",
    },
    Row {
        name: "sluice_concurrency_limit",
        kind: Gauge,
        labels: &["pool"],
        help: "Requests that a pool's replicas may have in work at once, as learned or configured.",
    },
    Row {
        name: "sluice_batch_size",
        kind: Histogram(ROWS),
        labels: &["pool"],
        help: "Requests of each batch that went to an engine of a pool with batching mode window.",
    },
    Row {
        name: "sluice_time_to_first_token_seconds",
        kind: Histogram(FIRST_TOKEN),
        labels: &["expert"],
        help: "From dispatch to the first token.",
    },
    Row {
        name: "sluice_inter_token_latency_seconds",
        kind: Histogram(TOKEN),
        labels: &["expert"],
        help: "Mean time between an answer's tokens.",
    },
    Row {
        name: "sluice_ttft_prediction_ratio",
        kind: Histogram(RATIO),
        labels: &["pool"],
        help: "Time to the first token of a request's first try, over what its quote predicted.",
    },
    Row {
        name: "sluice_tpot_prediction_ratio",
        kind: Histogram(RATIO),
        labels: &["pool"],
        help: "Mean time between the tokens of a request's first try, over what its quote predicted.",
    },
    Row {
        name: "sluice_replica_state",
        kind: Gauge,
        labels: &["pool", "state"],
        help: "Replicas of a pool in each state: up, resting, ejected, draining.",
    },
    Row {
        name: "sluice_replica_ejections_total",
        kind: Counter,
        labels: &["pool", "reason"],
        help: "Ejections of replicas, by why.",
    },
    Row {
        name: "sluice_discoveries_total",
        kind: Counter,
        labels: &["pool", "outcome"],
        help: "Looks for replicas that changed a pool, or failed.",
    },
    Row {
        name: "sluice_upstream_attempts_total",
        kind: Counter,
        labels: &["pool", "outcome"],
        help: "Tries by how they ended: done, refused, broken, cut, hedge_lost, overran.",
    },
    Row {
        name: "sluice_tokens_total",
        kind: Counter,
        labels: &["expert", "type"],
        help: "Tokens used: input (not cached), cached_input, cache_write, output.",
    },
    Row {
        name: "sluice_cost_nanousd_total",
        kind: Counter,
        labels: &["tenant", "expert"],
        help: "What requests cost, in nano-USD, by who answered.",
    },
    Row {
        name: "sluice_baseline_nanousd_total",
        kind: Counter,
        labels: &["tenant"],
        help: "What the reference expert would have cost for the same requests, in nano-USD.",
    },
    Row {
        name: "sluice_budget_remaining_nanousd",
        kind: Gauge,
        labels: &["tenant"],
        help: "What is left of a budget in its period, as far as this gateway knows; tenant, tenant/project or with a key.",
    },
    Row {
        name: "sluice_budget_stale",
        kind: Gauge,
        labels: &["tenant"],
        help: "1 while the place that gateways share can't be asked for the budget, so that only its share is spent.",
    },
    Row {
        name: "sluice_overrun_nanousd_total",
        kind: Counter,
        labels: &["expert"],
        help: "What engines charged beyond their caps, in nano-USD: the operator's.",
    },
    Row {
        name: "sluice_gpu_nanousd_total",
        kind: Counter,
        labels: &["pool", "part"],
        help: "What the minutes of own GPUs cost, in nano-USD: charged to requests, or idle.",
    },
    Row {
        name: "sluice_quality_promised_ratio",
        kind: Gauge,
        labels: &["route"],
        help: "Promised share of the reference's mean quality.",
    },
    Row {
        name: "sluice_certificate_info",
        kind: Gauge,
        labels: &["route", "domain", "method", "floor", "confidence", "made", "data"],
        help: "1 for each certificate in force: its test, its promise, the day and the hash of its rows.",
    },
    Row {
        name: "sluice_certificate_rows",
        kind: Gauge,
        labels: &["route", "domain"],
        help: "Calibration rows that a certificate in force rests on.",
    },
    Row {
        name: "sluice_shed_total",
        kind: Counter,
        labels: &["reason"],
        help: "Requests turned away for want of room: no_capacity, deadline_unreachable, no_capable_expert, draining.",
    },
    Row {
        name: "sluice_errors_total",
        kind: Counter,
        labels: &["fault"],
        help: "Requests that failed, and panics, by fault code.",
    },
    Row {
        name: "sluice_admin_requests_total",
        kind: Counter,
        labels: &["what", "outcome"],
        help: "Uses of the admin port's keys, and tries: list, create, revoke; done or refused.",
    },
    Row {
        name: "sluice_keys",
        kind: Gauge,
        labels: &[],
        help: "Keys that are good, as far as this gateway knows.",
    },
    Row {
        name: "sluice_keys_stale",
        kind: Gauge,
        labels: &[],
        help: "1 while the keys of the shared place can't be read, so that the last ones hold.",
    },
    Row {
        name: "sluice_ledger_lag_seconds",
        kind: Gauge,
        labels: &[],
        help: "Age of the oldest record that is not yet durable.",
    },
    Row {
        name: "sluice_ledger_unshipped",
        kind: Gauge,
        labels: &[],
        help: "Records that wait for the fleet's ledger.",
    },
    Row {
        name: "sluice_ledger_shipping_lag_seconds",
        kind: Gauge,
        labels: &[],
        help: "Age of the oldest request that waits for the fleet's ledger.",
    },
    Row {
        name: "sluice_config_reloads_total",
        kind: Counter,
        labels: &["outcome"],
        help: "Reloads of the configuration or the model, accepted or refused.",
    },
    Row {
        name: "sluice_build_info",
        kind: Gauge,
        labels: &["version", "commit"],
        help: "Always 1; what is running.",
    },
];

/// The metric with this name.
pub(super) fn row(name: &str) -> &'static Row {
    METRICS.iter().find(|row| row.name == name).expect("only names of the table are asked for")
}

/// Work of our own takes microseconds when all is well.
const OWN_WORK: &[f64] = &[
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];
const WAIT: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const ROWS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];
/// The bounds of OpenTelemetry's `gen_ai.server.request.duration`.
const REQUEST: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// The bounds of OpenTelemetry's `gen_ai.server.time_to_first_token`.
const FIRST_TOKEN: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// The bounds of OpenTelemetry's `gen_ai.server.time_per_output_token`, and two below for small local models.
const TOKEN: &[f64] =
    &[0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// As finely below 1 as above it.
const RATIO: &[f64] = &[0.1, 0.25, 0.4, 0.5, 0.667, 0.8, 0.9, 1.0, 1.11, 1.25, 1.5, 2.0, 2.5, 4.0, 10.0];
