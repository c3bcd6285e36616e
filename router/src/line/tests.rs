//! A line's promises: order, capacity, health, and that nobody who leaves costs another a place.

use super::*;
use crate::health::FIRST_EJECTION_MS;

const NOW: Tick = Tick(1_000);
const ILL: Verdict = Verdict::Ill { unreachable: true };
const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 1.0, tpot_ms: Some(1.0), service_ms: 10.0 };

fn line(replicas: usize, max_concurrency: u32, max_queue: usize) -> Line<&'static str> {
    let balancer = crate::balance::balancer("least_load").expect("a known balancer").pick;
    let (limit, max_queue_bytes) = (LimitRule::Fixed, 1 << 20);
    Line::new(LineRules { replicas, max_concurrency, limit, max_queue, max_queue_bytes, balancer })
}

/// A request that these replicas have failed.
fn entrant(seed: u64, tried: &[usize]) -> Entrant {
    Entrant { seed, tried: tried.to_vec(), ..Entrant::default() }
}

/// Whose turn it is, and on which replica.
fn next(line: &mut Line<&'static str>, now: Tick) -> Option<(&'static str, Option<usize>)> {
    line.next_turn(now).map(|turn| match turn {
        Turn::Go(who, seat) => (who, Some(seat.replica)),
        Turn::AllDown(who) | Turn::Late(who) | Turn::Displaced(who) => (who, None),
    })
}

/// A seat that must be free now.
fn go(line: &mut Line<&'static str>, tried: &[usize]) -> Seat {
    match line.enter(entrant(0, tried), NOW, || "goes") {
        Entered::Go(seat) => seat,
        other => panic!("{other:?}"),
    }
}

