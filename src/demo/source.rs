//! Where the demo's prompts, grades and prices come from: the project's own set, or files of graded outcomes.

use super::experts::EXPERTS;
use super::{requests, skills};
use crate::cmd::Failure;
use anyhow::anyhow;
use sha2::{Digest as _, Sha256};
use sluice_lab::corpus::{self, Outcome, Prices, Row};
use sluice_router::Price;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything that a run of the demo is made from.
pub(crate) struct Source {
    /// Prompts with every expert's grade.
    pub(crate) rows: Vec<Row>,
    /// The experts that grades exist for.
    pub(crate) experts: Vec<Member>,
    /// The files that the rows came from; empty for the project's own set.
    pub(crate) files: Vec<PathBuf>,
    /// True unless the grades are of real experts.
    pub(crate) simulated: bool,
}

/// An expert of the demo's configuration.
pub(crate) struct Member {
    pub(crate) name: String,
    /// `general` or `vertical`.
    pub(crate) kind: &'static str,
    /// What a vertical expert is for.
    pub(crate) domains: Vec<String>,
    pub(crate) price: Price,
    pub(crate) context_tokens: u32,
    pub(crate) profile: &'static str,
    pub(crate) replicas: u32,
}

/// The project's own request set and its simulated experts.
pub(crate) fn own() -> Source {
    let row = |request: requests::DemoRequest| {
        let outcome = |expert: &super::experts::DemoExpert| {
            let (score, input_tokens, output_tokens) = skills::outcome(&request, expert);
            Outcome {
                expert: expert.name.to_owned(),
                score,
                input_tokens: Some(input_tokens),
                output_tokens: Some(output_tokens),
            }
        };
        let outcomes = EXPERTS.iter().map(outcome).collect();
        Row {
            id: request.id,
            source: Some("sluice-demo".to_owned()),
            subject: Some(format!("{}/{}", request.domain, request.subject)),
            domain: Some(request.domain.to_owned()),
            lang: Some(request.lang.to_owned()),
            prompt: request.prompt,
            outcomes,
        }
    };
    let member = |expert: &super::experts::DemoExpert| Member {
        name: expert.name.to_owned(),
        kind: expert.kind,
        domains: expert.domains.iter().map(|&domain| domain.to_owned()).collect(),
        price: Price::from_decimals(expert.price_input, Some(expert.price_cached_input), expert.price_output)
            .expect("the demo's own prices are decimal"),
        context_tokens: expert.context_tokens,
        profile: expert.profile,
        replicas: expert.replicas,
    };
    Source {
        rows: requests::requests().into_iter().map(row).collect(),
        experts: EXPERTS.iter().map(member).collect(),
        files: Vec::new(),
        simulated: true,
    }
}

/// Graded outcomes of real experts, with their prices.
pub(crate) fn from_files(files: &[PathBuf], prices: &Prices) -> Result<Source, Failure> {
    let corpus = corpus::load_outcomes(files).map_err(Failure::input)?;
    let names: BTreeSet<&str> =
        corpus.rows.iter().flat_map(|row| &row.outcomes).map(|outcome| outcome.expert.as_str()).collect();
    let mut experts = Vec::new();
    for name in names {
        let price = *prices.get(name).ok_or_else(|| {
            Failure::input(anyhow!(
                "expert {name:?} has no price; add an [expert.\"{name}\"] table to the prices"
            ))
        })?;
        experts.push(Member {
            name: name.to_owned(),
            kind: "general",
            domains: Vec::new(),
            price,
            context_tokens: 131_072,
            profile: if price.output >= LARGE_FROM { LARGE_PROFILE } else { SMALL_PROFILE },
            replicas: 2,
        });
    }
    let files = files.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
    Ok(Source { rows: corpus.rows, experts, files, simulated: false })
}

impl Source {
    /// The expert with the highest mean score over the rows that all experts have; the dearer of equals.
    pub(crate) fn best(&self) -> Result<&str, Failure> {
        let graded = |row: &&Row| self.experts.iter().all(|member| row.outcome(&member.name).is_some());
        let common: Vec<&Row> = self.rows.iter().filter(graded).collect();
        let score = |member: &Member| -> f64 {
            common.iter().filter_map(|row| row.outcome(&member.name)).map(|outcome| outcome.score).sum()
        };
        let rank = |member: &Member| (score(member), member.price.output + member.price.input);
        let higher = |a: &&Member, b: &&Member| {
            let ((a, a_price), (b, b_price)) = (rank(a), rank(b));
            a.total_cmp(&b).then(a_price.cmp(&b_price))
        };
        match self.experts.iter().max_by(higher) {
            Some(best) if !common.is_empty() => Ok(&best.name),
            _ => Err(Failure::input(anyhow!(
                "no prompt is graded for every expert; name one with --reference"
            ))),
        }
    }
}

/// The first eight bytes of a hash over `parts`.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// From this output price on (nano-USD per million tokens), an expert without a profile of its own counts as large.
const LARGE_FROM: i64 = 800_000_000;
const LARGE_PROFILE: &str = "70b-4xh100";
const SMALL_PROFILE: &str = "8b-a100";
