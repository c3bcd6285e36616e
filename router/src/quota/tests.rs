//! Buckets and slots under many gateways: what passes in all, whatever they do.

use super::{Bucket, SHARE_MS, Slots, Wish, share};

/// Draws that depend on the seed alone.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn need(need: u64) -> Wish {
    Wish { need, ..Wish::default() }
}

#[test]
fn a_full_bucket_gives_a_minute_s_worth_at_once_and_then_one_by_one() {
    let mut bucket = Bucket::full(60, 0);
    for n in 0..60 {
        assert_eq!(bucket.available_to("a", need(1), 60, 0), 60 - n);
        assert_eq!(bucket.take("a", need(1), 60, 0).granted, 1);
    }
    assert_eq!(bucket.take("a", need(1), 60, 0).granted, 0);
    assert_eq!(bucket.wait_ms("a", need(1), 60, 0), 1_000);
    assert_eq!(bucket.take("a", need(1), 60, 999).granted, 0);
    assert_eq!(bucket.wait_ms("a", need(1), 60, 999), 1);
    assert_eq!(bucket.take("a", need(1), 60, 1_000).granted, 1);
    assert_eq!(
        bucket.available_to("a", Wish::default(), 60, 10_000_000),
        60,
        "never more than a minute's worth"
    );
}

#[test]
fn a_share_is_no_more_than_a_quarter_of_what_is_there() {
    let mut bucket = Bucket::full(1_000, 0);
    let wish = Wish { need: 1, want: share(1_000), ..Wish::default() };
    assert_eq!(bucket.take("a", wish, 1_000, 0).granted, 50);
    let mut scarce = Bucket::full(8, 0);
    assert_eq!(scarce.take("a", Wish { need: 1, want: 50, ..Wish::default() }, 8, 0).granted, 2);
    assert_eq!(
        scarce.take("b", Wish { need: 7, want: 7, ..Wish::default() }, 8, 0).granted,
        0,
        "all or nothing"
    );
    assert_eq!(scarce.take("b", need(6), 8, 0).granted, 6);
}

#[test]
fn what_a_dead_gateway_held_is_free_again_after_its_share_s_end() {
    let mut bucket = Bucket::full(60, 0);
    assert_eq!(bucket.take("dead", need(60), 60, 0).granted, 60);
    let just_before = SHARE_MS - 1;
    assert_eq!(bucket.available_to("b", Wish::default(), 60, just_before), 0, "it may still be spent");
    assert_eq!(
        bucket.available_to("b", Wish::default(), 60, SHARE_MS),
        10,
        "as much as has been refilled since"
    );
    // It comes back too late: what it thought it had is gone.
    let late = Wish { left: 60, need: 1, ..Wish::default() };
    assert_eq!(bucket.take("dead", late, 60, SHARE_MS), super::Granted { kept: 0, granted: 1 });
}

#[test]
fn an_estimate_is_corrected_both_ways() {
    let mut bucket = Bucket::full(100, 0);
    bucket.take("a", need(80), 100, 0);
    let used_less = Wish { refund: 50, ..Wish::default() };
    assert_eq!(bucket.available_to("a", used_less, 100, 0), 70);
    let used_more = Wish { debt: 40, ..Wish::default() };
    assert_eq!(bucket.available_to("a", used_more, 100, 0), 0);
    assert_eq!(
        bucket.wait_ms("a", Wish { need: 1, ..used_more }, 100, 0),
        12_600,
        "21 units at 100 a minute"
    );
}

/// Many gateways that take, spend, return, die and come back: what they spend in any stretch of time is no more than what a
/// full bucket holds and what is refilled meanwhile.
#[test]
fn all_gateways_together_pass_no_more_than_the_bucket() {
    for seed in 0..500 {
        let mut draws = Draws(seed);
        let per_min = 1 + draws.below(400);
        let mut bucket = Bucket::full(per_min, 0);
        let mut gateways: Vec<(String, u64, i64)> =
            (0..1 + draws.below(5)).map(|n| (format!("g{n}"), 0, 0)).collect();
        let (mut now_ms, mut spent) = (0_i64, 0_u64);
        for _ in 0..400 {
            now_ms += draws.below(400) as i64;
            let at = draws.below(gateways.len() as u64) as usize;
            let (who, left, until_ms) = &mut gateways[at];
            match draws.below(10) {
                0 => {
                    bucket.put_back(who, Wish { left: *left, ..Wish::default() }, per_min, now_ms);
                    *left = 0;
                }
                1 => *left = 0,
                _ => {
                    let need = 1 + draws.below(3);
                    let wish = Wish { left: *left, need, want: share(per_min), ..Wish::default() };
                    if *left < need || now_ms >= *until_ms {
                        let could = bucket.available_to(who, wish, per_min, now_ms);
                        let got = bucket.take(who, wish, per_min, now_ms);
                        assert_eq!(got.kept + got.granted >= need, could >= need, "as was said before");
                        (*left, *until_ms) = (got.kept + got.granted, now_ms + SHARE_MS);
                    }
                    if *left >= need {
                        *left -= need;
                        spent += need;
                    }
                }
            }
            let refilled = (per_min * now_ms as u64) / 60_000;
            assert!(spent <= per_min + refilled, "seed {seed}: {spent} of {per_min} and {refilled}");
        }
    }
}

#[test]
fn a_thrifty_fleet_is_not_held_below_its_rate_by_shares_that_lie_idle() {
    // Each asks for one every two seconds: ninety a minute of a hundred and twenty.
    let per_min = 120;
    let mut bucket = Bucket::full(per_min, 0);
    let mut left = [0_u64; 3];
    for step in 0..600_i64 {
        for (at, left) in left.iter_mut().enumerate() {
            let now_ms = step * 2_000;
            let wish = Wish { left: *left, need: 1, want: share(per_min), ..Wish::default() };
            let got = bucket.take(&at.to_string(), wish, per_min, now_ms);
            *left = got.kept + got.granted;
            assert!(*left >= 1, "step {step}");
            *left -= 1;
        }
    }
}

#[test]
fn slots_are_never_more_than_the_limit_but_for_those_that_run() {
    let mut slots = Slots::default();
    assert_eq!(slots.hold("a", 0, 1, 4, 10, 0), 4);
    assert_eq!(slots.hold("b", 0, 1, 9, 10, 0), 6, "what is left");
    assert_eq!(slots.hold("c", 0, 1, 4, 10, 0), 0, "none is");
    assert_eq!(slots.hold("a", 2, 2, 2, 10, 0), 2, "given back");
    assert_eq!(slots.hold("c", 0, 1, 1, 10, 0), 1);
    assert_eq!(slots.hold("b", 6, 7, 7, 10, 0), 7);
    assert_eq!(slots.hold("b", 7, 8, 8, 10, 0), 7, "as many as before");
    assert_eq!(slots.hold("a", 2, 2, 2, 5, 0), 2, "the limit fell; what runs goes on");
    assert_eq!(slots.free_for("a", 5), 0);
    assert_eq!(slots.hold("b", 0, 1, 9, 10, SHARE_MS), 9, "a and c are dead");
}
