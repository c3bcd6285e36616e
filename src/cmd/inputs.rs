//! Inputs that several offline commands share: the model file, the price file, numbers within bounds.

use super::{Failure, say};
use anyhow::{Context as _, anyhow};
use sluice_lab::corpus::{Corpus, Prices, find_prices, load_outcomes, load_prices};
use sluice_router::Params;
use std::path::{Path, PathBuf};

/// Reads a router model.
pub(super) fn model(path: &Path) -> Result<Params, Failure> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("{}: the model can't be read", path.display()))
        .map_err(Failure::input)?;
    Params::from_bytes(&bytes).with_context(|| path.display().to_string()).map_err(Failure::input)
}

/// Reads graded outcomes, and says on stderr what is odd about them.
pub(super) fn outcomes(files: &[PathBuf]) -> Result<Corpus, Failure> {
    let corpus = load_outcomes(files).map_err(Failure::input)?;
    corpus.warnings().iter().for_each(|warning| say(&format!("warning: {warning}")));
    Ok(corpus)
}

/// Reads the price file that was named, else the one beside the data.
pub(super) fn prices(named: Option<&Path>, data: &[PathBuf]) -> Result<Prices, Failure> {
    let found = named.map(Path::to_owned).or_else(|| find_prices(data));
    let path = found.ok_or_else(|| {
        Failure::input(match data.iter().find(|file| !file.exists()) {
            Some(missing) => anyhow!("{}: there is no such file", missing.display()),
            None => anyhow!("no prices.toml beside the data or one folder above it; name one with --prices"),
        })
    })?;
    load_prices(&path).map_err(Failure::input)
}

/// A floor: 0 to 2; above 1 asks for better than the reference.
pub(super) fn floor(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=2.0).contains(&value), "a number from 0 to 2")
}

/// A floor that a route may promise: above 0, at most 1.
pub(super) fn promise(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0 && value <= 1.0, "a number above 0 and at most 1")
}

/// A confidence: 0.5 to below 1.
pub(super) fn confidence(text: &str) -> Result<f64, String> {
    number(text, |value| (0.5..1.0).contains(&value), "a number from 0.5 (no margin) to below 1")
}

/// A share: 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=1.0).contains(&value), "a number from 0 to 1")
}

fn number(text: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    text.parse().ok().filter(|&value| fits(value)).ok_or_else(|| format!("{wanted} is wanted"))
}
