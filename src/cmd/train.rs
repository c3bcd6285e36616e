//! `sluice train`: graded outcomes become a router model, or add an expert to one.

mod add;

use super::{Failure, inputs, outputs, print, say};
use anyhow::Context as _;
use sluice_lab::corpus::{Prices, load_domains};
use sluice_lab::{TrainReport, train, train_table};
use std::path::PathBuf;
use std::process::ExitCode;

/// Fit a router model from graded outcomes and domain texts.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice train --data graded/*.jsonl.gz --domains domains/*.jsonl.gz --prices prices.toml \
                        --out router.sluice\n  sluice train --add new-7b --data new.jsonl --prices prices.toml --out router.sluice"
)]
pub(crate) struct Args {
    /// Graded outcomes, JSON Lines, gzip or not
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Texts with their domain, JSON Lines, gzip or not
    #[arg(long, num_args = 1.., value_name = "FILE")]
    domains: Vec<PathBuf>,
    /// Prices of the experts [default: prices.toml beside the data or one folder above it]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Add this one expert to a fitted model, from a hundred grades or more; the rest of the model stays as it is
    #[arg(long, value_name = "EXPERT", conflicts_with = "domains")]
    add: Option<String>,
    /// The model that the expert is added to [default: the one at --out]
    #[arg(long, value_name = "FILE", requires = "add")]
    model: Option<PathBuf>,
    /// Where the model goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Decides how rows are split into folds
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let prices = inputs::prices(args.prices.as_deref(), &args.data)?;
    // Before the minutes of work, not after them.
    let day = today(super::environment().get(EPOCH).map(String::as_str)).map_err(Failure::input)?;
    outputs::claim(&args.out)?;
    if let Some(expert) = &args.add {
        return add::run(args, expert, &prices, day);
    }
    let corpus = inputs::outcomes(&args.data)?;
    let texts = load_domains(&args.domains).map_err(Failure::input)?;
    let (params, mut report) =
        train(&corpus.rows, &texts, args.seed, &mut |what| say(what)).map_err(Failure::input)?;
    warn(&report, &prices);
    for (reason, rows) in &corpus.skipped {
        report.skip(reason, *rows);
    }
    let params = params.dated(day)?;
    outputs::write(&args.out, &params.to_bytes())?;
    let shown = if args.json { serde_json::to_string(&report)? } else { train_table(&report) };
    print(shown.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Days since 1970-01-01 UTC. Reproducible builds name the time themselves.
fn today(epoch: Option<&str>) -> Result<u32, anyhow::Error> {
    let seconds = match epoch {
        Some(text) => text
            .parse()
            .with_context(|| format!("{EPOCH} is {text:?}; whole seconds since 1970-01-01 UTC are wanted"))?,
        None => std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
    };
    Ok(u32::try_from(seconds / SECONDS_A_DAY).unwrap_or(0))
}

fn warn(report: &TrainReport, prices: &Prices) {
    for (reason, rows) in &report.skipped {
        say(&format!("warning: {rows} rows were left out: {reason}"));
    }
    let missing: Vec<&str> =
        report.experts.keys().filter(|name| !prices.contains_key(*name)).map(String::as_str).collect();
    if !missing.is_empty() {
        say(&format!(
            "warning: no price for {}; they are in the model, but can't be routed to until they have one",
            missing.join(", ")
        ));
    }
}

/// The variable by which a reproducible build names its time: <https://reproducible-builds.org/specs/source-date-epoch/>.
const EPOCH: &str = "SOURCE_DATE_EPOCH";
const SECONDS_A_DAY: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_that_a_reproducible_build_names() {
        assert_eq!(today(Some("1795564799")).expect("a number"), 20_781);
        assert_eq!(today(Some("1795564800")).expect("a number"), 20_782);
        assert!(today(None).expect("a clock") > 20_000);
        assert!(today(Some("yesterday")).expect_err("no number").to_string().contains("whole seconds"));
    }
}
