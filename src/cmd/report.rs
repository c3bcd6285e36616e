//! `sluice report`: what was spent and saved, summed from the ledger.

mod focus;
mod table;
pub(super) mod when;

use super::{Failure, outputs, print};
use anyhow::anyhow;
use serde::Serialize;
use sluice_gateway::{By, Group, Report, ReportAsk};
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    /// Group by any of tenant, project, key, expert, domain, route, language, status, day, tag:NAME; comma separated.
    #[arg(long, value_name = "KEYS", value_delimiter = ',', value_parser = key)]
    by: Vec<By>,
    /// Only requests that ended at this time or later: a date (UTC) or an RFC 3339 time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    from: Option<i64>,
    /// Only requests that ended before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    to: Option<i64>,
    /// Also write every booking of the span as FOCUS 1.2 (CSV).
    #[arg(long, value_name = "FILE")]
    focus: Option<PathBuf>,
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
    if let Some(file) = &args.focus {
        outputs::claim(file)?;
        let (booked, book) = ledger.booked(ask.window())?;
        outputs::write(file, focus::csv(&booked, &book).as_bytes())?;
    }
    let report = ledger.report(&ask)?;
    if args.json {
        print(&serde_json::to_string(&Sums::new(&report, &args.by))?)?;
    } else {
        print(&table::render(&report, &args.by))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn key(text: &str) -> Result<By, String> {
    By::named(text).ok_or_else(|| {
        let known: Vec<String> = By::ALL.iter().map(By::name).collect();
        format!("not something to group by; choose from {}, tag:NAME", known.join(", "))
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
    idle_nanousd: i64,
    overrun_nanousd: i64,
    unattributed_nanousd: i64,
    tokens: Tokens,
    /// What a group of a report has in common; absent for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<BTreeMap<String, &'a str>>,
    /// The groups of a report; absent within a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Sums<'a>>>,
}

#[derive(Serialize)]
struct Tokens {
    prompt: u64,
    cached: u64,
    cache_write: u64,
    output: u64,
}

impl<'a> Sums<'a> {
    fn new(report: &'a Report, by: &[By]) -> Sums<'a> {
        // Without keys there is one group, which is the whole.
        let grouped = report.groups.iter().filter(|_| !by.is_empty());
        let groups = grouped.map(|group| {
            let names = by.iter().map(By::name).zip(group.by.iter().map(String::as_str));
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
            overhead_nanousd: (group.overhead + group.idle).0,
            idle_nanousd: group.idle.0,
            overrun_nanousd: group.overrun.0,
            unattributed_nanousd: group.unattributed.0,
            tokens: Tokens {
                prompt: tokens.prompt,
                cached: tokens.cached,
                cache_write: tokens.cache_write,
                output: tokens.output,
            },
            by: None,
            groups: None,
        }
    }
}
