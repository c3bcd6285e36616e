//! Pools and replicas as the admin page shows them: state, reason, load and ages.

use crate::app::App;
use crate::lane::Lane;
use serde::Serialize;
use sluice_router::{Entrant, ReplicaReport, Tick};

/// Every pool in force, as JSON.
pub(crate) fn page(app: &App) -> String {
    let (live, now) = (app.live(), app.clock.now());
    let fleet = &live.rules.snapshot.fleet;
    let shown = live.lanes.iter().map(|lane| pool(lane, &fleet.experts[lane.config.expert].name, now));
    let page = Page { pools: shown.collect() };
    serde_json::to_string_pretty(&page).expect("plain data") + "\n"
}

#[derive(Serialize)]
struct Page<'a> {
    pools: Vec<Pool<'a>>,
}

#[derive(Serialize)]
struct Pool<'a> {
    pool: &'a str,
    expert: &'a str,
    protocol: &'a str,
    balance: &'a str,
    quota_group: &'a str,
    /// Where its replicas are found; absent for a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    discover: Option<String>,
    queued: u32,
    in_flight: u32,
    limit: u32,
    /// How long its quota's pause lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    cools_for_ms: Option<u32>,
    replicas: Vec<Replica>,
}

#[derive(Serialize)]
struct Replica {
    replica: usize,
    address: String,
    state: &'static str,
    /// Why it was ejected the last time, until that is forgiven.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_for_ms: Option<u64>,
    in_state_for_ms: u64,
    ejections: u32,
    in_flight: u32,
    limit: u32,
    /// Load that isn't ours, as far as its report is believed.
    foreign: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Told>,
}

#[derive(Serialize)]
struct Told {
    running: u32,
    waiting: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<f64>,
    age_ms: u64,
}

fn pool<'a>(lane: &'a Lane, expert: &'a str, now: Tick) -> Pool<'a> {
    let (config, state) = (&lane.config, lane.pool_state(now, &Entrant::default()));
    let replicas =
        lane.replica_reports(now).into_iter().map(|(address, report)| replica(address, &report, now));
    let discover = config.discover.as_ref();
    Pool {
        pool: &config.name,
        expert,
        protocol: &config.protocol,
        balance: &config.balance,
        quota_group: &config.quota_group,
        discover: discover.map(|discover| format!("{} {}", discover.source, discover.place)),
        queued: state.queued,
        in_flight: state.in_flight,
        limit: state.limit,
        cools_for_ms: lane.cools_for_ms(now),
        replicas: replicas.collect(),
    }
}

fn replica(address: String, report: &ReplicaReport, now: Tick) -> Replica {
    let whole_ms = |later: Tick, earlier: Tick| later.since_us(earlier) / 1_000;
    Replica {
        replica: report.replica,
        address,
        state: report.condition.name(),
        reason: report.why.map(sluice_router::Why::name),
        out_for_ms: report.until.map(|until| whole_ms(until, now)),
        in_state_for_ms: whole_ms(now, report.since),
        ejections: report.ejections,
        in_flight: report.in_flight,
        limit: report.limit,
        foreign: report.foreign,
        report: report.told.map(|(told, at)| Told {
            running: told.running,
            waiting: told.waiting,
            memory: told.memory,
            age_ms: whole_ms(now, at),
        }),
    }
}
