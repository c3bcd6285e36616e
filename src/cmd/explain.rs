//! `sluice explain`: one decision as a table that a person can follow.

mod certificate;
mod json;
mod moves;
mod place;
mod story;
mod table;
mod width;

use super::{Failure, print};
use anyhow::anyhow;
use sluice_gateway::config::Config;
use sluice_gateway::{Explainer, Offline, StoreError};
use sluice_router::{Decision, Receipt, Snapshot};
use std::path::PathBuf;
use std::process::ExitCode;
use story::Story;

/// Show how a request is decided, or decide a stored one again.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice explain --config sluice.toml --prompt \"Is an oral contract binding?\"\n  sluice explain --config sluice.toml --receipt 0198c5d2-7a51-7e33-a1d4-0f6f3a9f4b11"
)]
pub(crate) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Decide on this text now; nothing is sent.
    #[arg(long, value_name = "TEXT", conflicts_with = "receipt", required_unless_present = "receipt")]
    prompt: Option<String>,
    /// Decide again from the stored ask of this decision, and compare bit for bit.
    #[arg(long, value_name = "ID")]
    receipt: Option<String>,
    /// The route, expert or alias to ask.
    #[arg(long, value_name = "NAME", default_value = "auto", conflicts_with = "receipt")]
    route: String,
    /// Show what moved the score of every expert, not only of the chosen one and the reference.
    #[arg(long)]
    all: bool,
    /// Print the receipt and all that explains it as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let config = super::serve::read(&args.config)?;
    match (&args.receipt, &args.prompt) {
        (Some(id), _) => again(args, &config, id),
        (None, Some(prompt)) => {
            let offline = Offline::new(&config).map_err(Failure::input)?;
            let receipt = offline.decide(&args.route, prompt).map_err(Failure::input)?;
            let story = Story::new(&receipt, offline.snapshot(), offline.explainer(), Some(prompt));
            show(&story, args)?;
            Ok(ExitCode::SUCCESS)
        }
        (None, None) => unreachable!("clap asks for one of the two"),
    }
}

/// A stored decision with its configuration: of this gateway's own journal, else of the fleet's common ledger.
fn stored(config: &Config, id: &str) -> Result<Option<(String, String)>, StoreError> {
    let own = sluice_gateway::open_ledger(&config.journal).and_then(|ledger| ledger.receipt(id));
    match (own, &config.store.ledger) {
        (Ok(None) | Err(_), Some(common)) => {
            sluice_gateway::open_ledger(common.reveal()).and_then(|ledger| ledger.receipt(id))
        }
        (own, _) => own,
    }
}

/// Decides a stored ask again.
fn again(args: &Args, config: &Config, id: &str) -> Result<ExitCode, Failure> {
    let journal = &config.journal;
    let stored = stored(config, id).map_err(Failure::input)?;
    let (receipt, snapshot) = stored.ok_or_else(|| {
        let config = args.config.display();
        Failure::input(anyhow!("{journal}: no decision {id:?} is stored there (from {config})"))
    })?;
    let broken = |error| anyhow!("{journal}: decision {id} can't be read: {error}");
    let mut receipt: Receipt = serde_json::from_str(&receipt).map_err(broken)?;
    let snapshot: Snapshot = serde_json::from_str(&snapshot).map_err(broken)?;
    let derived = receipt.replay(&snapshot)?;
    let stored = std::mem::replace(&mut receipt.decision, derived);
    // The decision can be derived without the model; only other floors need it.
    let explainer = Explainer::new(config).unwrap_or_else(|error| {
        super::say(&format!("warning: nothing is said of other floors: {error}"));
        None
    });
    show(&Story::new(&receipt, &snapshot, explainer.as_ref(), None), args)?;
    if stored != receipt.decision {
        let differs = differences(&stored, &receipt.decision)?.join(", ");
        let why = "the ledger was changed, or another version of sluice decided it";
        return Err(anyhow!("decided again as above, but what is stored differs in {differs}: {why}").into());
    }
    super::say("decided again from the stored ask: the same, bit for bit");
    Ok(ExitCode::SUCCESS)
}

fn show(story: &Story, args: &Args) -> Result<(), Failure> {
    if args.json {
        return print(&serde_json::to_string(&json::object(story)?)?);
    }
    print(&table::table(story, args.all))
}

/// The fields in which two decisions differ.
fn differences(one: &Decision, other: &Decision) -> Result<Vec<String>, Failure> {
    let (one, other) = (serde_json::to_value(one)?, serde_json::to_value(other)?);
    let fields = one.as_object().into_iter().flatten();
    Ok(fields.filter(|(name, value)| other.get(name) != Some(value)).map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_router::{ChosenBy, NanoUsd};

    #[test]
    fn a_decision_that_was_changed_is_told_by_its_fields() {
        let stored = Decision {
            steps: Vec::new(),
            ceiling: NanoUsd(1),
            quotes: Vec::new(),
            propensity: 1.0,
            chosen_by: ChosenBy::Certificate,
            seed: 1,
        };
        let changed = Decision { propensity: 0.5, seed: 2, ..stored.clone() };
        assert_eq!(differences(&stored, &changed).expect("JSON"), ["propensity", "seed"]);
        assert!(differences(&stored, &stored).expect("JSON").is_empty());
    }
}
