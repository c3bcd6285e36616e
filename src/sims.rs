//! Starts the simulated engines of pools with protocol `sim` or `replay`, and points the pools at them.

use crate::cmd::Failure;
use crate::replay::{Recorded, Recordings};
use anyhow::anyhow;
use sluice_gateway::config::{Config, PoolConfig, SimConfig};
use sluice_router::{Declared, Steps};
use sluice_sim::{Answers, Filler, Profile, Running};
use std::sync::Arc;

/// Simulated engines by what they were made of; they live as long as this does.
#[derive(Default)]
pub(crate) struct Sims {
    pools: Vec<SimPool>,
}

struct SimPool {
    /// The pool as configured, before its addresses were known.
    made_of: PoolConfig,
    replicas: Vec<Running>,
}

impl Sims {
    /// Gives every simulated pool running engines: the ones that it had, when it did not change.
    pub(crate) async fn prepare(&mut self, config: &mut Config) -> Result<(), Failure> {
        declare(config)?;
        let mut recordings = Recordings::default();
        let experts: Vec<String> = config.experts.iter().map(|expert| expert.name.clone()).collect();
        for pool in &mut config.pools {
            let Some(sim) = pool.sim.clone() else { continue };
            let at = match self.pools.iter().position(|known| known.made_of == *pool) {
                Some(at) => at,
                None => {
                    let replicas = start(pool, &sim, &experts[pool.expert], &mut recordings).await?;
                    self.pools.push(SimPool { made_of: pool.clone(), replicas });
                    self.pools.len() - 1
                }
            };
            let replicas = &self.pools[at].replicas;
            pool.endpoints = replicas.iter().map(|replica| format!("http://{}", replica.addr)).collect();
            pool.protocol = "native".to_owned();
        }
        Ok(())
    }
}

async fn start(
    pool: &PoolConfig,
    sim: &SimConfig,
    expert: &str,
    recordings: &mut Recordings,
) -> Result<Vec<Running>, Failure> {
    let profile = profile_of(pool, &sim.profile)?;
    check_batches(pool, &profile)?;
    let answers: Arc<dyn Answers> = match sim.data.as_slice() {
        [] => Arc::new(Filler::default()),
        files => Arc::new(Recorded::new(recordings.rows(files)?, expert)),
    };
    let mut replicas = Vec::new();
    for _ in 0..sim.replicas {
        let settings = sluice_sim::SimConfig {
            model: pool.model.clone(),
            time_scale: sim.time_scale,
            answers: answers.clone(),
            ..sluice_sim::SimConfig::new(profile.clone())
        };
        let started = sluice_sim::start(settings).await;
        replicas.push(started.map_err(|error| anyhow!("pool {}: no simulated engine: {error}", pool.name))?);
    }
    Ok(replicas)
}

/// Whether pool and profile agree on who makes batches.
pub(crate) fn check_batches(pool: &PoolConfig, profile: &Profile) -> Result<(), Failure> {
    let told = |what: &str| Err(Failure::input(anyhow!("pool {}: {what}", pool.name)));
    match (pool.window, profile.whole_batch) {
        (Some(_), None) => {
            told("batching mode \"window\" needs a profile with whole_batch; this engine batches by itself")
        }
        (None, Some(_)) => {
            told("its profile's engine takes whole batches; say batching = { mode = \"window\" }")
        }
        (Some(rules), Some(law)) if rules.max_batch > law.max_batch => {
            told("max_batch is more than its profile's engine takes")
        }
        _ => Ok(()),
    }
}

/// The profile that a pool's replicas have, with the prefix cache that the pool says.
pub(crate) fn profile_of(pool: &PoolConfig, name: &str) -> Result<Profile, Failure> {
    let mut profile = profile(name)?;
    if pool.prefix_tokens > 0 {
        profile.capacity.prefix_tokens = pool.prefix_tokens;
    }
    Ok(profile)
}

/// Reads what the pools' profiles say of their speed. A simulated pool is as much faster as its time is.
pub(crate) fn declare(config: &mut Config) -> Result<(), Failure> {
    for pool in &mut config.pools {
        let Some(name) = &pool.profile else { continue };
        let profile = profile_of(pool, name)?;
        let scale = pool.sim.as_ref().map_or(1.0, |sim| sim.time_scale);
        pool.declared = declared(&profile, scale);
    }
    Ok(())
}

/// What is to be expected of an engine with this profile; of whole batches the pool's times tell nothing.
fn declared(profile: &Profile, scale: f64) -> Option<Declared> {
    if profile.whole_batch.is_some() {
        return None;
    }
    let ms = |ns: f64| ns / 1e6 / scale;
    let timing = &profile.capacity.timing;
    Some(match &profile.capacity.outside {
        Some(outside) => Declared::Outside { ttft_ms: ms(outside.ttft_ns), tpot_ms: ms(outside.tpot_ns) },
        None => Declared::Steps(Steps {
            base_ms: ms(timing.base_ns as f64),
            sequence_ms: ms(timing.per_seq_ns as f64),
            context_ms: ms(timing.per_kv_ns as f64) * 1e3,
            prompt_ms: ms(timing.prefill_ns) * 1e3,
            half: timing.prefill_half,
            chunk: f64::from(timing.chunk),
        }),
    })
}

/// A profile by its name, or from a file.
pub(crate) fn profile(name: &str) -> Result<Profile, Failure> {
    if let Some(profile) = Profile::named(name) {
        return Ok(profile);
    }
    let text = std::fs::read_to_string(name).map_err(|error| {
        let names = Profile::names().join(", ");
        Failure::input(anyhow!("{name:?} is neither a GPU profile ({names}) nor a file: {error}"))
    })?;
    Profile::from_toml(&text).map_err(|error| Failure::input(anyhow!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_declares_its_law_in_the_pool_s_own_time() {
        let profile = Profile::named("8b-a100").expect("it is built in");
        let Some(Declared::Steps(steps)) = declared(&profile, 10.0) else { panic!("no steps") };
        assert!(
            (steps.base_ms - 1.07).abs() < 1e-6 && (steps.prompt_ms - 100.0 / 13.0).abs() < 1e-6,
            "{steps:?}"
        );
        assert!(
            (steps.sequence_ms - 0.003).abs() < 1e-9 && (steps.context_ms - 0.008).abs() < 1e-9,
            "{steps:?}"
        );
        let vendor = declared(&Profile::named("api").expect("it is built in"), 1.0);
        assert_eq!(vendor, Some(Declared::Outside { ttft_ms: 600.0, tpot_ms: 20.0 }));
    }
}
