//! Events as metrics: which event moves which metric, with a registry for each gateway.

mod family;
mod table;

pub use table::{METRICS, MetricKind, Row};

use super::event::Event;
use crate::error::FaultCode;
use family::{Bounded, Family, status_text};
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use sluice_router::{Certificate, Change};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Every metric of one gateway.
#[derive(Debug)]
pub(super) struct Metrics {
    handle: PrometheusHandle,
    tenants: Bounded,
    samples: AtomicU32,
    requests: Family<Counter>,
    request_duration: Family<Histogram>,
    classify: Family<Histogram>,
    decide: Family<Histogram>,
    overhead: Family<Histogram>,
    queue_wait: Family<Histogram>,
    queue_depth: Family<Gauge>,
    in_flight: Family<Gauge>,
    limit: Family<Gauge>,
    batch_size: Family<Histogram>,
    first_token: Family<Histogram>,
    inter_token: Family<Histogram>,
    ttft_ratio: Family<Histogram>,
    tpot_ratio: Family<Histogram>,
    replica_state: Family<Gauge>,
    ejections: Family<Counter>,
    discoveries: Family<Counter>,
    attempts: Family<Counter>,
    tokens: Family<Counter>,
    cost: Family<Counter>,
    baseline: Family<Counter>,
    budget: Family<Gauge>,
    blind_budget: Family<Gauge>,
    overrun: Family<Counter>,
    gpu: Family<Counter>,
    promised: Family<Gauge>,
    certificates: Family<Gauge>,
    certificate_rows: Family<Gauge>,
    shed: Family<Counter>,
    errors: Family<Counter>,
    admin: Family<Counter>,
    keys: Family<Gauge>,
    stale_keys: Family<Gauge>,
    lag: Family<Gauge>,
    unshipped: Family<Gauge>,
    shipping_lag: Family<Gauge>,
    reloads: Family<Counter>,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let recorder = Arc::new(recorder());
        let row = |name| table::row(name);
        let counter = |name| Family::new(row(name), recorder.clone());
        let histogram = |name| Family::new(row(name), recorder.clone());
        let gauge = |name| Family::new(row(name), recorder.clone());
        let build: Family<Gauge> = gauge("sluice_build_info");
        let commit = option_env!("SLUICE_COMMIT").unwrap_or("unknown");
        build.with(&[env!("CARGO_PKG_VERSION"), commit], |gauge| gauge.set(1.0));
        Metrics {
            handle: recorder.handle(),
            tenants: Bounded::new(MOST_TENANTS),
            samples: AtomicU32::new(0),
            requests: counter("sluice_requests_total"),
            request_duration: histogram("sluice_request_duration_seconds"),
            classify: histogram("sluice_classify_seconds"),
            decide: histogram("sluice_decide_seconds"),
            overhead: histogram("sluice_overhead_seconds"),
            queue_wait: histogram("sluice_queue_wait_seconds"),
            queue_depth: gauge("sluice_queue_depth"),
            in_flight: gauge("sluice_inflight_requests"),
            limit: gauge("sluice_concurrency_limit"),
            batch_size: histogram("sluice_batch_size"),
            first_token: histogram("sluice_time_to_first_token_seconds"),
            inter_token: histogram("sluice_inter_token_latency_seconds"),
            ttft_ratio: histogram("sluice_ttft_prediction_ratio"),
            tpot_ratio: histogram("sluice_tpot_prediction_ratio"),
            replica_state: gauge("sluice_replica_state"),
            ejections: counter("sluice_replica_ejections_total"),
            discoveries: counter("sluice_discoveries_total"),
            attempts: counter("sluice_upstream_attempts_total"),
            tokens: counter("sluice_tokens_total"),
            cost: counter("sluice_cost_nanousd_total"),
            baseline: counter("sluice_baseline_nanousd_total"),
            budget: gauge("sluice_budget_remaining_nanousd"),
            blind_budget: gauge("sluice_budget_stale"),
            overrun: counter("sluice_overrun_nanousd_total"),
            gpu: counter("sluice_gpu_nanousd_total"),
            promised: gauge("sluice_quality_promised_ratio"),
            certificates: gauge("sluice_certificate_info"),
            certificate_rows: gauge("sluice_certificate_rows"),
            shed: counter("sluice_shed_total"),
            errors: counter("sluice_errors_total"),
            admin: counter("sluice_admin_requests_total"),
            keys: gauge("sluice_keys"),
            stale_keys: gauge("sluice_keys_stale"),
            lag: gauge("sluice_ledger_lag_seconds"),
            unshipped: gauge("sluice_ledger_unshipped"),
            shipping_lag: gauge("sluice_ledger_shipping_lag_seconds"),
            reloads: counter("sluice_config_reloads_total"),
        }
    }

    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    /// Moves the metrics that the event is about.
    pub(super) fn count(&self, event: &Event<'_>) {
        match *event {
            Event::Configured { is_reload: false, .. }
            | Event::Ready { .. }
            | Event::Draining { .. }
            | Event::Replica { change: Change::Back, .. } => {}
            Event::Replica { pool, change: Change::Ejected(why), .. } => {
                self.ejections.with(&[pool, why.name()], |counter| counter.increment(1));
            }
            Event::Discovered { pool, .. } => {
                self.discoveries.with(&[pool, "changed"], |counter| counter.increment(1));
            }
            Event::DiscoveryFailed { pool, .. } => {
                self.discoveries.with(&[pool, "failed"], |counter| counter.increment(1));
            }
            Event::Configured { is_reload: true, .. } => {
                // Those that stay in force are told again.
                self.certificates.each(|gauge| gauge.set(0.0));
                self.certificate_rows.each(|gauge| gauge.set(0.0));
                self.reloads.with(&["accepted"], |counter| counter.increment(1));
            }
            Event::ReloadRefused { .. } => self.reloads.with(&["refused"], |counter| counter.increment(1)),
            Event::Promised { route, ratio } => self.promised.with(&[route], |gauge| gauge.set(ratio)),
            Event::Certified { route, domain, certificate } => self.certified(route, domain, certificate),
            Event::Decided { classify_us, decide_us, .. } => {
                self.observe(&self.classify, &[], classify_us as f64 / 1e6);
                self.observe(&self.decide, &[], decide_us as f64 / 1e6);
            }
            Event::Batch { pool, rows } => self.observe(&self.batch_size, &[pool], rows as f64),
            Event::Joined { pool, wait_ms } => self.observe(&self.queue_wait, &[pool], wait_ms / 1e3),
            Event::Pool { pool, queued, in_flight, limit, up, resting, ejected, draining } => {
                self.limit.with(&[pool], |gauge| gauge.set(limit as f64));
                self.queue_depth.with(&[pool], |gauge| gauge.set(queued as f64));
                self.in_flight.with(&[pool], |gauge| gauge.set(in_flight as f64));
                let states = [("up", up), ("resting", resting), ("ejected", ejected), ("draining", draining)];
                for (state, count) in states {
                    self.replica_state.with(&[pool, state], |gauge| gauge.set(count as f64));
                }
            }
            Event::FirstToken { expert, ttft_ms } => {
                self.observe(&self.first_token, &[expert], ttft_ms / 1e3);
            }
            Event::Attempt { expert, pool, end, tpot_ms, ttft_ratio, tpot_ratio, .. } => {
                self.attempts.with(&[pool, end.name()], |counter| counter.increment(1));
                let seen = |family, label, value: Option<f64>| {
                    value.into_iter().for_each(|value| self.observe(family, &[label], value));
                };
                seen(&self.inter_token, expert, tpot_ms.map(|ms| ms / 1e3));
                seen(&self.ttft_ratio, pool, ttft_ratio);
                seen(&self.tpot_ratio, pool, tpot_ratio);
            }
            Event::Settled { .. } => self.settled(event),
            Event::Journal { lag_s, .. } => self.lag.with(&[], |gauge| gauge.set(lag_s)),
            Event::Admin { what, outcome, .. } => {
                self.admin.with(&[what, outcome], |counter| counter.increment(1));
            }
            Event::Keys { known, trouble, .. } => {
                self.keys.with(&[], |gauge| gauge.set(known as f64));
                self.stale_keys.with(&[], |gauge| gauge.set(f64::from(u8::from(trouble.is_some()))));
            }
            Event::Budget { level, remaining, trouble } => {
                self.budget.with(&[level], |gauge| gauge.set(remaining.0 as f64));
                let is_blind = f64::from(u8::from(trouble.is_some()));
                self.blind_budget.with(&[level], |gauge| gauge.set(is_blind));
            }
            Event::BudgetUsed { .. } | Event::AlertLost { .. } => {}
            Event::Overran { expert, amount, .. } => {
                self.overrun.with(&[expert], |counter| counter.increment(amount.0.unsigned_abs()));
            }
            Event::PoolMinute { pool, bill, charged } => {
                let idle = bill - charged;
                for (part, amount) in [("charged", charged), ("idle", idle)] {
                    self.add(&self.gpu, &[pool, part], u64::try_from(amount.0).unwrap_or(0));
                }
            }
            Event::Shipping { unshipped, lag_s, .. } => {
                self.unshipped.with(&[], |gauge| gauge.set(unshipped as f64));
                self.shipping_lag.with(&[], |gauge| gauge.set(lag_s));
            }
            Event::SharedStore { .. } => {}
            Event::Panicked { .. } => self.fault(FaultCode::Internal),
        }
    }

    fn certified(&self, route: &str, domain: &str, certificate: &Certificate) {
        let (floor, confidence) = (certificate.floor.to_string(), certificate.confidence.to_string());
        let (made, data) = (&certificate.made_on, certificate.short_data());
        let labels = [route, domain, &certificate.method, &floor, &confidence, made, data];
        self.certificates.with(&labels, |gauge| gauge.set(1.0));
        self.certificate_rows.with(&[route, domain], |gauge| gauge.set(f64::from(certificate.rows)));
    }

    fn settled(&self, event: &Event<'_>) {
        let Event::Settled { route, tenant, expert, fault, http_status, tokens, cost, baseline, .. } = *event
        else {
            return;
        };
        let Event::Settled { total_ms, overhead_ms, .. } = *event else { return };
        let status = status_text(http_status);
        let status = std::str::from_utf8(&status).expect("three ASCII digits");
        self.requests.with(&[route, expert, status], |counter| counter.increment(1));
        self.observe(&self.request_duration, &[route], total_ms / 1e3);
        self.observe(&self.overhead, &[], overhead_ms / 1e3);
        // Disjoint types, so that their sum is all tokens.
        self.add(&self.tokens, &[expert, "input"], tokens.fresh().into());
        self.add(&self.tokens, &[expert, "cached_input"], tokens.cached.into());
        self.add(&self.tokens, &[expert, "cache_write"], tokens.cache_write.into());
        self.add(&self.tokens, &[expert, "output"], tokens.output.into());
        self.tenants.with(tenant, |tenant| {
            self.add(&self.cost, &[tenant, expert], u64::try_from(cost.0).unwrap_or(0));
            self.add(&self.baseline, &[tenant], u64::try_from(baseline.0).unwrap_or(0));
        });
        if let Some(code) = fault {
            self.fault(code);
        }
    }

    fn fault(&self, code: FaultCode) {
        self.errors.with(&[code.name()], |counter| counter.increment(1));
        let is_shed = matches!(
            code,
            FaultCode::NoCapacity
                | FaultCode::DeadlineUnreachable
                | FaultCode::NoCapableExpert
                | FaultCode::Draining
        );
        if is_shed {
            self.shed.with(&[code.name()], |counter| counter.increment(1));
        }
    }

    /// Adds to a counter; nothing doesn't make a series.
    fn add(&self, family: &Family<Counter>, labels: &[&str], amount: u64) {
        if amount > 0 {
            family.with(labels, |counter| counter.increment(amount));
        }
    }

    /// Records a sample. The registry keeps samples as they are until somebody renders it; so that an unscraped
    /// gateway doesn't grow, every few thousand samples they are folded into their buckets.
    fn observe(&self, family: &Family<Histogram>, labels: &[&str], value: f64) {
        family.with(labels, |histogram| histogram.record(value));
        if self.samples.fetch_add(1, Ordering::Relaxed) % FOLD_EVERY == FOLD_EVERY - 1 {
            self.handle.run_upkeep();
        }
    }
}

