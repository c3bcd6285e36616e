//! Where each expert would have answered, and when: pool and replica, what is ahead there, and what that is worth.

use super::story::Story;
use super::width::fit;
use sluice_router::{Quote, ReplicaState};

/// One line for each expert that may answer, by what it comes to; none where nothing is known of any pool.
pub(super) fn lines(story: &Story) -> Vec<String> {
    let mut quotes: Vec<&Quote> =
        story.receipt.decision.quotes.iter().filter(|quote| quote.replica.is_some()).collect();
    if quotes.is_empty() {
        return vec![];
    }
    quotes.sort_by(|a, b| a.money.total_cmp(&b.money));
    let mut lines = vec![
        String::new(),
        format!(
            "  {} {:>8} {:>8} {:>8} {:>6} {:>12}  ahead of it",
            fit("would answer", NAME),
            "ttft ms",
            "tpot ms",
            "done s",
            "late",
            "sum USD"
        ),
    ];
    for quote in quotes {
        lines.push(row(story, quote));
        lines.extend(ahead(story, quote).map(|text| format!("      {text}")));
    }
    lines
}

fn row(story: &Story, quote: &Quote) -> String {
    format!(
        "{} {} {:>8.0} {:>8.1} {:>8.2} {:>5.1}% {:>12.8}  {}",
        if story.chosen() == quote.expert { ">" } else { " " },
        fit(story.name(quote.expert), NAME),
        quote.wait_ms + quote.ttft_ms,
        quote.tpot_ms,
        quote.total_ms / 1e3,
        quote.p_miss * 100.0,
        quote.money / 1e9,
        if quote.wait_ms > 0.0 { format!("waits {:.0} ms", quote.wait_ms) } else { "no wait".to_owned() }
    )
}

/// What the replica has in work.
fn ahead(story: &Story, quote: &Quote) -> Option<String> {
    let (pool, number) = (quote.pool?, quote.replica?);
    let state = story.receipt.pools.get(pool)?;
    let ReplicaState { in_flight, limit, context_tokens, prefill_tokens, hit_tokens, .. } =
        *state.replicas.get(number)?;
    let name = &story.snapshot.fleet.pools.get(pool)?.name;
    let cached = if hit_tokens > 0 { format!(", {hit_tokens} tokens in its cache") } else { String::new() };
    let harmed = quote.harmed;
    let harm = if harmed >= LEAST_HARM { format!("; {harmed:.2} of them late by it") } else { String::new() };
    Some(format!(
        "pool {name}, replica {number}: {in_flight} of {limit} in work, {} wait; {prefill_tokens:.0} prompt and \
         {context_tokens:.0} context tokens ahead{cached}{harm}",
        state.queued
    ))
}

/// Harm below this isn't worth a word.
const LEAST_HARM: f64 = 0.01;
/// Columns of an expert's name.
const NAME: usize = 28;
