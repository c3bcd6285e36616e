//! `sluice config`: check a file, print its schema, write a starter, take prices over.

mod import;

use super::{Failure, print};
use crate::sims;
use sluice_gateway::Offline;
use sluice_gateway::config::{self, STARTER};
use sluice_router::NanoUsd;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check a configuration, print its JSON Schema, write a commented starter, or take a list of prices over.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice config init > sluice.toml\n  sluice config check sluice.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Find every mistake, with its place and its mend, and say what each route promises.
    #[command(after_help = "Example:\n  sluice config check sluice.toml")]
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Print the JSON Schema of the file.
    #[command(after_help = "Example:\n  sluice config schema > sluice.schema.json")]
    Schema,
    /// Print a commented starter, which runs as it is.
    #[command(after_help = "Example:\n  sluice config init > sluice.toml")]
    Init,
    /// Print LiteLLM's list of prices as a prices.toml, exactly.
    #[command(
        after_help = "Example:\n  sluice config import-prices model_prices_and_context_window.json > prices.toml"
    )]
    ImportPrices(import::Args),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.what {
        What::Check { file } => check(file)?,
        What::Schema => print(&config::schema())?,
        What::Init => print(STARTER.trim_end())?,
        What::ImportPrices(args) => import::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &std::path::Path) -> Result<(), Failure> {
    let mut config = super::serve::read(file)?;
    sims::declare(&mut config)?;
    let offline = Offline::new(&config).map_err(Failure::input)?;
    for promise in offline.promises() {
        print(&promise.line)?;
        for regret in &promise.regrets {
            print(&format!("  {regret}"))?;
        }
    }
    for expert in config.experts.iter().filter(|expert| expert.price.is_own()) {
        let (input, output) = (NanoUsd(expert.price.input), NanoUsd(expert.price.output));
        let (name, hour) = (&expert.name, NanoUsd(expert.price.replica_hour));
        print(&format!(
            "expert {name}: own GPUs at {hour} USD an hour for each replica; a million tokens at most {input} in, {output} out"
        ))?;
    }
    let (experts, pools, routes) = (config.experts.len(), config.pools.len(), config.routes.len());
    print(&format!("{}: valid: {experts} experts, {pools} pools, {routes} routes", file.display()))
}
