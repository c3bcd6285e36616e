//! `sluice config import-prices`: a `prices.toml` out of LiteLLM's list.

use crate::cmd::{Failure, print, say};
use anyhow::Context as _;
use sluice_lab::corpus::import_prices;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What to read.
#[derive(clap::Args)]
pub(super) struct Args {
    /// LiteLLM's `model_prices_and_context_window.json`; `-` is stdin.
    file: PathBuf,
    /// Only these models; comma separated [default: all that are priced by tokens]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
}

/// Prints the prices; what was left out goes to stderr.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let named =
        if args.file == Path::new("-") { "stdin".to_owned() } else { args.file.display().to_string() };
    let json = read(&args.file).with_context(|| named.clone()).map_err(Failure::input)?;
    let imported = import_prices(&json, &args.only).with_context(|| named).map_err(Failure::input)?;
    print(imported.toml.trim_end())?;
    say(&format!("{} models with prices", imported.models));
    for (why, count) in &imported.skipped {
        say(&format!("left out: {count} ({why})"));
    }
    if imported.rounded > 0 {
        say(&format!("rounded up to nine places: {} prices", imported.rounded));
    }
    Ok(())
}

fn read(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}
