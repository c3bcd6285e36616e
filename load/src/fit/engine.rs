//! The engine that a profile is fitted to, over a wire.

use super::FitError;
use super::probe::Probe;
use crate::arrivals::{Asked, Trace, plan};
use crate::drive::{Gauge, Run, Why, drive};
use crate::prompts::{Generated, Prompts};
use crate::sample::{End, Sample};
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// Where requests go.
#[derive(Clone)]
pub struct Engine {
    /// The client.
    pub target: Arc<dyn Target>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Engine {
    /// Makes a probe; again when a request of it failed, as one lost connection must not end minutes of work.
    pub(super) async fn probe(&self, probe: Probe) -> Result<Vec<Sample>, FitError> {
        const TRIES: u64 = 4;
        let mut failed = FitError::Failed(String::new());
        for again in 0..TRIES {
            let seed = probe.seed ^ (again << 32);
            let samples = self.burst(Probe { seed, ..probe }).await?;
            match samples.iter().try_for_each(usable) {
                Ok(()) => return Ok(samples),
                Err(FitError::Failed(code)) => failed = FitError::Failed(code),
                Err(other) => return Err(other),
            }
        }
        Err(failed)
    }

    async fn burst(&self, probe: Probe) -> Result<Vec<Sample>, FitError> {
        let prompts = Generated::fixed(probe.seed, probe.input, Some(probe.output));
        let asked = Asked {
            seed: probe.seed,
            concurrency: Some(probe.users),
            requests: Some(probe.users as u64),
            ..Asked::default()
        };
        self.ask(&asked, Arc::new(prompts)).await
    }

    /// Sends the requests of `mix`, at random times at this rate. Up to one in twenty may fail; these are left out.
    pub(super) async fn load(&self, seed: u64, rate: f64, mix: Trace) -> Result<Vec<Sample>, FitError> {
        let requests = Some(mix.rows.len() as u64);
        let asked = Asked { seed, rate: Some(rate), requests, ..Asked::default() };
        let mut samples = self.ask(&asked, Arc::new(Generated::like(seed, Arc::new(mix)))).await?;
        let failure = samples.iter().find_map(|sample| usable(sample).err());
        let sent = samples.len();
        samples.retain(|sample| usable(sample).is_ok());
        match failure {
            Some(failure) if samples.len() * 20 < sent * 19 => Err(failure),
            _ => Ok(samples),
        }
    }

    async fn ask(&self, asked: &Asked, prompts: Arc<dyn Prompts>) -> Result<Vec<Sample>, FitError> {
        const MOST_OPEN: usize = 10_000;
        let run = Run {
            arrivals: plan(asked).map_err(FitError::Plan)?,
            prompts,
            target: self.target.clone(),
            tenants: Vec::new(),
            reference: None,
            is_conversational: false,
            max_open: MOST_OPEN,
            timeout: self.timeout,
            give_up_after: Duration::from_secs(2),
            gauge: Arc::new(Gauge::default()),
        };
        let mut samples = Vec::new();
        let ended = drive(run, std::future::pending(), &mut |sample| samples.push(sample)).await;
        if let Why::TargetGone(detail) = ended.why {
            return Err(FitError::Gone(detail));
        }
        Ok(samples)
    }
}

/// Whether an answer can be fitted to.
fn usable(sample: &Sample) -> Result<(), FitError> {
    match &sample.end {
        End::Failed { code, .. } => return Err(FitError::Failed(code.clone())),
        End::Done | End::Cancelled => {}
    }
    match sample.input_tokens {
        0 => Err(FitError::Uncounted),
        _ if sample.first.is_none() => Err(FitError::Whole),
        _ => Ok(()),
    }
}
