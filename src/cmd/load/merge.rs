//! `sluice load merge`: the runs of several testers as one test.

use super::measures::Measures;
use super::show;
use crate::cmd::Failure;
use sluice_load::measure::{Gate, Tally};
use sluice_load::report::{Report, RunInfo};
use std::path::PathBuf;
use std::process::ExitCode;

/// Merge saved runs that went side by side into one test, and report it
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice load merge pod-*.json --report test.html")]
pub(crate) struct Args {
    /// Files of --save
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// End with 3 if this is true; may be given again
    #[arg(long, value_name = "cost_per_1k>0.5")]
    fail_if: Vec<Gate>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Save the merged counts
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// One JSON object on stdout instead of the table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut merged: Option<Tally> = None;
    for path in &args.files {
        let tally = Tally::load(path).map_err(Failure::input)?;
        match &mut merged {
            None => merged = Some(tally),
            Some(merged) => merged.merge(tally).map_err(|error| {
                Failure::input(anyhow::anyhow!("{} and {}: {error}", args.files[0].display(), path.display()))
            })?,
        }
    }
    let Some(tally) = merged else { return Ok(ExitCode::SUCCESS) };
    let names: Vec<String> = args.files.iter().map(|path| path.display().to_string()).collect();
    let run = RunInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        merged: names.len(),
        inputs: vec![("files".to_owned(), names.join(" "))],
        ended: "complete".to_owned(),
        ..RunInfo::default()
    };
    let measures = Measures {
        slo: None,
        fail_if: args.fail_if.clone(),
        find_max: false,
        sweep: None,
        weights: Vec::new(),
        report: args.report.clone(),
        save: args.save.clone(),
        quiet: false,
    };
    let report = Report::of(&tally, &args.fail_if, run);
    show::write(&report, &tally, &measures, args.json)
}
