//! What must hold after every run, whatever went wrong in it.

use super::client::{End, Kind, Told};
use super::engine::PORT;
use super::faults::{Fault, Target};
use super::script::{Run, text};
use super::world::Outcome;
use crate::invariants::check_settled;
use crate::record::Settled;
use sluice_router::MAX_ATTEMPTS;
use std::collections::BTreeMap;
use std::time::Duration;

/// Every promise that the run broke.
pub(super) fn breaches(outcome: &Outcome) -> Vec<String> {
    let mut breaches: Vec<String> =
        outcome.unfinished.iter().map(|what| format!("it does not end: {what}")).collect();
    let settled = by_label(&outcome.settled, &mut breaches);
    for told in &outcome.told {
        breaches.extend(client(outcome, told, settled.get(told.wish.label.as_str()).copied()));
    }
    for settled in &outcome.settled {
        breaches.extend(settlement(outcome, settled));
    }
    breaches.extend(crowded(outcome));
    breaches.extend(uncancelled(outcome));
    breaches.extend(budgets(outcome));
    breaches.extend(own_gpus(outcome));
    breaches
}

/// What is booked of own GPUs' minutes is what the tries there were charged, no minute is booked twice or charged beyond its
/// bill, and every one but the first and the last costs the same.
fn own_gpus(outcome: &Outcome) -> Vec<String> {
    let tries = outcome.settled.iter().flat_map(|settled| &settled.attempts);
    let paid: i64 = tries
        .filter(|attempt| outcome.plan.owns_gpus && attempt.pool == "small-pool")
        .map(|attempt| attempt.cost.0)
        .sum();
    let charged: i64 = outcome.minutes.iter().map(|minute| minute.charged.0).sum();
    let mut wrong = Vec::new();
    if paid != charged && outcome.unfinished.is_empty() {
        wrong.push(format!("tries on own GPUs cost {paid}, their minutes have {charged}"));
    }
    if outcome.plan.owns_gpus && outcome.minutes.is_empty() {
        wrong.push("own GPUs have no minute".to_owned());
    }
    let whole = 600_000_000 * i64::try_from(outcome.plan.pools[1].1).expect("few");
    let mut minutes = outcome.minutes.clone();
    minutes.sort_by_key(|minute| minute.start_ms);
    for (at, minute) in minutes.iter().enumerate() {
        let is_inner = at > 0 && at + 1 < minutes.len();
        let is_twice = at > 0 && minute.start_ms == minutes[at - 1].start_ms;
        if is_twice
            || minute.charged > minute.bill
            || minute.bill.0 > whole
            || (is_inner && minute.bill.0 != whole)
        {
            wrong.push(format!("minute {at} of {whole}: {minute:?}"));
        }
    }
    wrong
}

/// Each request is settled once.
fn by_label<'a>(settled: &'a [Settled], breaches: &mut Vec<String>) -> BTreeMap<&'a str, &'a Settled> {
    let mut found = BTreeMap::new();
    for settled in settled {
        if found.insert(&*settled.label, settled).is_some() {
            breaches.push(format!("{} is settled twice", settled.label));
        }
    }
    found
}

/// What a client was told is true, and is an end.
fn client(outcome: &Outcome, told: &Told, settled: Option<&Settled>) -> Vec<String> {
    let label = &told.wish.label;
    let wire_was_fine = !disturbed(outcome, Target::Client(told.wish.client), told.began, told.ended);
    let mut wrong = Vec::new();
    if settled.is_none() && wire_was_fine {
        wrong.push(format!("{label} is not settled: {:?}", told.end));
    }
    match &told.end {
        End::Complete { text: said, cost } => {
            let whole =
                |(number, run): (usize, &Run)| run.label == *label && text(number, run.tokens) == *said;
            if !outcome.runs.iter().enumerate().any(whole) {
                wrong.push(format!("{label} was told as whole what no engine said as whole: {said:?}"));
            }
            if let Some(settled) = settled.filter(|settled| settled.status != "ok" || settled.cost.0 != *cost)
            {
                wrong.push(format!(
                    "{label} was told a cost of {cost} but is booked at {} as {}",
                    settled.cost.0, settled.status
                ));
            }
        }
        End::Error { code, .. } => {
            if settled.is_some_and(|settled| settled.status == "ok") {
                wrong.push(format!("{label} was told {code} but is booked as ok"));
            }
        }
        End::Unclear(what) => wrong.push(format!("{label} ended neither whole nor with an error: {what}")),
        End::Lost(_) | End::GaveUp if wire_was_fine => {
            wrong.push(format!("{label} had no end though its wire was fine: {:?}", told.end));
        }
        End::Lost(_) | End::GaveUp | End::Left => {}
    }
    wrong
}

/// The money adds up, and no try was made that is not booked.
fn settlement(outcome: &Outcome, settled: &Settled) -> Vec<String> {
    let label = &settled.label;
    let mut wrong: Vec<String> =
        check_settled(settled).err().into_iter().map(|breach| format!("{label}: {breach}")).collect();
    let at_engines = outcome.runs.iter().filter(|run| run.label == *label).count();
    if at_engines > settled.attempts.len() {
        wrong.push(format!("{label} reached engines {at_engines} times in {} tries", settled.attempts.len()));
    }
    if settled.attempts.iter().filter(|attempt| attempt.end == "done").count() > 1 {
        wrong.push(format!("{label} was answered twice"));
    }
    if settled.attempts.len() > MAX_ATTEMPTS {
        wrong.push(format!("{label} was tried {} times", settled.attempts.len()));
    }
    wrong
}

