//! `sluice key`: makes, lists and revokes keys in the place that gateways share, while they run.

mod list;
mod new;

use super::{Failure, print, say};
use anyhow::anyhow;
use sluice_gateway::config::Config;
use sluice_gateway::{KeyRecord, Shared, open_shared, revoke_key, unix_ms};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Make, list or revoke keys; running gateways follow within seconds.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice key create --config sluice.toml --tenant acme --owner ann --expires 2027-01-31"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a key and print its secret, once: nobody can show it again.
    #[command(after_help = "Example:\n  KEY=$(sluice key create --config sluice.toml --tenant acme)")]
    Create(new::Args),
    /// Show every key that was made so, never a secret.
    #[command(after_help = "Example:\n  sluice key list --config sluice.toml --tenant acme")]
    List(list::Args),
    /// End a key, for good.
    #[command(after_help = "Example:\n  sluice key revoke --config sluice.toml kQ3fX0aZt81b")]
    Revoke {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The key's id, as `sluice key list` shows it.
        id: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    super::runtime()?.block_on(async {
        match &args.what {
            What::Create(args) => new::create(args).await,
            What::List(args) => list::list(args).await,
            What::Revoke { config, id, json } => revoke(&super::serve::read(config)?, id, *json).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn revoke(config: &Config, id: &str, json: bool) -> Result<(), Failure> {
    let of_file = config.tenants.iter().flat_map(|tenant| &tenant.keys).any(|key| key.id == id);
    if of_file {
        return Err(Failure::input(anyhow!(
            "key {id:?} stands in the configuration; take it out of the file"
        )));
    }
    let revoked = revoke_key(&*place(config)?, id, unix_ms()).await?;
    let record = revoked
        .ok_or_else(|| Failure::input(anyhow!("no key has the id {id:?}; `sluice key list` shows all")))?;
    say(&format!("key {id} of tenant {} is revoked; gateways refuse it within 5 s", record.tenant));
    if json { print(&shown(&record).to_string()) } else { Ok(()) }
}

/// The place that the gateways of a configuration share.
fn place(config: &Config) -> Result<Arc<dyn Shared>, Failure> {
    open_shared(config.store.shared.reveal(), &config.journal).map_err(Failure::input)
}

/// A key as JSON, without anything of its secret.
fn shown(record: &KeyRecord) -> serde_json::Value {
    let mut value = serde_json::to_value(record).expect("a record is plain data");
    value["state"] = record.state(unix_ms()).name().into();
    value
}
