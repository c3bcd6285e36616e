//! `sluice load`: a load test of a gateway or an engine.

mod compare;
mod measures;
mod merge;
mod once;
mod options;
mod prepare;
mod show;
mod sim;
mod test;
mod view;

use self::options::Options;
use crate::cmd::Failure;
use anyhow::anyhow;
use std::process::ExitCode;

/// Load-tests a gateway or an engine: latency, errors, cost and quality, measured as its users meet them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    sim: sim::VirtualTime,
}

/// What can be done with runs that are over.
#[derive(clap::Subcommand)]
enum What {
    Compare(compare::Args),
    Merge(merge::Args),
}

const EXAMPLES: &str = "Examples:
  sluice load --target grpc://127.0.0.1:8080 --rate 50 --duration 30
  sluice load --target http://127.0.0.1:8000/v1 --model qwen --concurrency 16 --requests 500 \\
    --input-tokens 512 --output-tokens 128 --extra '{\"ignore_eos\":true}'
  sluice load --target grpc://127.0.0.1:8080 --trace azure.csv --speed 4 --json
  sluice load --target grpc://127.0.0.1:8080 --rate 20 --duration 60 --prompts graded.jsonl.gz --report run.html \\
    --fail-if 'cost_per_1k>0.5'
  sluice load --target grpc://127.0.0.1:8080 --find-max --slo ttft_p99=500ms,tpot_p95=50ms --sweep 6
  sluice load compare before.json after.json
  sluice load --sim sluice.toml --trace azure.csv --slo ttft_p99=1s --capacity
  sluice load --scenario benches/scenarios/bursty.toml";

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        Some(What::Compare(args)) => return compare::run(args),
        Some(What::Merge(args)) => return merge::run(args),
        None => {}
    }
    let resolved = sim::resolve(args)?;
    let args = resolved.as_ref().unwrap_or(args);
    match &args.sim.sim {
        Some(config) => sim::run(&args.options, &args.sim, config),
        None if args.options.target.is_empty() => Err(Failure::input(anyhow!(
            "what to test? give --target grpc://HOST:PORT or http://HOST:PORT, --sim CONFIG or --scenario FILE; --help shows examples"
        ))),
        None => test::run(&args.options),
    }
}
