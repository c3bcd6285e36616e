//! From options to a test that is ready: each mistake names its option and its mend.

use super::options::Options;
use crate::cmd::Failure;
use anyhow::anyhow;
use sluice_lab::corpus::load_outcomes;
use sluice_load::arrivals::{Asked, Trace, plan};
use sluice_load::prompts::{Generated, Graded, Lines, Prompts};
use sluice_load::target::{Address, Manner, connect};
use sluice_load::{Gauge, Run};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The test.
pub(super) fn test(args: &Options) -> Result<Run, Failure> {
    let address = Address::parse(&args.target).map_err(Failure::input)?;
    let (names, shares) = tenants(&args.arrivals.tenants)?;
    let trace = args.arrivals.trace.as_deref().map(Trace::load).transpose().map_err(Failure::input)?;
    let trace = trace.map(Arc::new);
    let arrivals = plan(&asked(args, trace.clone(), shares)).map_err(wrong)?;
    let (prompts, reference) = prompts(args, trace)?;
    let target = connect(&address, manner(args)?).map_err(Failure::input)?;
    if !(1..=MOST_OPEN).contains(&args.sending.max_open) {
        return Err(wrong(format!("--max-open {}: give 1 to {MOST_OPEN}", args.sending.max_open)));
    }
    Ok(Run {
        arrivals,
        prompts,
        target,
        tenants: names,
        reference,
        is_conversational: args.arrivals.turns.is_some(),
        max_open: args.sending.max_open,
        timeout: seconds("--timeout", args.sending.timeout)?,
        give_up_after: seconds("--give-up-after", args.give_up_after)?,
        gauge: Arc::new(Gauge::default()),
    })
}

/// More than one machine can hold; beyond it there is a typing mistake.
const MOST_OPEN: usize = 1_000_000;
/// A host has 64,000 local ports towards one address.
const MOST_CONNECTIONS: usize = 64_000;

/// Beyond it the longest is a thousand times the shortest.
const MOST_SPREAD: f64 = 2.0;

/// Whether anybody listens there: a test that can't begin says so at once.
pub(super) async fn reach(target: &str) -> Result<(), Failure> {
    let address = Address::parse(target).map_err(Failure::input)?;
    let opened = tokio::time::timeout(Duration::from_secs(5), address.reach()).await;
    let failed = match opened {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no connection within 5 s".to_owned(),
    };
    Err(anyhow!("{target} can't be reached: {failed}; start it, or mend --target").into())
}

pub(super) fn asked(args: &Options, trace: Option<Arc<Trace>>, tenants: Vec<f64>) -> Asked {
    let given = &args.arrivals;
    Asked {
        seed: args.seed,
        trace,
        speed: given.speed,
        rate: given.rate,
        constant: given.constant,
        burst: given.burst,
        ramp: given.ramp,
        steps: given.steps.clone(),
        concurrency: given.concurrency,
        think_s: given.think,
        turns: given.turns,
        duration_s: given.duration,
        requests: given.requests,
        tenants,
        cancel: given.cancel,
        cancel_within_s: given.cancel_within,
    }
}

/// The prompts, and the reference of graded ones.
pub(super) fn prompts(
    args: &Options,
    trace: Option<Arc<Trace>>,
) -> Result<(Arc<dyn Prompts>, Option<String>), Failure> {
    let given = &args.prompts;
    let (seed, max_tokens) = (args.seed, given.max_tokens);
    let Some(file) = &given.prompts else {
        let made: Generated = match trace {
            Some(trace) => Generated::like(seed, trace),
            None if given.length_spread > 0.0 => {
                let spread = given.length_spread;
                if spread > MOST_SPREAD {
                    return Err(wrong(format!("--length-spread {spread}: give 0 to {MOST_SPREAD}")));
                }
                Generated::spread(seed, given.input_tokens, given.output_tokens, spread)
            }
            None => Generated::fixed(seed, given.input_tokens, Some(given.output_tokens)),
        };
        return Ok((Arc::new(made), None));
    };
    if !is_graded(file)? {
        return Ok((Arc::new(Lines::load(file, seed, max_tokens).map_err(Failure::input)?), None));
    }
    let corpus = load_outcomes(std::slice::from_ref(file)).map_err(Failure::input)?;
    let graded = Graded::new(&corpus, seed, max_tokens);
    if graded.is_empty() {
        return Err(wrong(format!("{}: no row can be used; see docs/reference/data.md", file.display())));
    }
    if let Some(named) = given.reference.as_ref().filter(|named| !graded.grades(named)) {
        return Err(wrong(format!("--reference {named}: {} has no outcome of it", file.display())));
    }
    let reference = given.reference.clone().or_else(|| graded.best().map(str::to_owned));
    Ok((Arc::new(graded), reference))
}

/// Graded outcomes are told by the key `outcomes` of the first row.
fn is_graded(file: &Path) -> Result<bool, Failure> {
    let first = sluice_lab::corpus::first_line(file).map_err(Failure::input)?;
    let row: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&first).ok();
    Ok(row.is_some_and(|row| row.contains_key("outcomes")))
}

fn manner(args: &Options) -> Result<Manner, Failure> {
    let given = &args.sending;
    if let Some(wrong_count) = given.connections.filter(|count| !(1..=MOST_CONNECTIONS).contains(count)) {
        return Err(wrong(format!("--connections {wrong_count}: give 1 to {MOST_CONNECTIONS}")));
    }
    let key = given.key_env.as_ref().map(|name| {
        let unset = || wrong(format!("--key-env {name}: that variable is not set; export it"));
        std::env::var(name).map_err(|_| unset())
    });
    let header = |text: &String| {
        let parts =
            text.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        parts.ok_or_else(|| wrong(format!("--header {text:?}: write NAME=VALUE")))
    };
    let extra = given.extra.as_deref().map(serde_json::from_str).transpose();
    let extra = extra.map_err(|error| wrong(format!("--extra: {error}; write a JSON object")))?;
    Ok(Manner {
        model: given.model.clone(),
        streams: !given.unary,
        connections: given.connections,
        key: key.transpose()?,
        headers: given.header.iter().map(header).collect::<Result<_, _>>()?,
        extra: extra.unwrap_or_default(),
        ..Manner::default()
    })
}

/// Names and shares of the tenants.
pub(super) fn tenants(text: &str) -> Result<(Vec<String>, Vec<f64>), Failure> {
    if text.is_empty() {
        return Ok(Default::default());
    }
    if let Ok(count) = text.parse::<usize>() {
        let names = (1..=count).map(|n| format!("tenant-{n}"));
        return Ok((names.collect(), vec![1.0; count]));
    }
    let one = |part: &str| {
        let (name, share) = part.split_once('=')?;
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        Some((is_name.then(|| name.to_owned())?, share.parse().ok()?))
    };
    let all: Option<Vec<(String, f64)>> = text.split(',').map(|part| one(part.trim())).collect();
    let all = all.ok_or_else(|| {
        wrong(format!(
            "--tenants {text:?}: write a number, or NAME=SHARE,... with letters, digits and -_. in names"
        ))
    })?;
    Ok(all.into_iter().unzip())
}

pub(super) fn seconds(name: &str, value: f64) -> Result<Duration, Failure> {
    let parsed = Duration::try_from_secs_f64(value).ok().filter(|time| !time.is_zero());
    parsed.ok_or_else(|| wrong(format!("{name} {value}: must be above 0")))
}

pub(super) fn wrong(what: String) -> Failure {
    Failure::input(anyhow!(what))
}
