//! A line's replicas under faults: who joins and leaves, panic, quotas, reports; rows of the fault matrix by their number.

use super::*;
use crate::health::{DEFAULT_COOLDOWN_MS, FIRST_EJECTION_MS, LONGEST_COOLDOWN_MS, SLOW_START_MS};
use crate::mix::mix;

const NOW: Tick = Tick(1_000);
const FAILED: Verdict = Verdict::Ill { unreachable: false };
const GONE: Verdict = Verdict::Ill { unreachable: true };
const ANSWERED: Verdict = Verdict::Answered { ttft_ms: 1.0, tpot_ms: Some(1.0), service_ms: 10.0 };

fn line(replicas: usize, max_concurrency: u32) -> Line<u64> {
    let balancer = crate::balance::balancer("p2c").expect("a known balancer").pick;
    Line::new(LineRules {
        replicas,
        max_concurrency,
        limit: LimitRule::Fixed,
        max_queue: 64,
        max_queue_bytes: u64::MAX,
        balancer,
        prefix_tokens: 0,
        declared: None,
    })
}

/// Seeds that have nothing to do with the line's own count of turns.
fn seed(n: u64) -> u64 {
    mix(n.wrapping_add(1 << 40))
}

fn entrant(seed: u64) -> Entrant {
    Entrant { seed, ..Entrant::default() }
}

fn enter(line: &mut Line<u64>, seed: u64, now: Tick) -> Option<Seat> {
    match line.enter(entrant(seed), now, || seed) {
        Entered::Go(seat) => Some(seat),
        _ => None,
    }
}

/// Sends one request after the other, one each `every_ms`, and ends each at once as `verdict` says. Returns how many
/// each replica got, and how many found none.
fn traffic(
    line: &mut Line<u64>,
    (count, every_ms): (u64, u64),
    verdict: impl Fn(usize, u64, Tick) -> Verdict,
) -> (Vec<u64>, u64) {
    let (mut got, mut refused) = (vec![0; line.replicas.len()], 0);
    for n in 0..count {
        let now = NOW.plus_ms(n * every_ms);
        if n * every_ms % 1_000 == 0 {
            for probe in line.due(now) {
                line.on_answering(probe, now);
                line.end(probe, Verdict::Neutral, now);
            }
        }
        let Some(seat) = enter(line, seed(n), now) else {
            refused += 1;
            continue;
        };
        got[seat.replica] += 1;
        line.end(seat, verdict(seat.replica, n, now), now);
    }
    (got, refused)
}

#[test]
fn a_replica_joins_slowly_and_the_index_of_one_that_left_is_given_away_when_it_is_idle() {
    let mut line = line(1, 10);
    assert_eq!(line.add_replica(NOW), 1);
    assert_eq!((line.pool_state(NOW, &Prefix::default()).limit, line.counts(NOW).up), (11, 2));
    let warm = NOW.plus_ms(SLOW_START_MS);
    assert_eq!(line.pool_state(warm, &Prefix::default()).limit, 20);
    let seats: Vec<Seat> = (0..20).map(|n| enter(&mut line, n, warm).expect("room")).collect();
    line.retire_replica(1);
    assert_eq!((line.counts(warm).up, line.counts(warm).ejected, line.counts(warm).in_flight), (1, 0, 20));
    assert_eq!(line.add_replica(warm), 2, "the old index still has streams");
    for seat in seats.iter().filter(|seat| seat.replica == 1) {
        assert!(!line.is_vacant(1));
        assert_eq!(line.end(*seat, ANSWERED, warm), None);
    }
    assert!(line.is_vacant(1));
    assert_eq!(line.add_replica(warm), 1);
}

#[test]
fn the_first_replicas_of_a_pool_have_nobody_to_start_slowly_beside() {
    let mut line = line(0, 10);
    assert_eq!(line.enter(entrant(0), NOW, || 0), Entered::AllDown);
    line.add_replica(NOW);
    assert_eq!(line.pool_state(NOW, &Prefix::default()).limit, 10);
}

#[test]
fn who_waits_for_a_replica_that_leaves_is_told() {
    let mut line = line(1, 1);
    let seat = enter(&mut line, 0, NOW).expect("room");
    assert!(matches!(line.enter(entrant(1), NOW, || 1), Entered::Wait(_)));
    line.retire_replica(0);
    assert_eq!(line.next_turn(NOW), Some(Turn::AllDown(1)));
    assert_eq!(line.end(seat, ANSWERED, NOW), None);
}

