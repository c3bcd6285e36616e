//! `sluice explain`: one decision as a table that a person can follow.

use super::{Failure, print};
use anyhow::anyhow;
use sluice_gateway::Offline;
use sluice_router::{ChosenBy, Decision, NanoUsd, Quote, Receipt, Snapshot};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

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
    /// Print the receipt as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let config = super::serve::read(&args.config)?;
    match (&args.receipt, &args.prompt) {
        (Some(id), _) => again(&args.config, &config.journal, id, args.json),
        (None, Some(prompt)) => {
            let offline = Offline::new(&config).map_err(Failure::input)?;
            let receipt = offline.decide(&args.route, prompt).map_err(Failure::input)?;
            show(&receipt, offline.snapshot(), args.json)?;
            Ok(ExitCode::SUCCESS)
        }
        (None, None) => unreachable!("clap asks for one of the two"),
    }
}

/// Decides a stored ask again.
fn again(config: &Path, journal: &str, id: &str, json: bool) -> Result<ExitCode, Failure> {
    let ledger = sluice_gateway::open_ledger(journal).map_err(Failure::input)?;
    let stored = ledger.receipt(id).map_err(Failure::input)?;
    let (receipt, snapshot) = stored.ok_or_else(|| {
        Failure::input(anyhow!("{journal}: no decision {id:?} is stored there (from {})", config.display()))
    })?;
    let broken = |error| anyhow!("{journal}: decision {id} can't be read: {error}");
    let mut receipt: Receipt = serde_json::from_str(&receipt).map_err(broken)?;
    let snapshot: Snapshot = serde_json::from_str(&snapshot).map_err(broken)?;
    let derived = receipt.replay(&snapshot)?;
    let stored = std::mem::replace(&mut receipt.decision, derived);
    show(&receipt, &snapshot, json)?;
    if stored != receipt.decision {
        let differs = differences(&stored, &receipt.decision)?.join(", ");
        let why = "the ledger was changed, or another version of sluice decided it";
        return Err(anyhow!("decided again as above, but what is stored differs in {differs}: {why}").into());
    }
    super::say("decided again from the stored ask: the same, bit for bit");
    Ok(ExitCode::SUCCESS)
}

/// The fields in which two decisions differ.
fn differences(one: &Decision, other: &Decision) -> Result<Vec<String>, Failure> {
    let (one, other) = (serde_json::to_value(one)?, serde_json::to_value(other)?);
    let fields = one.as_object().into_iter().flatten();
    Ok(fields.filter(|(name, value)| other.get(name) != Some(value)).map(|(name, _)| name.clone()).collect())
}

fn show(receipt: &Receipt, snapshot: &Snapshot, json: bool) -> Result<(), Failure> {
    if json {
        return print(&serde_json::to_string(receipt)?);
    }
    print(&table(receipt, snapshot))
}

/// The decision as text.
fn table(receipt: &Receipt, snapshot: &Snapshot) -> String {
    let name = |expert: usize| snapshot.fleet.experts[expert].name.as_str();
    let decision = &receipt.decision;
    let mut lines = vec![format!("decision {}   route {}", receipt.id, receipt.route)];
    let share = |share: Option<&sluice_router::Share>| {
        share.map_or_else(|| "unknown".to_owned(), |share| format!("{} ({:.2})", share.name, share.p))
    };
    lines.push(format!(
        "domain {}{}   language {}   prompt about {} tokens",
        share(receipt.signals.domain()),
        receipt.signals.p_out_of_scope.map_or_else(String::new, |p| format!(", none of the known ({p:.2})")),
        share(receipt.signals.language()),
        receipt.needs.prompt_tokens
    ));
    lines.extend(promise(receipt, snapshot));
    lines.push(String::new());
    lines.push(format!(
        "  {:<28} {:>10} {:>7} {:>13} {:>13} {:>8}  verdict",
        "expert", "P(capable)", "lower", "cost USD", "worst USD", "wait ms"
    ));
    let mut quotes: Vec<&Quote> = decision.quotes.iter().collect();
    quotes.sort_by_key(|quote| quote.cost);
    for quote in quotes {
        lines.push(row(quote, name(quote.expert), decision));
    }
    lines.push(String::new());
    lines.push(format!("chosen: {} ({})", name(decision.steps[0].expert), why(decision.chosen_by)));
    for step in &decision.steps[1..] {
        let floor = if step.floor_held { "" } else { ", floor not held" };
        lines.push(format!("if that fails: {}{floor}", name(step.expert)));
    }
    lines.push(format!("propensity {}   costs at most {} USD", decision.propensity, decision.ceiling));
    lines.join("\n")
}

fn promise(receipt: &Receipt, snapshot: &Snapshot) -> Option<String> {
    let route = snapshot.route(&receipt.route)?;
    let reference = &snapshot.fleet.experts[route.reference].name;
    Some(match &route.certificate {
        _ if route.pinned => "pinned: the client named the expert; no floor".to_owned(),
        None => format!(
            "no certificate: the reference {reference} answers, unless the client's domain or a keyword names another"
        ),
        Some(certificate) => format!(
            "certificate: >= {} x {reference} with confidence {} ({}, {} rows, data {}); a dollar is worth {:.4} of score",
            certificate.floor,
            certificate.confidence,
            certificate.method,
            certificate.rows,
            certificate.data.get(..12).unwrap_or(&certificate.data),
            certificate.lambda * NanoUsd::from_usd("1").map_or(0.0, |usd| usd.0 as f64),
        ),
    })
}

fn row(quote: &Quote, name: &str, decision: &Decision) -> String {
    let is_chosen = decision.steps[0].expert == quote.expert;
    let verdict = match (&quote.reason, is_chosen) {
        (Some(reason), _) => reason.to_string(),
        (None, true) => "chosen".to_owned(),
        (None, false) if quote.graded => "eligible".to_owned(),
        (None, false) => "eligible, not graded".to_owned(),
    };
    format!(
        "{} {:<28} {:>10.3} {:>7.3} {:>13} {:>13} {:>8.1}  {verdict}",
        if is_chosen { ">" } else { " " },
        name,
        quote.p_capable,
        quote.p_lower,
        quote.cost.to_string(),
        quote.worst.to_string(),
        quote.wait_ms
    )
}

fn why(chosen_by: ChosenBy) -> &'static str {
    match chosen_by {
        ChosenBy::Certificate => "the cheapest that the certificate allows",
        ChosenBy::Pinned => "the client named it",
        ChosenBy::Rule => "the client's domain or a keyword named it",
        ChosenBy::Reference => "the reference: nothing cheaper is certified",
        ChosenBy::Exploration => "drawn to explore, within the certified set",
        ChosenBy::Degraded => "the best that is available; the floor is not held",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
