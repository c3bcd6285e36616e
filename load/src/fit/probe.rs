//! What an engine is asked so that its law can be told, and what its answers show.

use super::law::{Decode, Prefill};
use crate::sample::Sample;

/// A burst: so many requests at once, all alike, on an idle engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// Requests.
    pub(super) users: usize,
    /// Tokens of each prompt, at four characters a token.
    pub(super) input: u32,
    /// Tokens of each answer.
    pub(super) output: u32,
    /// Makes the prompts: no two probes share one, so that no prefix cache answers.
    pub(super) seed: u64,
}

/// How far an engine is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The longest prompt, at four characters a token.
    pub input: u32,
    /// The longest answer.
    pub output: u32,
    /// The most requests at once.
    pub users: usize,
    /// How often each probe is made; the median counts.
    pub repeats: usize,
    /// Everything random comes from here.
    pub seed: u64,
}

impl Reach {
    /// The lengths of prompts that are tried.
    pub fn inputs(&self) -> Vec<u32> {
        let mut inputs: Vec<u32> = [8, 4, 2, 1].map(|part| (self.input / part).max(1)).to_vec();
        inputs.dedup();
        inputs
    }
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Time per token.
    pub decodes: Vec<Decode>,
    /// Time to first token alone.
    pub prefills: Vec<Prefill>,
    /// Most sequences that made tokens at the same time.
    pub most_running: usize,
    /// Whether more were asked at once than ran.
    pub is_full: bool,
}

/// Tries an engine: alone with each length of prompt, then with twice as many at once until some have to wait.
///
/// # Errors
/// Whatever `ask` says.
pub(super) async fn probe<E>(
    reach: &Reach,
    mut ask: impl AsyncFnMut(Probe) -> Result<Vec<Sample>, E>,
) -> Result<Seen, E> {
    let mut seen = Seen { most_running: 1, ..Seen::default() };
    let mut seed = reach.seed;
    let mut repeated = async |users: usize, input: u32| {
        let mut all = Vec::new();
        for _ in 0..reach.repeats.max(1) {
            seed = seed.wrapping_add(1);
            all.push(ask(Probe { users, input, output: reach.output, seed }).await?);
        }
        Ok(all)
    };
    for input in reach.inputs() {
        let runs = repeated(1, input).await?;
        seen.prefills.extend(middle(runs.iter().filter_map(|run| alone(run)), |seen| seen.ttft_ns));
        seen.decodes.extend(middle(runs.iter().filter_map(|run| together(run)), |seen| seen.step_ns));
    }
    let mut users = 2;
    while users <= reach.users && !seen.is_full {
        let mut most = 0;
        for input in [reach.input / 8, reach.input] {
            let runs = repeated(users, input.max(1)).await?;
            most = runs.iter().map(|run| overlap(run)).fold(most, usize::max);
            seen.decodes.extend(middle(runs.iter().filter_map(|run| together(run)), |seen| seen.step_ns));
        }
        seen.most_running = seen.most_running.max(most);
        seen.is_full = most < users;
        users *= 2;
    }
    Ok(seen)
}

/// The one in the middle by `key`.
fn middle<T: Copy>(all: impl Iterator<Item = T>, key: impl Fn(&T) -> f64) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by(|a, b| key(a).total_cmp(&key(b)));
    all.get(all.len().checked_sub(1)? / 2).copied()
}

fn alone(samples: &[Sample]) -> Option<Prefill> {
    let sample = samples.first()?;
    let ttft = sample.first?.saturating_sub(sample.planned.at);
    Some(Prefill { tokens: f64::from(sample.input_tokens), ttft_ns: ttft as f64 })
}

/// Fewer steps say too little.
const LEAST_STEPS: usize = 4;

/// The stretch from the last one's first token to the first one's last token: all make tokens, no prompt is in work.
fn together(samples: &[Sample]) -> Option<Decode> {
    let from = samples.iter().map(|sample| sample.first).collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let until = samples.iter().map(|sample| sample.last).collect::<Option<Vec<_>>>()?.into_iter().min()?;
    let (mut context, mut step_ns) = (0.0, 0.0);
    for sample in samples {
        let times = times(sample);
        let begin = times.iter().position(|at| *at >= from)?;
        let end = times.iter().rposition(|at| *at <= until)?;
        if end < begin + LEAST_STEPS {
            return None;
        }
        // A piece may hold more than one token.
        let tokens_per_piece = f64::from(sample.output_tokens.max(2) - 1) / (times.len() - 1) as f64;
        let steps = (end - begin) as f64 * tokens_per_piece;
        step_ns += (times[end] - times[begin]) as f64 / steps / samples.len() as f64;
        context += f64::from(sample.input_tokens) + 0.5 + (begin + end) as f64 / 2.0 * tokens_per_piece;
    }
    Some(Decode { running: samples.len() as f64, context, step_ns })
}

/// When each piece of an answer came.
fn times(sample: &Sample) -> Vec<u64> {
    let mut at = sample.first.unwrap_or(0);
    let rest = sample.gaps_us.iter().map(|gap| {
        at += u64::from(*gap) * 1_000;
        at
    });
    let mut times: Vec<u64> = sample.first.into_iter().collect();
    times.extend(rest.collect::<Vec<_>>());
    times
}

/// Most answers that were between their first and their last token at the same time.
fn overlap(samples: &[Sample]) -> usize {
    let spans = samples.iter().filter_map(|sample| Some((sample.first?, sample.last?)));
    // At the same moment an end comes before a start.
    let mut turns: Vec<(u64, i64)> = spans.flat_map(|(first, last)| [(first, 1), (last, -1)]).collect();
    turns.sort_unstable();
    let (mut now, mut most) = (0i64, 0i64);
    for (_, turn) in turns {
        now += turn;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}
