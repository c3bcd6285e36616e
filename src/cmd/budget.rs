//! `sluice budget`: how budgets stand, by the word of the place that gateways share.

use super::{Failure, print};
use serde_json::{Value, json};
use sluice_gateway::{BudgetState, list_budgets, open_shared, unix_ms};
use sluice_router::NanoUsd;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show what every budget has funded, spent, left and out as shares of gateways; works while they run.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice budget --config sluice.toml")]
pub(crate) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let config = super::serve::read(&args.config)?;
    let listed = super::runtime()?.block_on(async {
        let place = open_shared(config.store.shared.reveal(), &config.journal).map_err(Failure::input)?;
        Ok::<_, Failure>(list_budgets(&*place, unix_ms()).await?)
    })?;
    if args.json {
        let budgets: Vec<Value> = listed.iter().map(shown).collect();
        print(&json!({ "budgets": budgets }).to_string())?;
    } else {
        print(&table(&listed))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(of: &BudgetState) -> Value {
    let shares: Vec<Value> = of
        .shares
        .iter()
        .map(|share| {
            json!({
                "gateway": share.holder.gateway,
                "start": share.holder.epoch,
                "unspent_nanousd": share.amount.0,
                "expired": share.is_expired,
            })
        })
        .collect();
    json!({
        "level": of.level,
        "period": of.period,
        "begin_ms": of.begin_ms,
        "funded_nanousd": of.vault.funded().0,
        "spent_nanousd": of.vault.spent().0,
        "unattributed_nanousd": of.vault.unattributed().0,
        "shares_nanousd": out(of).0,
        "free_nanousd": of.vault.free().0,
        "shares": shares,
    })
}

/// What gateways hold and have not spent.
fn out(of: &BudgetState) -> NanoUsd {
    of.shares.iter().map(|share| share.amount).sum()
}

fn table(listed: &[BudgetState]) -> String {
    let head = ["budget", "period", "funded", "spent", "unattributed", "in shares", "free"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(listed.iter().map(|of| {
        let vault = &of.vault;
        [
            of.level.clone(),
            of.period.clone(),
            vault.funded().to_string(),
            vault.spent().to_string(),
            vault.unattributed().to_string(),
            out(of).to_string(),
            vault.free().to_string(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cell = |(at, cell): (usize, &String)| match at {
            0 | 1 => format!("{cell:width$}", width = widths[at]),
            _ => format!("{cell:>width$}", width = widths[at]),
        };
        row.iter().enumerate().map(cell).collect::<Vec<String>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}
