//! The highest rate that holds an objective, and what happens at rates up to it.

mod decide;
mod point;
mod sweep;
mod watch;

use crate::measure::{Slo, Tally};
use decide::Decide;
use serde::{Deserialize, Serialize};

pub use point::Point;
pub use sweep::{Sweep, sweep};
pub use watch::{Stop, Watch};

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchAsk {
    /// What must hold.
    pub slo: Slo,
    /// The first rate tried, in requests per second.
    pub start_rps: f64,
    /// No higher rate is tried.
    pub most_rps: f64,
    /// The search ends when the lowest rate that missed is at most so much above the highest that held: 0.03 is 3 %.
    pub tolerance: f64,
    /// Requests of each full probe; at least what the objective's percentiles need.
    pub requests: u64,
    /// Seconds of a coarse probe on the way up.
    pub coarse_s: f64,
}

/// One test of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// At this rate, in requests per second.
    pub rate_rps: f64,
    /// So many requests.
    pub requests: u64,
    /// Its number, from 0: another seed for each, so that one lucky plan doesn't decide.
    pub number: u32,
}

/// What came of a probe.
#[derive(Debug)]
pub struct Ran {
    /// What was measured.
    pub tally: Tally,
    /// Why it was ended early, if it was.
    pub stop: Option<Stop>,
}

/// What the search found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The highest rate that held, twice; `None` when none did.
    pub rate_rps: Option<f64>,
    /// The lowest rate above it that missed; `None` when all rates up to the highest allowed held.
    pub missed_rps: Option<f64>,
    /// Every probe, in order.
    pub probes: Vec<Point>,
}

/// Why a search gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SearchError<E> {
    /// A probe could not be run.
    #[error(transparent)]
    Probe(E),
    /// The target doesn't show a figure that the objective bounds.
    #[error("{0} can't be judged: the target doesn't show this time (unary answers have no first token)")]
    Unseen(String),
}

/// Doubles the rate in short probes until the objective breaks, then closes in by bisection of the ratio in full ones;
/// the rate found must hold a second time.
///
/// # Errors
/// What `run` says, and an objective that the target's answers can't be judged by.
pub async fn find_max<E>(
    ask: &SearchAsk,
    mut run: impl AsyncFnMut(Probe) -> Result<Ran, E>,
) -> Result<Found, SearchError<E>> {
    let mut decide = Decide::new(ask.start_rps, ask.most_rps, ask.tolerance);
    let requests = ask.requests.max(ask.slo.fewest_requests());
    let mut probes = Vec::new();
    while let Some(next) = decide.next() {
        let (number, rate_rps) = (probes.len() as u32, next.rate);
        let coarse = ((rate_rps * ask.coarse_s) as u64).clamp(FEWEST, requests.max(FEWEST));
        let requests = if next.is_coarse { coarse } else { requests };
        let ran = run(Probe { rate_rps, requests, number }).await.map_err(SearchError::Probe)?;
        let point = judged(&ask.slo, rate_rps, &ran);
        let held = point.held.ok_or_else(|| SearchError::Unseen(ask.slo.to_string()))?;
        decide.tell(next, held);
        probes.push(point);
    }
    Ok(Found { rate_rps: decide.held(), missed_rps: decide.missed(), probes })
}

/// Requests of the shortest coarse probe.
const FEWEST: u64 = 50;

/// The point of a probe with its verdict. A queue that grows misses, though the run may have been too short for the
/// percentiles to say so.
fn judged(slo: &Slo, rate_rps: f64, ran: &Ran) -> Point {
    let mut point = Point::of(rate_rps, &ran.tally);
    point.is_cut = ran.stop.is_some();
    let broken = slo.judge(&ran.tally).into_iter().find(|bound| bound.held == Some(false));
    let stop = ran.stop.clone().or_else(|| watch::grew(&ran.tally).then_some(Stop::Saturated));
    point.why = stop.map(|stop| stop.to_string()).or_else(|| broken.map(|bound| bound.expr));
    point.held = if point.why.is_some() { Some(false) } else { slo.held(&ran.tally) };
    point
}

#[cfg(test)]
mod search_tests;
