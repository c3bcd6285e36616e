//! A replica's promises: how it goes out, how it comes back, and what no sequence of events can make of it.

use super::*;
use crate::mix::mix;

fn at(ms: u64) -> Tick {
    Tick(1_000).plus_ms(ms)
}

/// Ejected at `at(0)` because it could not be reached.
fn unreachable() -> Health {
    let mut health = Health::default();
    assert_eq!(health.on_failure(at(0), true), Some(Why::Unreachable));
    health
}

#[test]
fn three_failures_in_a_row_eject() {
    let mut health = Health::default();
    for _ in 0..2 {
        assert_eq!(health.on_failure(at(0), false), None);
        assert_eq!(health.on_failure(at(0), false), None);
        assert!(health.takes_work(at(0)));
        health.on_success(at(0));
    }
    for expected in [None, None, Some(Why::FailuresInRow)] {
        assert_eq!(health.on_failure(at(0), false), expected);
    }
    assert!(!health.takes_work(at(0)));
    assert_eq!((health.why(), health.condition(at(0))), (Some(Why::FailuresInRow), Condition::Ejected));
}

#[test]
fn an_unreachable_replica_is_ejected_at_once_and_returns_by_trial() {
    let mut health = unreachable();
    assert!(!health.takes_work(at(FIRST_EJECTION_MS - 1)));
    let later = at(FIRST_EJECTION_MS);
    assert!(health.is_due(later));
    health.on_send(later);
    assert!(!health.takes_work(later), "one trial at a time");
    assert_eq!(health.on_failure(later, true), Some(Why::Unreachable));
    assert_eq!(health.out_until(), Some(later.plus_ms(2 * FIRST_EJECTION_MS)));
    let again = later.plus_ms(2 * FIRST_EJECTION_MS);
    health.on_send(again);
    assert!(health.on_success(again));
    assert!(health.is_up() && health.takes_work(again));
}

#[test]
fn ejections_grow_to_a_bound() {
    let mut health = unreachable();
    let mut now = at(0);
    for n in 1..20 {
        now = health.out_until().expect("ejected");
        health.on_send(now);
        health.on_failure(now, true);
        let for_ms = health.out_until().expect("ejected").since_ms(now);
        assert_eq!(for_ms, (FIRST_EJECTION_MS << n.min(5)).min(LONGEST_EJECTION_MS) as f64);
    }
    assert_eq!(health.ejections(), 20);
    assert!(now > at(0));
}

#[test]
fn a_trial_that_answers_brings_the_replica_back_before_its_end_and_the_next_failure_ejects_it_for_longer() {
    let mut health = unreachable();
    let back = at(FIRST_EJECTION_MS);
    health.on_send(back);
    assert!(health.on_answering(back));
    assert!(health.takes_work(back));
    assert!(!health.on_answering(back), "told once");
    assert_eq!(health.on_failure(back, false), Some(Why::TrialFailed));
    assert_eq!(health.out_until(), Some(back.plus_ms(2 * FIRST_EJECTION_MS)));
    assert!(!Health::default().on_answering(back), "a beginning is no success");
}

#[test]
fn a_trial_whose_client_left_allows_another() {
    let mut health = unreachable();
    let due = at(FIRST_EJECTION_MS);
    health.on_send(due);
    health.on_unknown(due);
    assert!(health.is_due(due));
}

#[test]
fn a_strike_is_forgiven_after_answers_in_a_calm_time_only() {
    let mut health = unreachable();
    let back = at(FIRST_EJECTION_MS);
    health.on_send(back);
    health.on_success(back);
    // Many answers at once are no calm time.
    for _ in 0..100 {
        health.on_success(back.plus_ms(1));
    }
    assert_eq!(health.why(), Some(Why::Unreachable), "not yet forgiven");
    health.on_success(back.plus_ms(CALM_MS));
    assert_eq!(health.why(), None);
    let mut quiet = unreachable();
    quiet.on_send(back);
    quiet.on_success(back);
    quiet.on_success(back.plus_ms(CALM_MS));
    assert!(quiet.why().is_some(), "a calm time with too few answers is no proof");
}

#[test]
fn a_replica_that_is_back_starts_slowly() {
    let mut health = unreachable();
    let back = at(FIRST_EJECTION_MS);
    health.on_send(back);
    health.on_answering(back);
    let part = |ms| health.part_of(64, back.plus_ms(ms));
    assert_eq!([part(0), part(SLOW_START_MS / 2), part(SLOW_START_MS)], [7, 32, 64]);
    assert_eq!(health.condition(back), Condition::SlowStart);
    assert_eq!(Health::default().part_of(64, at(0)), 64, "who was there from the start has its whole share");
    assert_eq!(Health::joining(at(0)).part_of(1, at(0)), 1);
}

