//! What the tester itself costs, and whether it was the bottleneck.

use crate::clock::Clock;
use crate::sample::{End, FaultKind, Sample};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The tester's own figures. Times are microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overhead {
    /// How late requests were sent, the median.
    pub late_us_p50: u64,
    /// How late requests were sent, all but one in a hundred.
    pub late_us_p99: u64,
    /// How late the latest was sent.
    pub late_us_max: u64,
    /// How late the event loop came to a timer, all but one in a hundred; the timer's own millisecond is taken off.
    pub lag_us_p99: u64,
    /// Share of the machine's cores that this process used, 0 to 1; where the system tells.
    pub cpu_share: Option<f64>,
    /// Cores that it could use.
    pub cores: usize,
    /// Why the figures may be the tester's and not the target's; empty when they are the target's.
    pub warnings: Vec<String>,
}

/// Gathers them.
pub(crate) struct Meter {
    clock: Clock,
    late: Histogram<u64>,
    ttft: Histogram<u64>,
    lag: Arc<Mutex<Histogram<u64>>>,
    cpu: Option<f64>,
    /// Failures of the tester itself, by code.
    own: BTreeMap<String, u64>,
}

impl Meter {
    pub(crate) fn start(clock: Clock) -> Meter {
        Meter {
            clock,
            late: histogram(),
            ttft: histogram(),
            lag: Arc::new(Mutex::new(histogram())),
            cpu: cpu_seconds(),
            own: BTreeMap::new(),
        }
    }

    /// Takes note of a request.
    pub(crate) fn note(&mut self, sample: &Sample) {
        self.late.saturating_record(sample.sent.saturating_sub(sample.planned.at) / 1_000);
        if let End::Failed { kind: FaultKind::Tester, code } = &sample.end {
            *self.own.entry(code.clone()).or_default() += 1;
        }
        if let Some(first) = sample.first {
            self.ttft.saturating_record(first.saturating_sub(sample.planned.at) / 1_000);
        }
    }

    /// A task that measures the event loop until it is aborted.
    pub(crate) fn watch_lag(&self) -> impl Future<Output = ()> + Send + use<> {
        let (clock, lag) = (self.clock, self.lag.clone());
        async move {
            // By a plan of its own: a loop that waits after each late one would hardly see a long stall.
            for due in (1..).map(|n| n * LAG_EVERY) {
                clock.until(due).await;
                let late = (clock.now().saturating_sub(due) / 1_000).saturating_sub(TIMER_US);
                lag.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(late);
            }
        }
    }

    pub(crate) fn finish(self) -> Overhead {
        let wall = self.clock.now() as f64 / 1e9;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let used = self.cpu.zip(cpu_seconds()).map(|(before, now)| now - before);
        let mut overhead = Overhead {
            late_us_p50: self.late.value_at_quantile(0.5),
            late_us_p99: self.late.value_at_quantile(0.99),
            late_us_max: self.late.max(),
            lag_us_p99: self.lag.lock().unwrap_or_else(PoisonError::into_inner).value_at_quantile(0.99),
            cpu_share: used.map(|used| used / wall.max(1e-3) / cores as f64),
            cores,
            warnings: Vec::new(),
        };
        overhead.warnings = overhead.warn(self.ttft.value_at_quantile(0.5));
        overhead.warnings.extend(self.own.iter().map(|(code, count)| own_failure(code, *count)));
        overhead
    }
}

impl Overhead {
    fn warn(&self, ttft_us_p50: u64) -> Vec<String> {
        let mut out = Vec::new();
        let late = self.late_us_p99;
        if late > LATE_US || (ttft_us_p50 > 0 && late > SLIGHT_US && late * 10 > ttft_us_p50) {
            out.push(format!(
                "requests were sent up to {:.1} ms late (p99){}: the tester is a part of what was measured; \
                 lower the rate, raise --max-open, or run more testers on other machines",
                late as f64 / 1e3,
                match ttft_us_p50 {
                    0 => String::new(),
                    ttft => format!(", with a median time to first token of {:.1} ms", ttft as f64 / 1e3),
                },
            ));
        }
        if let Some(share) = self.cpu_share.filter(|share| *share > BUSY) {
            out.push(format!(
                "the tester used {:.0} % of {} cores: it is the bottleneck; lower the rate or run more testers",
                share * 100.0,
                self.cores
            ));
        }
        out
    }
}

fn own_failure(code: &str, count: u64) -> String {
    let mend = match code {
        "too_many_files" => {
            "raise the limit of open files (ulimit -n 65536), or test over gRPC, whose requests share connections"
        }
        "no_local_ports" => "bound --connections, test over gRPC, or run more testers on other machines",
        _ => "lower --max-open, or run more testers on other machines",
    };
    format!("{count} requests failed in the tester itself ({code}); {mend}")
}

fn histogram() -> Histogram<u64> {
    // One microsecond to an hour.
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds")
}

/// Processor time of this process so far, in seconds, where `/proc` tells: fields 14 and 15 of `stat`.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the name, may hold blanks; it ends with the last bracket.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_S)
}

/// Linux shows processor time in hundredths of a second on every architecture.
const TICKS_PER_S: f64 = 100.0;
/// How often the event loop is measured.
const LAG_EVERY: u64 = 20_000_000;
/// The runtime's timers are due at the next whole millisecond, and never early.
const TIMER_US: u64 = 2_000;
/// Lateness that is too much for any target.
const LATE_US: u64 = 5_000;
/// Lateness that is too little to speak of.
const SLIGHT_US: u64 = 500;
/// Share of the cores above which work waits for a core.
const BUSY: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(late_us_p99: u64, cpu_share: f64, ttft_us_p50: u64) -> usize {
        let overhead = Overhead { late_us_p99, cpu_share: Some(cpu_share), cores: 2, ..Overhead::default() };
        overhead.warn(ttft_us_p50).len()
    }

    #[test]
    fn a_tester_that_is_the_bottleneck_says_so() {
        assert_eq!(warnings(900, 0.5, 20_000), 0);
        assert_eq!(warnings(6_000, 0.5, 1_000_000), 1, "more than 5 ms late");
        assert_eq!(warnings(900, 0.5, 5_000), 1, "more than a tenth of the time to first token");
        assert_eq!(warnings(100, 0.5, 500), 0, "a tenth of a millisecond is nobody's bottleneck");
        assert_eq!(warnings(900, 0.5, 0), 0, "whole answers have no first token");
        assert_eq!(warnings(900, 0.9, 20_000), 1, "more than 85 % of the cores");
    }

    #[test]
    fn processor_time_grows_with_work() {
        let Some(before) = cpu_seconds() else { return };
        let mut random = crate::Random::new(1, 1);
        let sum: f64 = (0..3_000_000).map(|_| random.normal()).sum();
        assert!(sum.is_finite() && cpu_seconds() > Some(before));
    }
}
