//! `sluice serve`: the gateway, until a signal ends it.

use super::{Failure, print, runtime, say};
use crate::sims::Sims;
use crate::watch::{Changes, Heard, Signals};
use anyhow::Context as _;
use sluice_gateway::config::{self, Config};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Serve requests: gRPC and OpenAI-compatible HTTP on one port.
///
/// SIGHUP or a change of the file (or of its model) reloads; a bad reload keeps the old configuration and says why.
/// SIGTERM or Ctrl-C drains; a second signal ends at once.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice config init > sluice.toml\n  sluice serve --config sluice.toml")]
pub(crate) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    super::init_logging()?;
    runtime()?.block_on(serve(&args.config))
}

async fn serve(path: &Path) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let mut sims = Sims::default();
    let seen = Changes::of(path);
    let mut config = read(path)?;
    let mut changes = seen.and(config.model.as_deref());
    sims.prepare(&mut config).await?;
    let running = sluice_gateway::start_on_cores(config).await.map_err(Failure::input)?;
    print(&format!("sluice ready data={} admin={}", running.data(), running.admin()))?;
    loop {
        let heard = tokio::select! {
            heard = signals.next() => heard,
            () = changes.wait() => Heard::Reload,
        };
        if heard == Heard::End {
            break;
        }
        let seen = Changes::of(path);
        match read(path) {
            Ok(mut config) => {
                changes = seen.and(config.model.as_deref());
                // The gateway tells of a refused configuration by itself; here only the simulated pools can fail.
                match sims.prepare(&mut config).await {
                    Ok(()) => drop(running.reload(config).await),
                    Err(failure) => running.reload_refused(&failure.to_string()),
                }
            }
            Err(failure) => running.reload_refused(&failure.to_string()),
        }
    }
    say("draining: running requests finish, new ones are refused; a second signal ends at once");
    signals.end_at_once_on_second();
    running.drain().await.context("what the journal had not written yet is lost")?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the configuration with this process's environment.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    config::load(path, &super::environment()).map_err(Failure::input)
}
