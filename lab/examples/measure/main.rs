//! What the router's model is worth beside plain rivals, in the same folds: the figures of `docs/reference/router-quality.md`.
//!
//! `cargo run --release -p sluice-lab --example measure -- PRICES FILE=REFERENCE...`
//!
//! All files are trained on together, five times, each time without one fold; what is left out is then predicted as
//! serving would. Near-duplicates share a fold. Nothing that is reported has been looked at in training.

mod baseline;
mod calibrate;
mod figures;
mod folds;
mod ours;
mod table;
mod words;

use figures::Answers;
use sluice_lab::corpus::{Row, load_outcomes, load_prices};
use sluice_router::Price;
use std::path::PathBuf;

/// One file of graded outcomes and what it is measured against.
pub(crate) struct Set {
    name: String,
    reference: usize,
    experts: Vec<(String, Price)>,
    rows: Vec<Row>,
    /// The fold of each row.
    folds: Vec<u8>,
}

#[allow(clippy::print_stdout, reason = "an example talks to its user")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let prices = load_prices(&PathBuf::from(arguments.next().ok_or("PRICES is missing")?))?;
    let mut sets = vec![];
    for argument in arguments {
        let (file, reference) = argument.split_once('=').ok_or("a set is FILE=REFERENCE")?;
        sets.push(load(file, reference, &prices)?);
    }
    folds::assign(&mut sets)?;
    let ours = ours::predict(&sets)?;
    for (set, ours) in sets.iter().zip(&ours) {
        println!("\n{}: {} rows, {} experts", set.name, set.rows.len(), set.experts.len());
        let designs = [
            ("sluice", &ours.answers),
            ("TF-IDF ridge, global mean of output tokens", &baseline::predict(set)),
            ("table given the true subject", &table::predict(set)),
        ];
        for (name, answers) in designs {
            println!("  {name}\n    {}", figures::row(set, answers));
            for line in figures::pairs(set, answers) {
                println!("    {line}");
            }
        }
        println!("  sluice, floors swept at confidence 0.5, best saved at 100/98/95: {}", ours.swept(set));
        println!("  sluice, {}", ours.coverage(set));
        for (name, map) in calibrate::MAPS {
            let mapped =
                Answers { scores: calibrate::crossed(set, &ours.answers, *map), ..ours.answers.clone() };
            println!("  sluice, then {name}\n    {}", figures::row(set, &mapped));
        }
    }
    Ok(())
}

fn load(
    file: &str,
    reference: &str,
    prices: &sluice_lab::corpus::Prices,
) -> Result<Set, Box<dyn std::error::Error>> {
    let rows = load_outcomes(&[PathBuf::from(file)])?.rows;
    let names = rows.first().ok_or("no rows")?.outcomes.iter().map(|outcome| outcome.expert.clone());
    let priced = |name: String| prices.get(&name).map(|price| (name, *price));
    let experts: Vec<(String, Price)> = names.filter_map(priced).collect();
    let at = experts.iter().position(|(name, _)| name == reference);
    let name = PathBuf::from(file).file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    Ok(Set { name, reference: at.ok_or("REFERENCE is not in its FILE")?, experts, folds: vec![], rows })
}
