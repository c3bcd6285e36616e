//! A line's promises: order, capacity, health, and that nobody who leaves costs another a place.

use super::*;
use crate::health::FIRST_EJECTION_MS;
use crate::health::Why;

const NOW: Tick = Tick(10_000_000);
const ILL: Verdict = Verdict::Ill { unreachable: true };
const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 1.0, tpot_ms: Some(1.0), service_ms: 10.0 };

fn line(replicas: usize, max_concurrency: u32, max_queue: usize) -> Line<&'static str> {
    let balancer = crate::balance::balancer("least_load").expect("a known balancer").pick;
    let (limit, max_queue_bytes) = (LimitRule::Fixed, 1 << 20);
    Line::new(LineRules {
        replicas,
        max_concurrency,
        limit,
        max_queue,
        max_queue_bytes,
        balancer,
        prefix_tokens: 0,
        declared: None,
    })
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
    line.end(at, ANSWERED, NOW.plus_ms(10));
    let at = enters(&mut line, NOW.plus_ms(10));
    line.end(at, Verdict::Answered { ttft_ms: 21.0, tpot_ms: None, service_ms: 30.0 }, NOW.plus_ms(40));
    let state = line.pool_state(NOW, &Prefix::default());
    assert_eq!((state.ttft_ms, state.tpot_ms, state.service_ms), (2.0, 1.0, 11.0));
}