/// 429 with every kind of advice: the whole pool pauses, nobody is ejected, and nothing is sent until then.
#[test]
fn row_11_a_quota_that_is_used_up_cools_the_pool_down_and_ejects_nobody() {
    for (told_ms, expected_ms) in
        [(7_000, 7_000), (250, 250), (900_000, LONGEST_COOLDOWN_MS), (DEFAULT_COOLDOWN_MS, 1_000)]
    {
        let mut line = line(3, 8);
        let seat = enter(&mut line, 0, NOW).expect("room");
        let verdict = Verdict::Busy { retry_after_ms: told_ms, is_quota: true };
        assert_eq!(line.end(seat, verdict, NOW), None);
        let until = NOW.plus_ms(expected_ms);
        assert_eq!(line.enter(entrant(1), Tick(until.0 - 1), || 1), Entered::Cooling(until));
        assert_eq!(line.pool_state(NOW, &Prefix::default()).replicas_up, 0, "other plan steps are taken");
        assert!(line.due(NOW).is_empty());
        assert!(enter(&mut line, 1, until).is_some());
        assert!(line.replica_reports(until).iter().all(|replica| replica.ejections == 0));
    }
}

#[test]
fn row_11_a_replica_without_room_rests_alone() {
    let mut line = line(2, 8);
    let seat = enter(&mut line, 0, NOW).expect("room");
    line.end(seat, Verdict::Busy { retry_after_ms: 2_000, is_quota: false }, NOW);
    for n in 0..8 {
        assert_ne!(enter(&mut line, n, NOW).expect("the other has room").replica, seat.replica);
    }
    assert!(!line.is_well(NOW) && line.is_well(NOW.plus_ms(2_000)));
}

/// One of four answers 500 to everything: at most a twentieth of the traffic finds out, over ten minutes.
#[test]
fn row_12_a_storm_on_one_replica_sees_few_probes() {
    let mut line = line(4, 64);
    let verdict = |replica: usize, _, _| if replica == 2 { FAILED } else { ANSWERED };
    let (got, refused) = traffic(&mut line, (6_000, 100), verdict);
    assert_eq!(refused, 0);
    assert!(got[2] * 20 <= 6_000, "{got:?}");
    assert!(got[2] <= 40, "trials grow rarer: {got:?}");
}

/// The same, but it fails two of three: failures in a row are rare enough to be luck, the share tells.
#[test]
fn row_12_a_replica_that_fails_in_part_is_an_outlier() {
    let mut line = line(4, 64);
    let verdict = |replica: usize, n: u64, _| match (replica, n % 2) {
        (2, 0) => FAILED,
        _ => ANSWERED,
    };
    let (got, _) = traffic(&mut line, (6_000, 100), verdict);
    let report = line.replica_reports(NOW.plus_ms(600_000));
    assert!(report[2].ejections > 0, "{report:?}");
    assert!(got[2] * 10 <= 6_000, "{got:?}");
    assert!(report.iter().enumerate().all(|(at, replica)| at == 2 || replica.ejections == 0), "{report:?}");
}

/// All of them answer 500: after a few failures nothing but trials is sent.
#[test]
fn row_13_a_storm_on_all_is_refused_fast() {
    let mut line = line(4, 64);
    let (got, refused) = traffic(&mut line, (6_000, 100), |_, _, _| FAILED);
    let sent: u64 = got.iter().sum();
    assert!(sent <= 4 * 10 + 4 * 40, "{sent} of 6000 reached engines");
    assert_eq!(sent + refused, 6_000);
}

/// Half of the answers fail everywhere: taking replicas out would help nobody, so all stay in use.
#[test]
fn row_14_when_most_would_be_out_none_is() {
    let mut line = line(4, 64);
    let fails = |_, n: u64, _| if mix(n) & 1 == 0 { FAILED } else { ANSWERED };
    let (got, refused) = traffic(&mut line, (6_000, 10), fails);
    assert!(refused <= 60, "{refused} of 6000 found no replica");
    let most = got.iter().max().copied().unwrap_or_default();
    assert!(most * 2 <= 6_000, "no herd: {got:?}");
}

#[test]
fn row_14_panic_overlooks_no_replica_that_cannot_be_reached() {
    let mut line = line(4, 64);
    let (got, refused) =
        traffic(&mut line, (1_000, 10), |replica, _, _| if replica < 3 { GONE } else { ANSWERED });
    assert_eq!(refused, 0);
    assert!(got[..3].iter().all(|got| *got <= 12), "{got:?}");
}

/// What every engine tells of itself each second, and what really is there: replica 0 lies or is frozen.
fn shares_under(told: impl Fn(usize, u64) -> Report, ages: bool) -> Vec<u64> {
    let mut line = line(4, 64);
    let mut open: std::collections::VecDeque<Seat> = std::collections::VecDeque::new();
    let mut got = vec![0u64; 4];
    for n in 0..20_000u64 {
        let now = NOW.plus_ms(n * 5);
        if n % 200 == 0 {
            for at in 0..4 {
                if !(ages && at == 0 && n > 0) {
                    line.note_report(at, told(at, u64::from(line.replicas[at].in_flight)), now);
                }
            }
        }
        let seat = enter(&mut line, seed(n), now).expect("room");
        got[seat.replica] += 1;
        open.push_back(seat);
        if open.len() > 40 {
            let seat = open.pop_front().expect("there are");
            line.end(seat, ANSWERED, now);
        }
    }
    got
}

