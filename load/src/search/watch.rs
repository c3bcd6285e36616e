//! When a probe can be ended early: its objective is lost whatever still comes, or the queue only grows.

use crate::measure::{Slo, Tally};
use std::fmt;

/// Why a probe was ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// So many requests broke this bound that the rest can't mend it.
    Lost(String),
    /// Arrivals outrun completions.
    Saturated,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Lost(bound) => write!(f, "{bound} was lost before the end"),
            Stop::Saturated => f.write_str("over-saturated: the queue only grew"),
        }
    }
}

/// Watches a probe while it runs.
#[derive(Debug)]
pub struct Watch {
    slo: Slo,
    planned: u64,
    /// Seconds, and how many requests were under way.
    waiting: Vec<(f64, f64)>,
    base_s: Option<f64>,
}

impl Watch {
    /// Over a probe of `planned` requests.
    pub fn new(slo: Slo, planned: u64) -> Watch {
        Watch { slo, planned, waiting: Vec::new(), base_s: None }
    }

    /// Looks at what is known `now_ns` after the start, when `issued` requests were due; a few times a second is enough.
    pub fn look(&mut self, tally: &Tally, issued: u64, now_ns: u64) -> Option<Stop> {
        let bounds = self.slo.bounds().iter().zip(self.slo.judge(tally));
        for (bound, report) in bounds {
            if bound.broken_of(tally, self.planned).is_some_and(|(broken, allowed)| broken > allowed) {
                return Some(Stop::Lost(report.expr));
            }
        }
        if self.base_s.is_none() && tally.all().e2e.count() >= 50 {
            self.base_s = tally.all().e2e.quantile_ms(0.5).map(|ms| ms / 1e3);
        }
        let now = now_ns as f64 / 1e9;
        self.waiting.push((now, issued.saturating_sub(tally.sent()) as f64));
        // Before so long, an empty target only fills up.
        let is_filled = self.base_s.is_some_and(|base| now > (4.0 * base).max(2.0)) && issued >= 100;
        (is_filled && only_grows(&self.waiting, issued)).then_some(Stop::Saturated)
    }
}

/// Whether the queue only grew while requests arrived, seen from a run's end.
pub(crate) fn grew(tally: &Tally) -> bool {
    let series = tally.series();
    let base_s = tally.all().e2e.quantile_ms(0.1).unwrap_or_default() / 1e3;
    let (mut waiting, mut under_way, mut arrived) = (Vec::new(), 0u64, 0);
    for (at, stretch) in series.stretches().iter().enumerate() {
        under_way =
            (under_way + stretch.arrived).saturating_sub(stretch.ok + stretch.failed + stretch.cancelled);
        arrived += stretch.arrived;
        let now = (at + 1) as f64 * series.width_s();
        if now <= tally.last_planned_s() {
            waiting.push((now, under_way as f64));
        }
    }
    let span = waiting.last().map_or(0.0, |(at, _)| *at);
    span > 4.0 * base_s && waiting.len() >= 9 && only_grows(&waiting, arrived)
}

/// Whether the mean number under way rises from third to third of the time by a fifth, and by a twentieth of all
/// arrivals: under a rate that can be served it settles.
fn only_grows(waiting: &[(f64, f64)], issued: u64) -> bool {
    let end = waiting.last().map_or(0.0, |(at, _)| *at);
    let mean = |third: f64| {
        let within =
            waiting.iter().filter(|(at, _)| *at > end * third / 3.0 && *at <= end * (third + 1.0) / 3.0);
        let (sum, n) = within.fold((0.0, 0.0), |(sum, n), (_, waiting)| (sum + waiting, n + 1.0));
        if n > 0.0 { sum / n } else { f64::NAN }
    };
    let (first, second, third) = (mean(0.0), mean(1.0), mean(2.0));
    second > 1.2 * first && third > 1.2 * second && third - first > issued as f64 / 20.0 && third > 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::measure_tests::sample;

    /// 100 requests a second for 10 s, each taking what `e2e_ms` says for its start in ms.
    fn run(e2e_ms: impl Fn(u64) -> u64) -> Tally {
        let mut tally = Tally::new(None, Vec::new());
        (0..1000).for_each(|n| tally.add(&sample(n * 10, e2e_ms(n * 10), 0, 1)));
        tally
    }

    #[test]
    fn a_growing_queue_is_seen_and_a_steady_one_is_not() {
        assert!(grew(&run(|at| 100 + at / 5)), "served at five sixths of the arrivals");
        assert!(!grew(&run(|_| 100)));
        assert!(!grew(&run(|_| 1500)), "a target that fills up for 1.5 s");
        assert!(!grew(&run(|at| if (3000..4000).contains(&at) { 900 } else { 100 })), "a jam that passes");
    }

    #[test]
    fn what_cannot_be_mended_ends_a_probe() {
        let mut watch = Watch::new("e2e_p90=50ms".parse().unwrap(), 1000);
        let mut tally = Tally::new(None, Vec::new());
        for n in 0..100 {
            tally.add(&sample(n * 10, 60, 0, 1));
            assert_eq!(watch.look(&tally, n + 1, (n * 10 + 60) * 1_000_000), None);
        }
        tally.add(&sample(1000, 60, 0, 1));
        assert_eq!(watch.look(&tally, 101, 1_060_000_000), Some(Stop::Lost("e2e_p90=50ms".into())));
    }

    #[test]
    fn a_live_queue_that_only_grows_ends_a_probe() {
        let mut watch = Watch::new("e2e_p50=100s".parse().unwrap(), 100_000);
        let mut tally = Tally::new(None, Vec::new());
        let mut stopped = None;
        // 100 a second come, 70 a second are answered.
        for n in 0..700u64 {
            tally.add(&sample(n * 10, 100 + n * 1000 / 70 - n * 10, 0, 1));
            let now_ms = 100 + n * 1000 / 70;
            if n % 10 == 0 && stopped.is_none() {
                stopped = watch.look(&tally, now_ms / 10, now_ms * 1_000_000).map(|stop| (now_ms, stop));
            }
        }
        let (at_ms, stop) = stopped.unwrap();
        assert!(stop == Stop::Saturated && at_ms < 5000, "{at_ms}");
    }
}
