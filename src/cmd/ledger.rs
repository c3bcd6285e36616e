//! `sluice ledger`: what may be done to a ledger but reading it.

use super::report::when;
use super::{Failure, print};
use sluice_gateway::PurgeAsk;
use std::process::ExitCode;

/// Forget what a tenant's requests were. Money stays: bookings are never changed or deleted.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice ledger purge --ledger sqlite:sluice.db --tenant acme --before 2026-08-01"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Remove decisions with their receipts, and empty labels, tags and engines' words of failed tries; for good.
    #[command(
        after_help = "Example:\n  sluice ledger purge --ledger sqlite:sluice.db --tenant acme --before 2026-08-01"
    )]
    Purge {
        /// The ledger, for instance `sqlite:sluice.db`; a fleet's common one and each gateway's own are apart.
        #[arg(long, value_name = "URL")]
        ledger: String,
        /// Whose.
        #[arg(long, value_name = "ID")]
        tenant: String,
        /// Of requests that ended before this time: a date (UTC) or an RFC 3339 time.
        #[arg(long, value_name = "TIME", value_parser = when::parse)]
        before: i64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let What::Purge { ledger, tenant, before, json } = &args.what;
    let ledger = sluice_gateway::open_ledger(ledger).map_err(Failure::input)?;
    let purged = ledger.purge(&PurgeAsk { tenant: tenant.clone(), before_ms: *before })?;
    let (decisions, requests, attempts) = (purged.decisions, purged.requests, purged.attempts);
    if *json {
        let told = serde_json::json!({"decisions": decisions, "requests": requests, "attempts": attempts});
        print(&told.to_string())?;
    } else {
        print(&format!(
            "forgotten: {decisions} decisions, labels and tags of {requests} requests, details of {attempts} attempts"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
