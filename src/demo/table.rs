//! The table for people at the end of the demo: a pure function from the result to lines of at most 100 columns.

mod grid;

use super::result::{DemoResult, ExpertResult, Percentiles};
use grid::{left, right, short, wrapped};
use sluice_lab::thousands;

/// The whole table, line by line, without a line break at the end of any.
pub(crate) fn lines(result: &DemoResult) -> Vec<String> {
    let blocks =
        [title(result), matrix(result), by_expert(result), money(result), verdict(result), facts(result)];
    let mut lines = Vec::new();
    for block in blocks {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(block.into_iter().map(|line| line.trim_end().to_owned()));
    }
    lines
}

fn title(result: &DemoResult) -> Vec<String> {
    let sent = thousands(result.requests);
    let errors = match result.errors {
        0 => "0 errors".to_owned(),
        n => format!("{} ERRORS", thousands(n)),
    };
    let first = if result.simulated {
        format!("sluice demo, SIMULATED: {sent} requests of our own to experts that don't exist, {errors}")
    } else {
        format!(
            "sluice demo, REPLAYED: {sent} graded prompts, real scores and lengths, simulated timing, {errors}"
        )
    };
    vec![first]
}

/// Requests by domain and expert: the experts with most requests have a column each, the others share one.
fn matrix(result: &DemoResult) -> Vec<String> {
    let experts = busiest(result);
    let shown = if experts.len() > MOST_COLUMNS { MOST_COLUMNS - 1 } else { experts.len() };
    let mut columns: Vec<&[&str]> = experts[..shown].chunks(1).collect();
    if shown < experts.len() {
        columns.push(&experts[shown..]);
    }
    let cell = ((100 - NAME) / (columns.len() + 1)).min(WIDEST_CELL);
    let line = |name: &str, total: u64, count: &dyn Fn(&str) -> u64| {
        let sums = columns.iter().map(|experts| experts.iter().map(|expert| count(expert)).sum());
        let cells: String = sums.map(|n| right(&dotted(n), cell)).collect();
        left(name, NAME) + &right(&thousands(total), cell) + &cells
    };
    let mut out = vec!["Requests by domain and expert".to_owned()];
    out.extend(headings(&columns, cell));
    for (name, domain) in &result.domains {
        out.push(line(name, domain.requests, &|expert| domain.experts.get(expert).copied().unwrap_or(0)));
    }
    out.push(line("all", result.requests, &|expert| result.experts[expert].requests));
    out
}

/// Experts that got a request, the busiest first.
fn busiest(result: &DemoResult) -> Vec<&str> {
    let mut names: Vec<&str> = result
        .experts
        .iter()
        .filter(|(_, expert)| expert.requests > 0)
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(result.experts[*name].requests));
    names
}

/// The names above the columns, over as many lines as the longest needs, but at most four.
fn headings(columns: &[&[&str]], cell: usize) -> Vec<String> {
    let mut stacks = vec![vec!["total".to_owned()]];
    for experts in columns {
        let name = if experts.len() == 1 { experts[0] } else { "others" };
        stacks.push(stacked(name, cell - 1));
    }
    let height = stacks.iter().map(Vec::len).max().unwrap_or(1);
    let line = |at: usize| {
        let first = if at + 1 == height { "domain" } else { "" };
        // Headings stand on the line above the figures.
        let word = |stack: &Vec<String>| {
            let word = (at + stack.len()).checked_sub(height).map_or("", |at| stack[at].as_str());
            right(word, cell)
        };
        left(first, NAME) + &stacks.iter().map(word).collect::<String>()
    };
    (0..height).map(line).collect()
}

/// A name over at most four lines; the last is shortened if need be.
fn stacked(name: &str, columns: usize) -> Vec<String> {
    let mut lines = wrapped(name, columns);
    if lines.len() > MOST_HEADINGS {
        let rest = lines.split_off(MOST_HEADINGS - 1).concat();
        lines.push(short(&rest, columns));
    }
    lines
}

fn by_expert(result: &DemoResult) -> Vec<String> {
    let mut out = vec![row("expert", "requests", "share", "quality", "cost in USD")];
    for name in busiest(result) {
        let ExpertResult { requests, cost_usd, quality } = &result.experts[name];
        let share = format!("{:.1} %", 100.0 * *requests as f64 / result.requests.max(1) as f64);
        let quality = quality.map_or("-".to_owned(), |quality| format!("{quality:.3}"));
        out.push(row(name, &thousands(*requests), &share, &quality, &cost_usd.to_string()));
    }
    let idle = result.experts.values().filter(|expert| expert.requests == 0).count();
    if idle > 0 {
        out.push(format!("{} got no request", of_experts(idle)));
    }
    out
}

