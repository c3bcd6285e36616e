//! `sluice load compare`: two runs beside each other.

use crate::cmd::{EXIT_GATE, Failure, complain, print};
use sluice_load::compare::{Side, compare, compare_table};
use std::path::PathBuf;
use std::process::ExitCode;

/// Compare two runs: what changed, and whether chance alone explains it
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice load compare before.json after.json --fail-if-worse")]
pub(crate) struct Args {
    /// The run before, from --save (or --json, which has less to say)
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The run after
    #[arg(value_name = "B")]
    b: PathBuf,
    /// End with 3 when a figure is significantly worse in B
    #[arg(long)]
    fail_if_worse: bool,
    /// One JSON object on stdout instead of the table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let side = |path: &PathBuf| Side::load(path).map_err(Failure::input);
    let comparison = compare(&side(&args.a)?, &side(&args.b)?);
    let shown = if args.json { serde_json::to_string(&comparison)? } else { compare_table(&comparison) };
    print(shown.trim_end())?;
    if args.fail_if_worse && !comparison.worse.is_empty() {
        complain(&format!("significantly worse: {}", comparison.worse.join(", ")));
        return Ok(ExitCode::from(EXIT_GATE));
    }
    Ok(ExitCode::SUCCESS)
}
