//! `sluice load`: a load test of a gateway or an engine.

mod options;
mod prepare;
mod show;
mod stop;

use self::options::Options;
use crate::cmd::{EXIT_FAILED, Failure, complain, runtime, say};
use sluice_load::{Ended, Sample, Why, drive};
use std::process::ExitCode;

/// Load-tests a gateway or an engine: latency, errors, cost and quality, measured as its users meet them
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "Examples:
  sluice load --target grpc://127.0.0.1:8080 --rate 50 --duration 30
  sluice load --target http://127.0.0.1:8000/v1 --model qwen --concurrency 16 --requests 500 \\
    --input-tokens 512 --output-tokens 128 --extra '{\"ignore_eos\":true}'
  sluice load --target grpc://127.0.0.1:8080 --trace azure.csv --speed 4 --json
  sluice load --target grpc://127.0.0.1:8080 --rate 20 --duration 60 --prompts graded.jsonl.gz";

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let options = &args.options;
    let runtime = runtime()?;
    let test = runtime.block_on(async { prepare::test(options) })?;
    runtime.block_on(prepare::reach(&options.target))?;
    let mut samples = Vec::new();
    let stop = stop::told_to_stop();
    let ended = runtime.block_on(drive(test, stop, &mut |sample: Sample| samples.push(sample)));
    let code = told(&ended, options);
    show::summary(&samples, &ended, options.json)?;
    Ok(code)
}

/// Says why a run ended early, and the exit code for it.
fn told(ended: &Ended, options: &Options) -> ExitCode {
    ended.overhead.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    match &ended.why {
        Why::Complete => ExitCode::SUCCESS,
        Why::Stopped => {
            say(&format!(
                "stopped; {} requests under way were cancelled and are not counted",
                ended.unfinished
            ));
            ExitCode::SUCCESS
        }
        Why::TargetGone(detail) => {
            complain(&format!(
                "{} could not be reached for {} s, so the run ended early: {detail}; the figures are of what came before",
                options.target, options.give_up_after
            ));
            ExitCode::from(EXIT_FAILED)
        }
    }
}
