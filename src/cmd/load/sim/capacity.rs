//! The capacity table: how many replicas of which expert for this load at this objective, and at what cost.

use super::pools::busy;
use super::test::{Ran, Test};
use crate::cmd::{Failure, print, progress};
use serde_json::{Value, json};
use sluice_load::measure::{By, Summary};
use sluice_load::report::text::{count, digits, ms};
use sluice_load::virtual_time::{Trial, least_replicas};
use std::fmt::Write as _;

/// The fewest replicas, and the run that shows that they hold.
pub(super) struct Found {
    pub(super) holds: bool,
    pub(super) runs: usize,
    ran: Ran,
}

/// Searches; each trial is a whole run.
pub(super) fn search(test: &mut Test, most: usize) -> Result<Found, Failure> {
    let prices: Vec<f64> =
        (0..test.profiles.len()).map(|pool| replica_hour_nano(test, pool) as f64).collect();
    let mut failed = None;
    let shows = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut runs = 0;
    // Doubling up and bisecting down, twice for each pool at most.
    let most_runs = prices.len() * 2 * (usize::BITS - most.leading_zeros()) as usize + 2;
    let needed = least_replicas(&prices, most, &mut |replicas| {
        runs += 1;
        if shows {
            progress(runs, most_runs);
        }
        set(test, replicas);
        match test.run() {
            Ok(ran) => trial(test, &ran),
            Err(failure) => {
                failed = Some(failure);
                // Ends the search at once.
                Trial { holds: true, missed: vec![0; prices.len()], used: vec![0; prices.len()] }
            }
        }
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    set(test, &needed.replicas);
    Ok(Found { holds: needed.holds, runs: needed.runs, ran: test.run()? })
}

fn set(test: &mut Test, replicas: &[usize]) {
    for (pool, count) in test.world.pools.iter_mut().zip(replicas) {
        pool.line.replicas = *count;
    }
}

fn trial(test: &Test, ran: &Ran) -> Trial {
    let name = |pool: usize| test.config.pools[pool].name.as_str();
    let missed = |pool: usize| {
        let part = ran.tally.parts(By::Pool).find(|(part, _)| *part == name(pool));
        part.map_or(0, |(_, slice)| slice.sent.saturating_sub(slice.good))
    };
    let pools = 0..test.world.pools.len();
    Trial {
        holds: ran.tally.slo().and_then(|slo| slo.held(&ran.tally)) == Some(true),
        missed: pools.clone().map(missed).collect(),
        used: pools.map(|pool| ran.totals.dispatched[pool].iter().sum()).collect(),
    }
}

/// What one replica costs an hour, in nano-USD; 0 where its profile doesn't say.
fn replica_hour_nano(test: &Test, pool: usize) -> i64 {
    let profile = &test.profiles[pool];
    profile.gpu_hour_nanousd.unwrap_or(0).saturating_mul(i64::from(profile.gpus))
}

/// Prints the table.
pub(super) fn show(test: &Test, found: &Found, json: bool) -> Result<(), Failure> {
    let summary = Summary::of(&found.ran.tally);
    let rows: Vec<Row> =
        (0..test.world.pools.len()).map(|pool| Row::of(test, found, &summary, pool)).collect();
    let hour: i64 = rows.iter().map(|row| row.hour_nanousd).sum();
    if json {
        return print(&as_json(found, &summary, &rows, hour).to_string());
    }
    let mut text = format!(
        "{:16} {:16} {:12} {:>8} {:>5} {:>10} {:>9} {:>10} {:>10} {:>6}\n",
        "pool",
        "expert",
        "profile",
        "replicas",
        "GPUs",
        "USD/hour",
        "requests",
        "ttft p99",
        "tpot p99",
        "busy"
    );
    for row in &rows {
        let time = |value: Option<f64>| value.map_or("-".to_owned(), ms);
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:16} {:16} {:12} {:>8} {:>5} {:>10} {:>9} {:>10} {:>10} {:>5}%",
            row.pool,
            row.expert,
            row.profile,
            row.replicas,
            row.gpus,
            row.price(),
            count(row.requests),
            time(row.ttft_p99),
            time(row.tpot_p99),
            digits(row.busy * 100.0),
        );
    }
    text.push_str(&last_lines(found, &summary, &rows, hour));
    print(text.trim_end())
}

