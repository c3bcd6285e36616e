//! Whether a replica takes work: ejection after failures and return by trial, as a pure state machine.
//!
//! It is ejected by what real requests tell, so a dead replica costs a few tries. After an ejection has run out there is
//! one trial at a time, a probe or a request; a yes or a first event brings the replica back, a failure before that
//! ejects it for twice as long.

use crate::time::Tick;

/// The health of one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Takes work; so many failures came in a row.
    #[default]
    Up,
    /// Takes work, but the last requests failed.
    Failing {
        /// Failures in a row, below [`EJECT_AFTER`].
        failures: u32,
    },
    /// Takes no work until then.
    Ejected {
        /// When a trial is allowed.
        until: Tick,
        /// How long this ejection is, in milliseconds.
        for_ms: u64,
    },
    /// One trial request is under way.
    Trial {
        /// How long the last ejection was, in milliseconds.
        for_ms: u64,
    },
}

impl Health {
    /// Whether a request may go there now.
    pub fn takes_work(&self, now: Tick) -> bool {
        match self {
            Health::Up | Health::Failing { .. } => true,
            Health::Ejected { until, .. } => now >= *until,
            Health::Trial { .. } => false,
        }
    }

    /// A request goes there: after an ejection it is the trial.
    pub fn on_send(&mut self) {
        if let Health::Ejected { for_ms, .. } = *self {
            *self = Health::Trial { for_ms };
        }
    }

    /// The first event of an answer has come. A trial need not end for that: a long answer must not keep everybody else
    /// out. Returns whether the replica is back; the next failure ejects it again.
    pub fn on_answering(&mut self) -> bool {
        let is_trial = matches!(self, Health::Trial { .. });
        if is_trial {
            *self = Health::Failing { failures: EJECT_AFTER - 1 };
        }
        is_trial
    }

    /// A request was answered.
    pub fn on_success(&mut self) {
        *self = Health::Up;
    }

    /// A request ended without telling anything of the replica's health (its client left, it was itself at fault): if
    /// it was the trial, another may follow at once.
    pub fn on_unknown(&mut self, now: Tick) {
        if let Health::Trial { for_ms } = *self {
            *self = Health::Ejected { until: now, for_ms };
        }
    }

    /// A request failed by the replica's fault; `unreachable` means no connection could be made.
    pub fn on_failure(&mut self, now: Tick, unreachable: bool) {
        let eject = |for_ms: u64| Health::Ejected { until: now.plus_ms(for_ms), for_ms };
        *self = match *self {
            Health::Up if !unreachable => Health::Failing { failures: 1 },
            Health::Failing { failures } if !unreachable && failures + 1 < EJECT_AFTER => {
                Health::Failing { failures: failures + 1 }
            }
            Health::Up | Health::Failing { .. } => eject(FIRST_EJECTION_MS),
            Health::Trial { for_ms } => eject((for_ms * 2).min(LONGEST_EJECTION_MS)),
            ejected @ Health::Ejected { .. } => ejected, // a straggler sent before the ejection tells nothing new
        };
    }
}

/// Failures in a row that eject a replica.
pub const EJECT_AFTER: u32 = 3;
/// The first ejection's length.
pub const FIRST_EJECTION_MS: u64 = 1_000;
/// Ejections double up to this length.
pub const LONGEST_EJECTION_MS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_eject() {
        let mut health = Health::Up;
        let now = Tick(0);
        health.on_failure(now, false);
        health.on_failure(now, false);
        assert!(health.takes_work(now));
        health.on_success();
        health.on_failure(now, false);
        health.on_failure(now, false);
        assert!(health.takes_work(now));
        health.on_failure(now, false);
        assert!(!health.takes_work(now));
    }

    #[test]
    fn an_unreachable_replica_is_ejected_at_once_and_returns_by_trial() {
        let mut health = Health::Up;
        health.on_failure(Tick(0), true);
        assert!(!health.takes_work(Tick(0).plus_ms(FIRST_EJECTION_MS - 1)));
        let later = Tick(0).plus_ms(FIRST_EJECTION_MS);
        assert!(health.takes_work(later));
        health.on_send();
        assert!(!health.takes_work(later), "one trial at a time");
        health.on_failure(later, true);
        assert_eq!(health, Health::Ejected { until: later.plus_ms(2_000), for_ms: 2_000 });
        health.on_send();
        health.on_success();
        assert_eq!(health, Health::Up);
    }

    #[test]
    fn ejections_grow_to_a_bound() {
        let mut health = Health::Up;
        for _ in 0..20 {
            health.on_failure(Tick(0), true);
            health.on_send();
        }
        health.on_failure(Tick(0), true);
        assert!(matches!(health, Health::Ejected { for_ms: LONGEST_EJECTION_MS, .. }));
    }

    #[test]
    fn a_trial_that_answers_brings_the_replica_back_before_its_end_and_breaking_ejects_it_again() {
        let mut health = Health::Ejected { until: Tick(0), for_ms: 4_000 };
        health.on_send();
        assert!(health.on_answering());
        assert!(health.takes_work(Tick(1)));
        assert!(!health.on_answering(), "told once");
        health.on_failure(Tick(1), false);
        assert!(!health.takes_work(Tick(1)));
        let mut up = Health::Failing { failures: 2 };
        assert!(!up.on_answering());
        assert_eq!(up, Health::Failing { failures: 2 }, "a beginning is no success");
    }

    #[test]
    fn a_trial_whose_client_left_allows_another() {
        let mut health = Health::Ejected { until: Tick(5), for_ms: 1_000 };
        health.on_send();
        health.on_unknown(Tick(9));
        assert!(health.takes_work(Tick(9)));
    }
}
