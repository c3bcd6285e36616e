//! `sluice train --add`: one new expert joins a model.

use super::Args;
use crate::cmd::{Failure, inputs, outputs, print, say};
use sluice_lab::corpus::Prices;
use sluice_lab::{add, add_table};
use std::process::ExitCode;

pub(super) fn run(args: &Args, expert: &str, prices: &Prices, day: u32) -> Result<ExitCode, Failure> {
    let params = inputs::model(args.model.as_ref().unwrap_or(&args.out))?;
    let corpus = inputs::outcomes(&args.data)?;
    let (params, mut report) = add(params, expert, &corpus.rows, args.seed).map_err(Failure::input)?;
    let params = params.dated(day)?;
    report.compare(&params, prices);
    if report.skipped_rows > 0 {
        say(&format!("warning: {} rows were left out: they don't grade {expert}", report.skipped_rows));
    }
    report.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
    if !prices.contains_key(expert) {
        say(&format!(
            "warning: no price for {expert}; it is in the model, but can't be routed to until it has one"
        ));
    }
    outputs::write(&args.out, &params.to_bytes())?;
    let shown = if args.json { serde_json::to_string(&report)? } else { add_table(&report) };
    print(&shown)?;
    Ok(ExitCode::SUCCESS)
}
