//! `sluice eval`: a model measured on graded outcomes.

use super::progress::Progress;
use super::{Failure, inputs, outputs, print, say};
use anyhow::anyhow;
use sluice_lab::{EvalAsk, EvalReport, Scorecards, eval_table, evaluate, perturb};
use sluice_lab::{scorecard_markdown, scorecard_svg};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measure a model on graded outcomes that it was not trained on.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice eval --model router.sluice --data unseen.jsonl.gz --prices prices.toml \
                        --floors 0.9,0.95,0.98\n  sluice eval --model router.sluice --data unseen.jsonl.gz --scorecard card.svg \
                        --perturb\n\nExample of a scorecard's JSON: sluice eval ... --json | jq .scorecards.slices[0]"
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
    /// Write each expert's card by domain, language and difficulty: .md, .svg (a heat map) or .json; may be repeated
    #[arg(long, value_name = "FILE", value_parser = scorecard_file)]
    scorecard: Vec<PathBuf>,
    /// Also ask in other words (case, politeness, order of options, system prompt), and say how many decisions flip
    #[arg(long)]
    perturb: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let params = inputs::model(&args.model)?;
    let prices = inputs::prices(args.prices.as_deref(), &args.data)?;
    args.scorecard.iter().try_for_each(|path| outputs::claim(path))?;
    let corpus = inputs::outcomes(&args.data)?;
    let ask = EvalAsk {
        experts: args.experts.clone(),
        reference: args.reference.clone(),
        floors: args.floors.clone(),
        confidence: args.confidence,
    };
    let mut report = evaluate(&params, &corpus.rows, &prices, &ask).map_err(Failure::input)?;
    if args.perturb {
        let mut progress = Progress::new("other wordings");
        let perturbed =
            perturb(&params, &corpus.rows, &prices, &ask, &mut |done, all| progress.at(done, all));
        report.perturb = Some(perturbed.map_err(Failure::input)?);
    }
    warn(&report, args.json);
    for (reason, rows) in corpus.skipped {
        report.skip(&reason, rows);
    }
    for path in &args.scorecard {
        outputs::write(path, &scorecard(&report.scorecards, path)?)?;
    }
    let shown = if args.json { serde_json::to_string(&report)? } else { eval_table(&report) };
    print(shown.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// What a reader of the figures must know, on stderr; the table says the rest itself.
fn warn(report: &EvalReport, json: bool) {
    for (reason, rows) in &report.skipped {
        say(&format!("warning: {rows} rows were left out: {reason}"));
    }
    for (name, reason) in &report.left_out {
        say(&format!("warning: expert {name} was left out: {reason}"));
    }
    if json && report.seen_rows > 0 {
        say(&format!(
            "warning: the model was trained on {} of these rows; figures over them flatter it",
            report.seen_rows
        ));
    }
}

fn scorecard(cards: &Scorecards, path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(match extension(path) {
        Some("md") => scorecard_markdown(cards),
        Some("svg") => scorecard_svg(cards),
        _ => serde_json::to_string_pretty(cards)? + "\n",
    }
    .into_bytes())
}

/// A file whose name says what form it has.
fn scorecard_file(text: &str) -> Result<PathBuf, anyhow::Error> {
    let path = PathBuf::from(text);
    match extension(&path) {
        Some("md" | "svg" | "json") => Ok(path),
        _ => Err(anyhow!("a file that ends in .md, .svg or .json is wanted")),
    }
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}
