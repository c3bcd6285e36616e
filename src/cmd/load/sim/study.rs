//! `--compare`: policies side by side on the same requests, at loads that are shares of what the first expert can do.

use super::VirtualTime;
use super::test::{Ran, Test};
use crate::cmd::load::prepare::wrong;
use crate::cmd::{Failure, print, say};
use serde_json::{Value, json};
use sluice_load::measure::{By, Slice};
use sluice_load::study::{Policy, requests_per_s};
use sluice_load::virtual_time::{Length, PoolSpec};
use std::process::ExitCode;

/// Loads unless others are asked for.
const LOADS: &[f64] = &[0.5, 0.7, 0.9, 1.0, 1.1, 1.3];
/// Requests that are measured for what a replica can do.
const MEASURED: usize = 3_000;

/// Runs every policy at every load.
pub(super) fn run(test: &mut Test, args: &VirtualTime, json: bool) -> Result<ExitCode, Failure> {
    let scale = Scale::of(test)?;
    say(&scale.line(test));
    if !json {
        print(&head())?;
    }
    let configured = test.world.pools.clone();
    let mut rows = Vec::new();
    let loads = if args.loads.is_empty() { LOADS } else { &args.loads };
    for load in loads {
        if !(0.01..=10.0).contains(load) {
            return Err(wrong(format!("--loads {load}: give 0.01 to 10")));
        }
        for policy in &args.compare {
            apply(test, *policy, &configured);
            test.asked.rate = Some(load * scale.rate);
            let row = Row::of(*load, *policy, &test.run()?, test);
            if !json {
                print(&row.line())?;
            }
            rows.push(row);
        }
    }
    if json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        print(
            &json!({ "requests_per_s_at_load_1": scale.rate, "share_of_first": scale.share, "rows": rows })
                .to_string(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn apply(test: &mut Test, policy: Policy, configured: &[PoolSpec]) {
    for (pool, configured) in test.world.pools.iter_mut().zip(configured) {
        pool.line = policy.line(configured.line, configured.capacity.outside.is_some());
        // Whoever doesn't hold requests back lets them wait in the engines.
        pool.engine_queue = configured.engine_queue.max(1_000_000);
    }
    if let Some(skilled) = test.book.skilled() {
        skilled.set_objective(policy.objective());
    }
}

/// How many requests a second are load 1.
struct Scale {
    rate: f64,
    share: f64,
    per_replica: f64,
    pool: usize,
    /// How full the reference's pool is at load 1 with all the rest.
    reference: f64,
}

impl Scale {
    fn of(test: &mut Test) -> Result<Scale, Failure> {
        use sluice_load::virtual_time::Prompted as _;
        let ask = test.book.get(0).ask.clone();
        let lengths = test.book.lengths_of_all();
        let skilled = test.book.skilled().ok_or_else(|| wrong("--compare needs --skills".to_owned()))?;
        let pool = ask.fleet.pools_of(skilled.first()).next();
        let pool = pool.ok_or_else(|| wrong("--skills: the first expert has no pool".to_owned()))?;
        let numbered = lengths.iter().copied().enumerate();
        let (fitting, rest): (Vec<_>, Vec<_>) =
            numbered.partition(|&(number, length)| skilled.may_go_first(&ask, number, length));
        let share = fitting.len() as f64 / lengths.len() as f64;
        let most = |pool: usize, of: &[(usize, Length)]| {
            let lengths: Vec<Length> = of.iter().take(MEASURED).map(|(_, length)| *length).collect();
            requests_per_s(test.world.pools[pool].capacity, &lengths)
        };
        let per_replica = most(pool, &fitting);
        if per_replica == 0.0 {
            return Err(wrong(
                "--skills: the first expert may answer next to nothing at this floor".to_owned(),
            ));
        }
        let replicas = |pool: usize| test.world.pools[pool].line.replicas as f64;
        let rate = replicas(pool) * per_replica / share;
        let backing = ask.fleet.pools_of(ask.route.reference).next();
        let reference =
            backing.map_or(0.0, |at| rate * (1.0 - share) / (replicas(at) * most(at, &rest)).max(1e-9));
        Ok(Scale { rate, share, per_replica, pool, reference })
    }

    fn line(&self, test: &mut Test) -> String {
        let certificate = test.book.skilled().map(|skilled| skilled.certificate().evidence());
        format!(
            "load 1 is {:.2} requests/s: {:.0}% of them may go to {}, whose {} replicas do {:.2}/s each; the reference's pool is {:.0}% full with the rest\ncertificate: {}",
            self.rate,
            self.share * 100.0,
            test.config.pools[self.pool].name,
            test.world.pools[self.pool].line.replicas,
            self.per_replica,
            self.reference * 100.0,
            certificate.unwrap_or_default(),
        )
    }
}

/// What one policy came to at one load.
struct Row {
    load: f64,
    policy: Policy,
    sent: u64,
    good: f64,
    ok: f64,
    cost: f64,
    per_good: f64,
    quality: f64,
    ttft: (f64, f64),
    tpot: f64,
    /// Median and 90th percentile of how far off the predicted times to first tokens were, of engines that we see into.
    foresight: (f64, f64),
    shares: Vec<(String, f64)>,
}

impl Row {
    fn of(load: f64, policy: Policy, ran: &Ran, test: &Test) -> Row {
        let all = ran.tally.all();
        let sent = all.sent.max(1) as f64;
        let usd = all.cost_nanousd.sum as f64 / 1e9;
        let part = |name: &str| ran.tally.parts(By::Expert).find(|(part, _)| *part == name);
        let share = |name: &str| part(name).map_or(0.0, |(_, slice): (_, &Slice)| slice.sent as f64 / sent);
        let ms = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Row {
            load,
            policy,
            sent: all.sent,
            good: all.good as f64 / sent,
            ok: all.ok as f64 / sent,
            cost: usd / sent * 1e3,
            per_good: usd / all.good.max(1) as f64 * 1e3,
            quality: all.quality.mean().map_or(f64::NAN, |millionths| millionths / 1e6),
            ttft: (ms(all.ttft.quantile_ms(0.5)), ms(all.ttft.quantile_ms(0.99))),
            tpot: ms(all.tpot.quantile_ms(0.99)),
            foresight: foresight(ran, test),
            shares: test
                .config
                .experts
                .iter()
                .map(|expert| (expert.name.clone(), share(&expert.name)))
                .collect(),
        }
    }

    fn line(&self) -> String {
        let shares: Vec<String> =
            self.shares.iter().map(|(_, share)| format!("{:.0}", share * 100.0)).collect();
        format!(
            "{:>5.2} {:10} {:>7.4} {:>9.4} {:>9.4} {:>8.4} {:>9.0} {:>9.0} {:>9.1} {:>4.0} {:>4.0}  {}",
            self.load,
            self.policy.to_string(),
            self.good,
            self.cost,
            self.per_good,
            self.quality,
            self.ttft.0,
            self.ttft.1,
            self.tpot,
            self.foresight.0 * 100.0,
            self.foresight.1 * 100.0,
            shares.join(" / "),
        )
    }

    fn json(&self) -> Value {
        let shares: serde_json::Map<String, Value> =
            self.shares.iter().map(|(name, share)| (name.clone(), json!(share))).collect();
        json!({
            "load": self.load, "policy": self.policy.to_string(), "sent": self.sent, "good": self.good,
            "ok": self.ok, "cost_per_1k": self.cost, "cost_per_1k_good": self.per_good, "quality": self.quality,
            "ttft_p50_ms": self.ttft.0, "ttft_p99_ms": self.ttft.1, "tpot_p99_ms": self.tpot,
            "ttft_error_p50": self.foresight.0, "ttft_error_p90": self.foresight.1,
            "shares": shares,
        })
    }
}

fn head() -> String {
    format!(
        "{:>5} {:10} {:>7} {:>9} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9}  {}",
        "load",
        "policy",
        "good",
        "USD/1k",
        "per good",
        "quality",
        "ttft p50",
        "ttft p99",
        "tpot p99",
        "off by %",
        "% by expert"
    )
}

/// How far off predicted times to first tokens were: median and 90th percentile of the shares.
fn foresight(ran: &Ran, test: &Test) -> (f64, f64) {
    let pools = ran.totals.ttft_errors.iter().zip(&test.world.pools);
    let seen = pools.filter(|(_, pool)| pool.capacity.outside.is_none());
    let mut errors: Vec<f32> = seen.flat_map(|(errors, _)| errors.iter().copied()).collect();
    errors.sort_by(f32::total_cmp);
    let at =
        |share: f64| errors.get((errors.len() as f64 * share) as usize).map_or(f64::NAN, |&e| f64::from(e));
    (at(0.5), at(0.9))
}
