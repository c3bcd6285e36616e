//! A test in virtual time that is ready to be run, again and again with other numbers of replicas.

use super::book::Book;
use super::{VirtualTime, outage};
use crate::cmd::load::options::Options;
use crate::cmd::load::prepare::{self, wrong};
use crate::cmd::{Failure, environment};
use crate::sims;
use sluice_gateway::config::{self, Config, PoolConfig};
use sluice_gateway::{LONGEST_REQUEST_MS, Offline};
use sluice_load::Sample;
use sluice_load::arrivals::{Asked, Trace, plan};
use sluice_load::measure::{Slo, Tally, Tenant};
use sluice_load::virtual_time::{PoolSpec, Rank, Totals, Window, World, run};
use sluice_router::LineRules;
use sluice_sim::Profile;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The test.
pub(super) struct Test {
    pub(super) config: Config,
    /// The profile of each pool.
    pub(super) profiles: Vec<Profile>,
    pub(super) world: World,
    pub(super) book: Book,
    pub(super) asked: Asked,
    tenants: Vec<String>,
    slo: Option<Slo>,
    weights: Vec<(String, f64)>,
}

/// What came of a run.
pub(super) struct Ran {
    pub(super) tally: Tally,
    pub(super) totals: Totals,
}

impl Test {
    pub(super) fn new(options: &Options, args: &VirtualTime, file: &Path) -> Result<Test, Failure> {
        let mut config = config::load(file, &environment()).map_err(Failure::input)?;
        sims::declare(&mut config)?;
        let profiles = profiles(&config, &args.profile)?;
        let (tenants, shares) = prepare::tenants(&options.arrivals.tenants)?;
        let trace = options.arrivals.trace.as_deref().map(Trace::load).transpose().map_err(Failure::input)?;
        let trace = trace.map(Arc::new);
        let asked = prepare::asked(options, trace.clone(), shares);
        plan(&asked).map_err(wrong)?;
        let (prompts, _) = prepare::prompts(options, trace)?;
        let offline = Offline::new(&config).map_err(Failure::input)?;
        let mut book = Book::new(offline, &config, options, prompts)?;
        if let Some(skills) = &args.skills {
            book.make_up_skills(skills.clone(), options.seed)?;
        }
        let mut pools: Vec<PoolSpec> =
            config.pools.iter().zip(&profiles).map(|(pool, profile)| spec(pool, profile)).collect();
        for text in &args.replicas {
            let (pool, count) = pool_value(&config, "--replicas", text)?;
            let count = count.parse().ok().filter(|count| (1..=65_536).contains(count));
            pools[pool].line.replicas =
                count.ok_or_else(|| wrong(format!("--replicas {text:?}: give a number from 1 to 65536")))?;
        }
        let patience = prepare::seconds("--timeout", options.sending.timeout)?;
        let told = args.deadline.map(|s| prepare::seconds("--deadline", s)).transpose()?;
        let patience = told.map_or(patience, |told| told.min(patience));
        let deadline = patience.min(Duration::from_millis(LONGEST_REQUEST_MS));
        let world = World {
            outages: outage::read(&config, &pools, &args.outage)?,
            pools,
            seed: options.seed,
            deadline: nanos(deadline),
            tells_deadline: told.is_some(),
            tenants: tenants.iter().map(|name| rank(&options.measures.weights, name)).collect(),
            is_conversational: options.arrivals.turns.is_some(),
        };
        Ok(Test {
            config,
            profiles,
            world,
            book,
            asked,
            tenants,
            slo: options.measures.slo.clone(),
            weights: options.measures.weights.clone(),
        })
    }

    /// Runs the test from its beginning.
    pub(super) fn run(&mut self) -> Result<Ran, Failure> {
        let mut arrivals = plan(&self.asked).map_err(wrong)?;
        let weight = |name: &String| {
            let given = self.weights.iter().find(|(other, _)| other == name);
            given.map_or(1.0, |(_, weight)| *weight)
        };
        let tenants = self.tenants.iter().map(|name| Tenant { name: name.clone(), weight: weight(name) });
        let mut tally = Tally::new(self.slo.clone(), tenants.collect());
        let mut sink = |sample: Sample| tally.add(&sample);
        let totals = run(&self.world, &mut self.book, &mut *arrivals, &mut sink);
        Ok(Ran { tally, totals })
    }
}

/// A tenant with its weight, in hundredths.
fn rank(weights: &[(String, f64)], name: &str) -> Rank {
    let weight = weights.iter().find(|(other, _)| other == name).map_or(1.0, |(_, weight)| *weight);
    Rank { weight: ((weight * 100.0).round() as u32).max(1), ..Rank::default() }
}

fn spec(pool: &PoolConfig, profile: &Profile) -> PoolSpec {
    let replicas = pool.sim.as_ref().map_or(pool.endpoints.len(), |sim| sim.replicas as usize);
    let balancer = sluice_router::balancer(&pool.balance).expect("the configuration names known balancers");
    PoolSpec {
        line: LineRules {
            replicas,
            max_concurrency: pool.max_concurrency,
            limit: pool.limit,
            max_queue: pool.max_queue,
            max_queue_bytes: pool.max_queue_bytes,
            balancer: balancer.pick,
            prefix_tokens: pool.prefix_tokens,
            declared: pool.declared,
        },
        capacity: profile.capacity,
        window: pool.window.zip(profile.whole_batch).map(|(rules, law)| Window { rules, law }),
        engine_queue: sluice_sim::SimConfig::new(profile.clone()).max_queue,
        first_token_timeout: nanos(pool.first_token_timeout),
    }
}

/// Each pool's profile: what `--profile` says, else the configuration.
fn profiles(config: &Config, given: &[String]) -> Result<Vec<Profile>, Failure> {
    let mut named: Vec<Option<String>> =
        config.pools.iter().map(|pool| pool.sim.as_ref().map(|sim| sim.profile.clone())).collect();
    for text in given {
        let (pool, profile) = pool_value(config, "--profile", text)?;
        named[pool] = Some(profile.to_owned());
    }
    let profile = |(pool, name): (&PoolConfig, Option<String>)| {
        let name = name.ok_or_else(|| {
            wrong(format!(
                "pool {:?} has real engines; say what simulates them: --profile {}=NAME ({})",
                pool.name,
                pool.name,
                Profile::names().join(", ")
            ))
        })?;
        let profile = sims::profile_of(pool, &name)?;
        sims::check_batches(pool, &profile)?;
        Ok(profile)
    };
    config.pools.iter().zip(named).map(profile).collect()
}

/// Pool and value of `POOL=VALUE`.
fn pool_value<'a>(config: &Config, option: &str, text: &'a str) -> Result<(usize, &'a str), Failure> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong(format!("{option} {text:?}: write POOL=...")))?;
    Ok((pool_at(config, option, name)?, value))
}

/// The pool with this name.
pub(super) fn pool_at(config: &Config, option: &str, name: &str) -> Result<usize, Failure> {
    let found = config.pools.iter().position(|pool| pool.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = config.pools.iter().map(|pool| pool.name.as_str()).collect();
        wrong(format!("{option}: no pool is called {name:?}; there are {}", names.join(", ")))
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
