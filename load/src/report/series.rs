//! The run over time, as rates and percentiles.

use crate::measure::{Stretch, Tally};
use serde::{Deserialize, Serialize};

/// One stretch of the run. Counts are per second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Its begin, in seconds from the start.
    pub at_s: f64,
    /// Requests meant to start.
    pub offered_rps: f64,
    /// Requests completed.
    pub ok_rps: f64,
    /// Requests failed.
    pub errors_rps: f64,
    /// Median time to first token of those that started here.
    pub ttft_p50_ms: Option<f64>,
    /// Their 99th percentile.
    pub ttft_p99_ms: Option<f64>,
    /// Median time to the end of those that started here.
    pub e2e_p50_ms: Option<f64>,
    /// Their 99th percentile.
    pub e2e_p99_ms: Option<f64>,
    /// Cost of what ended, in US dollars per second.
    pub cost_usd_per_s: f64,
}

impl Second {
    /// The run in at most 64 stretches.
    pub fn of(tally: &Tally) -> Vec<Second> {
        let series = tally.series();
        let group = series.stretches().len().div_ceil(64).max(1);
        let width_s = series.width_s() * group as f64;
        let groups = series.stretches().chunks(group).enumerate();
        groups.map(|(at, stretches)| Second::sum(at as f64 * width_s, width_s, stretches)).collect()
    }

    fn sum(at_s: f64, width_s: f64, stretches: &[Stretch]) -> Second {
        let mut all = stretches[0].clone();
        stretches[1..].iter().for_each(|one| all.merge(one));
        let rate = |count: u64| count as f64 / width_s;
        Second {
            at_s,
            offered_rps: rate(all.arrived),
            ok_rps: rate(all.ok),
            errors_rps: rate(all.failed),
            ttft_p50_ms: all.ttft.quantile_ms(0.5),
            ttft_p99_ms: all.ttft.quantile_ms(0.99),
            e2e_p50_ms: all.e2e.quantile_ms(0.5),
            e2e_p99_ms: all.e2e.quantile_ms(0.99),
            cost_usd_per_s: all.cost_nanousd as f64 / 1e9 / width_s,
        }
    }
}