/// No replica answers more at once than it may. Counted are the answers that the gateway read to their ends: it held
/// their places from before the engine began until after it had ended, whatever the network did.
fn crowded(outcome: &Outcome) -> Option<String> {
    let growth = if outcome.plan.learns { 8 } else { 1 };
    let most = outcome.plan.max_concurrency as usize * growth;
    let held: Vec<(&Run, Duration)> =
        outcome.settled.iter().filter_map(|settled| answered(outcome, settled)).collect();
    held.iter().find_map(|(run, _)| {
        let at_once = |(other, finished): &&(&Run, Duration)| {
            other.engine == run.engine && other.began <= run.began && *finished > run.began
        };
        let count = held.iter().filter(at_once).count();
        (count > most).then(|| format!("engine {} answers {count} at once, {most} may be", run.engine))
    })
}

/// The run that answered a request to its end, and when it had ended.
fn answered<'a>(outcome: &'a Outcome, settled: &Settled) -> Option<(&'a Run, Duration)> {
    let done = settled.attempts.iter().find(|attempt| attempt.end == "done")?;
    let is_it = |run: &&Run| {
        run.label == settled.label && done.replica == format!("http://engine-{}:{PORT}", run.engine)
    };
    let run = outcome.runs.iter().rfind(is_it)?;
    Some((run, run.finished?))
}

/// A client that has left ends the engine's work.
fn uncancelled(outcome: &Outcome) -> Vec<String> {
    let left = outcome.told.iter().filter(|told| told.end == End::Left);
    left.flat_map(|told| {
        let late = told.ended + CANCEL;
        outcome.runs.iter().filter_map(move |run| {
            let wires = [Target::Client(told.wish.client), Target::Engine(run.engine)];
            let fine = !wires.iter().any(|&wire| disturbed(outcome, wire, told.began, late));
            let is_late = run.label == told.wish.label && run.ended.is_none_or(|ended| ended > late);
            (is_late && fine).then(|| format!("{} left, but engine {} went on", run.label, run.engine))
        })
    })
    .collect()
}

/// How long the news that a client has left may take through two wires and the gateway.
const CANCEL: Duration = Duration::from_millis(100);

/// Tries beyond the first of each request stay within the budgets, each a burst and a tenth of the requests: that of
/// retries, and that of hedges, whose losers are known by their ends.
fn budgets(outcome: &Outcome) -> Vec<String> {
    let tries = || outcome.settled.iter().flat_map(|settled| &settled.attempts);
    let hedges = tries().filter(|attempt| attempt.end == "hedge_lost").count();
    let first = outcome.settled.iter().filter(|settled| !settled.attempts.is_empty()).count();
    let tenth = outcome.settled.len() / 10;
    let within = |what: &str, count: usize, burst: usize| {
        (count > burst + tenth).then(|| format!("{count} {what}, {} may be", burst + tenth))
    };
    let retries = tries().count() - first - hedges;
    within("retries", retries, 100).into_iter().chain(within("hedges", hedges, 10)).collect()
}

/// Whether messages on this wire may have come late or not at all in this time. A connection that has lost some stays
/// dead, and one is kept alive for long: whatever was lost before counts too.
fn disturbed(outcome: &Outcome, wire: Target, from: Duration, until: Duration) -> bool {
    let touches = |fault: &Fault| {
        let is_then = fault.from <= until && (fault.until + SETTLING >= from || fault.kind.loses());
        fault.at == wire && fault.kind.disturbs() && is_then
    };
    outcome.plan.faults.iter().any(touches)
}

/// How long after a fault its last messages may still be on their way.
const SETTLING: Duration = Duration::from_millis(500);

/// Everything that was seen in a run, line by line: two runs of a seed have the same story.
pub(super) fn story(outcome: &Outcome) -> Vec<String> {
    let told = outcome.told.iter().map(|told| format!("{told:?}"));
    let runs = outcome.runs.iter().map(|run| format!("{run:?}"));
    let settled = outcome.settled.iter().map(|settled| {
        let receipt =
            settled.receipt.as_ref().map(|receipt| serde_json::to_string(receipt).expect("plain data"));
        format!("{receipt:?} {:?}", Settled { receipt: None, ..settled.clone() })
    });
    told.chain(runs).chain(settled).collect()
}

/// How much of what a simulation should meet it has met, to see that it is no idle one.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    pub(super) complete: usize,
    pub(super) errors: usize,
    pub(super) broken: usize,
    pub(super) left: usize,
    pub(super) lost: usize,
    pub(super) retried: usize,
    pub(super) grpc: usize,
}

impl Coverage {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        for told in &outcome.told {
            self.grpc += usize::from(told.wish.kind == Kind::Grpc);
            match &told.end {
                End::Complete { .. } => self.complete += 1,
                End::Error { text, .. } if text.is_empty() => self.errors += 1,
                End::Error { .. } => self.broken += 1,
                End::Left => self.left += 1,
                End::Lost(_) | End::GaveUp | End::Unclear(_) => self.lost += 1,
            }
        }
        self.retried += outcome.settled.iter().filter(|settled| settled.attempts.len() > 1).count();
    }
}
