//! The `sluice` binary: arguments to one command, its result to an exit code.

mod cmd;
mod demo;
mod replay;
mod sims;
mod watch;

use clap::Parser as _;
use std::process::ExitCode;

/// Requests allocate on one thread what the journal's frees on another, which is what this one is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cmd::Cli::try_parse() {
        Ok(cli) => cmd::run(cli),
        Err(error) => {
            // Help and version go to stdout and end with 0, mistakes to stderr and end with 2.
            let code = if error.use_stderr() { cmd::EXIT_INPUT } else { 0 };
            error.print().map_or(ExitCode::from(cmd::EXIT_FAILED), |()| ExitCode::from(code))
        }
    }
}
