//! `sluice tune`: what each floor saves and keeps, and a route section to paste.

use super::progress::Progress;
use super::{Failure, inputs, outputs, print, say};
use sluice_lab::corpus::{Corpus, Prices, load_prices};
use sluice_lab::{TuneAsk, TuneError, train, tune, tune_html, tune_table};
use sluice_router::Params;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what each quality floor saves, recommend one, and write a route section to paste.
///
/// Trains a model on the data, or takes one, and sweeps the floor over its out-of-fold calibration rows.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice tune --data graded.jsonl.gz --prices prices.toml --report tune.html\n  \
                        sluice tune --model router.sluice --prices prices.toml --experts small,large --reference large"
)]
pub(crate) struct Args {
    /// Graded outcomes to train on, JSON Lines, gzip or not; with --model only the experts that they grade count
    #[arg(long, required_unless_present = "model", num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Prices of the experts [default: prices.toml beside the data or one folder above it]
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    prices: Option<PathBuf>,
    /// Take this model's calibration rows instead of training one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Experts to choose among [default: all that model and prices have]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    experts: Vec<String>,
    /// The expert that quality is measured against [default: the best over the rows]
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// How sure the promise is; 0.5 means no margin
    #[arg(long, default_value = "0.95", value_parser = inputs::confidence, value_name = "C")]
    confidence: f64,
    /// Decides the folds of training and the draws of the bands
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let prices = match &args.prices {
        Some(path) => load_prices(path).map_err(Failure::input)?,
        None => inputs::prices(None, &args.data)?,
    };
    // Before the work, not after it.
    args.report.iter().try_for_each(|path| outputs::claim(path))?;
    let corpus = if args.data.is_empty() { Corpus::default() } else { inputs::outcomes(&args.data)? };
    let (params, skipped) = model(args, &corpus)?;
    let ask = TuneAsk {
        experts: experts(args, &corpus, &params, &prices)?,
        reference: args.reference.clone(),
        confidence: args.confidence,
        seed: args.seed,
    };
    let mut progress = Progress::new("floors");
    let mut report =
        tune(&params, &prices, &ask, &mut |done, all| progress.at(done, all)).map_err(Failure::input)?;
    report.skipped = skipped;
    if let Some(path) = &args.report {
        outputs::write(path, tune_html(&report).as_bytes())?;
    }
    let shown = if args.json { serde_json::to_string(&report)? } else { tune_table(&report) };
    print(shown.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// The model that was named, else one trained on the data; and which rows of the files had no part in it.
fn model(args: &Args, corpus: &Corpus) -> Result<(Params, BTreeMap<String, usize>), Failure> {
    if let Some(path) = &args.model {
        return Ok((inputs::model(path)?, BTreeMap::new()));
    }
    let (params, mut report) =
        train(&corpus.rows, &[], args.seed, &mut |what| say(what)).map_err(Failure::input)?;
    report
        .skipped
        .iter()
        .for_each(|(reason, rows)| say(&format!("warning: {rows} rows were left out: {reason}")));
    corpus.skipped.iter().for_each(|(reason, rows)| report.skip(reason, *rows));
    Ok((params, report.skipped))
}

/// The experts that were named; else, with data, those of the model that it grades and that have a price.
fn experts(args: &Args, corpus: &Corpus, params: &Params, prices: &Prices) -> Result<Vec<String>, Failure> {
    if !args.experts.is_empty() || corpus.rows.is_empty() {
        return Ok(args.experts.clone());
    }
    let is_graded = |name: &&String| corpus.rows.iter().any(|row| row.outcome(name).is_some());
    let (priced, unpriced): (Vec<&String>, Vec<&String>) =
        params.experts().iter().filter(is_graded).partition(|name| prices.contains_key(*name));
    for name in unpriced {
        say(&format!("warning: expert {name} was left out: no_price"));
    }
    if priced.is_empty() {
        return Err(Failure::input(TuneError::NoExperts));
    }
    Ok(priced.into_iter().cloned().collect())
}
