//! `--outage POOL[/N]@FROM[-UNTIL]`: replicas that die and come back.

use super::test::pool_at;
use crate::cmd::Failure;
use crate::cmd::load::prepare::wrong;
use sluice_gateway::config::Config;
use sluice_load::virtual_time::{Outage, PoolSpec};

pub(super) fn read(config: &Config, pools: &[PoolSpec], texts: &[String]) -> Result<Vec<Outage>, Failure> {
    texts.iter().map(|text| one(config, pools, text)).collect()
}

fn one(config: &Config, pools: &[PoolSpec], text: &str) -> Result<Outage, Failure> {
    let form = || wrong(format!("--outage {text:?}: write POOL@FROM-UNTIL in seconds, or POOL/REPLICA@FROM"));
    let (who, when) = text.rsplit_once('@').ok_or_else(form)?;
    let (pool, replica) = match who.rsplit_once('/') {
        Some((pool, replica)) => (pool, Some(replica.parse::<usize>().map_err(|_| form())?)),
        None => (who, None),
    };
    let pool = pool_at(config, "--outage", pool)?;
    let replicas = pools[pool].line.replicas;
    if replica.is_some_and(|replica| replica >= replicas) {
        return Err(wrong(format!(
            "--outage {text:?}: its replicas are 0 to {}",
            replicas.saturating_sub(1)
        )));
    }
    let (from, until) = match when.split_once('-') {
        Some((from, until)) => (from, Some(nanos(until).ok_or_else(form)?)),
        None => (when, None),
    };
    let from = nanos(from).ok_or_else(form)?;
    if until.is_some_and(|until| until <= from) {
        return Err(wrong(format!("--outage {text:?}: it must end after it begins")));
    }
    Ok(Outage { pool, replica, from, until })
}

fn nanos(text: &str) -> Option<u64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.is_finite() && (0.0..1e9).contains(&seconds)).then_some((seconds * 1e9) as u64)
}
