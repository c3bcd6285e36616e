//! What a load test prints.

use crate::cmd::{Failure, print};
use sluice_load::{Ended, Sample};

/// The figures of a run.
pub(super) fn summary(samples: &[Sample], ended: &Ended, json: bool) -> Result<(), Failure> {
    let ok = samples.iter().filter(|sample| sample.is_ok()).count();
    let ttft = quantiles(samples.iter().filter_map(Sample::ttft_ms));
    let e2e = quantiles(samples.iter().filter(|sample| sample.is_ok()).map(Sample::e2e_ms));
    if json {
        let all = serde_json::json!({
            "sent": samples.len() as u64 + ended.unfinished, "ok": ok, "errors": samples.len() - ok,
            "ttft_ms": named(ttft), "e2e_ms": named(e2e), "overhead": ended.overhead,
        });
        return print(&all.to_string());
    }
    print(&format!(
        "{} sent, {ok} ok in {:.1} s\n        p50      p90      p99 ms\nttft {:8.1} {:8.1} {:8.1}\ne2e  {:8.1} {:8.1} {:8.1}",
        samples.len() as u64 + ended.unfinished,
        ended.took as f64 / 1e9,
        ttft[0],
        ttft[1],
        ttft[2],
        e2e[0],
        e2e[1],
        e2e[2]
    ))
}

fn quantiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let rank = (q * values.len() as f64).ceil() as usize;
        values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    };
    [at(0.5), at(0.9), at(0.99)]
}

fn named([p50, p90, p99]: [f64; 3]) -> serde_json::Value {
    serde_json::json!({ "p50": p50, "p90": p90, "p99": p99 })
}
