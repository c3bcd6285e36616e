//! `sluice eval`: a model measured on graded outcomes.

use super::{Failure, inputs, print, say};
use sluice_lab::corpus::load_outcomes;
use sluice_lab::{EvalAsk, eval_table, evaluate};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measure a model on graded outcomes that it was not trained on.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice eval --model router.sluice --data unseen.jsonl.gz --prices prices.toml \
                        --floors 0.9,0.95,0.98"
)]
pub(crate) struct Args {
    /// The model to measure
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Graded outcomes, JSON Lines, gzip or not
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Prices of the experts [default: prices.toml beside the data or one folder above it]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Experts to choose among [default: all that data, model and prices have]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    experts: Vec<String>,
    /// The expert that quality is measured against [default: the best over the rows]
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// Floors to certify
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.95,0.98", value_parser = inputs::floor, value_name = "Q,...")]
    floors: Vec<f64>,
    /// How sure the promise is; 0.5 means no margin
    #[arg(long, default_value = "0.95", value_parser = inputs::confidence, value_name = "C")]
    confidence: f64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let params = inputs::model(&args.model)?;
    let prices = inputs::prices(args.prices.as_deref(), &args.data)?;
    let corpus = load_outcomes(&args.data).map_err(Failure::input)?;
    let ask = EvalAsk {
        experts: args.experts.clone(),
        reference: args.reference.clone(),
        floors: args.floors.clone(),
        confidence: args.confidence,
    };
    let mut report = evaluate(&params, &corpus.rows, &prices, &ask).map_err(Failure::input)?;
    for (reason, rows) in corpus.skipped {
        *report.skipped.entry(reason).or_default() += rows;
    }
    for (reason, rows) in &report.skipped {
        say(&format!("warning: {rows} rows were left out: {reason}"));
    }
    if args.json && report.seen_rows > 0 {
        say(&format!(
            "warning: the model was trained on {} of these rows; figures over them flatter it",
            report.seen_rows
        ));
    }
    let shown = if args.json { serde_json::to_string(&report)? } else { eval_table(&report) };
    print(shown.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
