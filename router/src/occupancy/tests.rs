//! Minutes that add up, by hand and by chance.

use super::*;
use crate::mix::mix;

const S: u64 = 1_000_000;
/// 3 USD an hour: 50,000,000 nano-USD a minute, 833,333.3 a second.
const HOUR: NanoUsd = NanoUsd(3_000_000_000);
const DEAR: NanoUsd = NanoUsd(i64::MAX);

fn pool(replicas: u32) -> Occupancy {
    let mut pool = Occupancy::new(0);
    pool.set(0, replicas, HOUR);
    pool
}

fn figures(minutes: &[PoolMinute]) -> Vec<(i64, i64, i64)> {
    minutes.iter().map(|minute| (minute.start_ms, minute.bill.0, minute.charged.0)).collect()
}

#[test]
fn a_minute_without_work_is_idle() {
    let mut pool = pool(2);
    assert_eq!(pool.take_done(59 * S), []);
    let minutes = pool.take_done(121 * S);
    assert_eq!(figures(&minutes), [(0, 100_000_000, 0), (60_000, 100_000_000, 0)]);
    assert_eq!(minutes[0].idle(), NanoUsd(100_000_000));
}

#[test]
fn a_request_alone_has_a_replica_and_two_share_one() {
    let mut pool = pool(1);
    let first = pool.begin(0);
    let second = pool.begin(12 * S);
    // 12 s alone and 12 s by halves.
    assert_eq!(pool.end(first, 24 * S, DEAR), NanoUsd(15_000_000));
    assert_eq!(pool.end(second, 24 * S, DEAR), NanoUsd(5_000_000));
    assert_eq!(figures(&pool.take_done(60 * S)), [(0, 50_000_000, 20_000_000)]);
}

#[test]
fn what_tokens_cost_is_enough_and_the_rest_is_idle() {
    let mut pool = pool(1);
    let ticket = pool.begin(0);
    assert_eq!(pool.end(ticket, 30 * S, NanoUsd(7)), NanoUsd(7));
    assert_eq!(figures(&pool.take_done(60 * S)), [(0, 50_000_000, 7)]);
}

#[test]
fn a_minute_waits_for_those_who_ran_in_it() {
    let mut pool = pool(1);
    let ticket = pool.begin(30 * S);
    assert_eq!(pool.take_done(130 * S), []);
    // 30, 60 and 40 s: a charge of 13 nano-USD is shared out in these proportions.
    assert_eq!(pool.end(ticket, 160 * S, NanoUsd(13)), NanoUsd(13));
    assert_eq!(figures(&pool.take_done(160 * S)), [(0, 50_000_000, 3), (60_000, 50_000_000, 6)]);
    assert_eq!(figures(&pool.take_done(180 * S)), [(120_000, 50_000_000, 4)]);
}

#[test]
fn one_that_ends_twice_or_after_the_end_is_charged_once() {
    let mut pool = pool(1);
    let (first, second) = (pool.begin(0), pool.begin(0));
    assert_eq!(pool.end(first, 6 * S, DEAR), NanoUsd(2_500_000));
    assert_eq!(pool.end(first, 12 * S, DEAR), NanoUsd::ZERO);
    assert_eq!(figures(&pool.finish(12 * S)), [(0, 10_000_000, 2_500_000)]);
    assert_eq!(pool.end(second, 18 * S, DEAR), NanoUsd::ZERO);
    assert_eq!(pool.finish(600 * S), [], "whoever has ended owes nothing");
}

#[test]
fn replicas_and_prices_change_within_a_minute() {
    let mut pool = pool(1);
    pool.set(30 * S, 3, HOUR);
    pool.set(45 * S, 1, NanoUsd(6_000_000_000));
    assert_eq!(figures(&pool.take_done(60 * S)), [(0, 25_000_000 + 37_500_000 + 25_000_000, 0)]);
}