fn money(result: &DemoResult) -> Vec<String> {
    let compare = |name: &str, quality: f64, cost: String| row(name, "", "", &format!("{quality:.3}"), &cost);
    let mut out = vec![row("cost and quality", "", "", "quality", "cost in USD")];
    out.push(compare("routed", result.quality, result.cost_usd.to_string()));
    let always = format!("always {} (reference)", result.reference);
    out.push(compare(&always, result.reference_quality, result.baseline_usd.to_string()));
    if let Some(single) = &result.best_single {
        let name = format!("always {} (best other single)", single.expert);
        out.push(compare(&name, single.quality, single.cost_usd.to_string()));
    }
    let saved = result.saved_pct;
    out.push(if saved >= 0.0 {
        format!("Saved {saved:.1} % against always {}.", result.reference)
    } else {
        format!("NOTHING SAVED: {:.1} % dearer than always {}.", -saved, result.reference)
    });
    out
}

fn verdict(result: &DemoResult) -> Vec<String> {
    let held = if result.floor_held { "HELD" } else { "NOT HELD" };
    let ratio = result.quality / result.reference_quality;
    let interval = result.quality_ratio;
    let floor = format!(
        "Quality floor {}: {held}. {:.3} is {ratio:.3} of the reference's {:.3} ({} % interval {:.3} to {:.3}).",
        result.quality_floor,
        result.quality,
        result.reference_quality,
        percent(interval.confidence),
        interval.low,
        interval.high,
    );
    let how = match &result.certificate {
        Some(certificate) if certificate.method == "point" => {
            format!(
                "Not certified: the threshold is a point estimate on {} rows, without margin.",
                thousands(certificate.rows)
            )
        }
        Some(certificate) => format!(
            "Certified before sending: {} on {} calibration rows, confidence {} %.",
            if certificate.method == "bets" { "betting bound" } else { "one-sided normal test" },
            thousands(certificate.rows),
            percent(certificate.confidence),
        ),
        None => "No cheaper choice could be certified, so every request went to the reference.".to_owned(),
    };
    vec![floor, how]
}

fn facts(result: &DemoResult) -> Vec<String> {
    let latency = |name: &str, at: Percentiles, unit: &str| {
        left(name, 34)
            + &right(&figure(at.p50), 10)
            + &format!(" {unit} p50")
            + &right(&figure(at.p99), 10)
            + &format!(" {unit} p99")
    };
    let digest = |text: &str| text.chars().take(12).collect::<String>();
    vec![
        latency("Decision, text to expert", result.decide_us, "us"),
        latency("Request, at the client", result.request_ms, "ms"),
        format!("The simulated GPUs ran {} times as fast as the wall clock.", result.time_scale),
        format!(
            "Seed {}, model {}, configuration {}.",
            result.seed,
            digest(&result.versions.model),
            digest(&result.versions.config)
        ),
    ]
}

/// One line of the tables with money in the last column.
fn row(name: &str, requests: &str, share: &str, quality: &str, cost: &str) -> String {
    left(name, 46) + &right(requests, 10) + &right(share, 10) + &right(quality, 12) + &right(cost, 20)
}

/// A count, or a dot for none, so that a sparse matrix can be read.
fn dotted(n: u64) -> String {
    if n == 0 { "·".to_owned() } else { thousands(n) }
}

/// A latency with as many places as it has meaning.
fn figure(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { thousands(value.round() as u64) }
}

fn percent(share: f64) -> String {
    let hundred = (share * 1e4).round() / 1e2;
    hundred.to_string()
}

fn of_experts(n: usize) -> String {
    if n == 1 { "1 expert".to_owned() } else { format!("{n} experts") }
}

/// Columns of the domain's name.
const NAME: usize = 14;
/// Most columns of a count; a heading takes one less.
const WIDEST_CELL: usize = 10;
/// Experts that the matrix shows beside each other: with the total, 8 columns remain for each.
const MOST_COLUMNS: usize = 9;
/// Lines of a heading.
const MOST_HEADINGS: usize = 4;

#[cfg(test)]
mod tests;