/// Reports that are stale, frozen or untrue attract at most a fair share, and 2 % of the traffic.
#[test]
fn row_15_a_report_attracts_no_more_than_its_share() {
    let honest = |own: u64| Report { running: own as u32 + 12, waiting: 3, memory: None };
    let zero = Report::default();
    let cases = [
        ("lies: 0", shares_under(|at, own| if at == 0 { zero } else { honest(own) }, false)),
        (
            "frozen at 5",
            shares_under(|at, own| if at == 0 { Report { running: 5, ..zero } } else { honest(own) }, false),
        ),
        ("stale", shares_under(|at, own| if at == 0 { zero } else { honest(own) }, true)),
        ("all tell the same", shares_under(|_, own| honest(own), false)),
        ("nobody has foreign load", shares_under(|_, own| Report { running: own as u32, ..zero }, false)),
    ];
    for (what, got) in cases {
        let share = got[0] as f64 / got.iter().sum::<u64>() as f64;
        assert!(share <= 0.25 + 0.02, "{what}: {share} of the traffic, {got:?}");
    }
}

#[test]
fn row_15_load_of_others_repels() {
    let busy = |at: usize, own: u64| Report {
        running: own as u32 + if at == 0 { 30 } else { 0 },
        ..Report::default()
    };
    let got = shares_under(busy, false);
    assert!(got[0] * 10 < got.iter().sum::<u64>(), "{got:?}");
}

/// Whatever joins, leaves, fails and reports: seats balance, and nothing goes where it must not.
#[test]
fn replicas_that_come_and_go_lose_no_seat() {
    for case in 0..300u64 {
        let mut line = line(2, 3);
        let (mut seats, mut now, mut waiting): (Vec<Seat>, Tick, u64) = (Vec::new(), NOW, 0);
        for n in 0..300u64 {
            let draw = mix(mix(case) ^ n);
            now = now.plus_ms(draw % 400);
            let pick = (draw >> 20) as usize;
            match draw >> 8 & 15 {
                0 => drop(line.add_replica(now)),
                1 => {
                    let members: Vec<usize> =
                        (0..line.replicas.len()).filter(|&at| line.replicas[at].is_member()).collect();
                    if let Some(&at) = members.get(pick % members.len().max(1)) {
                        line.retire_replica(at);
                    }
                }
                2 => seats.extend(line.due(now)),
                3..=7 => match line.enter(entrant(draw), now, || n) {
                    Entered::Go(seat) => seats.push(seat),
                    Entered::Wait(_) => waiting += 1,
                    Entered::Full | Entered::Late { .. } | Entered::AllDown | Entered::Cooling(_) => {}
                },
                kind => {
                    if !seats.is_empty() {
                        let seat = seats.swap_remove(pick % seats.len());
                        assert!(!line.is_vacant(seat.replica), "case {case}: a seat on nothing");
                        let verdict = match kind {
                            8 => FAILED,
                            9 => GONE,
                            10 => Verdict::Busy { retry_after_ms: draw >> 50, is_quota: draw >> 40 & 1 == 0 },
                            11 => Verdict::Neutral,
                            _ => ANSWERED,
                        };
                        line.end(seat, verdict, now);
                    }
                }
            }
            while let Some(turn) = line.next_turn(now) {
                waiting -= 1;
                if let Turn::Go(_, seat) = turn {
                    assert!(line.replicas[seat.replica].is_member(), "case {case}: work for one that left");
                    seats.push(seat);
                }
            }
            let counts = line.counts(now);
            assert_eq!(counts.in_flight, seats.len(), "case {case}");
            assert_eq!(counts.queued as u64, waiting, "case {case}");
            let full = line.replicas.iter().find(|replica| replica.in_flight > 3 + 1);
            assert!(full.is_none(), "case {case}: more than the limit and a probe: {full:?}");
        }
    }
}

#[test]
fn a_lone_replica_that_returns_gets_its_whole_share_at_once() {
    let mut line = line(1, 10);
    let seat = enter(&mut line, 0, NOW).expect("room");
    line.end(seat, GONE, NOW);
    let due = NOW.plus_ms(FIRST_EJECTION_MS);
    let probe = line.due(due)[0];
    line.on_answering(probe, due);
    line.end(probe, Verdict::Neutral, due);
    assert_eq!(line.pool_state(due, &Prefix::default()).limit, 10);
}