fn enters(line: &mut Line<&'static str>, now: Tick) -> Seat {
    match line.enter(entrant(0, &[]), now, || "none") {
        Entered::Go(seat) => seat,
        other => panic!("no seat: {other:?}"),
    }
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

fn with_deadline(after_ms: u64, output_tokens: f64) -> Entrant {
    let work = Work { prompt_tokens: 10, output_tokens, ..Work::default() };
    Entrant { deadline: Some(NOW.plus_ms(after_ms)), work, ..Entrant::default() }
}

/// A line of one place whose answers take 100 ms and 10 ms for each token.
fn measured(max_queue: usize) -> (Line<&'static str>, Seat) {
    let mut line = line(1, 1, max_queue);
    let at = enters(&mut line, Tick(NOW.0 - 1_000_000));
    line.end(at, Verdict::Answered { ttft_ms: 100.0, tpot_ms: Some(10.0), service_ms: 1_000.0 }, NOW);
    let at = go(&mut line, &[]);
    (line, at)
}

#[test]
fn who_can_not_make_its_deadline_is_told_at_once_and_when_to_come_again() {
    let (mut line, _) = measured(8);
    // A second until a place is free, and another for an answer of 90 tokens.
    let late = line.enter(with_deadline(1_500, 90.0), NOW, || "late");
    assert_eq!(late, Entered::Late { retry_after_ms: Some(500) });
    assert!(matches!(line.enter(with_deadline(2_000, 90.0), NOW, || "in time"), Entered::Wait(_)));
    let late = line.enter(with_deadline(2_000, 90.0), NOW, || "behind it");
    assert_eq!(late, Entered::Late { retry_after_ms: Some(1_000) });
}

#[test]
fn a_deadline_that_has_passed_is_refused_although_a_place_is_free() {
    let mut line = line(1, 8, 8);
    let past = Entrant { deadline: Some(NOW), ..Entrant::default() };
    assert_eq!(line.enter(past, NOW, || "past"), Entered::Late { retry_after_ms: None });
    assert!(matches!(line.enter(with_deadline(1, 1.0), NOW, || "nothing known"), Entered::Go(_)));
    let ten_years = with_deadline(315_360_000_000, 1.0);
    assert!(matches!(line.enter(ten_years, NOW, || "long"), Entered::Go(_)));
    let longest = Entrant { deadline: Some(Tick(u64::MAX)), ..Entrant::default() };
    assert!(matches!(line.enter(longest, NOW, || "for ever"), Entered::Go(_)));
}

#[test]
fn who_can_not_make_its_deadline_any_more_is_told_while_it_waits() {
    let (mut line, at) = measured(8);
    assert!(matches!(line.enter(with_deadline(2_000, 90.0), NOW, || "first"), Entered::Wait(_)));
    assert!(matches!(line.enter(entrant(0, &[]), NOW, || "patient"), Entered::Wait(_)));
    let latest = NOW.plus_ms(1_000);
    assert_eq!((line.next_turn(latest), line.next_late()), (None, Some(Tick(latest.0 + 1))));
    assert_eq!(line.next_turn(Tick(latest.0 + 1)), Some(Turn::Late("first")));
    assert_eq!((line.next_turn(Tick(latest.0 + 1)), line.next_late()), (None, None));
    line.end(at, ANSWERED, latest);
    assert_eq!(next(&mut line, latest).map(|(who, _)| who), Some("patient"));
}

#[test]
fn who_loses_its_place_is_told() {
    let mut line = line(1, 1, 2);
    go(&mut line, &[]);
    waits(&mut line, &[], "first of the flood");
    waits(&mut line, &[], "last of the flood");
    let other = Entrant { tenant: 7, ..Entrant::default() };
    assert!(matches!(line.enter(other, NOW, || "other"), Entered::Wait(_)));
    assert_eq!(line.next_turn(NOW), Some(Turn::Displaced("last of the flood")));
    assert_eq!((line.next_turn(NOW), line.counts(NOW).queued), (None, 2));
}

#[test]
fn a_flood_is_not_ahead_of_another_tenant() {
    let (mut line, _) = measured(100);
    for _ in 0..50 {
        waits(&mut line, &[], "flood");
    }
    let flood = line.expected_wait_ms(&entrant(0, &[]), NOW);
    let other = line.expected_wait_ms(&Entrant { tenant: 7, ..Entrant::default() }, NOW);
    assert_eq!((flood, other), (51_000.0, 2_000.0));
}

/// The permit is held until the stream ends: neither its first token nor anything else frees the place before.
#[test]
fn a_place_is_free_when_the_stream_has_ended_and_not_before() {
    let mut line = line(1, 1, 8);
    let at = go(&mut line, &[]);
    waits(&mut line, &[], "waits");
    line.on_answering(at, NOW.plus_ms(5));
    line.on_output(at, 3);
    assert_eq!((line.next_turn(NOW.plus_ms(5)), line.counts(NOW).in_flight), (None, 1));
    line.end(at, ANSWERED, NOW.plus_ms(9));
    assert_eq!(next(&mut line, NOW.plus_ms(9)).map(|(who, _)| who), Some("waits"));
}

/// Whatever comes in whatever order, whoever enters ends exactly once, and no replica has more than its limit.
#[test]
fn nobody_is_lost_and_no_replica_has_more_than_its_limit() {
    use crate::mix::mix;
    use std::collections::BTreeSet;
    for seed in 0..60 {
        let balancer = crate::balance::BALANCERS[seed as usize % crate::balance::BALANCERS.len()].pick;
        let (limit, max_queue_bytes) = (LimitRule::Fixed, 3_000);
        let rules = LineRules {
            replicas: 3,
            max_concurrency: 2,
            limit,
            max_queue: 6,
            max_queue_bytes,
            balancer,
            prefix_tokens: 640,
            declared: None,
        };
        let mut line: Line<u64> = Line::new(rules);
        let mut state = mix(seed);
        let mut next = |bound: u64| {
            state = mix(state);
            (state >> 16) % bound
        };
        let (mut waiting, mut seats, mut now) = (BTreeSet::new(), Vec::new(), 0u64);
        let mut tickets = Vec::new();
        for who in 0..800u64 {
            now += next(200_000);
            let at = Tick(now);
            if next(3) > 0 {
                let entrant = Entrant {
                    seed: who,
                    replica: (next(2) == 0).then(|| next(4) as usize),
                    tried: if next(4) == 0 { vec![next(3) as usize] } else { vec![] },
                    tenant: next(4),
                    weight: next(3) as u32,
                    priority: next(2) as u8,
                    deadline: (next(2) == 0).then(|| at.plus_ms(next(4_000))),
                    bytes: next(900),
                    work: Work {
                        prompt_tokens: next(500) as u32,
                        output_tokens: next(100) as f64,
                        ..Work::default()
                    },
                    prefix: Prefix { blocks: (0..next(7)).collect(), block_tokens: BLOCK_TOKENS },
                };
                match line.enter(entrant, at, || who) {
                    Entered::Go(seat) => seats.push(seat),
                    Entered::Wait(ticket) => {
                        waiting.insert(who);
                        tickets.push((ticket, who));
                    }
                    Entered::Full | Entered::Late { .. } | Entered::AllDown | Entered::Cooling(_) => {}
                }
            } else if next(4) == 0 && !tickets.is_empty() {
                let (ticket, who) = tickets.remove(next(tickets.len() as u64) as usize);
                assert_eq!(line.leave(ticket).is_some(), waiting.remove(&who), "seed {seed}");
            } else if !seats.is_empty() {
                let seat = seats.remove(next(seats.len() as u64) as usize);
                let verdict = match next(6) {
                    0 => Verdict::Ill { unreachable: next(2) == 0 },
                    1 => Verdict::Neutral,
                    _ => Verdict::Answered { ttft_ms: 50.0, tpot_ms: Some(5.0), service_ms: 500.0 },
                };
                line.on_answering(seat, at);
                line.on_output(seat, next(100) as u32);
                line.end(seat, verdict, at);
            }
            while let Some(turn) = line.next_turn(at) {
                let (who, seat) = match turn {
                    Turn::Go(who, seat) => (who, Some(seat)),
                    Turn::AllDown(who) | Turn::Late(who) | Turn::Displaced(who) => (who, None),
                };
                assert!(waiting.remove(&who), "seed {seed}: {who} didn't wait");
                seats.extend(seat);
            }
            for replica in 0..3 {
                assert!(seats.iter().filter(|seat| seat.replica == replica).count() <= 2, "seed {seed}");
            }
            assert_eq!(line.counts(at).queued, waiting.len(), "seed {seed}");
            assert!(waiting.len() <= 6);
        }
    }
}
