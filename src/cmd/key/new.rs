//! `sluice key create`.

use super::{place, shown};
use crate::cmd::{Failure, print, say};
use anyhow::anyhow;
use sluice_gateway::{
    Budget, KeyRecord, Limits, check_key, create_key, expiry_ms, new_key_id, random_bytes, unix_ms,
};
use sluice_router::{NanoUsd, Period};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Whose it is: the id of a `[[tenant]]`.
    #[arg(long)]
    tenant: String,
    /// The project that it is for.
    #[arg(long, default_value = "")]
    project: String,
    /// What records and people call it; made up when absent.
    #[arg(long)]
    id: Option<String>,
    /// Who has it.
    #[arg(long, default_value = "")]
    owner: String,
    /// Until when it is good: an RFC 3339 time, or a date whose end (UTC) is meant.
    #[arg(long, value_name = "TIME", value_parser = expiry_ms)]
    expires: Option<i64>,
    /// Routes that it may use, comma separated; all of its tenant's when absent.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    routes: Option<Vec<String>>,
    /// Experts that may answer it, comma separated; all of its tenant's when absent.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    experts: Option<Vec<String>>,
    /// What it may spend, in decimal USD.
    #[arg(long, value_name = "USD")]
    budget_usd: Option<String>,
    /// How often the budget begins anew.
    #[arg(long, value_name = "SPAN", value_parser = period, default_value = "month", requires = "budget_usd")]
    period: Period,
    /// Requests in a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    requests_per_min: Option<u64>,
    /// Tokens in a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    tokens_per_min: Option<u64>,
    /// Requests at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent: Option<u32>,
    /// Print one JSON object, the secret in its `key`.
    #[arg(long)]
    json: bool,
}

pub(super) async fn create(args: &Args) -> Result<(), Failure> {
    let config = crate::cmd::serve::read(&args.config)?;
    let record = record(args)?;
    check_key(&config, &record).map_err(|why| Failure::input(anyhow!(why)))?;
    let secret = create_key(&*place(&config)?, random_bytes()?, &record).await?;
    say(&format!("key {} of tenant {}; the secret is shown this once", record.id, record.tenant));
    if args.json {
        let mut value = shown(&record);
        value["key"] = secret.reveal().into();
        return print(&value.to_string());
    }
    print(secret.reveal())
}

fn record(args: &Args) -> Result<KeyRecord, Failure> {
    let amount = args.budget_usd.as_deref().map(NanoUsd::from_usd).transpose().map_err(Failure::input)?;
    Ok(KeyRecord {
        id: args.id.clone().map_or_else(|| random_bytes().map(|bytes| new_key_id(&bytes)), Ok)?,
        tenant: args.tenant.clone(),
        project: args.project.clone(),
        owner: args.owner.clone(),
        created_ms: unix_ms(),
        expires_ms: args.expires,
        routes: args.routes.clone(),
        experts: args.experts.clone(),
        budget: amount.map(|amount| Budget { amount, period: args.period }),
        limits: Limits {
            requests_per_min: args.requests_per_min,
            tokens_per_min: args.tokens_per_min,
            concurrent: args.concurrent,
        },
        revoked_ms: None,
    })
}

fn period(text: &str) -> Result<Period, String> {
    let all = [Period::Day, Period::Week, Period::Month, Period::Ever];
    let found = all.into_iter().find(|period| period.name() == text);
    found.ok_or_else(|| "choose from day, week, month, ever".to_owned())
}
