//! One event, both log and metric: nothing else touches `tracing` or the metrics registry.

mod event;
mod log;
mod metric;
#[cfg(test)]
mod testing;
mod trace;

pub use event::{AttemptEnd, Event};
pub use log::init_logging;
pub use metric::{METRICS, MetricKind, Row as MetricRow};
pub use trace::{Call, Span, Traced};

use metric::Metrics;

/// Where a gateway's events go: log lines through `tracing`, metrics into a registry of its own, so that many
/// gateways can live in one process.
#[derive(Debug)]
pub struct Observer {
    metrics: Metrics,
}

impl Observer {
    /// An observer with no metric but `sluice_build_info`.
    pub fn new() -> Observer {
        Observer { metrics: Metrics::new() }
    }

    /// Writes the event's log line and moves its metrics. Cheap enough for every request: a disabled log line costs
    /// a comparison, a metric one look-up by label values.
    pub fn emit(&self, event: Event<'_>) {
        log::write(&event);
        self.metrics.count(&event);
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.metrics.render()
    }
}

impl Default for Observer {
    fn default() -> Observer {
        Observer::new()
    }
}
