//! Fits a profile of the simulator to a real engine, and says how well it fits.
//!
//! Bursts on an idle engine (`probe`) show its time per token by batch and context, its time to first token by length
//! of prompt, and how many sequences it runs at once; least squares (`law`) turn these into the parameters. Then the
//! same random arrivals go to the engine and to the profile, at three loads (`check`).

mod check;
mod engine;
mod law;
mod least;
mod probe;
mod replay;
mod report;

pub use check::{Figures, Round, Row};
pub use engine::Engine;
pub use law::{Law, Unclear};
pub use probe::{Reach, Seen};
pub use report::{Load, Report};

use self::replay::Job;
use sluice_sim::ProfileError;

/// What is known of the engine beside what is measured, and how much is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// How far it is tried.
    pub reach: Reach,
    /// The most sequences it runs at once, where known; else as seen.
    pub max_seqs: Option<usize>,
    /// Tokens of context that fit in its memory; can't be seen from outside.
    pub kv_tokens: Option<u64>,
    /// Tokens of one step at most.
    pub batch_tokens: u32,
    /// Runs of each load.
    pub runs: usize,
    /// Requests of each run.
    pub requests: usize,
    /// The model, for people.
    pub about: String,
    /// Where the figures are from, for people.
    pub source: String,
}

/// A fit that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The engine can't be reached any more.
    #[error("the engine can't be reached any more: {0}")]
    Gone(String),
    /// It failed a request.
    #[error("the engine failed a request: {0}; an engine is fitted only while it answers everything")]
    Failed(String),
    /// It doesn't count tokens.
    #[error("the engine doesn't say how many tokens a prompt has (stream_options.include_usage)")]
    Uncounted,
    /// It doesn't stream.
    #[error("an answer came without a piece of text; answers must stream, and --extra may need ignore_eos")]
    Whole,
    /// The answers say too little.
    #[error(transparent)]
    Unclear(#[from] Unclear),
    /// The law is no profile.
    #[error("what was measured makes no profile: {0}")]
    Profile(#[from] ProfileError),
    /// A plan that can't be made.
    #[error("{0}")]
    Plan(String),
}

/// The loads of a check, as shares of what the profile can do at most.
const LOADS: [(&str, f64); 3] = [("low", 0.2), ("middle", 0.5), ("near saturation", 0.8)];

/// Fits a profile and checks it. `say` is told what is done next.
///
/// # Errors
/// [`FitError`] with what is wrong.
pub async fn fit(engine: &Engine, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Report, FitError> {
    say("warming up");
    let reach = options.reach;
    let warm = Reach { users: 1, repeats: 1, seed: !reach.seed, ..reach };
    probe::probe(&warm, |probe| engine.probe(probe)).await?;
    say("probing: each length of prompt alone, then more and more at once");
    let seen = probe::probe(&reach, |probe| engine.probe(probe)).await?;
    let law = law::law(&seen.decodes, &seen.prefills)?;
    let mut report = Report::new(law, &seen, options)?;
    let (capacity, overhead) = (report.profile.capacity, report.overhead_ns());
    let inputs = reach.inputs();
    let mix = |seed| check::mix(seed, options.requests, &inputs, reach.output);
    let per_token = tokens_per_token(&inputs, &seen);
    let jobs: Vec<Job> = mix(reach.seed)
        .rows
        .iter()
        .map(|row| Job { at: 0, input: per_token(row.input_tokens), output: row.output_tokens })
        .collect();
    let most = check::saturation(capacity, &jobs);
    report.most_rps = most;
    report.loads = LOADS.map(|(name, share)| Load::new(name, most * share)).into();
    // Load after load within a round, so that whatever else the machine does falls on all of them.
    for run in 0..options.runs as u64 {
        for (number, load) in (0..).zip(&mut report.loads) {
            say(&format!("checking: run {} of {}, {:.2} requests/s", run + 1, options.runs, load.rate_rps));
            let seed = reach.seed ^ ((run + 1) << 32 | (number + 1) << 48);
            let samples = engine.load(seed, load.rate_rps, mix(seed)).await?;
            load.failed += options.requests - samples.len();
            load.rounds.extend(Round::of(&samples, capacity, overhead));
        }
    }
    report.summarise();
    Ok(report)
}

/// From tokens at four characters each to the engine's own, between those lengths that were tried.
fn tokens_per_token(inputs: &[u32], seen: &Seen) -> impl Fn(u32) -> u32 {
    let known: Vec<(u32, u32)> = inputs
        .iter()
        .zip(&seen.prefills)
        .map(|(asked, seen)| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count that was a u32"
            )]
            let counted = seen.tokens as u32;
            (*asked, counted)
        })
        .collect();
    move |asked| known.iter().find(|(input, _)| *input == asked).map_or(asked, |(_, counted)| *counted)
}

#[cfg(test)]
mod tests;
