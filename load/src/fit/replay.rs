//! A simulated worker as an engine: requests in, samples out, in virtual time.

use crate::sample::{End, FaultKind, Planned, Sample, Who};
use sluice_sim::{Capacity, Event, Pool};
use std::collections::BTreeMap;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    /// When it comes, in nanoseconds.
    pub(super) at: u64,
    /// Prompt tokens.
    pub(super) input: u32,
    /// Tokens of the answer.
    pub(super) output: u32,
}

impl Job {
    /// The request that a sample was.
    pub(super) fn of(sample: &Sample) -> Job {
        Job { at: sample.planned.at, input: sample.input_tokens, output: sample.output_tokens }
    }
}

/// What becomes of `jobs`, which are in order of time. Each reaches the worker `overhead_ns` after it came.
pub(super) fn replay(capacity: Capacity, overhead_ns: u64, jobs: &[Job]) -> Vec<Sample> {
    let mut pool = Pool::new(capacity);
    let mut open: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut samples = Vec::with_capacity(jobs.len());
    let mut coming = (0..).zip(jobs).peekable();
    loop {
        let due = coming.peek().map(|(_, job)| job.at + overhead_ns);
        // Begins the next step, if there is anything to do.
        let ends = pool.next_event().and(pool.step_ends());
        let Some(now) = [due, ends].into_iter().flatten().min() else { return samples };
        for event in pool.step(now) {
            let (Event::First { id, at, .. } | Event::Finished { id, at }) = event;
            let job = jobs[usize::try_from(id).unwrap_or(0)];
            let times = open.entry(id).or_default();
            if times.len() < job.output.max(1) as usize {
                times.push(at);
            }
            if matches!(event, Event::Finished { .. }) {
                samples.push(sample(id, job, &open.remove(&id).unwrap_or_default()));
            }
        }
        for (id, times) in &mut open {
            if pool.produced(*id).is_some_and(|made| made as usize > times.len()) {
                times.push(now);
            }
        }
        while let Some((id, job)) = coming.next_if(|(_, job)| job.at + overhead_ns <= now) {
            if pool.submit(id, job.input, job.output).is_err() {
                samples.push(sample(id, *job, &[]));
            }
        }
    }
}

/// The sample of a request whose tokens came at `times`; without any it was too long for the worker.
fn sample(n: u64, job: Job, times: &[u64]) -> Sample {
    let gap = |pair: &[u64]| u32::try_from((pair[1] - pair[0]) / 1_000).unwrap_or(u32::MAX);
    let too_long = End::Failed { kind: FaultKind::Request, code: "context_length_exceeded".to_owned() };
    Sample {
        n,
        planned: Planned { at: job.at, ..Planned::default() },
        sent: job.at,
        first: times.first().copied(),
        last: times.last().copied(),
        ended: times.last().copied().unwrap_or(job.at),
        gaps_us: times.windows(2).map(gap).collect(),
        input_tokens: job.input,
        cached_tokens: 0,
        output_tokens: u32::try_from(times.len()).unwrap_or(u32::MAX),
        who: Who::default(),
        end: if times.is_empty() { too_long } else { End::Done },
        cost_nanousd: None,
        baseline_nanousd: None,
        quality: None,
        reference_quality: None,
        queued: None,
    }
}