#[test]
fn answers_in_a_row_show_that_an_ejection_was_hasty_but_not_that_it_can_be_reached() {
    let mut hasty = Health::default();
    for _ in 0..3 {
        hasty.on_failure(at(0), false);
    }
    assert!(!(1..CONFIRM_AFTER).any(|_| hasty.on_success(at(1))));
    assert!(hasty.on_success(at(1)));
    let mut gone = unreachable();
    assert!(!(0..100).any(|_| gone.on_success(at(1))));
}

#[test]
fn only_a_replica_that_answers_now_and_then_may_be_overlooked() {
    let mut health = Health::default();
    for _ in 0..3 {
        health.on_failure(at(0), false);
    }
    assert!(health.may_be_overlooked(at(0)));
    for _ in 3..HOPELESS_AFTER {
        health.on_failure(at(0), false);
    }
    assert!(!health.may_be_overlooked(at(0)), "it fails always");
    health.on_success(at(0));
    assert!(health.may_be_overlooked(at(0)));
    assert!(!unreachable().may_be_overlooked(at(0)));
    assert!(!Health::default().may_be_overlooked(at(0)), "there is nothing to overlook");
}

#[test]
fn a_busy_replica_rests_and_is_not_ill() {
    let mut health = Health::default();
    health.on_busy(500, at(0));
    assert!(!health.takes_work(at(499)) && health.takes_work(at(500)));
    assert_eq!((health.condition(at(0)), health.ejections()), (Condition::Resting, 0));
}

/// Row 14 of the fault matrix: up for half a second, down for half a second, with probes that say yes.
#[test]
fn row_14_a_replica_that_flaps_each_second_is_left_alone() {
    let (mut health, mut sent, mut failed) = (Health::default(), 0, 0);
    // Ten requests a second for two minutes; a probe each second, as the gateway does.
    for tick in 0..1_200u64 {
        let now = at(tick * 100);
        if tick % 10 == 0 && health.is_due(now) {
            health.on_send(now);
            health.on_answering(now);
            health.on_unknown(now);
        }
        if health.takes_work(now) {
            health.on_send(now);
            sent += 1;
            if tick % 10 < 5 {
                health.on_success(now);
            } else {
                failed += 1;
                health.on_failure(now, false);
            }
        }
    }
    assert!(health.ejections() <= 10, "{} ejections in 120 s", health.ejections());
    assert!(failed <= 12, "{failed} of {sent} failed");
}

/// What no sequence of events can break.
#[test]
fn whatever_happens_ejections_end_and_limits_hold() {
    for case in 0..500u64 {
        let (mut health, mut now) = (Health::default(), at(0));
        for n in 0..400u64 {
            let draw = mix(mix(case) ^ n);
            now = now.plus_ms(draw % 700);
            let before = health;
            match draw >> 32 & 7 {
                0 => health.on_send(now),
                1 => {
                    health.on_answering(now);
                }
                2 => {
                    health.on_success(now);
                }
                3 => health.on_unknown(now),
                4 => {
                    health.on_failure(now, false);
                }
                5 => {
                    health.on_failure(now, true);
                }
                6 => health.on_busy(draw >> 40, now),
                _ => health.eject(Why::FailureShare, now),
            }
            check(&health, &before, now, case);
        }
    }
}

fn check(health: &Health, before: &Health, now: Tick, case: u64) {
    let out_ms = health.out_until().map_or(0.0, |until| until.since_ms(now));
    assert!(out_ms <= LONGEST_COOLDOWN_MS as f64, "case {case}: out for {out_ms} ms");
    let later = now.plus_ms(LONGEST_COOLDOWN_MS);
    let on_trial = health.condition(later) == Condition::Trial;
    assert!(on_trial || health.takes_work(later), "case {case}: it never comes back: {health:?}");
    assert!((1..=64).contains(&health.part_of(64, now)), "case {case}");
    assert!(health.ejections() >= before.ejections() && health.strikes <= MOST_STRIKES, "case {case}");
    assert!(health.is_up() || health.why().is_some(), "case {case}: out without a reason");
    assert!(!(health.is_up() && health.may_be_overlooked(now)), "case {case}");
    // A return, by whatever way, begins with a part of the work.
    if health.is_up() && !before.is_up() {
        assert!(health.part_of(64, now) < 64, "case {case}");
    }
}