/// Label values of tenants before the rest is `other`.
const MOST_TENANTS: usize = 200;
/// Samples between two folds: 32 KiB of memory, folded in well under a millisecond.
const FOLD_EVERY: u32 = 4_096;

/// An empty registry that knows every metric's help and buckets.
fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for row in METRICS {
        if let MetricKind::Histogram(buckets) = row.kind {
            let name = Matcher::Full(row.name.to_owned());
            builder = builder.set_buckets_for_metric(name, buckets).expect("every row has buckets");
        }
    }
    let recorder = builder.build_recorder();
    for row in METRICS {
        match row.kind {
            MetricKind::Counter => recorder.describe_counter(row.name.into(), None, row.help.into()),
            MetricKind::Gauge => recorder.describe_gauge(row.name.into(), None, row.help.into()),
            MetricKind::Histogram(_) => recorder.describe_histogram(row.name.into(), None, row.help.into()),
        }
    }
    recorder
}

/// A metric's name and label values, as the registry wants them.
fn key(row: &'static Row, values: &[&str]) -> Key {
    let labels = row.labels.iter().zip(values).map(|(&label, &value)| Label::new(label, value.to_owned()));
    Key::from_parts(row.name, labels.collect::<Vec<_>>())
}

const METADATA: Metadata<'static> = Metadata::new("sluice", Level::INFO, None);

#[cfg(test)]
#[path = "metric/tests.rs"]
mod tests;
