//! Load on a replica that isn't ours, from what its engine tells.
//!
//! Our own count is exact; a report is old, may be frozen, and may be untrue. So it only ever adds: what the engine has
//! beyond ours counts as load too, less the older it is. And a report never attracts: no replica is believed to be
//! emptier of foreign load than the middle one of the pool, so that one that tells 0 for ever gets its fair share and no
//! more.

use super::roster::Replica;
use crate::time::Tick;

/// What an engine tells of its load.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Report {
    /// Requests that it is working on.
    pub running: u32,
    /// Requests that wait inside of it.
    pub waiting: u32,
    /// Share of its memory for contexts that is in use, 0 to 1.
    pub memory: Option<f64>,
}

/// A report, and what we had there when it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    pub(super) report: Report,
    pub(super) own: u32,
    pub(super) at: Tick,
}

/// Each replica's foreign load, as far as that is believed now.
pub(super) fn believed(replicas: &[Replica], now: Tick) -> Vec<u32> {
    let told = |replica: &Replica| replica.told.map_or(0, |told| beyond_ours(&told, now));
    let mut ranked: Vec<u32> = replicas.iter().filter(|replica| replica.is_member()).map(told).collect();
    ranked.sort_unstable();
    let middle = ranked.get(ranked.len() / 2).copied().unwrap_or(0);
    replicas.iter().map(|replica| told(replica).max(middle)).collect()
}

/// What the engine had beyond ours, less the older that is.
fn beyond_ours(told: &Told, now: Tick) -> u32 {
    let all = told.report.running.saturating_add(told.report.waiting);
    let foreign = f64::from(all.saturating_sub(told.own).min(MOST_FOREIGN));
    let age_ms = now.since_ms(told.at);
    let worth = ((STALE_AFTER_MS - age_ms) / (STALE_AFTER_MS - FRESH_MS)).clamp(0.0, 1.0);
    (foreign * worth) as u32
}

/// A report counts whole for so long.
const FRESH_MS: f64 = 2_000.0;
/// And not at all from this age on.
const STALE_AFTER_MS: f64 = 10_000.0;
/// More than this is a mistake of the report's.
const MOST_FOREIGN: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Tick = Tick(1_000_000);

    fn told(running: u32, waiting: u32, own: u32) -> Replica {
        let report = Report { running, waiting, memory: None };
        let mut replica = Replica::default();
        replica.told = Some(Told { report, own, at: NOW });
        replica
    }

    #[test]
    fn only_what_is_not_ours_counts_and_never_less_than_nothing() {
        assert_eq!(believed(&[told(5, 3, 2), told(1, 0, 4), told(0, 0, 0)], NOW), [6, 0, 0]);
        assert_eq!(
            believed(&[told(u32::MAX, u32::MAX, 0), told(0, 0, 0), told(0, 0, 0)], NOW),
            [10_000, 0, 0]
        );
    }

    #[test]
    fn who_tells_less_than_the_others_is_not_believed() {
        assert_eq!(believed(&[told(0, 0, 3), told(10, 0, 0), told(12, 0, 0)], NOW), [10, 10, 12]);
        assert_eq!(believed(&[told(0, 0, 0), told(9, 0, 0)], NOW), [9, 9]);
    }

    #[test]
    fn age_discounts() {
        let replicas = [told(8, 0, 0), Replica::default(), Replica::default()];
        for (ms, left) in [(0, 8), (2_000, 8), (6_000, 4), (10_000, 0), (1_000_000, 0)] {
            assert_eq!(believed(&replicas, NOW.plus_ms(ms)), [left, 0, 0], "{ms} ms");
        }
    }
}