fn last_lines(found: &Found, summary: &Summary, rows: &[Row], hour: i64) -> String {
    let slo = summary.slo.clone().unwrap_or_default();
    let gpus: u64 = rows.iter().map(|row| row.gpus).sum();
    let mut text = if found.holds {
        format!("{slo}: held with {gpus} GPUs, ${} an hour", digits(hour as f64 / 1e9))
    } else {
        format!("{slo}: missed even so; raise --most-replicas, or ask for less")
    };
    if let Some(tokens) = summary.output_tokens_per_s.filter(|tokens| *tokens > 0.0) {
        let per_mtok = hour as f64 / 1e9 / 3600.0 / tokens * 1e6;
        let _ = write!(text, ", ${} per million output tokens", digits(per_mtok));
    }
    if let (Some(cost), Some(saved)) = (summary.cost_per_1k, summary.saved_pct) {
        let _ = write!(
            text,
            "\nby the experts' prices: ${} per 1,000 requests, {}% saved",
            digits(cost),
            digits(saved)
        );
    }
    if let (Some(quality), Some(ratio)) = (summary.quality, summary.quality_ratio) {
        let _ = write!(text, "; quality {}, {}% of the reference's", digits(quality), digits(ratio * 100.0));
    }
    text
}

/// One pool of the table.
struct Row {
    pool: String,
    expert: String,
    profile: String,
    replicas: usize,
    gpus: u64,
    is_priced: bool,
    hour_nanousd: i64,
    requests: u64,
    ttft_p99: Option<f64>,
    tpot_p99: Option<f64>,
    busy: f64,
}

impl Row {
    fn of(test: &Test, found: &Found, summary: &Summary, at: usize) -> Row {
        let (pool, profile) = (&test.config.pools[at], &test.profiles[at]);
        let replicas = test.world.pools[at].line.replicas;
        let part = summary.per_pool.get(&pool.name);
        Row {
            pool: pool.name.clone(),
            expert: test.config.experts[pool.expert].name.clone(),
            profile: profile.name.clone(),
            replicas,
            gpus: replicas as u64 * u64::from(profile.gpus),
            is_priced: profile.gpu_hour_nanousd.is_some(),
            hour_nanousd: replica_hour_nano(test, at)
                .saturating_mul(i64::try_from(replicas).unwrap_or(i64::MAX)),
            requests: part.map_or(0, |part| part.sent),
            ttft_p99: part.and_then(|part| part.ttft_ms.p99),
            tpot_p99: part.and_then(|part| part.tpot_ms.p99),
            busy: busy(&found.ran, at),
        }
    }

    fn price(&self) -> String {
        if self.is_priced { format!("{:.2}", self.hour_nanousd as f64 / 1e9) } else { "unknown".to_owned() }
    }
}

fn as_json(found: &Found, summary: &Summary, rows: &[Row], hour: i64) -> Value {
    let row = |row: &Row| {
        json!({
            "pool": row.pool, "expert": row.expert, "profile": row.profile, "replicas": row.replicas,
            "gpus": row.gpus, "usd_per_hour": row.is_priced.then_some(row.hour_nanousd as f64 / 1e9),
            "requests": row.requests, "ttft_p99_ms": row.ttft_p99, "tpot_p99_ms": row.tpot_p99, "busy": row.busy,
        })
    };
    json!({
        "held": found.holds, "slo": summary.slo, "runs": found.runs,
        "pools": rows.iter().map(row).collect::<Vec<_>>(),
        "gpus": rows.iter().map(|row| row.gpus).sum::<u64>(),
        "usd_per_hour": hour as f64 / 1e9,
        "run": summary,
    })
}
