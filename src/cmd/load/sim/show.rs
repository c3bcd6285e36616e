//! What a run in virtual time prints: a short table, or JSON with the same figures.

use super::test::{Ran, Test};
use crate::cmd::{Failure, print};
use serde_json::{Value, json};
use sluice_load::measure::{Percentiles, Summary};
use sluice_load::report::text::{count, digits, ms};
use std::fmt::Write as _;

/// Prints a run.
pub(super) fn run(test: &Test, ran: &Ran, json: bool) -> Result<(), Failure> {
    let summary = Summary::of(&ran.tally);
    if json {
        let mut all = serde_json::to_value(&summary)?;
        if let Value::Object(all) = &mut all {
            all.insert("gates".to_owned(), json!([]));
            all.insert("objective".to_owned(), json!(objective(ran)));
            all.insert("virtual".to_owned(), virtual_json(test, ran));
        }
        return print(&all.to_string());
    }
    let mut text = times(&summary);
    text.push_str(&totals(&summary));
    for bound in objective(ran) {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}", bound);
    }
    text.push_str(&pools(test, ran, &summary));
    print(text.trim_end())
}

fn times(summary: &Summary) -> String {
    let mut text = format!("{:6} {:>9} {:>9} {:>9}\n", "", "p50", "p90", "p99");
    let rows = [("ttft", &summary.ttft_ms), ("tpot", &summary.tpot_ms), ("e2e", &summary.e2e_ms)];
    for (name, times) in rows {
        let [p50, p90, p99] = [times.p50, times.p90, times.p99].map(|value| value.map_or("-".to_owned(), ms));
        let _ = writeln!(text, "{name:6} {p50:>9} {p90:>9} {p99:>9}");
    }
    text
}

fn totals(summary: &Summary) -> String {
    let mut text = format!("{} sent, {} ok", count(summary.sent), count(summary.ok));
    for (fault, codes) in &summary.errors_by_fault {
        for (code, times) in codes {
            let _ =
                write!(text, ", {} {code} ({})", count(*times), json!(fault).as_str().unwrap_or_default());
        }
    }
    if summary.cancelled > 0 {
        let _ = write!(text, ", {} cancelled", count(summary.cancelled));
    }
    let rate = |value: Option<f64>| value.map_or("-".to_owned(), digits);
    let _ = write!(text, "; {}/s offered, {}/s done", rate(summary.offered_rps), rate(summary.rate_rps));
    if let Some(share) = summary.goodput_share {
        let _ = write!(text, ", {}% good", digits(share * 100.0));
    }
    if let Some(fairness) = &summary.fairness {
        let _ = write!(text, ", fairness {}", digits(fairness.jain));
    }
    text.push('\n');
    if let (Some(cost), Some(saved)) = (summary.cost_usd, summary.saved_pct) {
        let _ = write!(text, "${} in all, {}% saved", digits(cost), digits(saved));
    }
    if let (Some(quality), Some(ratio)) = (summary.quality, summary.quality_ratio) {
        let _ = write!(text, ", quality {}, {}% of the reference's", digits(quality), digits(ratio * 100.0));
    }
    text.push('\n');
    text
}

/// One line for each bound of the objective.
fn objective(ran: &Ran) -> Vec<String> {
    let judged = ran.tally.slo().map(|slo| slo.judge(&ran.tally)).unwrap_or_default();
    let line = |bound: sluice_load::measure::BoundReport| {
        let word = match bound.held {
            Some(true) => "held",
            Some(false) => "missed",
            None => "not known",
        };
        format!("{}: {word}", bound.expr)
    };
    judged.into_iter().map(line).collect()
}

fn pools(test: &Test, ran: &Ran, summary: &Summary) -> String {
    let mut text = format!(
        "{:16} {:>8} {:>9} {:>7} {:>10} {:>10} {:>6}\n",
        "pool", "replicas", "requests", "share", "ttft p99", "tpot p99", "busy"
    );
    for (at, pool) in test.config.pools.iter().enumerate() {
        let part = summary.per_pool.get(&pool.name);
        let p99 = |times: Option<&Percentiles>| times.and_then(|times| times.p99).map_or("-".to_owned(), ms);
        let _ = writeln!(
            text,
            "{:16} {:>8} {:>9} {:>6}% {:>10} {:>10} {:>5}%",
            pool.name,
            test.world.pools[at].line.replicas,
            count(part.map_or(0, |part| part.sent)),
            digits(part.map_or(0.0, |part| part.share) * 100.0),
            p99(part.map(|part| &part.ttft_ms)),
            p99(part.map(|part| &part.tpot_ms)),
            digits(busy(ran, at) * 100.0),
        );
    }
    text
}

/// The share of time in which the pool's replicas had work.
pub(super) fn busy(ran: &Ran, pool: usize) -> f64 {
    let all: u64 = ran.totals.busy[pool].iter().sum();
    let span = ran.totals.ended.max(1) as f64 * ran.totals.busy[pool].len().max(1) as f64;
    (all as f64 / span).min(1.0)
}

fn virtual_json(test: &Test, ran: &Ran) -> Value {
    let pool = |(at, pool): (usize, &sluice_gateway::config::PoolConfig)| {
        json!({
            "pool": pool.name,
            "expert": test.config.experts[pool.expert].name,
            "profile": test.profiles[at].name,
            "replicas": test.world.pools[at].line.replicas,
            "dispatched": ran.totals.dispatched[at],
            "busy": busy(ran, at),
        })
    };
    let pools: Vec<Value> = test.config.pools.iter().enumerate().map(pool).collect();
    json!({
        "seconds": ran.totals.ended as f64 / 1e9,
        "events": ran.totals.events,
        "most_open": ran.totals.most_open,
        "pools": pools,
    })
}
