//! The run over time: stretches of equal width that double when there would be too many, so that a run of any length
//! keeps between half of [`MOST`] and [`MOST`] of them.

use crate::measure::hist::Hist;
use crate::measure::interval::{Interval, t_quantile};
use crate::sample::{End, Sample};
use serde::{Deserialize, Serialize};

/// Most stretches.
pub(crate) const MOST: usize = 256;
/// The first width.
const NARROWEST_NS: u64 = 50_000_000;

/// What happened in one stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Requests meant to start here.
    pub arrived: u64,
    /// Requests completed here.
    pub ok: u64,
    /// Requests that failed here.
    pub failed: u64,
    /// Requests that were cancelled here.
    pub cancelled: u64,
    /// Tokens produced by requests completed here.
    pub output_tokens: u64,
    /// Cost of requests that ended here.
    pub cost_nanousd: i64,
    /// Time to first token of those that arrived here.
    pub ttft: Hist,
    /// Time per output token of those that arrived here.
    pub tpot: Hist,
    /// Time to the end of those that arrived here.
    pub e2e: Hist,
}

impl Stretch {
    fn new() -> Stretch {
        let hist = || Hist::new(2);
        Stretch {
            arrived: 0,
            ok: 0,
            failed: 0,
            cancelled: 0,
            output_tokens: 0,
            cost_nanousd: 0,
            ttft: hist(),
            tpot: hist(),
            e2e: hist(),
        }
    }

    pub(crate) fn merge(&mut self, other: &Stretch) {
        self.arrived += other.arrived;
        self.ok += other.ok;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.output_tokens += other.output_tokens;
        self.cost_nanousd = self.cost_nanousd.saturating_add(other.cost_nanousd);
        self.ttft.merge(&other.ttft);
        self.tpot.merge(&other.tpot);
        self.e2e.merge(&other.e2e);
    }
}

/// The stretches of a run, from its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    width_ns: u64,
    stretches: Vec<Stretch>,
}

impl Series {
    pub(crate) fn new() -> Series {
        Series { width_ns: NARROWEST_NS, stretches: Vec::new() }
    }

    /// Width of a stretch in seconds.
    pub fn width_s(&self) -> f64 {
        self.width_ns as f64 / 1e9
    }

    /// The stretches, the first from the run's start.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    pub(crate) fn add(&mut self, sample: &Sample) {
        let at_end = self.at(sample.ended);
        at_end.cost_nanousd = at_end.cost_nanousd.saturating_add(sample.cost_nanousd.unwrap_or_default());
        match sample.end {
            End::Done => {
                at_end.ok += 1;
                at_end.output_tokens += u64::from(sample.output_tokens);
            }
            End::Failed { .. } => at_end.failed += 1,
            End::Cancelled => at_end.cancelled += 1,
        }
        let at_start = self.at(sample.planned.at);
        at_start.arrived += 1;
        let times = Times::of(sample);
        times.ttft.into_iter().for_each(|ns| at_start.ttft.record(ns));
        times.tpot.into_iter().for_each(|ns| at_start.tpot.record(ns));
        times.e2e.into_iter().for_each(|ns| at_start.e2e.record(ns));
    }

    pub(crate) fn merge(&mut self, mut other: Series) {
        while self.width_ns < other.width_ns {
            self.double();
        }
        while other.width_ns < self.width_ns {
            other.double();
        }
        while self.stretches.len() < other.stretches.len() {
            self.stretches.push(Stretch::new());
        }
        for (mine, theirs) in self.stretches.iter_mut().zip(&other.stretches) {
            mine.merge(theirs);
        }
    }

    fn at(&mut self, ns: u64) -> &mut Stretch {
        while ns / self.width_ns >= MOST as u64 {
            self.double();
        }
        let index = (ns / self.width_ns) as usize;
        while self.stretches.len() <= index {
            self.stretches.push(Stretch::new());
        }
        &mut self.stretches[index]
    }

    fn double(&mut self) {
        self.width_ns *= 2;
        let pairs = self.stretches.chunks(2).map(|pair| {
            let mut both = pair[0].clone();
            pair[1..].iter().for_each(|second| both.merge(second));
            both
        });
        self.stretches = pairs.collect();
    }

    /// `measure` over about `count` groups of consecutive stretches up to `until_ns`, the remainder left out.
    pub(crate) fn batches<T>(
        &self,
        count: usize,
        until_ns: u64,
        measure: impl Fn(&[Stretch]) -> T,
    ) -> Vec<T> {
        cut(&self.stretches[..self.whole(until_ns)], count, measure)
    }

    /// How many stretches are over at `until_ns`.
    fn whole(&self, until_ns: u64) -> usize {
        ((until_ns / self.width_ns) as usize).min(self.stretches.len())
    }

    /// Completed requests per second while requests arrived, and its interval, by batch means: the run from its first
    /// completion in 20 batches without the first, which warms up.
    pub(crate) fn throughput(&self, until_ns: u64) -> Option<(f64, Interval)> {
        let rate = |batch: &[Stretch]| {
            batch.iter().map(|stretch| stretch.ok).sum::<u64>() as f64 / (batch.len() as f64 * self.width_s())
        };
        let whole = &self.stretches[..self.whole(until_ns)];
        let first = whole.iter().position(|stretch| stretch.ok > 0)?;
        let mut rates = cut(&whole[first..], BATCHES, rate);
        if rates.len() < BATCHES / 2 {
            return None;
        }
        rates.remove(0);
        let n = rates.len() as f64;
        let mean = rates.iter().sum::<f64>() / n;
        let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Some((mean, Interval::around(mean, libm::sqrt(variance / n), t_quantile(0.975, n - 1.0))))
    }
}

fn cut<T>(stretches: &[Stretch], count: usize, measure: impl Fn(&[Stretch]) -> T) -> Vec<T> {
    let size = (stretches.len() / count).max(1);
    stretches.chunks_exact(size).map(measure).collect()
}

/// Batches of batch means.
pub(crate) const BATCHES: usize = 20;

/// The times of a sample that count, in nanoseconds. A failed request has none; a cancelled one only its first token.
pub(crate) struct Times {
    pub(crate) ttft: Option<u64>,
    pub(crate) ttft_from_sent: Option<u64>,
    pub(crate) tpot: Option<u64>,
    pub(crate) e2e: Option<u64>,
}

impl Times {
    pub(crate) fn of(sample: &Sample) -> Times {
        let ns = |ms: f64| (ms * 1e6) as u64;
        let is_ok = sample.is_ok();
        let began = is_ok || sample.end == End::Cancelled;
        Times {
            ttft: sample.ttft_ms().filter(|_| began).map(ns),
            ttft_from_sent: sample.ttft_from_sent_ms().filter(|_| began).map(ns),
            tpot: sample.tpot_ms().filter(|_| is_ok).map(ns),
            e2e: is_ok.then(|| ns(sample.e2e_ms())),
        }
    }
}
