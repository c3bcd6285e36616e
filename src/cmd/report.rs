//! `sluice report`: what was spent and saved, summed from the ledger.

mod table;
mod when;

use super::{Failure, print};
use anyhow::anyhow;
use serde::Serialize;
use sluice_gateway::{By, Group, Report, ReportAsk};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Sum requests, tokens, spend and savings from a ledger; works while its gateway runs.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice report --ledger sqlite:sluice.db --by tenant,expert --from 2026-08-01 --to 2026-09-01"
)]
pub(crate) struct Args {
    /// The ledger, for instance `sqlite:sluice.db`.
    #[arg(long, value_name = "URL")]
    ledger: String,
    /// Group by any of tenant, expert, domain, route, language, status; comma separated.
    #[arg(long, value_name = "KEYS", value_delimiter = ',', value_parser = key)]
    by: Vec<By>,
    /// Only requests that ended at this time or later: a date (UTC) or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    from: Option<i64>,
    /// Only requests that ended before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    to: Option<i64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Failure::input(anyhow!("--from must be earlier than --to, which is exclusive")));
    }
    if let Some(twice) = args.by.iter().enumerate().find(|(at, by)| args.by[..*at].contains(by)) {
        return Err(Failure::input(anyhow!("--by names {} twice", twice.1.name())));
    }
    let ledger = sluice_gateway::open_ledger(&args.ledger).map_err(Failure::input)?;
    let ask = ReportAsk { by: args.by.clone(), from_ms: args.from, to_ms: args.to };
    let report = ledger.report(&ask)?;
    if args.json {
        print(&serde_json::to_string(&Sums::new(&report, &args.by))?)?;
    } else {
        print(&table::render(&report, &args.by))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn key(text: &str) -> Result<By, String> {
    By::ALL.iter().copied().find(|by| by.name() == text).ok_or_else(|| {
        let known: Vec<&str> = By::ALL.iter().map(|by| by.name()).collect();
        format!("not something to group by; choose from {}", known.join(", "))
    })
}

/// The report as JSON: amounts are integer nano-USD, so that nothing is rounded.
#[derive(Serialize)]
struct Sums<'a> {
    requests: u64,
    below_floor: u64,
    attempts: u64,
    entries: u64,
    cost_nanousd: i64,
    baseline_nanousd: i64,
    saved_nanousd: i64,
    overhead_nanousd: i64,
    tokens: Tokens,
    /// What a group of a report has in common; absent for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<BTreeMap<&'a str, &'a str>>,
    /// The groups of a report; absent within a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Sums<'a>>>,
}

#[derive(Serialize)]
struct Tokens {
    prompt: u64,
    cached: u64,
    output: u64,
}

impl<'a> Sums<'a> {
    fn new(report: &'a Report, by: &[By]) -> Sums<'a> {
        // Without keys there is one group, which is the whole.
        let grouped = report.groups.iter().filter(|_| !by.is_empty());
        let groups = grouped.map(|group| {
            let names = by.iter().map(|by| by.name()).zip(group.by.iter().map(String::as_str));
            Sums { by: Some(names.collect()), ..Sums::of(group) }
        });
        Sums { groups: Some(groups.collect()), ..Sums::of(&report.total) }
    }

    fn of(group: &Group) -> Sums<'a> {
        let tokens = group.tokens;
        Sums {
            requests: group.requests,
            below_floor: group.below_floor,
            attempts: group.attempts,
            entries: group.entries,
            cost_nanousd: group.cost.0,
            baseline_nanousd: group.baseline.0,
            saved_nanousd: group.saved().0,
            overhead_nanousd: group.overhead.0,
            tokens: Tokens { prompt: tokens.prompt, cached: tokens.cached, output: tokens.output },
            by: None,
            groups: None,
        }
    }
}
