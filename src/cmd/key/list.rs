//! `sluice key list`.

use super::{place, shown};
use crate::cmd::{Failure, print};
use sluice_gateway::config::Config;
use sluice_gateway::{KeyRecord, list_keys, unix_ms};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this tenant's.
    #[arg(long)]
    tenant: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(args: &Args) -> Result<(), Failure> {
    let config = crate::cmd::serve::read(&args.config)?;
    let mut keys = of_file(&config);
    keys.extend(list_keys(&*place(&config)?).await?);
    keys.retain(|key| args.tenant.as_ref().is_none_or(|tenant| key.tenant == *tenant));
    keys.sort_by(|a, b| (&a.tenant, &a.project, &a.id).cmp(&(&b.tenant, &b.project, &b.id)));
    if args.json {
        let keys: Vec<serde_json::Value> = keys.iter().map(shown).collect();
        return print(&serde_json::json!({ "keys": keys }).to_string());
    }
    print(&table(&keys))
}

/// Keys of the configuration itself, in the same form.
fn of_file(config: &Config) -> Vec<KeyRecord> {
    let keys = config.tenants.iter().flat_map(|tenant| tenant.keys.iter().map(move |key| (tenant, key)));
    keys.map(|(tenant, key)| KeyRecord {
        id: key.id.clone(),
        tenant: tenant.id.clone(),
        project: key.project.clone(),
        owner: key.owner.clone(),
        expires_ms: key.expires_ms,
        routes: key.routes.clone(),
        experts: key.experts.clone(),
        budget: key.budget,
        limits: key.limits,
        ..KeyRecord::default()
    })
    .collect()
}

fn table(keys: &[KeyRecord]) -> String {
    let mut rows = vec![["id", "tenant", "project", "owner", "state"].map(str::to_owned)];
    let now = unix_ms();
    rows.extend(keys.iter().map(|key| {
        [&key.id, &key.tenant, &key.project, &key.owner, key.state(now).name()]
            .map(|text: &str| text.to_owned())
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<String>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}
