//! A service level objective: `ttft_p99=500ms,tpot_p95=50ms,error_rate=0.1%`.
//!
//! It judges a run, by its percentiles, and each request, by its own times: the good ones make the goodput.

use crate::measure::figure::{Figure, PLAIN, Time};
use crate::measure::series::Times;
use crate::measure::tally::Tally;
use crate::sample::Sample;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// What is bounded.
    pub figure: Figure,
    /// Its highest value that holds, in the figure's unit.
    pub limit: f64,
}

/// Bounds that must all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Slo {
    text: String,
    bounds: Vec<Bound>,
}

/// What became of one bound in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundReport {
    /// As it was written.
    pub expr: String,
    /// The figure's value, failed requests counted as never answered; `None` when unknown or when so many failed that
    /// the percentile has no value.
    pub value: Option<f64>,
    /// Whether it held; `None` when the run doesn't know the figure.
    pub held: Option<bool>,
}

impl Slo {
    /// The bounds, as written.
    pub fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// The least number of requests that a probe needs, so that every percentile has some twenty values above it.
    pub fn fewest_requests(&self) -> u64 {
        let needs = self.bounds.iter().map(|bound| match bound.figure {
            Figure::Percentile(_, q) => (20.0 / (1.0 - q)).round() as u64,
            Figure::Plain(_) => (5.0 / bound.limit.max(1e-4)).ceil() as u64,
        });
        needs.max().unwrap_or_default().clamp(100, 20_000)
    }

    /// Whether one request was good: answered, and each of its own times within its bound. A time that can't be seen,
    /// such as the first token of a unary answer, breaks no bound.
    pub fn is_good(&self, sample: &Sample) -> bool {
        let times = Times::of(sample);
        sample.is_ok()
            && self.bounds.iter().all(|bound| {
                let Figure::Percentile(time, q) = bound.figure else { return true };
                let own = match time {
                    Time::Ttft => times.ttft.map(ms),
                    Time::Tpot => times.tpot.map(ms),
                    Time::E2e => times.e2e.map(ms),
                    Time::Itl => own_gap_ms(&sample.gaps_us, q),
                };
                own.is_none_or(|own| own <= bound.limit)
            })
    }

    /// What became of each bound.
    pub fn judge(&self, tally: &Tally) -> Vec<BoundReport> {
        let exprs = self.text.split(',').map(str::trim);
        exprs.zip(&self.bounds).map(|(expr, bound)| bound.judge(expr, tally)).collect()
    }

    /// Whether every bound held; `None` when one is unknown and none is broken.
    pub fn held(&self, tally: &Tally) -> Option<bool> {
        let all: Vec<Option<bool>> = self.judge(tally).into_iter().map(|bound| bound.held).collect();
        if all.contains(&Some(false)) {
            return Some(false);
        }
        (!all.contains(&None)).then_some(true)
    }
}

impl Bound {
    fn judge(&self, expr: &str, tally: &Tally) -> BoundReport {
        let expr = expr.to_owned();
        match self.figure {
            Figure::Percentile(time, q) => {
                let hist = tally.times(time);
                let failed = if time == Time::Itl { 0 } else { tally.failed() };
                let share = q * (hist.count() + failed) as f64 / hist.count().max(1) as f64;
                let value = hist.quantile_ms(share).filter(|_| share <= 1.0);
                let is_known = hist.count() > 0 || failed > 0;
                BoundReport {
                    expr,
                    value,
                    held: is_known.then(|| value.is_some() && hist.holds(share, self.limit)),
                }
            }
            Figure::Plain(_) => {
                let value = (tally.sent() > 0).then(|| tally.failed() as f64 / tally.sent() as f64);
                BoundReport { expr, value, held: value.map(|value| value <= self.limit) }
            }
        }
    }

    /// How many of the requests so far break it, where that can be counted, and how many of `planned` may.
    pub(crate) fn broken_of(&self, tally: &Tally, planned: u64) -> Option<(u64, u64)> {
        match self.figure {
            Figure::Percentile(Time::Itl, _) => None,
            Figure::Percentile(time, q) => {
                let broken = tally.times(time).above(self.limit) + tally.failed();
                Some((broken, ((1.0 - q) * planned as f64).ceil() as u64))
            }
            Figure::Plain(_) => Some((tally.failed(), (self.limit * planned as f64).ceil() as u64)),
        }
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The request's own percentile over its gaps.
fn own_gap_ms(gaps_us: &[u32], q: f64) -> Option<f64> {
    let mut sorted = gaps_us.to_vec();
    sorted.sort_unstable();
    let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).map(|us| f64::from(*us) / 1e3)
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Slo, String> {
        let mut bounds: Vec<Bound> = Vec::new();
        let mut at = 1;
        for part in text.split(',') {
            let bound = bound(part.trim()).map_err(|error| format!("at character {at}: {error}"))?;
            if bounds.iter().any(|other| other.figure == bound.figure) {
                return Err(format!("at character {at}: {} is bounded twice", bound.figure));
            }
            bounds.push(bound);
            at += part.chars().count() + 1;
        }
        Ok(Slo { text: text.to_owned(), bounds })
    }
}

fn bound(part: &str) -> Result<Bound, String> {
    let (name, limit) = part
        .split_once('=')
        .ok_or_else(|| format!("{part:?} is not FIGURE=LIMIT, such as ttft_p99=500ms"))?;
    let name = name.trim();
    let figure = Figure::named(name).filter(|figure| may_bound(*figure)).ok_or_else(|| {
        format!("{name:?} can't be bounded; an SLO knows ttft_p50 to ttft_p99.9, tpot_p.., e2e_p.., itl_p.. and error_rate")
    })?;
    let limit = figure.unit().read(limit.trim())?;
    if !(limit.is_finite() && limit >= 0.0) {
        return Err(format!("the limit of {name} must be at least 0"));
    }
    Ok(Bound { figure, limit })
}

fn may_bound(figure: Figure) -> bool {
    match figure {
        Figure::Percentile(..) => true,
        Figure::Plain(at) => PLAIN[at].name == "error_rate",
    }
}

impl From<Slo> for String {
    fn from(slo: Slo) -> String {
        slo.text
    }
}

impl TryFrom<String> for Slo {
    type Error = String;

    fn try_from(text: String) -> Result<Slo, String> {
        text.parse()
    }
}

impl std::fmt::Display for Slo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