fn waits(line: &mut Line<&'static str>, tried: &[usize], who: &'static str) -> u64 {
    match line.enter(entrant(1, tried), NOW, || who) {
        Entered::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_freed_place_goes_to_the_first_in_line() {
    let mut line = line(1, 1, 8);
    let at = go(&mut line, &[]);
    waits(&mut line, &[], "first");
    waits(&mut line, &[], "second");
    assert_eq!((line.next_turn(NOW), line.counts(NOW).queued), (None, 2));
    line.end(at, ANSWERED, NOW);
    assert_eq!(next(&mut line, NOW), Some(("first", Some(at.replica))));
    assert_eq!(line.next_turn(NOW), None);
    line.end(at, Verdict::Neutral, NOW);
    assert_eq!(next(&mut line, NOW), Some(("second", Some(at.replica))));
}

#[test]
fn whoever_leaves_the_line_loses_nothing_for_the_others() {
    let mut line = line(1, 1, 8);
    let at = go(&mut line, &[]);
    let leaves = waits(&mut line, &[], "leaves");
    waits(&mut line, &[], "stays");
    assert_eq!((line.leave(leaves), line.leave(leaves)), (Some("leaves"), None));
    line.end(at, ANSWERED, NOW);
    assert_eq!(next(&mut line, NOW), Some(("stays", Some(at.replica))));
    assert_eq!((line.counts(NOW).queued, line.counts(NOW).in_flight), (0, 1));
}

#[test]
fn a_full_line_refuses() {
    let mut line = line(1, 1, 1);
    go(&mut line, &[]);
    waits(&mut line, &[], "waits");
    assert_eq!(line.enter(entrant(0, &[]), NOW, || "late"), Entered::Full);
}

#[test]
fn tried_replicas_are_not_tried_again() {
    let mut line = line(2, 4, 8);
    let first = go(&mut line, &[]);
    assert_ne!(go(&mut line, &[first.replica]).replica, first.replica);
    assert_eq!(line.enter(entrant(0, &[0, 1]), NOW, || "nowhere"), Entered::AllDown);
    assert!(!line.has_another(&[0, 1], NOW));
}

#[test]
fn an_ill_replica_gets_no_work_and_those_who_wait_are_told() {
    let mut line = line(1, 1, 8);
    let at = go(&mut line, &[]);
    waits(&mut line, &[], "first");
    waits(&mut line, &[], "second");
    assert_eq!(line.end(at, ILL, NOW), Some(Change::Ejected(Why::Unreachable)));
    assert_eq!(line.next_turn(NOW), Some(Turn::AllDown("first")));
    assert_eq!(line.next_turn(NOW), Some(Turn::AllDown("second")));
    assert_eq!(line.next_turn(NOW), None);
    assert_eq!(
        (line.pool_state(NOW, &Prefix::default()).replicas_up, line.counts(NOW).ejected, line.is_well(NOW)),
        (0, 1, false)
    );
    let later = NOW.plus_ms(FIRST_EJECTION_MS);
    let Entered::Go(trial) = line.enter(entrant(0, &[]), later, || "trial") else { panic!("a trial is due") };
    assert_eq!(line.end(trial, ANSWERED, later), Some(Change::Back));
    assert!(line.is_well(NOW.plus_ms(60_000)));
}

#[test]
fn who_waits_is_not_sent_back_to_a_replica_that_failed_it() {
    let mut line = line(2, 1, 8);
    let (first, second) = (go(&mut line, &[]), go(&mut line, &[]));
    waits(&mut line, &[first.replica], "picky");
    waits(&mut line, &[], "other");
    line.end(first, ANSWERED, NOW);
    assert_eq!(next(&mut line, NOW), Some(("other", Some(first.replica))), "who is behind may take it");
    assert_eq!(line.next_turn(NOW), None);
    line.end(second, ANSWERED, NOW);
    assert_eq!(next(&mut line, NOW), Some(("picky", Some(second.replica))));
}

#[test]
fn who_has_no_replica_left_to_wait_for_is_told_while_others_wait_on() {
    let mut line = line(2, 1, 8);
    let (first, second) = (go(&mut line, &[]), go(&mut line, &[]));
    waits(&mut line, &[], "other");
    waits(&mut line, &[second.replica], "picky");
    line.end(first, ILL, NOW);
    assert_eq!(line.next_turn(NOW), Some(Turn::AllDown("picky")));
    assert_eq!(line.next_turn(NOW), None, "the other replica still takes work");
    line.end(second, ANSWERED, NOW);
    assert_eq!(next(&mut line, NOW), Some(("other", Some(second.replica))));
}

#[test]
fn a_replica_that_is_due_for_a_trial_is_offered_to_those_who_wait() {
    let mut line = line(2, 1, 8);
    let (first, _) = (go(&mut line, &[]), go(&mut line, &[]));
    line.end(first, ILL, NOW);
    waits(&mut line, &[], "waits");
    let due = NOW.plus_ms(FIRST_EJECTION_MS);
    assert_eq!(line.next_turn(NOW), None);
    assert_eq!(next(&mut line, due), Some(("waits", Some(first.replica))));
}

#[test]
fn a_probe_is_a_trial_too() {
    let mut line = line(1, 1, 8);
    let at = go(&mut line, &[]);
    line.end(at, ILL, NOW);
    assert!(line.due(NOW).is_empty());
    let due = NOW.plus_ms(FIRST_EJECTION_MS);
    let probe = line.due(due);
    assert_eq!(probe.iter().map(|seat| seat.replica).collect::<Vec<_>>(), [at.replica]);
    assert!(line.due(due).is_empty(), "one at a time");
    assert!(line.on_answering(probe[0], due));
    line.end(probe[0], Verdict::Neutral, due);
    assert!(line.is_well(NOW.plus_ms(60_000)));
}

#[test]
fn a_trial_lets_others_in_as_soon_as_it_answers() {
    let mut line = line(1, 2, 8);
    let at = go(&mut line, &[]);
    line.end(at, ILL, NOW);
    let due = NOW.plus_ms(FIRST_EJECTION_MS);
    let Entered::Go(trial) = line.enter(entrant(0, &[]), due, || "trial") else { panic!("a trial is due") };
    assert_eq!(line.enter(entrant(0, &[]), due, || "late"), Entered::AllDown, "one trial at a time");
    assert!(line.on_answering(trial, due));
    assert!(!line.on_answering(trial, due), "told once");
    assert!(matches!(line.enter(entrant(0, &[]), due, || "next"), Entered::Go(_)));
    assert_eq!(line.end(trial, ANSWERED, due), None);
}

#[test]
fn an_absurd_capacity_is_no_overflow() {
    assert_eq!(line(2, u32::MAX, 8).pool_state(NOW, &Prefix::default()).limit, u32::MAX);
}

#[test]
fn load_is_spread_and_counted() {
    let mut line = line(2, 4, 8);
    let places: Vec<Seat> = (0..8).map(|_| go(&mut line, &[])).collect();
    assert_eq!(places.iter().filter(|seat| seat.replica == 0).count(), 4);
    let state = line.pool_state(NOW, &Prefix::default());
    assert_eq!((state.in_flight, state.limit, state.replicas_up), (8, 8, 2));
    for at in places {
        line.end(at, Verdict::Neutral, NOW);
    }
    assert_eq!(line.pool_state(NOW, &Prefix::default()).in_flight, 0);
}

#[test]
fn times_of_answers_are_averaged() {
    let mut line = line(1, 4, 8);
    let at = go(&mut line, &[]);
    line.end(at, ANSWERED, NOW);
    let at = go(&mut line, &[]);
    line.end(at, Verdict::Answered { ttft_ms: 21.0, tpot_ms: None, service_ms: 30.0 }, NOW);
    let state = line.pool_state(NOW, &Prefix::default());
    assert_eq!((state.ttft_ms, state.tpot_ms, state.service_ms), (2.0, 1.0, 11.0));
}

#[test]
fn whoever_never_waits_gets_a_free_seat_or_nothing_and_overtakes_nobody() {
    let mut line = line(2, 1, 5);
    let second = line.enter_at_once(&entrant(0, &[0]), NOW).expect("replica 1 is free");
    assert_eq!(second.replica, 1);
    go(&mut line, &[]);
    assert_eq!(line.enter_at_once(&entrant(0, &[]), NOW), None);
    waits(&mut line, &[], "waits");
    line.end(second, ANSWERED, NOW);
    assert_eq!(line.enter_at_once(&entrant(0, &[]), NOW), None, "somebody waits for it");
    assert_eq!(next(&mut line, NOW), Some(("waits", Some(1))));
}
