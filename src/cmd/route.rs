//! `sluice route`: decisions without serving, JSON Lines in and out.

mod ask;
mod line;

use super::{EXIT_FAILED, Failure, inputs, say};
use anyhow::Context as _;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Decide for each prompt on stdin which expert gets it; nothing is sent anywhere.
///
/// Reads JSON Lines of {"id","prompt"} or {"id","messages"}, writes one JSON line for each, in order.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"id\":1,\"prompt\":\"What is a tort?\"}' | sluice route --model router.sluice \
                        --prices prices.toml --floor 0.95"
)]
pub(crate) struct Args {
    /// The router model
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Prices of the experts
    #[arg(long, value_name = "FILE")]
    prices: PathBuf,
    /// Experts to choose among [default: all that the model and the prices have]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    experts: Vec<String>,
    /// Promise: mean score of at least this share of the reference's
    #[arg(long, default_value = "0.95", value_parser = inputs::floor, value_name = "Q")]
    floor: f64,
    /// How sure the promise is; 0.5 means no margin
    #[arg(long, default_value = "0.95", value_parser = inputs::confidence, value_name = "C")]
    confidence: f64,
    /// The expert that quality is measured against [default: the best over the model's rows]
    #[arg(long, value_name = "NAME")]
    reference: Option<String>,
    /// Share of the prompts that explore among the certified experts
    #[arg(long, default_value = "0", value_parser = inputs::share, value_name = "SHARE")]
    explore: f64,
    /// Decides which prompts explore
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let router = ask::Router::new(args)?;
    let mut input = BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let (mut bytes, mut decided, mut refused) = (vec![], 0u64, 0u64);
    for number in 1.. {
        let Some(read) = line::read(&mut input, &mut bytes).context("stdin can't be read")? else { break };
        let answer = match read.and_then(line::Prompt::parse) {
            Ok(None) => continue,
            Ok(Some(prompt)) => {
                decided += 1;
                serde_json::to_writer(&mut output, &router.decide(&prompt))
            }
            Err(error) => {
                refused += 1;
                serde_json::to_writer(&mut output, &serde_json::json!({ "line": number, "error": error }))
            }
        };
        answer.map_err(std::io::Error::from).context("stdout can't be written")?;
        output.write_all(b"\n")?;
        if input.buffer().is_empty() {
            output.flush()?; // someone may be waiting for the answer before asking again
        }
    }
    output.flush()?;
    if refused > 0 {
        say(&format!(
            "{refused} of {} lines could not be decided; their errors stand in their places",
            decided + refused
        ));
        return Ok(ExitCode::from(EXIT_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}