#[test]
fn sixty_bills_are_an_hour_to_the_nano_dollar() {
    let mut pool = Occupancy::new(0);
    pool.set(0, 1, NanoUsd(2_500_000_000));
    let bills: Vec<i64> = pool.take_done(3_600 * S).iter().map(|minute| minute.bill.0).collect();
    assert_eq!(bills[..3], [41_666_666, 41_666_667, 41_666_667]);
    assert_eq!((bills.len(), bills.iter().sum::<i64>()), (60, 2_500_000_000));
}

/// A story by chance: requests come and go, some stay for minutes, replicas and prices change, and time stands still or
/// jumps. Whatever happens, each minute's charges and idle time are its bill.
#[test]
fn charges_and_idle_time_are_the_bill_of_every_minute() {
    let (mut stories, mut minutes_seen, mut all_charged, mut idle) = (0, 0_u64, 0_u64, 0_u64);
    for seed in 0..2_000_u64 {
        let story = Story::tell(seed);
        stories += 1;
        minutes_seen += story.minutes.len() as u64;
        for minute in &story.minutes {
            assert!(minute.charged >= NanoUsd::ZERO && minute.charged <= minute.bill, "{seed}: {minute:?}");
            all_charged += u64::from(minute.idle() == NanoUsd::ZERO);
            idle += u64::from(minute.charged == NanoUsd::ZERO);
        }
        let starts: Vec<i64> = story.minutes.iter().map(|minute| minute.start_ms).collect();
        let mut once = starts.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), starts.len(), "{seed}: each minute once");
        let charged: i64 = story.minutes.iter().map(|minute| minute.charged.0).sum();
        assert_eq!(charged, story.charged, "{seed}: what requests were charged is in the minutes");
        let billed: i128 = story.minutes.iter().map(|minute| i128::from(minute.bill.0)).sum();
        let exact = story.cost / 3_600_000_000;
        assert!((exact - 1..=exact).contains(&billed), "{seed}: {billed} of {exact}");
    }
    eprintln!("{stories} stories, {minutes_seen} minutes, {all_charged} charged wholly, {idle} wholly idle");
    assert!(minutes_seen > 10_000 && all_charged > 50 && idle > 1_000, "all of it happens");
}

struct Story {
    minutes: Vec<PoolMinute>,
    charged: i64,
    /// Nano-USD times microseconds an hour, counted apart.
    cost: i128,
}

impl Story {
    fn tell(seed: u64) -> Story {
        let mut state = seed;
        let mut draw = move |most: u64| {
            state = mix(state);
            (state >> 11) % (most + 1)
        };
        let mut now = draw(1 << 40);
        let mut pool = Occupancy::new(now);
        let (mut replicas, mut hour) = (0_u32, 0_i64);
        let mut story = Story { minutes: vec![], charged: 0, cost: 0 };
        let mut running = vec![];
        let busy = draw(3);
        for _ in 0..200 {
            let step = [0, draw(100), draw(S), draw(20 * S), draw(200 * S)][draw(4) as usize];
            now += step;
            story.cost += i128::from(step) * i128::from(replicas) * i128::from(hour);
            match draw(5 + busy) {
                0 => {
                    replicas = draw(4) as u32;
                    hour = (draw(10_000_000_000) >> draw(33)).cast_signed();
                    pool.set(now, replicas, NanoUsd(hour));
                }
                1 | 2 if !running.is_empty() => {
                    let ticket = running.swap_remove(draw(running.len() as u64 - 1) as usize);
                    let most = (draw(u64::MAX >> 12) >> draw(50)).cast_signed();
                    let charge = pool.end(ticket, now, NanoUsd(most));
                    assert!(charge.0 <= most && charge.0 >= 0, "{seed}");
                    story.charged += charge.0;
                }
                3 => story.minutes.extend(pool.take_done(now)),
                _ => running.push(pool.begin(now)),
            }
        }
        for ticket in running {
            story.charged += pool.end(ticket, now, DEAR).0;
        }
        story.minutes.extend(pool.finish(now));
        story
    }
}
