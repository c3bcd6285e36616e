//! `sluice reconcile`: a vendor's bill against the ledger, each difference with its reason.

mod bill;
mod explain;
mod table;

use super::report::when;
use super::{Failure, print};
use anyhow::{Context as _, anyhow};
use explain::{Kind, Row, Sums};
use serde::Serialize;
use sluice_gateway::{TokenSums, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

/// Explain where a vendor's bill and the ledger differ, by day and expert, to the nano-dollar.
///
/// The bill is CSV with a header: date, expert (or model), input_tokens, cached_tokens, output_tokens, amount in USD.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice reconcile --ledger sqlite:sluice.db --invoice august.csv --model gpt-4.1-2025-04-14=gpt-4.1"
)]
pub(crate) struct Args {
    /// The ledger, for instance `sqlite:sluice.db`.
    #[arg(long, value_name = "URL")]
    ledger: String,
    /// The vendor's bill.
    #[arg(long, value_name = "FILE")]
    invoice: PathBuf,
    /// What the vendor calls an expert of ours; may be repeated.
    #[arg(long, value_name = "NAME=EXPERT", value_parser = renamed)]
    model: Vec<(String, String)>,
    /// Experts that the bill should have, named in it or not; comma separated [default: those that it names]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    experts: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Counts of tokens; `input` includes `cached` and `cache_write`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Tokens {
    input: u64,
    cached: u64,
    cache_write: u64,
    output: u64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let named = || args.invoice.display().to_string();
    let text = std::fs::read_to_string(&args.invoice).with_context(named).map_err(Failure::input)?;
    let model: BTreeMap<String, String> = args.model.iter().cloned().collect();
    let bill = bill::read(&text, &model).with_context(named).map_err(Failure::input)?;
    let window = window(bill.keys().map(|(day, _)| day.as_str())).map_err(Failure::input)?;
    let ledger = sluice_gateway::open_ledger(&args.ledger).map_err(Failure::input)?;
    let (mut used, book) = ledger.used(window)?;
    let billed = bill.keys().map(|(_, expert)| expert.as_str());
    let experts: BTreeSet<&str> = billed.chain(args.experts.iter().map(String::as_str)).collect();
    used.retain(|used| experts.contains(used.expert.as_str()));
    let rows = explain::rows(&bill, &used, &book);
    let sums = Sums::of(&rows).context("the sums exceed 64 bits; ask for less time")?;
    if args.json {
        print(&serde_json::to_string(&Report { sums: &sums, rows: &rows })?)?;
    } else {
        print(&table::render(&sums, &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole days that a bill is about.
fn window<'a>(days: impl Iterator<Item = &'a str> + Clone) -> anyhow::Result<Window> {
    let ms = |day: Option<&str>| when::parse(day.unwrap_or_default()).map_err(|mend| anyhow!(mend));
    Ok(Window { from_ms: ms(days.clone().min())?, to_ms: ms(days.max())? + DAY_MS })
}

fn renamed(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(theirs, ours)| !theirs.is_empty() && !ours.is_empty());
    let (theirs, ours) = pair.ok_or("write the vendor's name, =, and the expert's")?;
    Ok((theirs.to_owned(), ours.to_owned()))
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    sums: &'a Sums,
    rows: &'a [Row],
}

impl Tokens {
    fn of(sums: TokenSums) -> Tokens {
        let TokenSums { prompt, cached, cache_write, output } = sums;
        Tokens { input: prompt, cached, cache_write, output }
    }

    /// Input that no cache has to do with.
    fn fresh(&self) -> u64 {
        self.input.saturating_sub(self.cached).saturating_sub(self.cache_write)
    }

    fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// `None` beyond 64 bits.
    fn plus(self, other: Tokens) -> Option<Tokens> {
        Some(Tokens {
            input: self.input.checked_add(other.input)?,
            cached: self.cached.checked_add(other.cached)?,
            cache_write: self.cache_write.checked_add(other.cache_write)?,
            output: self.output.checked_add(other.output)?,
        })
    }

    fn saturating_plus(self, other: Tokens) -> Tokens {
        let most = Tokens { input: u64::MAX, cached: u64::MAX, cache_write: u64::MAX, output: u64::MAX };
        self.plus(other).unwrap_or(most)
    }
}

const DAY_MS: i64 = 86_400_000;
